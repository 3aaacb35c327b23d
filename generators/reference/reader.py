"""Read back what a clip of the reference world shows, from its pixels and the world's own outlines.

No learned part: it holds checkpoints against the truth, and it must not share their mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .words import COLORS, SHAPES
from .world import coverage

__all__ = ["Reading", "read_clip"]

_CONTRAST: Final = 45.0  # of 255, in the strongest channel: what counts as not ground
_SMALLEST: Final = 1 / 250  # of the frame: less is a speck
_MOVED: Final = 0.15  # of the height: what counts as a motion
_STILL: Final = 0.07  # of the height: what counts as none
# Area over the squared radius of each outline (see world.Scene.radius).
_AREA: Final = {"ball": np.pi, "square": (2 * 0.886) ** 2, "triangle": 0.75 * np.sqrt(3.0) * 1.4**2}


@dataclass(frozen=True)
class Reading:
    """What is seen; None where it cannot be told.

    Attributes:
        position_T2: centroid (x, y) in pixels of the largest thing in each frame; NaN where there is none.
        fit: mean overlap (intersection over union) of what is seen with the best outline, in [0, 1].
    """

    shape: str | None
    color: str | None
    motion: str | None
    position_T2: NDArray[np.float64]
    fit: float


def read_clip(frames_THWC: NDArray[np.uint8]) -> Reading:
    """Tell the shape, color and motion in a clip (T, H, W, 3) of uint8 RGB.

    A clip with nothing to see in a quarter of its frames or more reads as None throughout.
    """
    frames = frames_THWC.astype(np.float64)
    count, height, width, _ = frames.shape
    ground = np.median(frames.reshape(-1, 3), axis=0)
    contrast_THW = np.abs(frames - ground).max(axis=-1)
    position_T2 = np.full((count, 2), np.nan)
    overlaps: list[list[float]] = []
    paints: list[NDArray[np.float64]] = []
    for t in range(count):
        weight = _largest_thing(contrast_THW[t])
        if weight.sum() < _SMALLEST * height * width:
            continue
        position_T2[t] = _centroid(weight)
        overlaps.append([_overlap(weight, position_T2[t], shape) for shape in SHAPES])
        paints.append(np.median(frames[t][weight > 0.8], axis=0))
    if len(paints) <= 0.75 * count:
        return Reading(None, None, None, position_T2, 0.0)
    mean_overlap = np.mean(overlaps, axis=0)
    paint = np.median(paints, axis=0)
    distances = {name: float(np.linalg.norm(paint - np.array(rgb))) for name, rgb in COLORS.items()}
    return Reading(
        shape=SHAPES[int(mean_overlap.argmax())],
        color=min(distances, key=lambda name: distances[name]),
        motion=_motion(position_T2 / height),
        position_T2=position_T2,
        fit=float(mean_overlap.max()),
    )


def _largest_thing(contrast: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh the pixels (H, W) of the largest connected thing by how much of it they hold, in [0, 1]."""
    mask = (contrast > _CONTRAST).astype(np.uint8)
    total, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if total < 2:
        return np.zeros_like(contrast)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    near = cv2.dilate((labels == largest).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    full = np.percentile(contrast[labels == largest], 75)
    return np.where(near, np.clip(contrast / full, 0.0, 1.0), 0.0)


def _centroid(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    ys, xs = np.indices(weight.shape)
    return np.array([(weight * xs).sum(), (weight * ys).sum()]) / weight.sum()


def _overlap(weight: NDArray[np.float64], position: NDArray[np.float64], shape: str) -> float:
    """Hold what is seen against the world's outline of the same area at the same place."""
    radius = float(np.sqrt(weight.sum() / _AREA[shape]))
    ys, xs = np.indices(weight.shape)
    drawn = coverage(shape, xs - position[0], ys - position[1], radius)
    return float(np.minimum(weight, drawn).sum() / np.maximum(weight, drawn).sum())


def _motion(position_T2: NDArray[np.float64]) -> str | None:
    """Name the motion of a track in heights, where it is plain."""
    x, y = position_T2[~np.isnan(position_T2[:, 0])].T
    dx, dy = x[-2:].mean() - x[:2].mean(), y[-2:].mean() - y[:2].mean()
    lowest = int(y.argmax())
    down, up = y[lowest] - y[:2].mean(), y[lowest] - y[-2:].mean()
    if abs(dx) > _MOVED and abs(dx) > np.ptp(y):
        return "left" if dx < 0 else "right"
    if down > 0.1 and up > 0.1:
        return "bounce"
    if abs(dy) > _MOVED and abs(dy) > np.ptp(x):
        return "rise" if dy < 0 else "fall"
    return "stay" if max(np.ptp(x), np.ptp(y)) < _STILL else None
