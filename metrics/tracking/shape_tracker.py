"""The tracker ``world``: colored shapes on any smooth or finely textured background, without weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..frame_blocks import FrameBlocks
from .assembly import assemble
from .background import fit_background
from .camera import CameraPath
from .regions import COLUMNS, column, find_regions
from .tracks import ClipShape

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from .tracks import Tracks

__all__ = ["WorldSource", "WorldTracker"]

_VERSION: Final = 5
_BLOCK: Final = 64
_LONGEST: Final = 160
_LENGTHS: Final = [column(name) for name in ("x", "y", "left", "top", "right", "bottom")]


class WorldSource:
    """The tracker ``world``."""

    def identity(self) -> Mapping[str, Json]:
        """List the version and the settings."""
        return {"source": "world", "version": _VERSION, "block": _BLOCK, "longest": _LONGEST}

    def open(self) -> WorldTracker:
        """Start a clip."""
        return WorldTracker()


class WorldTracker:
    """Find objects as colored regions in blocks of at most 64 frames, and associate them over the whole clip.

    Soft shadows are left out.

    Frames whose longer side has more than 160 pixels are reduced by area; places are in the clip's own
    pixels. Two objects of different colors that rest side by side, almost touching, for the whole clip count
    as one object of two colors.
    """

    def __init__(self) -> None:
        self._blocks = FrameBlocks(_BLOCK, self._search)
        self._rows: list[NDArray[np.float64]] = []
        self._camera = CameraPath()
        self._done = 0
        self._scale = 1.0
        self._spreads: list[float] = []

    def push(self, frames_THWC: NDArray[np.uint8]) -> None:
        """Take the next frames."""
        for frame in frames_THWC:
            self._blocks.add(self._reduced(frame))

    def finish(self, clip: ClipShape) -> Tracks:
        """Associate the regions and return the tracks."""
        self._blocks.finish()
        rows = np.concatenate(self._rows) if self._rows else np.empty((0, len(COLUMNS)))
        # The centre of the top-left pixel is 0, 0 at either size.
        rows[:, _LENGTHS] = (rows[:, _LENGTHS] + 0.5) * self._scale - 0.5
        rows[:, column("area")] *= self._scale**2
        camera = self._camera.finish()
        camera[:, :2] *= self._scale
        spread = max(self._spreads, default=0.0)
        return replace(assemble(rows, clip, camera), background_spread=spread)

    def _reduced(self, frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        longest = max(frame_HWC.shape[:2])
        if longest <= _LONGEST:
            return frame_HWC
        import cv2

        height, width = frame_HWC.shape[:2]
        self._scale = longest / _LONGEST
        size = (max(1, round(width / self._scale)), max(1, round(height / self._scale)))
        return np.asarray(cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _search(self, frames: NDArray[np.uint8]) -> None:
        background = fit_background(frames)
        self._spreads.append(background.spread)
        regions = find_regions(frames, background)
        rows = regions.rows_MK.copy()
        rows[:, 0] += self._done
        self._rows.append(rows)
        self._camera.push(frames, None if regions.owner_THW is None else regions.owner_THW > 0)
        self._done += len(frames)
