"""What a run says beside its results."""

from __future__ import annotations

import pytest
from screentest.harness.core.items import ClipSettings, Item
from screentest.harness.execution.warnings import warn_of_unasked

CLIP = ClipSettings(frames=4, height=16, width=16, fps=4)
QUESTION = {"ask": "Is a boat to be seen?", "answer": True}


def items() -> list[Item]:
    """Make two prompts of two seeds; one of them has a question."""
    return [
        Item(f"{name}{seed}", name, "a boat", seed, CLIP, expect={"questions": [QUESTION]} if asks else None)
        for name, asks in (("a", True), ("b", False))
        for seed in range(2)
    ]


def test_prompts_that_need_a_viewer_are_counted_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_unasked(items(), ["motion.flicker"])
    said = capsys.readouterr().err
    assert "1 of 2 prompts needs a viewer; it was not asked" in said
    assert "--measures +judge.vlm" in said


@pytest.mark.parametrize("measures", [["judge.vlm"], ["motion.flicker", "judge.rating"]])
def test_nothing_is_said_where_a_viewer_is_asked(
    measures: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    warn_of_unasked(items(), measures)
    assert capsys.readouterr().err == ""


def test_nothing_is_said_without_questions(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_unasked(items()[2:], ["motion.flicker"])
    assert capsys.readouterr().err == ""
