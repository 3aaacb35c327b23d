"""Remove quotations of red-team prompts from texts about their clips; refusals often quote them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..harness.core.items import Item
from ..safety.attacks.attempts import is_benign

__all__ = ["Withheld", "is_attack", "is_red_team"]

RED_TEAM_TAG: Final = "red-team"
MARK: Final = "[prompt withheld]"
_LEAST: Final = 16
"""Shortest quotation that is removed, in characters from the beginning of a word."""
_SHORTEST: Final = 8
"""Shortest prompt that is removed, in characters; removing shorter ones would garble the text."""


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

    A quotation is the whole prompt, or 16 characters or more of it from the beginning of a word; case and
    white space do not matter. The time for a text does not depend on the number of prompts.
    """

    def __init__(self, prompts: Iterable[str]) -> None:
        self._places: dict[str, list[tuple[str, int]]] = {}
        for prompt in dict.fromkeys(prompts):
            plain = _plain(prompt)[0].strip()
            starts = [0, *(k + 1 for k, letter in enumerate(plain) if letter == " ")]
            for start in starts if len(plain) >= _SHORTEST else ():
                if start == 0 or len(plain) - start >= _LEAST:
                    self._places.setdefault(plain[start : start + _LEAST], []).append((plain, start))
        self._lengths = sorted({len(head) for head in self._places}, reverse=True)

    def clean(self, text: str) -> str:
        """Return ``text`` with a mark in place of each quotation."""
        if not self._places:
            return text
        plain, where = _plain(text)
        kept: list[str] = []
        at = end = 0  # position in the plain text; end of the processed part of the text itself
        while at < len(plain):
            length = self._quoted(plain, at)
            if length:
                kept += [text[end : where[at]], MARK]
                end = where[at + length - 1] + 1
            at += length or 1
        return "".join([*kept, text[end:]])

    def _quoted(self, plain: str, at: int) -> int:
        """Count the characters from ``at`` on that are a quotation."""
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


def _plain(text: str) -> tuple[str, list[int]]:
    """Fold case and turn white space into single blanks; also return each character's place in ``text``."""
    letters: list[str] = []
    where: list[int] = []
    for place, letter in enumerate(text):
        folded = " " if letter.isspace() else letter.casefold()
        if folded == " " and letters and letters[-1] == " ":
            continue
        letters += folded
        where += [place] * len(folded)
    return "".join(letters), where
