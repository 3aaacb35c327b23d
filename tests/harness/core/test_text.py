"""Text that comes in from outside: pairs joined, halves replaced, all else as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core.items import ClipSettings, Prompt, make_item
from screentest.harness.core.text import control_character, is_blank, printable, well_formed

ANY_TEXT = st.text(st.characters())  # all of Unicode, halves of surrogate pairs included


@given(ANY_TEXT)
def test_any_text_can_be_written_afterwards(text: str) -> None:
    made = well_formed(text)
    assert made.encode("utf-8").decode("utf-8") == made
    assert well_formed(made) == made


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_whole_text_stays_as_it_is(text: str) -> None:
    assert well_formed(text) == text
    halves = text.encode("utf-16-le").decode("utf-16-le", "surrogatepass")
    assert well_formed(halves) == text


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("\ud83c\udf51", "\U0001f351"),
        ("\udf51\ud83c", "\ufffd\ufffd"),
        ("\ud83c\ud83c\udf51\udf51", "\ufffd\U0001f351\ufffd"),
        ("a\ud83cb", "a\ufffdb"),
    ],
)
def test_pairs_are_joined_and_halves_replaced(text: str, made: str) -> None:
    assert well_formed(text) == made


def test_prompts_and_items_hold_whole_text() -> None:
    prompt = Prompt(text="a \ud83c\udf51 and \ud83c", tags=("mood:\ud83c",))
    assert prompt.text == "a \U0001f351 and \ufffd"
    assert prompt.tags == ("mood:\ufffd",)
    assert make_item("a \ud83c\udf51", 1, ClipSettings()) == make_item("a \U0001f351", 1, ClipSettings())


@given(st.text())
def test_what_is_shown_has_no_control_character(text: str) -> None:
    shown = printable(text)
    assert control_character(shown) is None
    assert shown == text or not text.isprintable()


@pytest.mark.parametrize(
    "text", ["", " \t\n", "\u200b", "\u2060\ufeff\u00ad", "\u3164\u2800", "\u202e \u034f", "\ufe0f"]
)
def test_text_that_shows_nothing_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", " .", "\u200ba", "\U0001f351\ufe0f", "\u0645", "\u4e00"])
def test_text_that_shows_something_is_not_blank(text: str) -> None:
    assert not is_blank(text)
