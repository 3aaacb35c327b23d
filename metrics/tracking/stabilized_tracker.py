"""The tracker ``motion``: moving objects before a camera that may move itself, without weights.

Corners are followed from frame to frame (Lucas and Kanade 1981, in pyramids), and a homography is fitted to
most of them (RANSAC): the camera's motion. It is taken out, and so are changes of the light; what then
differs from the median over time is a blob. Blobs that run into each other are kept apart by where each was
heading and by its color. Where a thing goes behind something that stands still, its outline shrinks before it
is gone: there it counts as hidden. A thing that never moves is part of the background.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import NotApplicable
from .assembly import assemble
from .foreground import differing, steepness
from .mask_regions import Found, enlarged, measure_masks, reduced
from .merging import Separator
from .occluders import with_hidden
from .regions import COLUMNS
from .stabilization import View, stabilize
from .temporal_background import background_behind
from .tracks import ClipShape

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from .tracks import Tracks

__all__ = ["MotionSource", "MotionTracker"]

_Frames = NDArray[np.uint8]
_B = NDArray[np.bool_]
_F32 = NDArray[np.float32]
_VERSION: Final = 4
_LONGEST: Final = 256  # pixels of the longer side
_MOST: Final = 600  # frames
_SHADOW: Final = 0.8  # of the background's brightness: how much a shadow of a lamp takes away
_MISPLACED: Final = (
    0.15,
    0.6,
)  # pixels to which the background's place is known, before a camera still or moving
_SMALLEST: Final = 0.0015  # of the frame's area: a smaller blob is noise
_STAYS: Final = 0.025  # sides: what has no edge that goes farther does not move
_MARGIN: Final = 3  # pixels at the frame's edge
_MANY: Final = 4  # blobs a frame, before a camera that moves: more are things at other depths, not movers
_TOO_MUCH: Final = 0.5  # of the frame: if more differs, the background estimate is wrong


class MotionSource:
    """The tracker ``motion``."""

    def identity(self) -> Mapping[str, Json]:
        """List the version and the settings."""
        return {"source": "motion", "version": _VERSION, "longest": _LONGEST, "most": _MOST}

    def open(self) -> MotionTracker:
        """Start a clip."""
        return MotionTracker()


class MotionTracker:
    """Follow what moves in a whole clip of one shot, of at most 600 frames.

    Frames whose longer side has more than 256 pixels are reduced by area; places are in the clip's own
    pixels.
    """

    def __init__(self) -> None:
        self._frames: list[_Frames] = []
        self._scale = 1.0
        self._more = False

    def push(self, frames_THWC: _Frames) -> None:
        """Take the next frames."""
        for frame in frames_THWC:
            if len(self._frames) == _MOST:
                self._more = True
                return
            small, self._scale = reduced(frame, _LONGEST)
            self._frames.append(small)

    def finish(self, clip: ClipShape) -> Tracks:
        """Follow the blobs and return the tracks.

        Raises:
            NotApplicable: the clip is too long, has a cut, or most of the frame changes.
        """
        if self._more:
            raise NotApplicable(
                f"the tracker 'motion' follows at most {_MOST} frames; cut the clip into parts"
            )
        rows = np.empty((0, len(COLUMNS)))
        camera = np.full((len(self._frames), 4), np.nan)
        if len(self._frames) > 1:
            view = stabilize(np.stack(self._frames))
            rows, camera = self._follow(view), view.camera_T4
        camera[:, :2] *= self._scale
        tracks = assemble(enlarged(rows, self._scale), clip, camera)
        return with_hidden(_without_ghosts(replace(tracks, sees_still=False)))

    def _follow(self, view: View) -> NDArray[np.float64]:
        background, spread = background_behind(view.steady_THWC, _SHADOW)
        misplaced = _MISPLACED[int(view.moves)]
        outlines: list[list[NDArray[np.uint8]]] = []  # packed, as there may be many
        flooded = 0
        for t, frame in enumerate(view.even_THWC):
            behind = view.seen_from(background, t)
            slack = misplaced * steepness(behind)
            (blobs,) = differing(frame[None], behind, spread, tolerance_HW=slack, shade=_SHADOW)
            blobs = [blob & view.known(t) for blob in blobs]
            flooded += float(np.mean(np.any(blobs, axis=0))) > _TOO_MUCH if blobs else 0
            blobs = _without_slivers(blobs)
            if view.moves:  # what comes into the picture at its edge is no thing yet
                blobs = [blob for blob in blobs if blob[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN].any()]
            outlines.append([np.packbits(blob) for blob in blobs])
        if flooded > 0.5 * len(view.even_THWC):
            raise NotApplicable(
                "more than half of the frame changes, so that no background can be told from what moves"
            )
        if view.moves and float(np.median([len(here) for here in outlines])) > _MANY:
            raise NotApplicable(
                "the camera moves past things at several depths, so that what moves cannot be told from what "
                "is nearer or farther"
            )
        separator = Separator()
        rows: list[NDArray[np.float64]] = []
        for t, frame in enumerate(view.even_THWC):
            blobs = [_unpacked(bits, frame.shape[:2]) for bits in outlines[t]]
            found = [Found(mask, 1.0) for mask in separator.separate(frame, blobs)]
            rows.append(measure_masks(view.lit(t), t, found))
        return np.concatenate(rows)


def _unpacked(bits: NDArray[np.uint8], shape: tuple[int, ...]) -> _B:
    return np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(bool)


def _without_ghosts(tracks: Tracks) -> Tracks:
    """Leave out what is there from the first frame on, never moves, and is gone before the end.

    What stands still is background as long as it does: such a place is one where that was taken wrongly.
    """
    kept: list[int] = []
    for n in range(tracks.things):
        seen = np.flatnonzero(tracks.seen_NT[n])
        stays = float(np.ptp(tracks.box_NT4[n, seen], axis=0).max()) < _STAYS * tracks.side
        if not (stays and seen[0] == 0 and seen[-1] < tracks.frames - 1):
            kept.append(n)
    return tracks.chosen(kept)


def _without_slivers(blobs: list[_B]) -> list[_B]:
    """Take away what of a blob is thinner than three pixels, as the rim of a shadow, and then small blobs."""
    import cv2

    kept: list[_B] = []
    for blob in blobs:
        opened = np.asarray(
            cv2.morphologyEx(blob.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        )
        count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
        least = max(12.0, _SMALLEST * blob.size)
        kept += [labels == k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= least]
    return kept
