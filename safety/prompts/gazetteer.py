"""Find names in a text: listed persons, politics, brands and works, and given names with family names.

The lists are facts that are packaged as ``data/names``: a gazetteer of our own, and the names of the United
States Census of 1990. Names match whole words in any case, with possessives and plurals, with or without the
hyphens and spaces inside them. The time is linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import Field, field_validator

from ...harness.core.config import Config, load_yaml
from ...harness.core.errors import UsageError
from ...harness.core.keys import file_sha256
from ..taxonomy import load_taxonomy
from .classifier import Match
from .person_names import WordToken, named_persons

__all__ = ["CENSUS", "GAZETTEER", "Gazetteer", "GazetteerFile", "tokens"]

_DATA = Path(__file__).parent.parent / "data" / "names"
GAZETTEER, CENSUS = _DATA / "gazetteer.yaml", _DATA / "census_1990.tsv"
LISTED, IN_CONTEXT = 0.95, 0.7
"""Scores of a name that is listed, and of one that needs its context; they rank, and are no probabilities."""
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_INSIDE = re.compile(r"[ \t\r\n\-\u2010-\u2015./&_]{1,3}")
"""What may stand between the words of a name."""
_SHORTEST_JOINED = 6
"""Letters that a name needs for its words to be found run together."""


class Group(Config):
    """Names of one kind, and the categories that they are evidence for."""

    what: str = Field(min_length=1)
    categories: tuple[str, ...] = Field(min_length=1)
    names: tuple[str, ...] = Field(min_length=1, description="count wherever they stand, in any case")
    ambiguous: tuple[str, ...] = Field((), description="count in capitals, or beside their context")
    common: tuple[str, ...] = Field((), description="count beside their context only")
    context: tuple[str, ...] = ()
    within: int = Field(3, ge=1, le=10, description="words between a name and its context, at most")

    @field_validator("categories")
    @classmethod
    def _known(cls, categories: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(load_taxonomy().get(category).id for category in categories)

    @field_validator("names", "ambiguous", "common", "context")
    @classmethod
    def _words(cls, listed: tuple[str, ...]) -> tuple[str, ...]:
        if blank := [name for name in listed if not tokens(name)]:
            raise ValueError(f"{blank[0]!r} has no letter or digit")
        return listed


class GazetteerFile(Config):
    """A list of names (``gazetteer.yaml``)."""

    name: str = Field(min_length=1)
    version: int = Field(ge=1)
    groups: tuple[Group, ...] = Field(min_length=1)


@dataclass(frozen=True)
class _Entry:
    group: int
    entry: str
    kind: str  # names, ambiguous or common


@dataclass
class _Node:
    below: dict[str, _Node] = field(default_factory=dict[str, "_Node"])
    entries: list[_Entry] = field(default_factory=list[_Entry])


class Gazetteer:
    """A gazetteer, ready to find its names; with ``persons``, those of the census too.

    Attributes:
        categories: ids that its names are evidence for, in the order of the taxonomy.
        groups: the lists, as the file has them.
        source: the file's version and digest, for the identity of what reads with it.

    Raises:
        UsageError: the file is wrong.
    """

    def __init__(self, file: Path = GAZETTEER, *, persons: bool = True) -> None:
        listed = load_yaml(GazetteerFile, file.stem, {file.stem: file}, kind="gazetteer")
        self.groups = listed.groups
        self._persons = persons
        self._context = [
            {_fold(token.text) for word in g.context for token in tokens(word)} for g in self.groups
        ]
        found = {category for group in self.groups for category in group.categories}
        found |= {"lik"} if persons else set()
        self.categories = tuple(category for category in load_taxonomy().ids if category in found)
        self.source = {"version": listed.version, "sha256": file_sha256(file)}
        if persons:
            self.source["census_sha256"] = file_sha256(CENSUS)
        self._root = _Node()
        for number, group in enumerate(self.groups):
            for kind in ("names", "ambiguous", "common"):
                for name in getattr(group, kind):
                    self._add(name, _Entry(number, name, kind))

    def _add(self, name: str, entry: _Entry) -> None:
        words = [_fold(token.text) for token in tokens(name)]
        joined = "".join(words)
        ways = [words, [joined]] if len(words) > 1 and len(joined) >= _SHORTEST_JOINED else [words]
        for way in ways:
            node = self._root
            for word in way:
                node = node.below.setdefault(word, _Node())
            node.entries.append(entry)

    def find(self, text: str) -> list[Match]:
        """Find all names in order; of overlapping ones of a category, the first and longest."""
        words = tokens(text)
        mixed = _mixed_case(words)
        found: list[Match] = []
        for at in range(len(words)):
            found += self._at(text, words, at, mixed)
        if self._persons:
            taken = [(m.start, m.end) for m in found if m.category != "civ"]
            for first, last, score, rule in named_persons(text, words, mixed, _census()):
                start, end = words[first].start, words[last].end
                if not any(a < end and start < b for a, b in _near(taken, start, end)):
                    found.append(Match("lik", score, start, end, text[start:end], rule))
        return _apart(found)

    def _at(self, text: str, words: Sequence[WordToken], at: int, mixed: bool) -> Iterable[Match]:
        nodes, end = [self._root], at
        while nodes and end < len(words):
            if end > at and not _INSIDE.fullmatch(text, words[end - 1].end, words[end].start):
                return
            nodes = [node.below[form] for node in nodes for form in words[end].forms if form in node.below]
            for entry in (entry for node in nodes for entry in node.entries):
                group = self.groups[entry.group]
                if entry.kind != "names" and not self._in_context(words, at, end, entry, mixed):
                    continue
                score = LISTED if entry.kind == "names" else IN_CONTEXT
                start, stop = words[at].start, words[end].end
                for category in group.categories:
                    yield Match(category, score, start, stop, text[start:stop], entry.entry)
            end += 1

    def _in_context(self, words: Sequence[WordToken], at: int, end: int, entry: _Entry, mixed: bool) -> bool:
        if (
            entry.kind == "ambiguous"
            and mixed
            and all(w.capital and not w.opens for w in words[at : end + 1])
        ):
            return True
        reach = self.groups[entry.group].within
        beside = [*words[max(0, at - reach) : at], *words[end + 1 : end + 1 + reach]]
        return any(form in self._context[entry.group] for word in beside for form in word.forms)


def tokens(text: str) -> list[WordToken]:
    """Split a text into words with their places; hyphens and underscores separate, apostrophes do not."""
    words: list[WordToken] = []
    before = 0
    for found in _WORD.finditer(text):
        gap = text[before : found.start()]
        opens = not words or any(sign in gap for sign in '.!?:\n"\u201c(')
        words.append(
            WordToken(found.start(), found.end(), found[0], _forms(found[0]), found[0][0].isupper(), opens)
        )
        before = found.end()
    return words


def _fold(word: str) -> str:
    """Give a word in lower case, without apostrophes and marks."""
    if word.isascii():
        return word.lower().replace("'", "")
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in apart if c.isalnum())


def _forms(word: str) -> tuple[str, ...]:
    """Give the forms that a word may stand for: itself, without a possessive, and in the singular."""
    whole = _fold(word)
    if re.search(r"['\u2019][sS]$", word):
        return (whole, _fold(word[:-2]))
    return (whole, whole[:-1]) if whole.endswith("s") and len(whole) > 4 else (whole,)


def _mixed_case(words: Sequence[WordToken]) -> bool:
    """Check whether capitals tell anything: at most half of the words begin with one."""
    letters = [word for word in words if word.text[0].isalpha()]
    return 0 < sum(word.capital for word in letters) <= len(letters) / 2


def _near(spans: Sequence[tuple[int, int]], start: int, end: int) -> Iterable[tuple[int, int]]:
    """Give the spans, in the order of their starts, that begin up to 200 characters before ``start``."""
    return spans[bisect_left(spans, (start - 200, 0)) : bisect_left(spans, (end, 0))]


def _apart(found: Iterable[Match]) -> list[Match]:
    kept: list[Match] = []
    reached: dict[str, int] = {}
    for match in sorted(found, key=lambda m: (m.start, -m.end, -m.score, m.category)):
        if match.start >= reached.get(match.category, 0):
            kept.append(match)
            reached[match.category] = match.end
    return kept


@cache
def _census() -> dict[str, tuple[int, int, bool]]:
    """Read the census: rank as given name, as family name (0: none), and whether it is a word."""
    if not CENSUS.is_file():
        raise UsageError(f"{CENSUS} is missing; install screentest again")
    rows: dict[str, tuple[int, int, bool]] = {}
    for line in CENSUS.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, given, family, word = line.split("\t")
            rows[name] = (int(given or 0), int(family or 0), word == "w")
    return rows
