"""Families of transformations, and their registry."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

import numpy as np

from ...harness.core.registry import Registry, Rooms

__all__ = ["FAMILIES", "Family", "Readability", "chosen", "legible_words", "on_words", "words_kept"]

Readability = Literal["plain", "obfuscated", "encoded"]
Transformer = Callable[[str, np.random.Generator, float], str]


def _anywhere(text: str) -> bool:
    del text
    return True


def legible_words(text: str) -> list[str]:
    """Split a text into words of letters and digits, in lower case."""
    return re.findall(r"[^\W_]+", text.casefold())


def words_kept(base: str, text: str) -> float:
    """Give the share in [0, 1] of the words of ``base`` that stand in ``text``, in their order.

    A word is kept when `difflib`'s ratio with a word of the text is 0.6 or more: one letter of a short word,
    two or three of a long one.
    """
    ours, theirs = legible_words(base), legible_words(text)
    if not ours:
        return 1.0
    kept, start = 0, 0
    for word in ours:
        for k in range(start, len(theirs)):
            if word == theirs[k] or SequenceMatcher(None, word, theirs[k], autojunk=False).ratio() >= 0.6:
                kept, start = kept + 1, k + 1
                break
    return kept / len(ours)


@dataclass(frozen=True)
class Family:
    """One named way of rewriting a prompt.

    Attributes:
        readability: ``plain``: people and generators read it; ``obfuscated``: people read it, a generator's
            tokeniser may not; ``encoded``: neither does without decoding. An encoding that the generator
            cannot read may evade a filter, and is no attack.
        apply: text, generator of random numbers and strength in (0, 1] to the new text.
        invert: from a text rewritten at full strength back to the first one; None where something is lost.
        defined: the texts for which ``invert`` gives the first text back.
        legibility: for families that cannot be inverted: share in [0, 1] of the first text that one who knows
            the family reads in the second (arguments: first, second).
    """

    name: str
    summary: str
    readability: Readability
    apply: Transformer
    invert: Callable[[str], str] | None = None
    defined: Callable[[str], bool] = _anywhere
    legibility: Callable[[str, str], float] = words_kept

    @property
    def reversible(self) -> bool:
        """Whether the text can be recovered from its transformation at full strength."""
        return self.invert is not None


_ROOMS = Rooms()
_ROOMS.add(*(f"{__package__}.{module}" for module in ("codes", "phrasing", "surface")))
FAMILIES: Registry[Family] = Registry("transformation family", Family, _ROOMS)


def chosen(n: int, rng: np.random.Generator, strength: float) -> list[bool]:
    """Choose a share of ``n`` places, at least one if there is any; all of them at strength 1."""
    picked = [False] * n
    if n:
        for k in rng.permutation(n)[: max(1, round(strength * n))]:
            picked[int(k)] = True
    return picked


def on_words(
    text: str,
    rng: np.random.Generator,
    strength: float,
    change: Callable[[str], str],
    applies: Callable[[str], bool] = _anywhere,
) -> str:
    """Apply ``change`` to a share of the words for which ``applies`` is true; white space stays."""
    parts = re.split(r"(\s+)", text)
    places = [k for k, part in enumerate(parts) if part and not part.isspace() and applies(part)]
    for k, pick in zip(places, chosen(len(places), rng, strength), strict=True):
        if pick:
            parts[k] = change(parts[k])
    return "".join(parts)
