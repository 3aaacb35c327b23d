"""The camera's motion and that of objects are told apart, or nothing is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from screentest.metrics import NotApplicable, make_encoder

from ..helpers import encode, noise, pan, score, texture


def parts(clip: Any, fps: float = 8.0) -> tuple[Any, Any]:
    feature = encode(make_encoder("motion-parts"), clip, fps=fps)
    return score("motion.camera", {"motion-parts": feature}), score(
        "motion.object", {"motion-parts": feature}
    )


def with_patch(clip: Any, step: int) -> Any:
    """Lay a patch of another texture over a clip, moving by ``step`` pixels a frame."""
    patch = texture(28, 28, seed=9, blur=1.5)
    made = clip.copy()
    for t, frame in enumerate(made):
        frame[30:58, 8 + step * t : 36 + step * t] = patch
    return made


def test_a_pan_is_the_cameras() -> None:
    camera, thing = parts(pan(10, size=96, step=3))
    assert camera.value == pytest.approx(3 * 8 / 96, rel=0.05)  # pixels a frame, frames a second, side
    assert thing.value < 0.1 * camera.value
    assert (camera.evidence["moves"], thing.evidence["moves"]) == (True, False)


def test_a_thing_before_a_still_ground_is_the_objects() -> None:
    ground = np.repeat(texture(96, 96)[None], 10, axis=0)
    camera, thing = parts(with_patch(ground, 4))
    assert camera.value < 0.02
    assert thing.value == pytest.approx(4 * 8 / 96, rel=0.25)
    assert (camera.evidence["moves"], thing.evidence["moves"]) == (False, True)


def test_both_are_told_at_once() -> None:
    camera, thing = parts(with_patch(pan(10, size=96, step=2), 2))
    assert camera.value == pytest.approx(2 * 8 / 96, rel=0.15)
    assert thing.value == pytest.approx(4 * 8 / 96, rel=0.3)  # against the ground


def test_the_rate_of_frames_does_not_change_the_speed() -> None:
    slow, _ = parts(pan(12, size=96, step=2), fps=8.0)
    fast, _ = parts(pan(24, size=96, step=1), fps=16.0)
    assert slow.value == pytest.approx(fast.value, rel=0.05)


def test_a_plain_ground_does_not_tell() -> None:
    plain = np.full((8, 96, 96, 3), 40, np.uint8)
    with pytest.raises(NotApplicable, match="too little detail"):
        parts(with_patch(plain, 4))


def test_noise_moves_with_no_camera() -> None:
    with pytest.raises(NotApplicable, match="no camera motion explains"):
        parts(noise(8, 96))


def test_one_frame_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="fewer than two frames"):
        parts(pan(1))
