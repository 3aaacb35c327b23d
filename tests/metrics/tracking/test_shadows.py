"""Soft shadows: taken out of what stands out, and told from dark things by their edges."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from screentest.metrics.tracking.background import fit_background, foreground
from screentest.metrics.tracking.shadows import shaded

GROUND = np.array([180.0, 176.0, 184.0])


def darkened(blur: float, depth: float = 0.4) -> np.ndarray:
    """Draw a round patch of ground that is darker by ``depth``, its edge blurred by so many pixels."""
    y, x = np.mgrid[:64, :64]
    cover = (np.hypot(x - 30, y - 34) < 9).astype(np.float32)
    if blur:
        cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), blur))
    frame = GROUND * (1 - depth * cover[:, :, None])
    return np.rint(np.stack([frame] * 3)).astype(np.uint8)


@pytest.mark.parametrize("blur", [2.0, 3.0, 4.0])
def test_a_patch_that_fades_out_is_a_shadow(blur: float):
    frames = darkened(blur)
    assert foreground(frames, fit_background(frames))[0].sum() == 0


@pytest.mark.parametrize("blur", [0.0, 0.5])
def test_a_dark_thing_with_a_sharp_edge_is_one(blur: float):
    frames = darkened(blur)
    mask, _ = foreground(frames, fit_background(frames))
    assert mask[0].sum() == pytest.approx(np.pi * 81, rel=0.15)


def test_shaded_is_darker_and_of_the_same_hue():
    ground = np.broadcast_to(GROUND.astype(np.float32), (1, 4, 3)).copy()
    colors = np.array([[120, 117, 123], [220, 216, 224], [120, 176, 184], [20, 19, 21]], np.float32)
    found = shaded(colors[None] - ground, ground, 12.0, 0.65)
    assert found[0].tolist() == [True, False, False, False]
