"""Red-team prompts, taken out of what is said of their clips: reasons of refusals often quote them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..harness.core.items import Item
from ..safety.attacks.attempts import is_benign

__all__ = ["Withheld", "is_attack", "is_red_team"]

RED_TEAM_TAG: Final = "red-team"
MARK: Final = "[prompt withheld]"
_LEAST: Final = 16
"""Characters of a quotation, from the beginning of a word on, that give something away."""
_SHORTEST: Final = 8
"""Characters of a prompt; a shorter one gives nothing away, and taking it out would garble the text."""


def is_red_team(item: Item) -> bool:
    """Say whether the item's prompt was written to provoke unsafe content."""
    return any(tag == RED_TEAM_TAG or tag.startswith(f"{RED_TEAM_TAG}:") for tag in item.tags)


def is_attack(item: Item) -> bool:
    """Say whether the item is one of the attacks of a run that judged attempts, by its labels.

    Such a suite need not tag its attacks ``red-team``; harmless prompts it has to tag ``benign``.
    """
    return not is_benign(item) and bool({"category", "family"} & item.labels.keys())


class Withheld:
    """Take prompts out of texts that quote them, in whole or in part.

    A part is 16 characters or more from the beginning of a word on; case and white space do not count. Of a
    shorter prompt it is the whole. Building it takes time by the number of prompts, and a text does not.
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
        """Give ``text`` with a mark in the place of each quotation."""
        if not self._places:
            return text
        plain, where = _plain(text)
        kept: list[str] = []
        at = end = 0  # in the plain text, and how much of the text itself is done
        while at < len(plain):
            length = self._quoted(plain, at)
            if length:
                kept += [text[end : where[at]], MARK]
                end = where[at + length - 1] + 1
            at += length or 1
        return "".join([*kept, text[end:]])

    def _quoted(self, plain: str, at: int) -> int:
        """Tell how many characters from ``at`` on are a quotation."""
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
    """Fold case and make every white space one blank; with the place in ``text`` of each character."""
    letters: list[str] = []
    where: list[int] = []
    for place, letter in enumerate(text):
        folded = " " if letter.isspace() else letter.casefold()
        if folded == " " and letters and letters[-1] == " ":
            continue
        letters += folded
        where += [place] * len(folded)
    return "".join(letters), where
