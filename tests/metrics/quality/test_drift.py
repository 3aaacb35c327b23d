"""The curve of likeness over the gap, and its slope."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from screentest.metrics import NotApplicable
from screentest.metrics.quality.drift import drift_curve

from ..helpers import score


def turning(frames: int, degrees: float) -> Any:
    """Features that turn by so many degrees a frame."""
    angle = np.radians(degrees) * np.arange(frames)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_the_curve_by_hand() -> None:
    assert drift_curve(turning(16, 10.0)) == [
        (gap, pytest.approx(np.cos(np.radians(10.0 * gap)))) for gap in (1, 2, 4, 8)
    ]


def test_the_slope_is_of_the_logarithm_of_the_gap() -> None:
    found = score("consistency.drift", {"subject": turning(16, 10.0)})
    curve = np.cos(np.radians(10.0 * np.array([1, 2, 4, 8])))
    assert found.value == pytest.approx(-np.polyfit([0, 1, 2, 3], curve, 1)[0])
    assert found.evidence["loss"] == pytest.approx(curve[0] - curve[3])


def test_a_frozen_clip_does_not_drift_and_noise_that_keeps_its_kind_neither() -> None:
    rng = np.random.default_rng(0)
    assert score("consistency.drift", {"subject": np.ones((16, 4))}).value == pytest.approx(0.0, abs=1e-12)
    around = np.ones(64) + 0.3 * rng.standard_normal((256, 64))
    assert abs(score("consistency.drift", {"subject": around}).value) < 0.01


def test_lengths_of_features_do_not_matter() -> None:
    features = turning(20, 5.0)
    scaled = features * np.random.default_rng(0).uniform(0.1, 9, (20, 1))
    one, two = (score("consistency.drift", {"subject": f}).value for f in (features, scaled))
    assert one == pytest.approx(two)


def test_blocks_make_no_difference_and_bound_the_memory() -> None:
    features = turning(9000, 0.1).astype(np.float32)
    assert drift_curve(features)[3][1] == pytest.approx(np.cos(np.radians(0.8)))
    hour = np.ones((7200, 384), np.float32)
    tracemalloc.start()
    drift_curve(hour)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6  # blocks of 4,096 rows in float64, whatever the length


def test_short_clips_and_zero_features_are_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="fewer than eight"):
        score("consistency.drift", {"subject": np.ones((7, 3))})
    zero = np.ones((8, 3))
    zero[5] = 0
    with pytest.raises(NotApplicable, match="frame 5 is zero"):
        score("consistency.drift", {"subject": zero})
