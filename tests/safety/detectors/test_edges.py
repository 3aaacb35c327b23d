"""Profiles of edges: soft ones, and what rings beside them, are told from drawn ones."""

import cv2
import numpy as np
import pytest
from screentest.safety.detectors.edges import EDGE_COLUMNS, edge_numbers


def number(clip: np.ndarray, name: str) -> float:
    return float(edge_numbers(clip)[EDGE_COLUMNS.index(name)])


def step_edge() -> np.ndarray:
    clip = np.full((8, 48, 48, 3), 40, np.uint8)
    clip[:, :, 24:] = 200
    return clip


def blurred(clip: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in clip])


def test_a_drawn_edge_has_no_pixels_between_its_sides_and_a_soft_one_has() -> None:
    sharp = step_edge()
    between = [f"between_{k}" for k in (2, 3, 4, 5)]
    # 4 columns of 48 pixels lie on the edge, each at one of its ends; counts are smoothed by 1 in 8 more.
    assert [number(sharp, name) for name in between] == pytest.approx([1 / (4 * 48 + 8)] * 4)
    soft = blurred(sharp, 1.5)
    assert sum(number(soft, name) for name in between) > 0.3
    assert number(soft, "steepness_50") < 0.8 * number(sharp, "steepness_50")


def test_a_halo_beside_an_edge_is_seen_there_alone() -> None:
    sharp = step_edge()
    assert number(sharp, "ringing") == number(sharp, "flat") == pytest.approx(-2)
    haloed = sharp.copy()
    haloed[:, :, 20] = 46
    assert number(haloed, "ringing") > 0
    assert number(haloed, "flat") < number(haloed, "ringing")


def test_edges_that_change_from_frame_to_frame_spread() -> None:
    sharp = step_edge()
    changing = sharp.copy()
    changing[::2] = blurred(sharp, 1.5)[::2]
    assert number(changing, "between_spread_3") > 0.01
    assert number(sharp, "between_spread_3") == 0


def test_a_clip_without_an_edge_has_finite_numbers() -> None:
    found = edge_numbers(np.full((8, 32, 32, 3), 90, np.uint8))
    assert np.isfinite(found).all()
    assert len(found) == len(EDGE_COLUMNS)
