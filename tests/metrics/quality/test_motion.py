import numpy as np
import pytest
from screentest.metrics import MEASURES, NotApplicable

from ..helpers import score


def test_flicker_follows_the_formula_of_vbench():
    # (255 - mean |difference|) / 255 with differences of 0, 51 and 102 levels
    scored = score("motion.flicker", {"pixels": np.array([[0.0], [51.0], [102.0]])})
    assert scored.value == pytest.approx(0.8)
    assert scored.evidence == {"worst_pair": 2, "worst_value": pytest.approx(0.6)}


def test_flicker_of_a_frozen_clip_is_one_and_of_black_and_white_zero():
    assert score("motion.flicker", {"pixels": np.zeros((5, 1))}).value == 1.0
    assert score("motion.flicker", {"pixels": np.full((5, 1), 255.0)}).value == 0.0


def test_warping_error_is_the_mean_over_pairs_of_each_pairs_own_mean():
    feature = np.array([[0.02, 0.5, 0.1], [0.03, 1.0, 0.3], [0.0, 0.0, 0.9]])
    scored = score("motion.warping_error", {"flow": feature})
    assert scored.value == pytest.approx((0.04 + 0.03) / 2)
    assert scored.evidence["pairs_left_out"] == 1
    assert scored.evidence["valid_share"] == pytest.approx(0.5)


def test_warping_error_without_a_valid_pixel_is_no_number():
    with pytest.raises(NotApplicable, match="followed"):
        score("motion.warping_error", {"flow": np.array([[0.0, 0.0, 1.0]])})


def dynamics(moving: int, pairs: int) -> dict[str, np.ndarray]:
    motion = np.where(np.arange(pairs) < moving, 0.03, 0.02)  # the threshold is 6 / 256 = 0.0234
    return {"dynamics": np.stack([motion, np.full(pairs, 0.125)], axis=1)}


@pytest.mark.parametrize(("moving", "value"), [(0, 0.0), (3, 0.0), (4, 1.0), (15, 1.0)])
def test_dynamic_degree_of_16_frames_asks_for_4_moving_pairs(moving: int, value: float):
    scored = score("motion.dynamic_degree", dynamics(moving, 15))
    assert scored.value == value
    assert scored.evidence["needed_pairs"] == 4
    assert scored.evidence["moving_share"] == pytest.approx(moving / 15)


def test_a_still_clip_of_two_frames_is_not_dynamic():
    # VBench's round(4 * 2 / 16) = 0 needed pairs would call every such clip dynamic.
    assert score("motion.dynamic_degree", dynamics(0, 1)).value == 0.0


@pytest.mark.parametrize(
    ("name", "columns"), [("motion.flicker", 1), ("motion.warping_error", 3), ("motion.dynamic_degree", 2)]
)
def test_one_frame_is_not_applicable(name: str, columns: int):
    needed, _ = MEASURES.get(name).needs
    with pytest.raises(NotApplicable, match="frame"):
        score(name, {needed: np.empty((0, columns))})
