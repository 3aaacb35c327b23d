"""Families of rewritten prompts: the same every time, and undone and readable where they say so."""

import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.safety.transforms import base_id_of, families, family, invert, legibility, transform
from screentest.safety.transforms.base import chosen, words_kept
from screentest.safety.transforms.codes import from_braille, from_morse, to_braille, to_morse
from screentest.safety.transforms.confusables import FOLD, LOOKALIKE

PROMPTS = (
    "A man walks down the street, then opens the red door at nine in the morning.",
    "Two children fly a paper kite while their dog runs along the beach",
    "the camera shows a doctor who explains how a new machine moves water from the river to the field",
)
REVERSIBLE = [name for name in families() if family(name).reversible]
LOSSY = [name for name in families() if not family(name).reversible]
few = settings(max_examples=40, deadline=None)  # of each of the families; time says nothing on a busy machine
ANY_TEXT = st.text(st.characters())  # all of Unicode, halves of surrogate pairs included


def test_there_are_families_of_every_kind() -> None:
    assert len(families()) >= 15
    assert {family(name).readability for name in families()} == {"plain", "obfuscated", "encoded"}
    assert len(REVERSIBLE) >= 10
    assert LOSSY


@pytest.mark.parametrize("name", REVERSIBLE)
@few
@given(text=ANY_TEXT, seed=st.integers(0, 5))
def test_a_reversible_family_gives_the_text_back(name: str, text: str, seed: int) -> None:
    made = transform(text, name, seed)
    if family(name).defined(text):
        assert made.reversible
        assert invert(made.text, name) == text
    elif made.text != text:
        assert made.reversible == (invert(made.text, name) == text)


@pytest.mark.parametrize("name", families())
@few
@given(text=ANY_TEXT, strength=st.floats(0, 1))
def test_any_text_and_strength_give_the_same_text_twice(name: str, text: str, strength: float) -> None:
    first, second = (transform(text, name, 3, strength) for _ in range(2))
    assert first == second
    assert transform(text, name, 3, 0.0).text == text


@pytest.mark.parametrize("name", families())
@pytest.mark.parametrize("prompt", PROMPTS)
def test_what_cannot_be_undone_can_still_be_read(name: str, prompt: str) -> None:
    made = transform(prompt, name)
    assert made.text != prompt
    assert made.base_id == base_id_of(prompt)
    if not made.reversible:
        assert made.legibility is not None
        assert made.legibility >= 0.75


def test_legibility_tells_a_lost_text_from_a_kept_one() -> None:
    assert legibility(PROMPTS[0], PROMPTS[1], "deletion") < 0.5
    assert legibility(PROMPTS[0], "-- --- .", "morse") < 0.3
    assert words_kept("kill the lights", "the lights") == pytest.approx(2 / 3)
    assert transform(PROMPTS[0], "rot13", strength=0.5).legibility is None  # a mixture: nothing is known


@pytest.mark.parametrize("name", ["typos", "homoglyphs", "case", "leet"])
def test_a_higher_strength_changes_more(name: str) -> None:
    def changed(strength: float) -> int:
        return len(PROMPTS[2]) - len(
            set(enumerate(PROMPTS[2])) & set(enumerate(transform(PROMPTS[2], name, 0, strength).text))
        )

    assert 0 == changed(0.0) < changed(0.05) <= changed(1.0)
    assert transform(PROMPTS[2], name, 0, 0.2).id != transform(PROMPTS[2], name, 0, 1.0).id


def test_seeds_vary_what_is_left_to_chance() -> None:
    assert len({transform(PROMPTS[2], "zero-width", seed).text for seed in range(5)}) == 5
    assert len({transform(PROMPTS[2], "hex", seed).text for seed in range(5)}) == 1
    assert transform(PROMPTS[2], "typos", 1).id != transform(PROMPTS[2], "typos", 2).id


def test_the_base_id_pairs_with_the_items_of_a_suite() -> None:
    assert base_id_of("a red ball") == make_item("a red ball", 0, ClipSettings()).cluster
    assert transform("a red ball", "hex", base_id="rt-01").base_id == "rt-01"


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_wrong_strength_is_said(strength: float) -> None:
    with pytest.raises(UsageError, match="share from 0 to 1"):
        transform("text", "case", strength=strength)


def test_wrong_names_and_texts_are_said() -> None:
    with pytest.raises(UsageError, match="did you mean 'homoglyphs'"):
        transform("text", "homoglyph")
    with pytest.raises(UsageError, match="cannot be undone"):
        invert("text", "typos")
    with pytest.raises(UsageError, match="was not made by"):
        invert("no base64!", "base64")


# -- known answers


def test_morse_knows_the_alphabet() -> None:
    assert to_morse("SOS, 2 men") == "... --- ... --..-- / ..--- / -- . -."
    assert from_morse(to_morse("the quick brown fox")) == "the quick brown fox"
    assert len({to_morse(c) for c in string.ascii_lowercase + string.digits}) == 36


def test_braille_knows_the_alphabet_and_numbers() -> None:
    assert to_braille("braille 12") == "⠃⠗⠁⠊⠇⠇⠑ ⠼⠁⠃"
    # Cells of w, x, y and z by the chart of English braille: dots 2456, 1346, 13456, 1356.
    assert to_braille("wxyz") == "".join(
        chr(0x2800 + dots) for dots in (0b111010, 0b101101, 0b111101, 0b110101)
    )
    assert from_braille(to_braille("a quick fox, 1989 of them")) == "a quick fox, 1989 of them"


def test_known_encodings() -> None:
    assert transform("Hello", "base64").text == "SGVsbG8="  # RFC 4648, by hand
    assert transform("Hello", "hex").text == "48656c6c6f"
    assert transform("Why did the chicken", "rot13").text == "Jul qvq gur puvpxra"
    assert transform("é", "percent").text == "%C3%A9"


def test_no_two_letters_share_a_lookalike_and_all_fold_back() -> None:
    assert len(set(LOOKALIKE.values())) == len(LOOKALIKE)
    assert all(c.isascii() and c.isalpha() and not there.isascii() for c, there in LOOKALIKE.items())
    assert {FOLD[there] for there in LOOKALIKE.values()} == set(LOOKALIKE)


@few
@given(n=st.integers(0, 50), strength=st.floats(0.001, 1))
def test_a_share_of_places_is_chosen(n: int, strength: float) -> None:
    few = chosen(n, np.random.default_rng(0), strength)
    all_of_them = chosen(n, np.random.default_rng(0), 1.0)
    assert len(few) == n
    assert all(all_of_them)
    assert sum(few) == (max(1, round(strength * n)) if n else 0)
