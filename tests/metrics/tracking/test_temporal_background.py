"""The background behind what moves is found on textured grounds, where things rest or never leave."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.metrics.tracking.temporal_background import background_behind

from .scenes import BLUE, RED, Frames, Shape, draw

_SHADE = 0.8


def planks(size: int = 96) -> NDArray[np.float64]:
    """Boards with dark seams, as no patch of them is like its neighbours."""
    rows = np.arange(size)
    bright = 120.0 + 12.0 * np.sin(rows * 1.7) - 45.0 * (rows % 9 == 0)
    return np.repeat((bright[:, None] * np.array([1.0, 0.92, 0.85]))[:, None], size, axis=1)


def error(frames: Frames, ground: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of the estimate from the true ground, in levels of RGB, (H, W)."""
    background, _ = background_behind(frames, _SHADE)
    return np.linalg.norm(background - ground, axis=2)


def test_a_ball_leaves_no_trail_on_planks():
    frames = draw([Shape("ball", RED, 9.0, lambda t: (15 + 3.2 * t, 50))], 20, planks(), 96)
    assert error(frames, planks()).max() < 4


def test_its_shadow_leaves_none_either():
    ground = planks()
    frames = draw([Shape("ball", RED, 9.0, lambda t: (15 + 3.2 * t, 50))], 20, ground, 96)
    for t, frame in enumerate(frames):
        left = round(4 + 3.2 * t)
        frame[60:64, left : left + 26] = 0.4 * ground[60:64, left : left + 26]
    assert error(frames, ground).max() < 4


def test_what_rests_for_half_of_the_time_is_no_background():
    first = Shape("ball", RED, 8.0, lambda t: (14 + 3.0 * min(t, 10), 50))
    struck = Shape("ball", BLUE, 8.0, lambda t: (60 + 3.0 * max(t - 10, 0), 50))
    frames = draw([first, struck], 20, planks(), 96)
    assert (error(frames, planks()) > 25).mean() < 0.006  # where it hardly ever shows it is filled in
    background, _ = background_behind(frames, _SHADE)
    for color in (RED, BLUE):
        assert (np.linalg.norm(background - np.array(color), axis=2) < 60).mean() < 0.001


def test_what_never_leaves_a_place_is_filled_in_from_around_it():
    """A block of 36 pixels that goes 20 to the right: its middle was never seen to be anything else."""
    frames = draw([Shape("square", RED, 18.0, lambda t: (36 + 1.0 * t, 50))], 20, planks(), 96)
    background, _ = background_behind(frames, _SHADE)
    assert np.median(frames[:, 50, 45], axis=0) == pytest.approx(RED, abs=2)
    red = np.linalg.norm(background - np.array(RED), axis=2) < 60
    assert red.mean() < 0.002


def test_what_stands_still_in_the_colors_of_what_moves_stays():
    ground = planks()
    ground[10:26, 60:76] = RED
    frames = draw([Shape("ball", RED, 8.0, lambda t: (14 + 3.2 * t, 60))], 20, ground, 96)
    background, _ = background_behind(frames, _SHADE)
    assert background[18, 68] == pytest.approx(RED, abs=2)


def test_a_clip_in_which_nothing_moves_is_its_own_background():
    frames = draw([], 6, planks(), 96)
    background, spread = background_behind(frames, _SHADE)
    assert background == pytest.approx(frames[0].astype(float))
    assert spread == 0.5
