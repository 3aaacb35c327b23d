"""Cuts between shots, of like colors too, and none in a shot."""

from __future__ import annotations

import numpy as np
from screentest.metrics.tracking.registration import shots_between, steps_between


def textured(seed: int, frames: int = 6, speed: int = 1) -> np.ndarray:
    coarse = np.random.default_rng(seed).normal(128, 40, (24, 40, 3))
    wide = np.kron(coarse, np.ones((4, 4, 1))).clip(0, 255).astype(np.uint8)
    return np.stack([wide[:, speed * t : speed * t + 96] for t in range(frames)])


def test_a_camera_that_pans_makes_one_shot_and_its_steps_are_its_way():
    steps = steps_between(textured(0))
    assert shots_between(steps) == [(0, 6)]
    for step in steps:
        np.testing.assert_allclose(step.matrix_33[:2, 2], (-1, 0), atol=0.1)
        assert step.share > 0.9


def test_a_cut_to_a_picture_of_the_same_colors_begins_a_shot():
    frames = np.concatenate([textured(1), textured(2), textured(1, 3)])
    steps = steps_between(frames)
    assert shots_between(steps) == [(0, 6), (6, 12), (12, 15)]
    assert [np.isnan(step.share) for step in steps] == [step.cut for step in steps]


def test_a_clip_of_one_frame_is_one_shot():
    assert shots_between(steps_between(textured(3, 1))) == [(0, 1)]
