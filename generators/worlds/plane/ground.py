"""The plain background of the world's clips, and what stands out from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["contrast_THW", "ground_color"]

_F = NDArray[np.float64]


def ground_color(frames_THWC: NDArray[np.uint8]) -> _F:
    """Return the background color (3,): that of most pixels of the whole clip."""
    return np.median(frames_THWC.reshape(-1, 3), axis=0)


def contrast_THW(frames: _F, ground: _F) -> _F:
    """Compute each pixel's distance from the background, of 255, in the strongest channel."""
    return np.abs(frames - ground).max(axis=-1)
