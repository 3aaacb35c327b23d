"""Measure the masks of a segmentation model as regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .outlines import OUTLINES, fit_outlines, form_moments
from .regions import COLUMNS, column

__all__ = ["Found", "enlarged", "measure_masks", "reduced"]

_B = NDArray[np.bool_]
_F = NDArray[np.float64]
_OUTLINED: Final = 48  # pixels of the longer side at which an outline is fitted
_NEAR: Final = 2  # pixels between a mask and what cuts it
_PLACES: Final = [column(name) for name in ("x", "y", "left", "top", "right", "bottom")]


@dataclass(frozen=True)
class Found:
    """One detected object in one frame.

    Attributes:
        mask_HW: its pixels, at least one.
        confidence: of the model, in [0, 1].
        label: index of its noun among the detector's, or NaN.
        identity: the model's own number of the object, or NaN.
    """

    mask_HW: _B
    confidence: float
    label: float = float("nan")
    identity: float = float("nan")


def measure_masks(frame_HWC: NDArray[np.uint8], number: int, found: list[Found]) -> _F:
    """Measure the objects of one frame: a row of `regions.COLUMNS` each, (M, K).

    Edges lie on pixel borders; the color is the median without the pixels at the mask's edge.
    """
    rows = np.full((len(found), len(COLUMNS)), np.nan)
    everything = np.zeros(frame_HWC.shape[:2], np.int32)
    for thing in found:
        everything += thing.mask_HW
    for row, thing in zip(rows, found, strict=True):
        row[0] = number
        _measure(row, frame_HWC, thing, everything)
    return rows


def _measure(row: _F, frame_HWC: NDArray[np.uint8], thing: Found, everything: NDArray[np.int32]) -> None:
    import cv2

    mask = thing.mask_HW
    ys, xs = np.nonzero(mask)
    left, right, top, bottom = int(xs.min()), int(xs.max()), int(ys.min()), int(ys.max())
    row[_PLACES] = (xs.mean(), ys.mean(), left - 0.5, top - 0.5, right + 0.5, bottom + 0.5)
    row[column("area")] = len(xs)
    height, width = mask.shape
    window = (
        slice(max(0, top - _NEAR), min(height, bottom + _NEAR + 1)),
        slice(max(0, left - _NEAR), min(width, right + _NEAR + 1)),
    )
    own = mask[window].astype(np.uint8)
    core = np.asarray(cv2.erode(own, np.ones((3, 3), np.uint8), borderValue=1)).astype(bool)
    core = core if core.any() else own.astype(bool)
    red = column("red")
    row[red : red + 3] = np.median(frame_HWC[window][core], axis=0)
    around = np.asarray(cv2.dilate(own, np.ones((2 * _NEAR + 1, 2 * _NEAR + 1), np.uint8))).astype(bool)
    others = (everything[window] - own > 0) & around
    at_edge = left == 0 or top == 0 or right == width - 1 or bottom == height - 1
    row[column("cut")] = float(at_edge or others.any())
    row[column("mixed")] = 0.0
    row[column("confidence")] = thing.confidence
    row[column("label")], row[column("identity")] = thing.label, thing.identity
    shapes, forms = column(f"shape_{OUTLINES[0]}"), column("spread")
    row[shapes : shapes + len(OUTLINES)], row[forms : forms + 4] = _outline(
        mask[top : bottom + 1, left : right + 1]
    )


def _outline(mask_PQ: _B) -> tuple[_F, _F]:
    """Fit the outlines to a mask in its box, and compute its moments; large masks are reduced by area."""
    import cv2

    side = max(mask_PQ.shape)
    square = np.zeros((side + 2, side + 2), np.float32)
    square[1 : mask_PQ.shape[0] + 1, 1 : mask_PQ.shape[1] + 1] = mask_PQ
    if side > _OUTLINED:
        square = np.asarray(
            cv2.resize(square, (_OUTLINED, _OUTLINED), interpolation=cv2.INTER_AREA), np.float32
        )
    at = np.arange(len(square))
    area = float(square.sum())
    x, y = float(square.sum(axis=0) @ at) / area, float(square.sum(axis=1) @ at) / area
    soft, dx, dy = square[None], (at - x)[None], (at - y)[None]
    areas = np.array([area])
    return fit_outlines(soft, dx, dy, areas)[0].astype(np.float64), form_moments(soft, dx, dy, areas)[0]


def reduced(frame_HWC: NDArray[np.uint8], longest: int) -> tuple[NDArray[np.uint8], float]:
    """Copy a frame, reduced by area if its longer side is above ``longest``; also return the factor."""
    height, width = frame_HWC.shape[:2]
    scale = max(height, width) / longest
    if scale <= 1:
        return frame_HWC.copy(), 1.0
    import cv2

    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    return np.asarray(cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def enlarged(rows_MK: _F, scale: float) -> _F:
    """Convert rows measured in a reduced frame to pixels of the full frame."""
    rows = rows_MK.copy()
    # The centre of the top-left pixel is 0, 0 at either size.
    rows[:, _PLACES] = (rows[:, _PLACES] + 0.5) * scale - 0.5
    rows[:, column("area")] *= scale**2
    return rows
