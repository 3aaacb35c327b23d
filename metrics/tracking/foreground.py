"""What differs from a background: a corrected median over time, connected pixels that differ, and ghosts."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .medians import channel_sum, median_levels
from .shadows import shaded

__all__ = ["SHADE", "differing", "estimate_background", "remove_ghosts", "slope", "steepness"]

_Frames = NDArray[np.uint8]
_B = NDArray[np.bool_]
_F32 = NDArray[np.float32]
_SAMPLES: Final = 48  # frames of a block whose median is the background
_WEAK: Final = (16.0, 6.0)  # levels of RGB, and spreads of the background: a smaller difference is background
_STRONG: Final = (32.0, 12.0)  # likewise: every blob has a difference as large somewhere
_SMALLEST: Final = 0.0008  # of the frame's area
_GHOST: Final = 1.3
"""Ratio of the background's edges around a blob to the frame's, above which the blob is a ghost."""
SHADE: Final = 0.3  # of the background's brightness: how much a soft shadow removes
_DOUBTFUL: Final = 0.2  # of the frames
_AROUND: Final = 3  # pixels around one from which the background there is estimated


def estimate_background(frames_THWC: _Frames) -> tuple[_F32, float]:
    """Estimate the background of a block and the spread of a channel around it: a corrected median over time.

    If a pixel changes for more than a fifth of the time, its median may belong to an object that hardly moves
    away. There the background is continued from its surroundings, layer by layer: the color of any frame that
    is nearest to the background so far replaces the median, if it is much nearer.
    """
    levels = frames_THWC[:: max(1, -(-len(frames_THWC) // _SAMPLES))]
    background, picked = median_levels(levels), levels.astype(np.float32)
    spread = max(1.4826 * float(np.median(np.abs(picked[:: max(1, len(picked) // 8)] - background))), 0.5)
    weak, strong = (max(levels, spreads * spread) for levels, spreads in (_WEAK, _STRONG))
    away = np.stack([np.sqrt(channel_sum(np.square(frame - background))) for frame in picked])
    doubtful = _solid((away > weak).mean(axis=0) > _DOUBTFUL)
    _continue_background(background, doubtful, picked, (weak, strong))
    return background, spread


def _solid(mask_HW: _B) -> _B:
    """Fill the holes of a mask, and grow it by a pixel."""
    import cv2

    contours, _ = cv2.findContours(mask_HW.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask_HW.shape, np.uint8)
    cv2.drawContours(filled, list(contours), -1, 1, cv2.FILLED)
    return np.asarray(cv2.dilate(filled, np.ones((3, 3), np.uint8))).astype(bool)


def _continue_background(
    background: _F32, doubtful: _B, frames_THWC: _F32, levels: tuple[float, float]
) -> None:
    import cv2

    weak, strong = levels
    known = ~doubtful
    size = (2 * _AROUND + 1, 2 * _AROUND + 1)
    while not known.all() and known.any():
        near = np.asarray(cv2.dilate(known.astype(np.uint8), np.ones((3, 3), np.uint8))).astype(bool) & ~known
        weight = np.asarray(cv2.boxFilter(known.astype(np.float32), -1, size))
        total = np.asarray(cv2.boxFilter(background * known[:, :, None], -1, size))
        around = total[near] / weight[near][:, None]
        seen_TP3 = frames_THWC[:, near]
        off_TP = np.linalg.norm(seen_TP3 - around, axis=2)
        best = seen_TP3[off_TP.argmin(axis=0), np.arange(seen_TP3.shape[1])]
        like_TP = np.linalg.norm(seen_TP3 - best, axis=2) < weak
        color = (seen_TP3 * like_TP[:, :, None]).sum(axis=0) / like_TP.sum(axis=0)[:, None]
        nearer = (
            np.linalg.norm(background[near] - around, axis=1) - np.linalg.norm(color - around, axis=1)
            > strong
        )
        background[near] = np.where(nearer[:, None], color, background[near])
        known |= near


def differing(
    frames_THWC: _Frames,
    background: _F32,
    spread: float,
    *,
    tolerance_HW: _F32 | None = None,
    shade: float = SHADE,
) -> list[list[_B]]:
    """Find the blobs of each frame: connected pixels that differ, some strongly, with holes filled.

    Args:
        frames_THWC: uint8 RGB.
        background: as of `estimate_background`.
        spread: of a channel around it.
        tolerance_HW: levels by which each pixel may differ besides, as its place is not known exactly.
        shade: share of the background's brightness that a shadow takes away at most.
    """
    import cv2

    smallest = max(10.0, _SMALLEST * background.shape[0] * background.shape[1])
    weak, strong = (max(levels, spreads * spread) for levels, spreads in (_WEAK, _STRONG))
    near = np.ones((3, 3), np.uint8)
    found: list[list[_B]] = []
    for frame in frames_THWC:
        apart = frame - background
        if spread > 3.0:
            apart = np.asarray(cv2.GaussianBlur(apart, (3, 3), 0.8))
        away = np.sqrt(channel_sum(np.square(apart)))
        if tolerance_HW is not None:
            away = np.maximum(away - tolerance_HW, 0.0)
        differs = (away > weak) & ~shaded(apart, background, weak, shade)
        mask = np.asarray(cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, near), np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        blobs: list[_B] = []
        for contour in contours:
            left, top, wide, high = cv2.boundingRect(contour)
            inside = slice(top, top + high), slice(left, left + wide)
            filled = np.zeros((high, wide), np.uint8)
            cv2.drawContours(filled, [contour], -1, 1, cv2.FILLED, offset=(-left, -top))
            part = filled.astype(bool)
            if part.sum() >= smallest and away[inside][part].max() > strong:
                blob = np.zeros(mask.shape, bool)
                blob[inside] = part
                blobs.append(blob)
        found.append(blobs)
    return found


def remove_ghosts(frames_THWC: _Frames, background: _F32, masks: list[list[_B]]) -> bool:
    """Remove objects that left from the background, in place; return whether there were any.

    Around an object the frame has an edge and the background has none; around the place that an object left
    (a ghost) it is the other way round.
    """
    edges = _edges(background)
    total = np.zeros(background.shape, np.float64)
    times = np.zeros(background.shape[:2], np.int32)
    for frame, blobs in zip(frames_THWC, masks, strict=True):
        own = _edges(frame.astype(np.float32)) if blobs else edges
        for blob in blobs:
            rim = _rim(blob)
            if float(edges[rim].mean()) > _GHOST * float(own[rim].mean()):
                total[blob] += frame[blob]
                times[blob] += 1
    mended = times > 0
    background[mended] = (total[mended] / times[mended, None]).astype(np.float32)
    return bool(mended.any())


def _edges(image_HWC: _F32) -> _F32:
    import cv2

    dx, dy = (np.asarray(cv2.Sobel(image_HWC, cv2.CV_32F, *order)) for order in ((1, 0), (0, 1)))
    return np.sqrt(channel_sum(np.square(dx)) + channel_sum(np.square(dy)))


def _rim(blob: _B) -> _B:
    import cv2

    near = np.ones((3, 3), np.uint8)
    solid = blob.astype(np.uint8)
    return np.asarray(cv2.dilate(solid, near)).astype(bool) & ~np.asarray(cv2.erode(solid, near)).astype(bool)


def slope(image_HWC: _F32) -> _F32:
    """Measure the length of the gradient of all channels together, in levels a pixel: (H, W)."""
    import cv2

    dx, dy = (np.asarray(cv2.Sobel(image_HWC, cv2.CV_32F, *order, scale=1 / 8)) for order in ((1, 0), (0, 1)))
    return np.sqrt(channel_sum(np.square(dx)) + channel_sum(np.square(dy)))


def steepness(background_HWC: _F32) -> _F32:
    """Measure the largest `slope` of each pixel and its eight neighbours, in levels a pixel: (H, W)."""
    import cv2

    return np.asarray(cv2.dilate(slope(background_HWC), np.ones((3, 3), np.uint8)), np.float32)
