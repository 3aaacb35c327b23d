"""The encoder ``pixels``: mean difference of neighbouring frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, EncoderOptions, Feature, Stream
from .registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["PIXELS_COLUMNS", "PixelsEncoder"]

_VERSION = 1
PIXELS_COLUMNS = ("mean_abs_difference",)
"""Mean of \\|I_t - I_{t+1}\\| over pixels and channels, in 8-bit levels (0 to 255)."""


class PixelsEncoder(Encoder):
    """Compare each frame with the next: float64 (T - 1, 1), columns `PIXELS_COLUMNS`."""

    name = "pixels"

    def identity(self) -> Mapping[str, Json]:
        """List the version and the columns."""
        return {"version": _VERSION, "columns": list(PIXELS_COLUMNS)}

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _Differences()


class _Differences:
    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None
        self._rows: list[float] = []

    def push(self, window: Window) -> None:
        for frame_HWC in window.frames_THWC:
            if self._last is not None:
                # Larger less smaller, as uint8 would wrap; whole numbers have one sum in any order.
                difference = np.maximum(frame_HWC, self._last) - np.minimum(frame_HWC, self._last)
                self._rows.append(int(difference.sum(dtype=np.int64)) / difference.size)
            self._last = frame_HWC
        if self._last is not None:
            self._last = self._last.copy()  # so that the window can be freed

    def finish(self) -> Feature:
        return np.array(self._rows, np.float64).reshape(-1, len(PIXELS_COLUMNS))


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return PixelsEncoder()


ENCODERS.add("pixels", EncoderEntry("differences of neighbouring frames, no weights", _build))
