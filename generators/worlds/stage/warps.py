"""Warps of static scenes: a picture that bends as no rigid scene and no camera explains."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.keys import seeded_rng

__all__ = ["WARP", "warped"]

WARP: Final = 0.05
"""Sides by which a whole violation moves points, root mean square."""
_GRID: Final = 4  # control points an edge: bends of about a quarter of the frame
_KNOTS: Final = 4  # random fields over the clip, between which the bend turns


def warped(frames_THWC: NDArray[np.uint8], severity: float, first: int, seed: int) -> NDArray[np.uint8]:
    """Bend the frames from ``first`` on by a smooth field that changes over time.

    Args:
        frames_THWC: uint8 RGB.
        severity: in (0, 1]; points move by severity times `WARP` sides, root mean square.
        first: the first frame that is bent.
        seed: of the field.
    """
    import cv2

    frames = frames_THWC.copy()
    count, height, width, _ = frames.shape
    rng = seeded_rng("stage warp", seed)
    knots = rng.normal(0, 1, (_KNOTS, 2, _GRID, _GRID))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    side = float(np.sqrt(height * width))
    for t in range(first, count):
        at = (t - first + 1) / max(count - first, 1) * (_KNOTS - 1)
        low = min(int(at), _KNOTS - 2)
        coarse = (1 - at + low) * knots[low] + (at - low) * knots[low + 1]
        fields = [
            cv2.resize(part.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
            for part in coarse
        ]
        scale = severity * WARP * side / max(float(np.sqrt(np.mean(np.square(fields)) * 2)), 1e-6)
        dx, dy = (np.asarray(part, np.float32) * scale for part in fields)
        frames[t] = cv2.remap(frames[t], x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return frames
