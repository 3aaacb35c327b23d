"""Text that nobody asked for: which lines count, and what the prompt allows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from screentest.harness.core.items import ClipSettings, make_item
from screentest.metrics import MEASURES, NotApplicable, Sample, Scored
from screentest.metrics.encoders.base import Record
from screentest.metrics.encoders.ocr import LAYOUT
from screentest.metrics.hallucination.words import CONFIDENT, letters

Line = tuple[str, int, float, tuple[float, float]]
OTHERS: dict[str, Any] = {"others": "none"}


def reading(*lines: Line, frames: int = 4) -> Record:
    """Make the record of lines: text, row of the frame, confidence, and place of a box of 40 x 10 pixels."""
    corners = np.array([(0, 0), (40, 0), (40, 10), (0, 10)], np.float64)
    return Record(
        {
            "frames_T": np.arange(frames) * 4,
            "times_T": np.arange(frames) * 0.5,
            "row_K": np.array([row for _, row, *_ in lines], np.int64),
            "box_K42": np.array([corners + place for *_, place in lines]).reshape(-1, 4, 2),
            "confidence_K": np.array([sure for _, _, sure, _ in lines], np.float64),
        },
        {"layout": LAYOUT, "height": 100, "width": 200, "lines": [text for text, *_ in lines]},
    )


def judged(name: str, record: Record, expect: dict[str, Any] | None) -> Scored:
    function = MEASURES.get(name).function
    assert function is not None
    value = function(
        Sample(make_item("a prompt", 0, ClipSettings(), expect=expect), "ok", None, {}, (), {"text": record})
    )
    assert isinstance(value, Scored)
    return value


def test_a_line_in_two_frames_is_text_with_its_frames():
    record = reading(("SALE", 1, 0.97, (10, 20)), ("SAlE", 2, 0.9, (12, 21)))
    scored = judged("hallucination.text", record, OTHERS)
    (fault,) = scored.evidence["faults"]
    assert (scored.value, fault["text"], fault["frames"], scored.evidence["first_s"]) == (
        1.0,
        "SALE",
        [4, 8],
        0.5,
    )
    assert judged("text.shown", record, None).evidence["lines"] == ["SALE"]


@pytest.mark.parametrize(
    "record",
    [
        reading(),
        reading(("SALE", 1, 0.97, (10, 20))),  # in one frame
        reading(("SALE", 1, 0.97, (10, 20)), ("SALE", 1, 0.97, (10, 20))),  # twice in one frame
        reading(("SALE", 1, 0.97, (10, 20)), ("SALE", 2, 0.97, (120, 80))),  # in two places
        reading(("SALE", 1, CONFIDENT - 0.01, (10, 20)), ("SALE", 2, 0.97, (10, 20))),
        reading(("A.", 1, 0.97, (10, 20)), ("A.", 2, 0.97, (10, 20))),
    ],
)
def test_what_is_seen_once_or_doubtful_or_short_is_no_text(record: Record):
    assert judged("hallucination.text", record, OTHERS).value == 0.0
    assert judged("text.shown", record, None).value == 0.0


def test_a_still_picture_has_one_frame_to_agree():
    record = reading(("SALE", 0, 0.97, (10, 20)), frames=1)
    assert judged("hallucination.text", record, OTHERS).value == 1.0


def test_words_that_were_asked_for_are_no_fault():
    record = reading(("OPEN", 0, 0.97, (10, 20)), ("OPEN", 1, 0.97, (10, 20)))
    assert judged("hallucination.text", record, {"text": ["Open daily"]}).value == 0.0
    assert judged("hallucination.text", record, {"text": ["CLOSED"]}).value == 1.0
    assert judged("hallucination.text", record, {"text": []}).value == 1.0


def test_where_the_prompt_says_nothing_text_is_not_judged():
    with pytest.raises(NotApplicable, match="does not say whether text may be seen"):
        judged("hallucination.text", reading(), {"objects": [{"name": "sign"}]})


def test_asked_words_are_found_across_the_lines_of_a_frame():
    record = reading(("OPEN", 0, 0.6, (10, 20)), ("DAILY!", 0, 0.6, (10, 40)))
    assert judged("hallucination.missing_text", record, {"text": ["open daily"]}).value == 0.0
    scored = judged("hallucination.missing_text", record, {"text": ["open", "closed"]})
    assert scored.evidence["faults"] == [{"text": "closed"}]
    assert scored.evidence["read"] == ["DAILY!", "OPEN"]
    with pytest.raises(NotApplicable, match="no words are asked for"):
        judged("hallucination.missing_text", record, OTHERS)


def test_letters_are_compared_in_one_form():
    assert letters("№ 4 — Élan!") == "no4élan"
