"""The ``levels`` encoder: how the values of each frame are spread, which tells a picture from none."""

from __future__ import annotations

import math
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
_VALUES = np.arange(256)
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
    red, green, blue = planes = [np.ascontiguousarray(frame_HWC[:, :, channel]) for channel in range(3)]
    counts_C256 = np.array([np.bincount(plane.ravel(), minlength=256) for plane in planes])
    pixels = red.size
    sums: list[int] = (counts_C256 @ _VALUES).tolist()
    means = [total / pixels for total in sums]
    clipped = int(counts_C256[:, : _NEAR + 1].sum() + counts_C256[:, 255 - _NEAR :].sum())
    highest_HW = np.maximum(np.maximum(red, green), blue)
    lowest_HW = np.minimum(np.minimum(red, green), blue)
    colorful = np.count_nonzero(highest_HW - lowest_HW > 128)
    return (
        sum(sums) / (3 * pixels),
        max(_spread(plane, mean) for plane, mean in zip(planes, means, strict=True)),
        clipped / (3 * pixels),
        colorful / pixels,
        *means,
    )


def _spread(plane_HW: NDArray[np.uint8], mean: float) -> float:
    """Give the standard deviation, its squares added one by one as version 2 has it: the same bits."""
    squares_N = np.square(_VALUES - mean)[plane_HW.ravel()]
    return math.sqrt(float(np.add.accumulate(squares_N)[-1]) / plane_HW.size)


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return LevelsEncoder()


ENCODERS.add("levels", EncoderEntry("spread of the values of each frame, no weights", _build))
