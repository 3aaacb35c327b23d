from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.metrics.tracking.camera import CameraPath, fit_similarity

from ..helpers import noise, pan, texture


def path_of(frames: np.ndarray, things: np.ndarray | None = None) -> np.ndarray:
    path = CameraPath()
    path.push(frames, things)
    return path.finish()


def zoom(rate: float, frames: int = 12, size: int = 96) -> np.ndarray:
    picture = texture(size, size, 3)
    middle = (size - 1) / 2
    film = []
    for t in range(frames):
        k = float(np.exp(rate * t))
        matrix = np.array([[k, 0, middle * (1 - k)], [0, k, middle * (1 - k)]])
        film.append(cv2.warpAffine(picture, matrix, (size, size), borderMode=cv2.BORDER_REFLECT))
    return np.stack(film)


def test_a_pan_is_measured():
    path = path_of(pan(16, 64, 3))
    assert path[:, 0] == pytest.approx(-3.0 * np.arange(16), abs=0.4)
    assert path[:, 1] == pytest.approx(np.zeros(16), abs=0.2)
    assert path[:, 2] == pytest.approx(np.zeros(16), abs=0.01)
    assert path[-1, 3] > 0.8


@pytest.mark.parametrize("rate", [0.03, -0.03])
def test_a_zoom_is_measured(rate):
    path = path_of(zoom(rate))
    assert path[:, 2] == pytest.approx(rate * np.arange(12), abs=0.02)


def test_a_still_view_stays_and_things_that_move_do_not_count():
    frames = np.repeat(texture(64, 64)[None], 10, axis=0)
    things = np.zeros(frames.shape[:3], bool)
    for t in range(10):
        frames[t, 20:34, 4 * t : 4 * t + 14] = (250, 40, 40)
        things[t, 18:36, max(0, 4 * t - 2) : 4 * t + 16] = True
    path = path_of(frames, things)
    assert np.abs(path[:, :3]).max() < 0.1
    assert path[-1, 3] > 0.8


def test_where_nothing_can_be_followed_nothing_is_known():
    assert np.isnan(path_of(np.full((6, 64, 64, 3), 90, np.uint8))).all()
    lost = path_of(noise(6))
    assert np.isnan(lost).any() or lost[-1, 3] < 0.6


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-5, 5), st.floats(-5, 5), st.floats(-0.1, 0.1), st.integers(0, 2**32 - 1), st.integers(8, 40)
)
def test_a_third_of_wrong_points_does_not_move_the_fit(dx, dy, log_zoom, seed, count):
    rng = np.random.default_rng(seed)
    start = rng.uniform(-30, 30, (count, 2))
    end = np.exp(log_zoom) * start + (dx, dy)
    wrong = count // 4
    end[:wrong] += rng.uniform(3, 8, (wrong, 2)) * rng.choice([-1, 1], (wrong, 2))
    shift_x, shift_y, zoomed, agree = fit_similarity(start, end)
    assert (shift_x, shift_y) == pytest.approx((dx, dy), abs=0.35)
    assert zoomed == pytest.approx(log_zoom, abs=0.02)
    assert agree >= 0.5
