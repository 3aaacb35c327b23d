"""From pixels to values: clips of which the answer is known."""

import numpy as np
import pytest
from screentest.metrics import make_encoder

from ..helpers import Frames, encode, noise, pan, score, texture


def value(name: str, feature: str, frames: Frames) -> float:
    return score(name, {feature: encode(make_encoder(feature), frames)}).value


def test_dynamic_degree_is_0_for_a_still_and_1_for_a_moving_clip():
    still = np.repeat(texture(64, 64)[None], 16, axis=0)
    assert value("motion.dynamic_degree", "dynamics", still) == 0.0
    assert value("motion.dynamic_degree", "dynamics", pan(16, step=3)) == 1.0  # 12 / 256 of the side a pair


def test_a_single_jump_is_not_dynamic():
    jump = np.concatenate([np.repeat(pan(5, step=3)[k][None], 8, axis=0) for k in (0, 4)])
    assert value("motion.dynamic_degree", "dynamics", jump) == 0.0


def test_warping_error_tells_translation_from_noise():
    assert value("motion.warping_error", "flow", pan(5)) < 1e-3
    assert value("motion.warping_error", "flow", noise(5)) > 0.1


def test_flicker_of_alternating_levels():
    frames = np.zeros((6, 8, 8, 3), np.uint8)
    frames[1::2] = 51
    assert value("motion.flicker", "pixels", frames) == pytest.approx(0.8)
