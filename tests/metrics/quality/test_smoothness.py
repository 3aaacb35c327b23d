"""Even motion scores well whatever its speed; held, shuffled and dropped frames do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from screentest.metrics import NotApplicable, make_encoder

from ..helpers import encode, noise, pan, score


def value(name: str, clip: Any) -> float:
    feature = {"motion.smoothness": "interpolation", "motion.jerk": "paths"}[name]
    return score(name, {feature: encode(make_encoder(feature), clip)}).value


def moved(places: Any) -> Any:
    """A texture that is shifted by whole pixels, to a place a frame."""
    wide = pan(2, size=160, step=1)[0]
    return np.stack([wide[:, p : p + 96] for p in places])


def test_a_frozen_clip_is_smooth_and_has_no_jerk_to_speak_of() -> None:
    frozen = np.repeat(pan(1), 8, axis=0)
    assert value("motion.smoothness", frozen) == 1.0
    with pytest.raises(NotApplicable, match="nothing moves"):
        value("motion.jerk", frozen)


def test_the_formula_of_smoothness_by_hand() -> None:
    # no motion between frames 0 and 2, so the middle is their mean, 100, and frame 1 is 30 levels off
    clip = np.full((3, 32, 32, 3), 100, np.uint8)
    clip[1] = 130
    assert value("motion.smoothness", clip) == pytest.approx((255 - 30) / 255)


@pytest.mark.parametrize("step", [1, 3])
def test_constant_velocity_is_smooth_and_even(step: int) -> None:
    clip = pan(10, step=step)
    # the middle of what comes in at the side is not known: a stripe as wide as two steps
    assert value("motion.smoothness", clip) > 1 - 0.4 * 2 * step / 64
    assert value("motion.jerk", clip) < 0.05


def test_constant_acceleration_has_no_jerk_and_a_sudden_stop_has() -> None:
    even = moved([t * (t + 1) // 2 for t in range(9)])
    stops = moved([4 * min(t, 4) for t in range(9)])
    assert value("motion.jerk", even) < 0.08
    assert value("motion.jerk", stops) > 2 * value("motion.jerk", even)


def test_to_and_fro_is_the_worst_that_there_is() -> None:
    assert value("motion.jerk", moved([3 * (t % 2) for t in range(10)])) > 0.9


@pytest.mark.parametrize("name", ["motion.smoothness", "motion.jerk"])
def test_what_breaks_the_order_of_frames_is_seen(name: str) -> None:
    clip = pan(12, step=2)
    order = np.random.default_rng(0).permutation(12)
    worse = value(name, clip[order])
    good = value(name, clip)
    assert worse < good if name == "motion.smoothness" else worse > good


def test_held_frames_are_jerky() -> None:
    assert value("motion.jerk", np.repeat(pan(6, step=3), 2, axis=0)) > 0.4


@pytest.mark.parametrize("frames", [1, 2])
def test_short_clips_are_not_applicable(frames: int) -> None:
    for name in ("motion.smoothness", "motion.jerk"):
        with pytest.raises(NotApplicable, match="fewer than"):
            value(name, pan(frames))


@pytest.mark.parametrize("name", ["interpolation", "paths"])
def test_features_do_not_depend_on_the_windows(name: str) -> None:
    clip = noise(9, 32)
    one, two = encode(make_encoder(name), clip), encode(make_encoder(name), clip, cuts=(2, 3, 7))
    assert one.tobytes() == two.tobytes()


def test_every_size_of_frame_can_be_read() -> None:
    for height, width in ((1, 1), (3, 50), (33, 18)):
        clip = np.random.default_rng(0).integers(0, 256, (5, height, width, 3), dtype=np.uint8)
        assert np.isfinite(encode(make_encoder("interpolation"), clip)).all()
        assert np.isfinite(encode(make_encoder("paths"), clip)).all()
