"""The tracker ``blobs``: moving objects before a still camera, by background subtraction, without weights.

The background is the median over time; connected pixels that differ from it are a blob. Only moving objects
are seen: an object that stays in place for more than half of a block of frames is part of the background
until it leaves. If the camera moves, the tracker does not apply; if nothing moves, there are no tracks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import NotApplicable
from .assembly import assemble
from .camera import CameraPath
from .mask_regions import Found, enlarged, measure_masks, reduced
from .regions import COLUMNS
from .shadows import shaded
from .tracks import ClipShape

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from .tracks import Tracks

__all__ = ["BlobSource", "BlobTracker"]

_Frames = NDArray[np.uint8]
_B = NDArray[np.bool_]
_F32 = NDArray[np.float32]
_VERSION: Final = 2
_BLOCK: Final = 128
_LONGEST: Final = 320
_SAMPLES: Final = 48  # frames of a block whose median is the background
_WEAK: Final = (16.0, 6.0)  # levels of RGB, and spreads of the background: a smaller difference is background
_STRONG: Final = (32.0, 12.0)  # likewise: every blob has a difference as large somewhere
_SMALLEST: Final = 0.0008  # of the frame's area
_GHOST: Final = (
    1.3  # ratio of the background's edges around a blob to the frame's, above which the blob is a ghost
)
_SHADE: Final = 0.3  # of the background's brightness: how much a soft shadow removes
_DOUBTFUL: Final = 0.2  # of the frames
_AROUND: Final = 3  # pixels around one from which the background there is estimated
_STILL_VIEW, _STILL_ZOOM = 0.0265, 0.0293
"""Largest shift (in sides) and zoom (logarithm) of a camera that counts as still: a tenth of the least pan
and zoom of the reference world."""
_LEAST_FOLLOWED: Final = 0.25  # of the frames: the camera's motion is extrapolated as if from at least these
_TOO_MUCH: Final = 0.5  # of the frame: if more differs, the background estimate is wrong


class BlobSource:
    """The tracker ``blobs``."""

    def identity(self) -> Mapping[str, Json]:
        """List the version and the settings."""
        return {
            "source": "blobs",
            "version": _VERSION,
            "block": _BLOCK,
            "longest": _LONGEST,
            "still": (_STILL_VIEW, _STILL_ZOOM),
        }

    def open(self) -> BlobTracker:
        """Start a clip."""
        return BlobTracker()


class BlobTracker:
    """Find blobs in blocks of at most 128 frames, and associate them over the whole clip.

    Frames whose longer side has more than 320 pixels are reduced by area; places are in the clip's own
    pixels.
    """

    def __init__(self) -> None:
        self._waiting: list[_Frames] = []
        self._rows: list[NDArray[np.float64]] = []
        self._camera = CameraPath()
        self._done = 0
        self._scale = 1.0
        self._flooded = 0

    def push(self, frames_THWC: _Frames) -> None:
        """Take the next frames."""
        for frame in frames_THWC:
            small, self._scale = reduced(frame, _LONGEST)
            self._waiting.append(small)
            if len(self._waiting) == _BLOCK:
                self._flush()

    def finish(self, clip: ClipShape) -> Tracks:
        """Associate the blobs and return the tracks.

        Raises:
            NotApplicable: the camera moves, or most of the frame changes.
        """
        if self._waiting:
            self._flush()
        camera = self._camera.finish()
        self._refuse(clip, camera)
        rows = np.concatenate(self._rows) if self._rows else np.empty((0, len(COLUMNS)))
        tracks = assemble(enlarged(rows, self._scale), clip, _scaled(camera, self._scale))
        return replace(tracks, sees_still=False)

    def _refuse(self, clip: ClipShape, camera: NDArray[np.float64]) -> None:
        known = camera[~np.isnan(camera[:, 3])]
        # The motion until the background is lost is extrapolated to the whole clip.
        share = max(len(known) / max(len(camera), 1), _LEAST_FOLLOWED)
        side = float(np.sqrt(clip.height * clip.width)) / self._scale
        moved = float(np.hypot(known[:, 0], known[:, 1]).max(initial=0.0)) / side / share
        zoomed = float(np.abs(known[:, 2]).max(initial=0.0)) / share
        advice = "the tracker 'blobs' needs a still camera; use 'world' or a detector"
        if moved > _STILL_VIEW or zoomed > _STILL_ZOOM:
            raise NotApplicable(
                f"the camera moves (by {moved:.1%} of the frame, zoom {zoomed:.1%}), and {advice}"
            )
        if self._flooded > 0.5 * self._done:
            raise NotApplicable(f"more than half of the frame changes, as with a moving camera, and {advice}")

    def _flush(self) -> None:
        frames = np.stack(self._waiting)
        self._waiting.clear()
        background, spread = _background(frames)
        masks = _differing(frames, background, spread)
        if _remove_ghosts(frames, background, masks):
            masks = _differing(frames, background, spread)
        things = np.zeros(frames.shape[:3], bool)
        for t, blobs in enumerate(masks):
            apart = [_Blob(frames[t], background, spread, blob) for blob in blobs]
            found = [Found(blob.mask, blob.confidence) for blob in apart]
            for blob in blobs:
                things[t] |= blob
            self._rows.append(measure_masks(frames[t], self._done + t, found))
        self._flooded += int((things.mean(axis=(1, 2)) > _TOO_MUCH).sum())
        self._camera.push(frames, things)
        self._done += len(frames)


class _Blob:
    def __init__(self, frame: _Frames, background: _F32, spread: float, mask: _B) -> None:
        self.mask = mask
        contrast = float(np.linalg.norm(np.median(frame[mask] - background[mask], axis=0)))
        self.confidence = contrast / (contrast + 8.0 * max(spread, 2.0))


def _scaled(camera: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    camera = camera.copy()
    camera[:, :2] *= scale
    return camera


def _background(frames_THWC: _Frames) -> tuple[_F32, float]:
    """Estimate the background of a block and the spread of a channel around it: a corrected median over time.

    If a pixel changes for more than a fifth of the time, its median may belong to an object that hardly moves
    away. There the background is continued from its surroundings, layer by layer: the color of any frame that
    is nearest to the background so far replaces the median, if it is much nearer.
    """
    picked = frames_THWC[:: max(1, -(-len(frames_THWC) // _SAMPLES))].astype(np.float32)
    background: _F32 = np.median(picked, axis=0)
    spread = max(1.4826 * float(np.median(np.abs(picked[:: max(1, len(picked) // 8)] - background))), 0.5)
    weak, strong = (max(levels, spreads * spread) for levels, spreads in (_WEAK, _STRONG))
    away = np.linalg.norm(picked - background, axis=3)
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


def _differing(frames_THWC: _Frames, background: _F32, spread: float) -> list[list[_B]]:
    """Find the blobs of each frame: connected pixels that differ, some strongly, with holes filled."""
    import cv2

    smallest = max(10.0, _SMALLEST * background.shape[0] * background.shape[1])
    weak, strong = (max(levels, spreads * spread) for levels, spreads in (_WEAK, _STRONG))
    near = np.ones((3, 3), np.uint8)
    found: list[list[_B]] = []
    for frame in frames_THWC:
        apart = frame - background
        if spread > 3.0:
            apart = np.asarray(cv2.GaussianBlur(apart, (3, 3), 0.8))
        away = np.sqrt(np.square(apart).sum(axis=2))
        differs = (away > weak) & ~shaded(apart, background, weak, _SHADE)
        mask = np.asarray(cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, near), np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        blobs: list[_B] = []
        for contour in contours:
            filled = np.zeros(mask.shape, np.uint8)
            cv2.drawContours(filled, [contour], -1, 1, cv2.FILLED)
            blob = filled.astype(bool)
            if blob.sum() >= smallest and away[blob].max() > strong:
                blobs.append(blob)
        found.append(blobs)
    return found


def _remove_ghosts(frames_THWC: _Frames, background: _F32, masks: list[list[_B]]) -> bool:
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
    return np.sqrt(np.square(dx).sum(axis=2) + np.square(dy).sum(axis=2))


def _rim(blob: _B) -> _B:
    import cv2

    near = np.ones((3, 3), np.uint8)
    solid = blob.astype(np.uint8)
    return np.asarray(cv2.dilate(solid, near)).astype(bool) & ~np.asarray(cv2.erode(solid, near)).astype(bool)
