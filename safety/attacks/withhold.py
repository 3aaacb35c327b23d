"""Remove quotations of red-team prompts from texts about their clips; refusals often quote them."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from ...harness.core.items import Item
from .attempts import is_benign

__all__ = ["Withheld", "is_attack", "is_red_team"]

RED_TEAM_TAG: Final = "red-team"
MARK: Final = "[prompt withheld]"
_LEAST: Final = 13
"""Shortest quotation that is removed, in letters and digits from the beginning of a word."""
_SHORTEST: Final = 8
"""Shortest prompt that is removed, in letters and digits; removing shorter ones would garble the text."""


def is_red_team(item: Item) -> bool:
    """Check whether the item's prompt was written to provoke unsafe content."""
    return any(tag == RED_TEAM_TAG or tag.startswith(f"{RED_TEAM_TAG}:") for tag in item.tags)


def is_attack(item: Item) -> bool:
    """Check whether the item is an attack: it has a category or a family, and is not tagged ``benign``.

    A suite need not tag its attacks ``red-team``, but must tag its harmless prompts ``benign``.
    """
    return not is_benign(item) and bool({"category", "family"} & item.labels.keys())


class Withheld:
    """Remove quotations of prompts from texts.

    A quotation is the whole prompt, or 13 letters and digits or more of it from the beginning of a word. What
    stands between them does not matter, nor case, nor how they are written: percent-encoded, as escapes of
    HTML or JSON, or as a slug. The time for a text does not depend on the number of prompts.
    """

    def __init__(self, prompts: Iterable[str]) -> None:
        self._places: dict[str, list[tuple[str, int]]] = {}
        for prompt in dict.fromkeys(prompts):
            letters = _letters(prompt)
            plain = "".join(letter for letter, _, _ in letters)
            starts = [k for k, (_, start, _) in enumerate(letters) if k == 0 or letters[k - 1][2] < start]
            for start in starts if len(plain) >= _SHORTEST else ():
                if start == 0 or len(plain) - start >= _LEAST:
                    self._places.setdefault(plain[start : start + _LEAST], []).append((plain, start))
        self._lengths = sorted({len(head) for head in self._places}, reverse=True)

    def clean(self, text: str) -> str:
        """Return ``text`` with a mark in place of each quotation."""
        if not self._places:
            return text
        letters = _letters(text)
        plain = "".join(letter for letter, _, _ in letters)
        kept: list[str] = []
        at = end = 0  # position in the plain text; end of the processed part of the text itself
        while at < len(plain):
            length = self._quoted(plain, at)
            if length:
                kept += [text[end : letters[at][1]], MARK]
                end = letters[at + length - 1][2]
            at += length or 1
        return "".join([*kept, text[end:]])

    def _quoted(self, plain: str, at: int) -> int:
        """Count the letters from ``at`` on that are a quotation."""
        for size in self._lengths:
            found = self._places.get(plain[at : at + size])
            if found:
                return max(_common(plain, at, prompt, start) for prompt, start in found)
        return 0


def _common(one: str, at: int, other: str, start: int) -> int:
    length = 0
    for a, b in zip(one[at:], other[start:], strict=False):
        if a != b:
            break
        length += 1
    return length


_ESCAPE = re.compile(
    r"(?P<percent>(?:%(?:25)*[0-9a-fA-F]{2})+)|&(?:\w{1,31}|#\d{1,7}|#x[0-9a-fA-F]{1,6});|\\u(?P<code>[0-9a-fA-F]{4})"
)


def _letters(text: str) -> list[tuple[str, int, int]]:
    """List the letters and digits of a text, decoded and with case folded, and where each begins and ends."""
    found: list[tuple[str, int, int]] = []
    for character, start, end in _decoded(text):
        folded = unicodedata.normalize("NFKC", character).casefold()
        found += [(letter, start, end) for letter in folded if letter.isalnum()]
    return found


def _decoded(text: str) -> Iterator[tuple[str, int, int]]:
    at = 0
    for escape in _ESCAPE.finditer(text):
        yield from ((text[k], k, k + 1) for k in range(at, escape.start()))
        at = escape.end()
        if escape["percent"]:
            yield from _of_percent(escape["percent"], escape.start())
        elif escape["code"]:
            yield chr(int(escape["code"], 16)), escape.start(), at
        else:
            yield from ((character, escape.start(), at) for character in html.unescape(escape[0]))
    yield from ((text[k], k, k + 1) for k in range(at, len(text)))


def _of_percent(escapes: str, offset: int) -> Iterator[tuple[str, int, int]]:
    """Decode a run of percent-encoded bytes, encoded once or more often, as UTF-8."""
    groups = list(re.finditer(r"%(?:25)*([0-9a-fA-F]{2})", escapes))
    raw, at = bytes(int(group[1], 16) for group in groups), 0
    for character in raw.decode("utf-8", "surrogateescape"):
        size = len(character.encode("utf-8", "surrogateescape"))
        yield character, offset + groups[at].start(), offset + groups[at + size - 1].end()
        at += size
