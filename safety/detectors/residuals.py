"""Statistics of noise residuals: what high-pass filters leave of luma and chroma.

The filters are those of the spatial rich model of steganalysis (Fridrich & Kodovsky 2012, IEEE TIFS 7(3)):
first and second differences along both axes, and the 3x3 and 5x5 square filters. What a camera, or a
renderer, leaves after them is of another size, of other tails and otherwise alike to its neighbours than
what a decoder of latents leaves.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats

__all__ = ["CHANNELS", "RESIDUAL_COLUMNS", "residual_numbers"]

CHANNELS: Final = ("luma", "red", "blue")
"""Luma, and the red and blue differences of YCrCb."""
_SQUARE_3: Final = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4
_SQUARE_5: Final = (
    np.array(
        [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]
    )
    / 12
)
_FIRST: Final = np.array([[0, 0, 0], [0, -1, 1], [0, 0, 0]])
_SECOND: Final = np.array([[0, 0, 0], [1, -2, 1], [0, 0, 0]]) / 2
_FILTERS: Final = {
    "first": (_FIRST, _FIRST.T),
    "second": (_SECOND, _SECOND.T),
    "square3": (_SQUARE_3,),
    "square5": (_SQUARE_5,),
}
_NUMBERS: Final = ("mean", "none", "small", "log_mean", "kurtosis", "neighbour")
RESIDUAL_COLUMNS: Final = tuple(
    f"{channel}_{name}_{number}" for channel in CHANNELS for name in _FILTERS for number in _NUMBERS
)
"""Of each channel and filter: log of the mean size of the residual; shares of pixels below half a level, and
below 2; log of the mean of its log; log of its kurtosis; and its correlation with the next pixel's."""

_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_SMALL: Final = 1e-2


def residual_numbers(frames_THWC: NDArray[np.uint8]) -> Floats:
    """Compute the 72 numbers of `RESIDUAL_COLUMNS` of a clip, uint8 RGB: 24 a channel."""
    import cv2

    chroma = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)[..., 1:] for frame in frames_THWC])
    luma = frames_THWC.astype(np.float32) @ _LUMA
    found: list[float] = []
    for channel in (luma, *np.moveaxis(chroma.astype(np.float32), -1, 0)):
        for kernels in _FILTERS.values():
            filtered = [
                cv2.filter2D(frame, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REFLECT)
                for kernel in kernels
                for frame in channel
            ]
            found += _summary(np.stack(filtered).astype(np.float32))
    return np.array(found)


def _summary(residual_NHW: NDArray[np.float32]) -> list[float]:
    size, squared = np.abs(residual_NHW), residual_NHW**2
    power = float(squared.mean())
    beside = float((residual_NHW[:, :, 1:] * residual_NHW[:, :, :-1]).mean())
    return [
        float(np.log10(size.mean() + _SMALL)),
        float((size < 0.5).mean()),
        float((size < 2).mean()),
        float(np.log10(np.log1p(size).mean() + _SMALL)),
        float(np.log10((squared**2).mean() / max(power**2, 1e-9) + 1.0)),
        beside / max(power, 1e-6),
    ]
