"""Statistics of the differences of neighbouring frames: how pixels change where little should.

A generated clip that is decoded from latents flickers in places that stand still, and its noise is alike
neither in time nor in space to that of a camera. None of these numbers looks at what is shown.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats

__all__ = ["DIFFERENCE_COLUMNS", "difference_numbers"]

DIFFERENCE_COLUMNS: Final = (
    "mean", "mean_spread", "still", "quiet", "kurtosis", "fine", "fine_share", "second", "second_ratio",
    "quiet_texture", "alternation",
)  # fmt: skip
"""Logs of the mean change and of its spread over time; shares of pixels that change by less than half a
level, and by less than 4; log of the kurtosis of changes; log of the fine part of the change, and of its
share; log of the second difference, and of its ratio to the first; log of the change of the quieter half of
the pixels; and how much the change of odd pairs of frames differs from that of even pairs."""

_LUMA: Final = np.array([0.299, 0.587, 0.114])
_SMALL: Final = 1e-2


def difference_numbers(frames_THWC: NDArray[np.uint8]) -> Floats:
    """Compute the 11 numbers of `DIFFERENCE_COLUMNS` of a clip, uint8 RGB, at least 4 frames.

    Raises:
        ValueError: fewer than 4 frames.
    """
    if len(frames_THWC) < 4:
        raise ValueError("differences of frames need 4 frames at least")
    luma = frames_THWC.astype(np.float64) @ _LUMA
    change = np.diff(luma, axis=0)
    size = np.abs(change)
    per_pair = size.mean(axis=(1, 2))
    fine = np.abs(_detail(change)).mean()
    second = np.abs(np.diff(change, axis=0)).mean()
    spread = change.std()
    kurtosis = ((change - change.mean()) ** 4).mean() / max(spread**4, 1e-12)
    per_pixel = size.mean(axis=0)
    quiet = per_pixel[per_pixel <= np.median(per_pixel)].mean()
    odd, even = per_pair[1::2].mean(), per_pair[::2].mean()
    mean = size.mean()
    return np.array(
        [
            _log(mean),
            _log(per_pair.std()),
            (size < 0.5).mean(),
            (size < 4).mean(),
            np.log10(kurtosis + 1.0),
            _log(fine),
            _log(fine) - _log(mean),
            _log(second),
            _log(second) - _log(mean),
            _log(quiet),
            np.log10((odd + _SMALL) / (even + _SMALL)),
        ]
    )


def _log(value: float) -> float:
    return float(np.log10(value + _SMALL))


def _detail(frames_THW: Floats) -> Floats:
    """Take out of each frame the mean of a pixel's four neighbours."""
    inner = frames_THW[:, 1:-1, 1:-1]
    around = (
        frames_THW[:, :-2, 1:-1]
        + frames_THW[:, 2:, 1:-1]
        + frames_THW[:, 1:-1, :-2]
        + frames_THW[:, 1:-1, 2:]
    )
    return inner - around / 4
