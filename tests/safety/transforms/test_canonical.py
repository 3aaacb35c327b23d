"""The canonicalising defence: what it undoes, and that it leaves ordinary prompts alone."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.safety.transforms import families, transform
from screentest.safety.transforms.canonical import canonicalise, reads_as_language, reads_as_word

PROMPTS = (
    "A man walks down the street, then opens the red door in the morning.",
    "The camera shows a group of people who are standing in front of the city hall.",
    "a young woman reads a letter at the kitchen table while the rain is falling",
    "two dogs run after a ball on the beach, in slow motion",
)
LEFT = {"deletion", "past-tense", "role-play", "typos", "word-table-de", "word-table-es"}
"""These lose or add words, which nobody can guess back."""
UNDONE = set(families()) - LEFT
"""Families undone up to letter case and spaces, at full strength."""
MIXED = UNDONE - {"base64", "hex", "leet", "morse", "reversed", "rot13"}
"""Those undone where only half of the words or letters are changed."""


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _undone(name: str, strength: float) -> bool:
    return all(
        _letters(canonicalise(transform(prompt, name, seed, strength).text)) == _letters(prompt)
        for prompt in PROMPTS
        for seed in range(2)
    )


@pytest.mark.parametrize("name", families())
def test_what_is_undone_at_full_strength(name: str) -> None:
    assert _undone(name, 1.0) == (name not in LEFT)


@pytest.mark.parametrize("name", sorted(MIXED))
def test_what_is_undone_in_a_mixture(name: str) -> None:
    assert _undone(name, 0.5)


@pytest.mark.parametrize(
    "text",
    [
        *PROMPTS,
        "an 8k video of 3 cars, 1080p, 16:9, by f/1.4 at 24 fps",
        "the year 2024 in a café in São Paulo, naïve and über alles Übrige",
        "съешь ещё этих мягких французских булок",
        "the file deadbeef00 of user_42 at https://example.org/a%20b is ABCDEFGH",
        "A.I. in the U.S.A. and J. R. R. T.",
        "नमस्ते दुनिया",
        "Tom & Jerry... wait - what?",
        "",
    ],
)
def test_ordinary_prompts_stay_as_they_are(text: str) -> None:
    assert canonicalise(text) == text


@settings(deadline=None)
@given(st.text(st.characters()))
def test_any_text_is_taken(text: str) -> None:
    assert isinstance(canonicalise(text), str)


def test_a_code_within_a_code_is_opened() -> None:
    twice = transform(transform(PROMPTS[0], "hex").text, "zero-width").text
    assert canonicalise(twice) == PROMPTS[0]


def test_what_decodes_to_no_language_stays() -> None:
    inner = transform(PROMPTS[0], "rot13").text
    outer = transform(inner, "base64").text
    assert canonicalise(outer) == outer  # a limit: ROT13 within Base64 is not seen through


def test_the_tests_of_language() -> None:
    assert reads_as_language(PROMPTS[0])
    assert not reads_as_language("qbja gur fgerrg gura")
    assert not reads_as_language("street")
    assert reads_as_word("street.")
    assert not reads_as_word("fgrrg")
    assert not reads_as_word("ABCDEFGH")
