"""Tell a named person by a given name and a family name in sequence, or by a title and a family name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..transforms.canonical import FREQUENT

__all__ = ["WordToken", "named_persons"]

IN_CAPITALS, IN_ANY_CASE = 0.8, 0.6
"""Scores of a person's name in capitals in text of mixed case, and in any case; they only rank."""
_SPACE = re.compile(r"[ \t]{1,2}|\. ?|-")
_WELL_KNOWN, _KNOWN_GIVEN, _KNOWN_FAMILY = 100, 500, 1000
"""Ranks up to which a name that is also a word counts, in the lists of the census."""
_TITLE_WORDS = """
    mr mrs ms dr president senator governor congressman congresswoman chancellor mayor justice professor sir
"""
_TITLES = frozenset(_TITLE_WORDS.split())
_PLACE_WORDS = """
    adelaide africa alabama alexandria america asia austin barbara berlin boston brooklyn california
    carolina chad charlotte chester chicago china cuba dakota dallas denver detroit diego egypt england
    florence florida france francisco geneva georgia germany holland houston hudson india ireland israel
    italy jackson jersey jordan kansas kenya korea lincoln london los madison maine malaysia manhattan
    mexico milan monica montana nevada orleans paris persia phoenix richmond rio rome russia sahara san
    santa savannah scotland sierra spain sydney tennessee texas troy venice victoria vienna virginia
    wales washington york
"""
_PLACES = frozenset(_PLACE_WORDS.split())
"""Places that are also listed as names."""


class WordToken(NamedTuple):
    """A word of a text.

    Attributes:
        start, end: its place, in characters.
        text: as it stands there.
        forms: what it may stand for, in lower case: itself, without a possessive, in the singular.
        capital: whether it begins with a capital.
        opens: whether it begins a sentence, a line or a quotation.
    """

    start: int
    end: int
    text: str
    forms: tuple[str, ...]
    capital: bool
    opens: bool


Census = Mapping[str, tuple[int, int, bool]]
"""Name -> rank as a given name, rank as a family name (0: not listed), and whether it is also a word."""


def named_persons(
    text: str, words: Sequence[WordToken], mixed: bool, census: Census
) -> Iterator[tuple[int, int, float, str]]:
    """Give the persons that a text names: first word, last word, score, and the rule.

    A given name alone is nobody's in particular and is not given. Between the two names an initial may stand.
    """
    for at in range(len(words) - 1):
        following = at + 1
        if not _SPACE.fullmatch(text, words[at].end, words[following].start):
            continue
        score = _titled(words[at], words[following], mixed, census)
        if score:
            yield at, following, score, "title and family name"
            continue
        middle = len(words[following].text) == 1 and words[following].text.isalpha()
        if middle and at + 2 < len(words) and _SPACE.fullmatch(text, words[at + 1].end, words[at + 2].start):
            following = at + 2
        if score := _full_name(words[at], words[following], mixed, census):
            yield at, following, score, "given name and family name"


def _titled(title: WordToken, name: WordToken, mixed: bool, census: Census) -> float:
    if title.forms[0] not in _TITLES or not (mixed and name.capital and title.capital):
        return 0.0
    known = any(census.get(form, (0, 0, False))[1] for form in name.forms)
    return IN_CAPITALS if known else 0.0


def _full_name(given: WordToken, family: WordToken, mixed: bool, census: Census) -> float:
    """Score a given name and a family name; 0 if they may as well be words."""
    rank, _, given_word = census.get(given.forms[0], (0, 0, False))
    if not rank or given.forms[0] in FREQUENT:
        return 0.0
    best = max(((form, *census.get(form, (0, 0, False))) for form in family.forms), key=lambda f: f[2] > 0)
    name, _, family_rank, family_word = best
    if not family_rank or len(name) < 2:
        return 0.0
    capitals = mixed and given.capital and family.capital
    if given.forms[0] in _PLACES or name in _PLACES:
        both = given.forms[0] in _PLACES and name in _PLACES
        return IN_CAPITALS if capitals and not both and not family_word and not given_word else 0.0
    if capitals:
        plain = not given_word or not family_word or max(rank, family_rank) <= _WELL_KNOWN
        return IN_CAPITALS if plain and not (given.opens and given_word and family_word) else 0.0
    if name in FREQUENT:
        return 0.0
    if family_word:
        both = given_word and max(rank, family_rank) <= _WELL_KNOWN
        plain = not given_word and rank <= _KNOWN_GIVEN and family_rank <= _KNOWN_FAMILY
        return IN_ANY_CASE if both or plain else 0.0
    return IN_ANY_CASE if not given_word or rank <= _WELL_KNOWN else 0.0
