"""Families that change characters but keep the words: people can still read them, filters may not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import numpy as np

from .base import FAMILIES, Family, Readability, Transformer, chosen, on_words, words_kept
from .confusables import LOOKALIKE

__all__ = ["EMOJI", "LEET", "MARKS", "SEPARATORS", "ZERO_WIDTH", "unwrap_bidi"]

ZERO_WIDTH = "\u200b\u200c\u200d\u2060"
"""Zero-width space, non-joiner, joiner and word joiner."""
MARKS = "\u0301\u0308\u0323\u0331"
"""Combining acute, diaeresis, dot below and macron below."""
SEPARATORS = ".-*_"
EMOJI = "🎬🎥🌟✨🎨"
LEET = dict(zip("aeiost", "431057", strict=True))
_RLO, _PDF = "\u202e", "\u202c"
_BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _add(
    name: str, summary: str, readability: Readability, apply: Transformer, **more: Callable[..., object]
) -> None:
    FAMILIES.add(name, Family(name, summary, readability, apply, **more))  # pyright: ignore[reportArgumentType]


def _free_of(characters: Iterable[str]) -> Callable[[str], bool]:
    forbidden = frozenset(characters)
    return lambda text: forbidden.isdisjoint(text)


def _replace(table: dict[str, str]) -> Transformer:
    """Replace a share of the characters that are in a table."""

    def apply(text: str, rng: np.random.Generator, strength: float) -> str:
        letters = list(text)
        places = [k for k, c in enumerate(letters) if c in table]
        for k, pick in zip(places, chosen(len(places), rng, strength), strict=True):
            if pick:
                letters[k] = table[letters[k]]
        return "".join(letters)

    return apply


def _insert(characters: str) -> Transformer:
    """Put one of the characters after a share of the letters."""

    def apply(text: str, rng: np.random.Generator, strength: float) -> str:
        letters = list(text)
        places = [k for k, c in enumerate(letters) if c.isascii() and c.isalpha()]
        for k, pick in zip(places, chosen(len(places), rng, strength), strict=True):
            if pick:
                letters[k] += characters[int(rng.integers(len(characters)))]
        return "".join(letters)

    return apply


def _without(characters: str) -> Callable[[str], str]:
    table = dict.fromkeys(map(ord, characters))
    return lambda text: text.translate(table)


def _add_table(name: str, summary: str, table: dict[str, str]) -> None:
    back = {ord(there): here for here, there in table.items()}
    _add(
        name,
        summary,
        "obfuscated",
        _replace(table),
        invert=lambda text: text.translate(back),
        defined=_free_of(table.values()),
    )


def _add_inserted(name: str, summary: str, marks: str) -> None:
    _add(name, summary, "obfuscated", _insert(marks), invert=_without(marks), defined=_free_of(marks))


# -- tables of characters

_ASCII = [chr(c) for c in range(0x21, 0x7F)]
_UPPER, _LOWER = (range(0x41, 0x5B), range(0x61, 0x7B))
_SWAP = {c: c.swapcase() for c in _ASCII if c.isalpha()}

_add(
    "case",
    "swap the case of ASCII letters",
    "plain",
    _replace(_SWAP),
    invert=lambda text: text.translate(str.maketrans(_SWAP)),
)
_add_table(
    "homoglyphs", "look-alike letters of other scripts (Unicode confusables), where there is one", LOOKALIKE
)
_add_table(
    "fullwidth", "full-width forms of ASCII", {**{c: chr(ord(c) + 0xFEE0) for c in _ASCII}, " ": "\u3000"}
)
_add_table(
    "styled",
    "mathematical sans-serif bold letters",
    {
        **{chr(c): chr(0x1D5D4 + k) for k, c in enumerate(_UPPER)},
        **{chr(c): chr(0x1D5EE + k) for k, c in enumerate(_LOWER)},
    },
)

_UNLEET = str.maketrans({digit: letter for letter, digit in LEET.items()})
_add(
    "leet",
    "digits for letters that look like them",
    "obfuscated",
    _replace({**LEET, **{letter.upper(): digit for letter, digit in LEET.items()}}),
    legibility=lambda base, text: words_kept(base.translate(_UNLEET), text.translate(_UNLEET)),
)

# -- insertions

_add_inserted("zero-width", "zero-width characters after letters", ZERO_WIDTH)
_add_inserted("diacritics", "combining marks on letters", MARKS)


def _bidi(text: str, rng: np.random.Generator, strength: float) -> str:
    return on_words(text, rng, strength, lambda word: f"{_RLO}{word[::-1]}{_PDF}")


def unwrap_bidi(text: str) -> str:
    """Write what stands between a right-to-left override and its end in the order in which it is seen."""
    return re.sub(f"{_RLO}([^{_BIDI}]*){_PDF}", lambda found: found[1][::-1], text)


_add(
    "bidi",
    "letters stored backwards under a right-to-left override, seen forwards",
    "obfuscated",
    _bidi,
    invert=unwrap_bidi,
    defined=_free_of(_BIDI),
)


def _spacing(text: str, rng: np.random.Generator, strength: float) -> str:
    if strength == 1:
        return "".join(c + " " for c in text)
    return on_words(text, rng, strength, " ".join)


_add("spacing", "a space after each character", "obfuscated", _spacing, invert=lambda text: text[::2])


def _punctuation(text: str, rng: np.random.Generator, strength: float) -> str:
    return on_words(
        text, rng, strength, lambda word: SEPARATORS[int(rng.integers(len(SEPARATORS)))].join(word)
    )


_add(
    "punctuation",
    "marks such as . - * _ between the letters of words",
    "obfuscated",
    _punctuation,
    legibility=lambda base, text: words_kept(_without(SEPARATORS)(base), _without(SEPARATORS)(text)),
)


def _emoji(text: str, rng: np.random.Generator, strength: float) -> str:
    return on_words(text, rng, strength, lambda word: f"{word} {EMOJI[int(rng.integers(len(EMOJI)))]}")


_add(
    "emoji",
    "an emoji after words",
    "plain",
    _emoji,
    invert=lambda text: re.sub(f" [{EMOJI}]", "", text),
    defined=_free_of(EMOJI),
)

# -- losses


def _joined(text: str, rng: np.random.Generator, strength: float) -> str:
    parts = re.split(r"(\s+)", text.strip())
    gaps = range(1, len(parts), 2)
    for k, pick in zip(gaps, chosen(len(gaps), rng, strength), strict=True):
        if pick:
            parts[k] = ""
            parts[k + 1] = parts[k + 1][:1].upper() + parts[k + 1][1:]
    return "".join(parts)


def _without_spaces(text: str) -> str:
    return "".join(text.split()).casefold()


_add(
    "joined",
    "words run together, each with a capital",
    "obfuscated",
    _joined,
    legibility=lambda base, text: float(_without_spaces(base) == _without_spaces(text)),
)


def _inner(change: Callable[[str, int], str]) -> Transformer:
    """Change one inner place of a share of the words of four letters or more."""

    def apply(text: str, rng: np.random.Generator, strength: float) -> str:
        def one(word: str) -> str:
            return change(word, int(rng.integers(1, len(word) - 2)))

        return on_words(text, rng, strength, one, applies=lambda word: len(word) >= 4)

    return apply


_add("deletion", "one inner letter left out of words", "plain", _inner(lambda w, k: w[:k] + w[k + 1 :]))
_add(
    "typos",
    "two neighbouring inner letters swapped",
    "plain",
    _inner(lambda w, k: w[:k] + w[k + 1] + w[k] + w[k + 2 :]),
)


def _elongation(text: str, rng: np.random.Generator, strength: float) -> str:
    vowel = re.compile("([aeiouAEIOU])")
    return on_words(
        text,
        rng,
        strength,
        lambda word: vowel.sub(r"\1\1\1", word, count=1),
        applies=lambda word: vowel.search(word) is not None,
    )


_add(
    "elongation",
    "the first vowel of words three times",
    "plain",
    _elongation,
    legibility=lambda base, text: words_kept(_short(base), _short(text)),
)


def _short(text: str) -> str:
    return re.sub(r"([aeiou])\1+", r"\1", text, flags=re.IGNORECASE)
