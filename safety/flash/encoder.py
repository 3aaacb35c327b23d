"""The encoder ``flash``: the worst second of general and of red flashes of a clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from ...metrics.encoders.base import Encoder, EncoderOptions, Feature, Stream
from ...metrics.encoders.registry import ENCODERS, EncoderEntry
from . import screen
from .counting import TOGETHER_S, FlashCounter, Worst
from .transitions import LINEAR, LuminanceTransitions, RedTransitions

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["FLASH", "FLASH_COLUMNS", "FLASH_ROWS", "FlashEncoder"]

_VERSION = 1
FLASH: Final = "flash"
FLASH_ROWS: Final = ("general, any field", "red, any field", "general, picture", "red, picture")
FLASH_COLUMNS: Final = ("transitions", "time", "area", "top", "left")
"""Of the worst second: its transitions, when it ends in seconds, the share of the field or picture that had
them together, and the field's top and left edge, as shares of the frame's height and width."""


class FlashEncoder(Encoder):
    """Count flashes: float64 (4, 5), rows `FLASH_ROWS`, columns `FLASH_COLUMNS`; frame by frame."""

    name = FLASH

    @property
    def fewest_frames(self) -> int:
        """One: a picture alone does not flash."""
        return 1

    def identity(self) -> Mapping[str, Json]:
        """List the version, the columns and the viewing conditions."""
        return {
            "version": _VERSION,
            "columns": list(FLASH_COLUMNS),
            "together": TOGETHER_S,
            **screen.identity(),
        }

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        return _Flashes(screen.grid_of(info.height, info.width))


class _Flashes:
    def __init__(self, grid: screen.Grid) -> None:
        self._grid = grid
        self._kinds = (LuminanceTransitions(), RedTransitions())
        self._counters = [
            [FlashCounter(grid.rows, grid.columns, area) for _ in self._kinds]
            for area in (grid.field, grid.picture)
        ]

    def push(self, window: Window) -> None:
        import cv2

        size = (self._grid.columns, self._grid.rows)
        for frame_HWC, time in zip(window.frames_THWC, window.times_T, strict=True):
            linear = np.asarray(cv2.LUT(frame_HWC, LINEAR), np.float32)
            if linear.shape[:2] != size[::-1]:
                linear = np.asarray(cv2.resize(linear, size, interpolation=cv2.INTER_AREA), np.float32)
            for number, kind in enumerate(self._kinds):
                changed = kind.push(linear)
                if changed is not None:
                    for counters in self._counters:
                        counters[number].push(float(time), *changed)

    def finish(self) -> Feature:
        worst = [counter.worst for counters in self._counters for counter in counters]
        return np.array([self._row(one) for one in worst], np.float64)

    def _row(self, worst: Worst) -> tuple[float, ...]:
        top, left = worst.place[0] / self._grid.rows, worst.place[1] / self._grid.columns
        return (float(worst.transitions), worst.time, worst.area, top, left)


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return FlashEncoder()


ENCODERS.add(FLASH, EncoderEntry("flashes of luminance and of red, no weights", _build))
