"""What a run says beside its results."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from screentest.harness.core.items import ClipSettings, Item
from screentest.harness.core.run_data import ClipRecord
from screentest.harness.execution.warnings import name_lost_clips, warn_of_unasked

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


@pytest.mark.parametrize(
    ("lost", "last"),
    [
        (5, "the clip 4.mp4 of item item-4 is gone; restore it"),
        (6, "and so is 1 further clip, gone or changed"),
        (9, "and so are 4 further clips, gone or changed"),
    ],
)
def test_of_many_lost_clips_the_first_are_named_and_the_others_counted(
    lost: int, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = [ClipRecord(f"item-{k}", "ok", file=f"{k}.mp4") for k in range(12)]
    states = {f"{k}.mp4": "gone" for k in range(lost)}
    store: Any = SimpleNamespace(changed_clips=lambda: states, each_clip=lambda: clips)
    name_lost_clips(store)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == min(lost, 6)
    assert said[-1].startswith(f"warning: {last}")
