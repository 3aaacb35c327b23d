"""Statistics of edges: pixels between the two sides, steepness, and what rings beside them.

An edge that was drawn, or seen by a lens, has a profile of its own width. Decoders of latents, upsampling and
blending leave edges that are soft, of a width that changes from frame to frame, or with a halo.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats

__all__ = ["EDGE_COLUMNS", "edge_numbers"]

_BINS: Final = ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9))
EDGE_COLUMNS: Final = (
    *(f"{what}_{number}" for number in range(1, len(_BINS) + 1) for what in ("between", "between_spread")),
    "steepness_10", "steepness_50", "steepness_90", "steepness_spread", "ringing", "flat",
)  # fmt: skip
"""Of the pixels of edges: shares whose level lies in five parts of the way from the darkest to the brightest
pixel around, and their spread over frames; quantiles and spread of the steepest slope around, relative to
the contrast. Logs of the second difference beside edges, and far from any."""

_CONTRAST: Final = 40.0
"""Levels between the darkest and the brightest of 5x5 pixels, from which on they lie on an edge."""
_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_SMALL: Final = 1e-2
_NONE: Final = 0.5
"""Steepness of a clip without an edge."""


def edge_numbers(frames_THWC: NDArray[np.uint8]) -> Floats:
    """Compute the 16 numbers of `EDGE_COLUMNS` of a clip, uint8 RGB."""
    import cv2

    around = np.ones((5, 5), np.uint8)
    luma_THW = frames_THWC.astype(np.float32) @ _LUMA
    low = np.stack([cv2.erode(frame, around) for frame in luma_THW])
    contrast = np.stack([cv2.dilate(frame, around) for frame in luma_THW]) - low
    edge = contrast > _CONTRAST
    place = np.where(edge, (luma_THW - low) / np.where(edge, contrast, 1.0), 0.0)
    counts = edge.sum(axis=(1, 2))
    found: list[float] = []
    for least, most in _BINS:
        inside = ((place >= least) & (place < most) & edge).sum(axis=(1, 2))
        share = (inside + 1) / (counts + 8)
        found += [float(share.mean()), float(share.std())]
    slope = np.stack([cv2.dilate(_slope(frame), around) for frame in luma_THW])
    steepness = (slope / np.maximum(contrast, 1.0))[edge] if edge.any() else np.array([_NONE])
    found += [*np.quantile(steepness, [0.1, 0.5, 0.9]).tolist(), float(steepness.std())]
    near = np.stack([cv2.dilate(one.astype(np.uint8), around) for one in edge]) > 0
    second = np.stack([np.abs(cv2.Laplacian(frame, cv2.CV_32F, ksize=1)) for frame in luma_THW])
    found += [_log_mean(second[near & ~edge]), _log_mean(second[~near])]
    return np.array(found)


def _slope(frame_HW: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    x, y = (cv2.Sobel(frame_HW, cv2.CV_32F, dx, 1 - dx, ksize=3) / 8 for dx in (1, 0))
    return np.hypot(x, y).astype(np.float32)


def _log_mean(values: NDArray[np.float32]) -> float:
    return float(np.log10(values.mean() + _SMALL)) if len(values) else float(np.log10(_SMALL))
