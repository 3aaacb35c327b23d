"""The ``paths`` encoder: how evenly points move over three steps along the optical flow, without weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, EncoderOptions, Feature, Stream
from .flow import FlowEstimator, FlowSettings
from .registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["PATHS", "PATHS_COLUMNS", "PathsEncoder"]

_VERSION = 1
PATHS: Final = "paths"
PATHS_COLUMNS: Final = ("travel", "change", "points")
"""Of three steps v1, v2, v3 in a row, in shares of min(H, W): the sums over the points that move of
\\|v1\\| + 2 \\|v2\\| + \\|v3\\| and of \\|v3 - 2 v2 + v1\\|, both divided by the number of all points; and
the share of points that move."""
_SETTINGS: Final = FlowSettings(longest=128)
_SPACING: Final = 4  # pixels between points
_MOVES: Final = 0.25  # pixels: what moves less in all three steps is at rest

Field = NDArray[np.float32]


class PathsEncoder(Encoder):
    """Follow a grid of points over every three steps: float64 (T - 3, 3), columns `PATHS_COLUMNS`.

    Each step is the optical flow (DIS) where the step before has led, so that a thing that glides evenly
    over a still ground has no change. Points that leave the frame are left out.
    """

    name = PATHS

    def identity(self) -> Mapping[str, Json]:
        """List the estimator, its settings, the points and the columns."""
        return {
            "version": _VERSION,
            "estimator": "DIS medium",
            **asdict(_SETTINGS),
            "spacing": _SPACING,
            "moves": _MOVES,
            "columns": list(PATHS_COLUMNS),
        }

    @property
    def fewest_frames(self) -> int:
        """Three steps take four frames."""
        return 4

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _Steps()


class _Steps:
    def __init__(self) -> None:
        self._flow = FlowEstimator(_SETTINGS)
        self._last: NDArray[np.uint8] | None = None
        self._fields: list[Field] = []
        self._rows: list[tuple[float, float, float]] = []

    def push(self, window: Window) -> None:
        for frame_HWC in window.frames_THWC:
            frame = self._flow.reduce(frame_HWC)
            if self._last is not None:
                self._fields = [*self._fields[-2:], self._flow.between(self._last, frame)]
                if len(self._fields) == 3:
                    self._rows.append(_course(self._fields))
            self._last = frame

    def finish(self) -> Feature:
        return np.array(self._rows, np.float64).reshape(-1, len(PATHS_COLUMNS))


def _course(fields: list[Field]) -> tuple[float, float, float]:
    import cv2

    height, width = fields[0].shape[:2]
    y, x = np.mgrid[_start(height) : height : _SPACING, _start(width) : width : _SPACING].astype(np.float32)
    place: Any = np.stack([x, y], axis=-1)
    inside = np.ones(x.shape, bool)
    steps: list[NDArray[np.float64]] = []
    for field in fields:
        across, down = place[..., 0], place[..., 1]
        inside &= (across >= 0) & (across <= width - 1) & (down >= 0) & (down <= height - 1)
        step = cv2.remap(field, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        steps.append(np.asarray(step, np.float64))
        place = place + step
    one, two, three = steps
    lengths = [np.sqrt(np.square(step).sum(axis=-1)) for step in steps]
    moving = inside & (np.maximum.reduce(lengths) > _MOVES)
    travel = (lengths[0] + 2 * lengths[1] + lengths[2])[moving].sum()
    change = np.sqrt(np.square(three - 2 * two + one).sum(axis=-1))[moving].sum()
    scale = x.size * min(height, width)
    return float(travel / scale), float(change / scale), float(moving.mean())


def _start(side: int) -> int:
    return min(_SPACING // 2, side - 1)


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return PathsEncoder()


ENCODERS.add(PATHS, EncoderEntry("points followed over three steps of optical flow, no weights", _build))
