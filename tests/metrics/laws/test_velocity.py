"""The error of a velocity: exact on drawn ways, and what it says where there is nothing to measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.metrics import NotApplicable, Sample, Scored
from screentest.metrics.laws.velocity import velocity_error

from ..helpers import track_record
from ..tracking.scenes import RED, Shape, draw

BALL = {"objects": [{"shape": "ball", "color": "red"}], "motion": "right"}


def way(speed: float, frames: int = 16, known: int = 16) -> list[list[float] | None]:
    """List the places of a thing at so many sides a second, 8 frames a second, known up to a frame."""
    return [[0.2 + speed * t / 8, 0.5] if t < known else None for t in range(frames)]


def scored(shapes: list[Shape], expect: Mapping[str, Any], frames: int = 16) -> Scored:
    record = track_record(draw(shapes, frames))
    item = make_item("a red ball moves right", 0, ClipSettings(), expect=expect)
    value = velocity_error(Sample(item, "ok", None, {}, (), {"tracks": record}))
    assert isinstance(value, Scored)
    return value


def ball(speed_px: float) -> Shape:
    return Shape("ball", RED, 6.0, lambda t: (12.0 + speed_px * t, 32.0))


def test_the_error_is_the_distance_of_the_velocities():
    expect = {**BALL, "ways": [{"first": 8, "places": way(0.25)}]}  # 2 pixels a frame
    assert scored([ball(2.0)], expect).value == pytest.approx(0.0, abs=0.003)
    found = scored([ball(2.5)], expect)
    assert found.value == pytest.approx(0.5 * 8 / 64, abs=0.003)
    assert found.evidence["steps"] == 8
    assert found.evidence["objects"]["0"] == pytest.approx(found.value, abs=1e-6)


def test_only_frames_that_the_generator_answers_for_count():
    turns = Shape("ball", RED, 6.0, lambda t: (12.0 + 3.0 * min(t, 8) + 2.0 * max(0, t - 8), 32.0))
    places = way(0.25)
    assert scored([turns], {**BALL, "ways": [{"first": 9, "places": places}]}).value < 0.004
    whole = scored([turns], {**BALL, "ways": [{"places": places}]})
    assert whole.value == pytest.approx(8 / 15 * 1.0 * 8 / 64, abs=0.004)
    assert scored([turns], {**BALL, "ways": [{"places": way(0.375, known=9)}]}).value < 0.004


@pytest.mark.parametrize(
    ("shapes", "expect", "reason"),
    [
        ([2.0], BALL, "holds no ways"),
        ([], {**BALL, "ways": [{"places": way(0.25)}]}, "discarded: the subject is not shown"),
        (
            [2.0],
            {**BALL, "ways": [{"first": 8, "places": way(0.25, known=10)}]},
            "the red ball is seen in too few",
        ),
        (
            [2.0],
            {
                **BALL,
                "objects": [*BALL["objects"], {"shape": "square", "color": "blue"}],
                "ways": [{"object": 1, "places": way(0.25)}],
            },
            "discarded: the blue square is not shown",
        ),
    ],
)
def test_where_there_is_nothing_to_measure_it_does_not_apply(
    shapes: list[float], expect: Mapping[str, Any], reason: str
):
    with pytest.raises(NotApplicable, match=reason):
        scored([ball(speed) for speed in shapes], expect)


def test_a_way_of_no_object_is_a_mistake():
    with pytest.raises(UsageError, match="object 3 is meant, and there are 1"):
        scored([ball(2.0)], {**BALL, "ways": [{"object": 3, "places": way(0.25)}]})
    with pytest.raises(UsageError, match="ways"):
        scored([ball(2.0)], {**BALL, "ways": [{"places": [[1.0]]}]})


def test_a_longer_or_shorter_truth_than_the_clip_is_compared_as_far_as_both_go():
    expect = {**BALL, "ways": [{"places": way(0.25, frames=30, known=30)}]}
    assert scored([ball(2.0)], expect).evidence["steps"] == 15
    assert np.isfinite(scored([ball(2.0)], {**BALL, "ways": [{"places": way(0.25, frames=6)}]}).value)
