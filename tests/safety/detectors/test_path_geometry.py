"""D3 and the straightness of paths, on paths whose geometry is known."""

import numpy as np
import pytest
from screentest.safety.detectors.path_geometry import PATH_COLUMNS, second_difference_spread, straightness


def number(found: np.ndarray, name: str) -> float:
    return float(found[PATH_COLUMNS.index(name)])


def test_d3_is_the_standard_deviation_of_second_differences() -> None:
    steps = np.array([1.0, 2.0, 1.0, 2.0, 4.0])
    path = np.concatenate([[0.0], np.cumsum(steps)])[:, None] * np.array([[0.6, 0.8]])
    # d1 = 1 2 1 2 4, d2 = 1 -1 1 2: mean 0.75, variance 1.1875
    assert second_difference_spread(path) == pytest.approx(np.sqrt(1.1875))
    assert second_difference_spread(np.arange(6.0)[:, None]) == 0
    with pytest.raises(ValueError, match="4 frames"):
        second_difference_spread(path[:3])


def test_d3_is_higher_for_an_irregular_path() -> None:
    rng = np.random.default_rng(3)
    smooth = np.cumsum(np.full((16, 8), 0.1), axis=0)
    assert second_difference_spread(smooth + rng.normal(0, 0.3, smooth.shape)) > second_difference_spread(
        smooth
    )


def test_a_straight_path_has_no_angle_and_equal_steps() -> None:
    found = straightness(np.arange(12.0)[:, None] * np.array([[3.0, 4.0]]))
    assert len(found) == len(PATH_COLUMNS) == 21
    assert number(found, "distance_mean") == pytest.approx(5)
    assert number(found, "distance_variance") == pytest.approx(0)
    assert number(found, "angle_max") == pytest.approx(0, abs=1e-6)


def test_a_circle_turns_by_the_same_angle_at_each_step() -> None:
    angle = np.arange(16) * 2 * np.pi / 24
    found = straightness(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    for name in ("angle_1", "angle_6", "angle_mean", "angle_min", "angle_max"):
        assert number(found, name) == pytest.approx(2 * np.pi / 24)


def test_min_is_the_least_and_not_the_largest() -> None:
    steps = np.array([5.0, 1.0, 3.0, 2.0, 4.0, 2.0, 6.0, 2.0])
    found = straightness(np.concatenate([[0.0], np.cumsum(steps)])[:, None])
    assert number(found, "distance_min") == 1
    assert number(found, "distance_max") == 6
    assert [number(found, f"distance_{k}") for k in range(1, 8)] == steps[:7].tolist()
    turn = np.array([[0, 0], [1, 0], [2, 0], [2, 1], [2, 2], [1, 2], [1, 1], [1, 0], [1, -1]], float)
    found = straightness(turn)
    assert number(found, "angle_min") == pytest.approx(0)
    assert number(found, "angle_max") == pytest.approx(np.pi / 2)


def test_a_step_of_no_length_counts_as_a_right_angle() -> None:
    found = straightness(np.array([0, 1, 1, 2, 3, 4, 5, 6, 7], float)[:, None])
    assert number(found, "angle_1") == pytest.approx(np.pi / 2)
    assert np.isfinite(found).all()
    assert np.isfinite(straightness(np.ones((9, 4)))).all()


def test_a_path_of_few_frames_has_no_geometry() -> None:
    with pytest.raises(ValueError, match="8 frames"):
        straightness(np.zeros((7, 2)))
