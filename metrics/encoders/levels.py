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
_PAST = np.uint8(_NEAR + 1)
_TOGETHER = 2**15
"""Squares that are in hand together: they stay in the processor's cache."""
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
        frames, height, width, channels = frames_THWC.shape
        if not frames:
            return np.empty((0, len(LEVELS_COLUMNS)))
        pixels = height * width
        planes_TCN = np.ascontiguousarray(frames_THWC.reshape(frames, pixels, channels).transpose(0, 2, 1))
        sums_TC = planes_TCN.sum(axis=2, dtype=np.int64)
        means_TC = sums_TC / pixels
        # With _NEAR + 1 added, uint8 brings the highest values round to the front of the lowest.
        clipped_T = np.array([np.count_nonzero(one + _PAST <= 2 * _NEAR + 1) for one in planes_TCN])
        ranges_TN = planes_TCN.max(axis=1) - planes_TCN.min(axis=1)
        return np.column_stack(
            (
                sums_TC.sum(axis=1) / (channels * pixels),
                _spreads(planes_TCN, means_TC).max(axis=1),
                clipped_T / (channels * pixels),
                [np.count_nonzero(one > 128) / pixels for one in ranges_TN],
                means_TC,
            )
        )


def _spreads(planes_TCN: NDArray[np.uint8], means_TC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give standard deviations, (T, C): squares are added pixel by pixel, which fixes their last bits.

    All planes take each step side by side, as one plane alone would wait for each addition.
    """
    frames, channels, pixels = planes_TCN.shape
    planes_KN, means_K = planes_TCN.reshape(frames * channels, pixels), means_TC.ravel()
    several = max(1, _TOGETHER // len(means_K))
    squares_PK = np.zeros((several + 1, len(means_K)))
    for start in range(0, pixels, several):
        part_KP = planes_KN[:, start : start + several]
        added_PK = squares_PK[1 : part_KP.shape[1] + 1]
        np.subtract(part_KP.T, means_K, out=added_PK)
        np.square(added_PK, out=added_PK)
        squares_PK[0] = np.add.reduce(squares_PK[: part_KP.shape[1] + 1], axis=0)  # in rows: one by one
    return np.sqrt(squares_PK[0] / pixels).reshape(frames, channels)


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return LevelsEncoder()


ENCODERS.add("levels", EncoderEntry("spread of the values of each frame, no weights", _build))
