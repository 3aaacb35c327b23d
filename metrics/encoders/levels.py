"""The ``levels`` encoder: how the values of each frame are spread, which tells a picture from none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, EncoderOptions, Feature, FrameEncoder
from .registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["LEVELS_COLUMNS", "LevelsEncoder"]

_VERSION = 2
_NEAR = 3
LEVELS_COLUMNS = ("mean", "spread", "clipped", "colorful", "red", "green", "blue")
"""Of a frame: the mean of its values; the largest standard deviation of a channel over the frame; the share
of values within 3 of 0 or 255; the share of pixels whose channels differ by more than 128; the mean of each
channel."""


class LevelsEncoder(FrameEncoder):
    """Describe the values of each frame: float64 (T, 7), columns `LEVELS_COLUMNS`."""

    name = "levels"

    def identity(self) -> Mapping[str, Json]:
        """List the version and the columns."""
        return {"version": _VERSION, "columns": list(LEVELS_COLUMNS)}

    def encode_frames(self, frames_THWC: NDArray[np.uint8]) -> Feature:
        """Encode frames, uint8 RGB (T, H, W, 3), to (T, 7)."""
        return np.array([_describe(frame_HWC) for frame_HWC in frames_THWC]).reshape(-1, len(LEVELS_COLUMNS))


def _describe(frame_HWC: NDArray[np.uint8]) -> tuple[float, ...]:
    clipped = (frame_HWC <= _NEAR) | (frame_HWC >= 255 - _NEAR)
    range_HW = frame_HWC.max(axis=2) - frame_HWC.min(axis=2)
    pixels_NC = frame_HWC.reshape(-1, 3)
    spread_C = pixels_NC.std(axis=0, dtype=np.float64)
    shares = (float(clipped.mean()), float((range_HW > 128).mean()))
    return (float(frame_HWC.mean()), float(spread_C.max()), *shares, *map(float, pixels_NC.mean(axis=0)))


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return LevelsEncoder()


ENCODERS.add("levels", EncoderEntry("spread of the values of each frame, no weights", _build))
