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
from .foreground import differing, estimate_background, remove_ghosts
from .mask_regions import Found, enlarged, measure_masks, reduced
from .regions import COLUMNS
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
        background, spread = estimate_background(frames)
        masks = differing(frames, background, spread)
        if remove_ghosts(frames, background, masks):
            masks = differing(frames, background, spread)
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
