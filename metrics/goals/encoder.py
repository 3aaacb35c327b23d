"""The encoder ``hues``: where the regions of five saturated colors are, frame by frame, without weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.colors import GOAL_COLORS
from ..encoders.base import Encoder, EncoderOptions, Record, Stream
from ..encoders.registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["HUES", "HUE_COLUMNS", "HueEncoder", "color_regions"]

_VERSION: Final = 1
HUES: Final = "hues"
HUE_COLUMNS: Final = ("area", "x", "y", "left", "top", "right", "bottom", "x1", "y1", "x2", "y2")
"""Of the region of a color: its area in squares of the picture's height; the centre of its largest part and
the box around that; the two ends of all of it along its longer axis. Lengths are heights of the picture, from
its top left corner. NaN, and an area of 0, where there is none."""
_LONGEST: Final = 384
"""Pixels of the longer edge to which larger frames are reduced."""
_LEAST_PIXELS: Final = 4
_PART: Final = 0.15  # of the largest part: what is smaller is no part of the region
_RANGES: Final = {
    "red": ((340, 360), (0, 20)),
    "green": ((90, 165),),
    "blue": ((195, 252),),
    "yellow": ((36, 70),),
    "purple": ((262, 320),),
}
"""Hues of each color, in degrees."""
_SATURATED: Final = {"yellow": 0.42}
_SATURATION, _CHROMA = 0.34, 44  # of 1, and levels of 255 between the channels: what has less is gray
_U8 = NDArray[np.uint8]


class HueEncoder(Encoder):
    """Find the region of each of `GOAL_COLORS`: ``regions`` float64 (T, 5, 11), columns `HUE_COLUMNS`.

    The record's ``aspect`` is the width of the picture over its height, and ``height`` that of the frames
    that are read, in pixels.
    """

    name = HUES
    trial = "none"

    @property
    def fewest_frames(self) -> int:
        """One frame has regions."""
        return 1

    def identity(self) -> Mapping[str, Json]:
        """List the version, the colors and the columns."""
        return {
            "version": _VERSION,
            "colors": list(GOAL_COLORS),
            "columns": list(HUE_COLUMNS),
            "longest": _LONGEST,
        }

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        return _Regions(info.width, info.height)


class _Regions:
    def __init__(self, width: int, height: int) -> None:
        factor = min(1.0, _LONGEST / max(height, width))
        self._about: dict[str, Json] = {"aspect": round(width / height, 6), "height": round(height * factor)}
        self._rows: list[NDArray[np.float64]] = []

    def push(self, window: Window) -> None:
        self._rows += [color_regions(frame_HWC) for frame_HWC in window.frames_THWC]

    def finish(self) -> Record:
        return Record({"regions": np.stack(self._rows)}, self._about)


def color_regions(frame_HWC: _U8) -> NDArray[np.float64]:
    """Find the region of each color in a frame, uint8 RGB (H, W, 3): float64 (5, 11), see `HUE_COLUMNS`."""
    import cv2

    height, width, _ = frame_HWC.shape
    factor = _LONGEST / max(height, width)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        frame_HWC = np.asarray(cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA), np.uint8)
    hsv = np.asarray(cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2HSV_FULL))
    hue = hsv[:, :, 0] * (360 / 256)
    saturation = hsv[:, :, 1] / 255
    colored = saturation * hsv[:, :, 2] >= _CHROMA
    found: list[NDArray[np.float64]] = []
    for color in GOAL_COLORS:
        near = np.zeros(hue.shape, bool)
        for low, high in _RANGES[color]:
            near |= (hue >= low) & (hue <= high)
        near &= colored & (saturation >= _SATURATED.get(color, _SATURATION))
        found.append(_region(near))
    return np.stack(found)


def _region(mask_HW: NDArray[np.bool_]) -> NDArray[np.float64]:
    import cv2

    nothing = np.full(len(HUE_COLUMNS), np.nan)
    nothing[0] = 0.0
    _, labels, stats, centres = cv2.connectedComponentsWithStats(mask_HW.astype(np.uint8), connectivity=8)
    areas = np.asarray(stats)[1:, cv2.CC_STAT_AREA]
    if not len(areas) or areas.max() < _LEAST_PIXELS:
        return nothing
    largest = int(areas.argmax()) + 1
    side = float(len(mask_HW))
    left, top, wide, high, area = (float(v) for v in np.asarray(stats)[largest])
    x, y = (float(v) + 0.5 for v in np.asarray(centres)[largest])
    parts = np.flatnonzero(areas >= _PART * areas.max()) + 1
    rows, columns = np.nonzero(np.isin(np.asarray(labels), parts))
    ends = _ends(np.stack([columns, rows], axis=1).astype(np.float64) + 0.5)
    lengths = np.array([x, y, left, top, left + wide, top + high, *ends.reshape(-1)]) / side
    return np.concatenate([[area / side**2], lengths])


def _ends(points_P2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the two ends of a set of points along its longer axis, (2, 2): each the mean of its last tenth."""
    middle = points_P2.mean(axis=0)
    away = points_P2 - middle
    _, axes = np.linalg.eigh(away.T @ away)
    along = away @ axes[:, -1]
    low, high = np.quantile(along, (0.05, 0.95))
    ends = (points_P2[along <= low].mean(axis=0), points_P2[along >= high].mean(axis=0))
    return np.stack(ends)


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return HueEncoder()


ENCODERS.add(HUES, EncoderEntry("regions of five saturated colors, no weights", _build))
