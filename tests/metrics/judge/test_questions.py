"""Questions of a prompt: what is read, and what is refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.metrics.judge.questions import Asked, Question, elsewhere_questions, read_questions


def item(questions: Any, prompt: str = "a hand bites a biscuit", **more: Any) -> Item:
    return make_item(prompt, 0, ClipSettings(), expect={"questions": questions}, **more)


def test_words_and_truth_values_are_one():
    """YAML reads yes as true, JSON and CSV manifests keep the word."""
    first, second, third = read_questions(
        item(
            [
                {"ask": "a?", "answer": True, "elsewhere": False},
                {"ask": "b?", "answer": "No", "control": "yes"},
                {"ask": "c?", "answer": " yes "},
            ]
        )
    )
    assert first == Question(ask="a?", answer=True, elsewhere=False)
    assert (second.answer, second.control, second.elsewhere) == (False, True, None)
    assert third.answer is True


def test_a_prompt_without_questions_asks_nothing():
    assert read_questions(make_item("x", 0, ClipSettings())) == ()
    assert read_questions(make_item("x", 0, ClipSettings(), expect={"motion": "fall"})) == ()
    assert read_questions(item([])) == ()


@pytest.mark.parametrize(
    ("questions", "sentence"),
    [
        ("is it?", "should be a list of mappings with 'ask' and 'answer'"),
        ({"ask": "a?"}, "should be a list of mappings"),
        (["a?"], "should be a list of mappings"),
        ([{"ask": "a?"}], "needs either 'answer' (yes or no) or 'scale'"),
        ([{"ask": "a?", "answer": True, "scale": 5}], "needs either 'answer' (yes or no) or 'scale'"),
        ([{"ask": "a?", "scale": 5, "control": True}], "a rating is no control"),
        ([{"ask": "a?", "scale": 2}], "scale: it should be at least 3"),
        ([{"ask": "", "answer": True}], "ask: it should have at least 1 character"),
        ([{"ask": "a?", "answer": "maybe"}], "answer: should be yes or no, not 'maybe'"),
        ([{"ask": "a?", "answer": 1}], "answer: should be yes or no, not 1"),
        ([{"ask": "a?", "answr": True}], "unknown key 'answr'; did you mean 'answer'"),
        ([{"ask": "a?", "answer": True}, {"ask": "a?", "answer": False}], "hold one question twice"),
    ],
)
def test_questions_that_are_wrong_name_their_prompt(questions, sentence):
    with pytest.raises(UsageError, match="prompt 'a hand bites a biscuit'") as raised:
        read_questions(item(questions))
    assert sentence in str(raised.value)


def test_a_red_team_prompt_is_named_by_its_id():
    hidden = item("no list", "something forbidden", tags=("red-team:violence",))
    with pytest.raises(UsageError) as raised:
        read_questions(hidden)
    assert "forbidden" not in str(raised.value)
    assert hidden.cluster[:12] in str(raised.value)


def test_what_is_known_elsewhere_is_collected_by_prompt():
    bite = item([{"ask": "bite?", "answer": True, "elsewhere": False}, {"ask": "two?", "answer": False}])
    other = item([{"ask": "cat?", "answer": True}], "a cat")
    assert elsewhere_questions([bite, other]) == {bite.cluster: (Asked("bite?", False, "elsewhere"),)}
    against = item([{"ask": "bite?", "answer": False, "elsewhere": True}], "a dog")
    with pytest.raises(UsageError, match=r"'bite\?' different answers for 'elsewhere'"):
        elsewhere_questions([bite, against])
