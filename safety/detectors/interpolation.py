"""Traces of frames that were made from their neighbours: ghosts, and numbers that repeat every few frames.

A blend of two frames shows a moving thing twice, each time half transparent: its pixels lie midway between
those of the frame before and the frame after. Frames that are interpolated, or decoded in groups, also
differ from the others every second or fourth frame, in sharpness and in how well their neighbours foretell
them (Bestagini et al. 2013, "Detection of temporal interpolation in video sequences", ICASSP; Yao et al.
2016, Journal of Visual Communication and Image Representation 37).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats

__all__ = ["INTERPOLATION_COLUMNS", "interpolation_numbers"]

_PERIODS: Final = (2, 4)
INTERPOLATION_COLUMNS: Final = (
    "midway", "midway_of_a_parity", "parity_contrast", "overshoot",
    *(
        f"{series}_{number}"
        for series in ("foretold", "sharpness", "change")
        for number in ("period2", "period4", "spread")
    ),
    "foretold_share", "third_difference", "still_noise", "still_kurtosis", "still_memory",
)  # fmt: skip
"""Of the pixels that move: the share that lies midway between the frame before and the one after, of the
parity of frames with more of them, the log of the ratio of both parities, and the share that lies beyond
both frames. Of three series over time the log range of their phases at periods 2 and 4, and their log
spread: the error of the mean of the neighbours, sharpness, and change. The error relative to the change;
log of the third difference relative to the first; and of the pixels that move least the noise, its
kurtosis, and its correlation in time."""

_MOVES: Final = 16.0
"""Levels between the frame before and the one after, from which on a pixel counts as moving."""
_STILL: Final = 12.0
_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_SMALL: Final = 1e-2
_LEAST: Final = 0.05


def interpolation_numbers(frames_THWC: NDArray[np.uint8]) -> Floats:
    """Compute the 18 numbers of `INTERPOLATION_COLUMNS` of a clip, uint8 RGB, at least 8 frames.

    Raises:
        ValueError: fewer than 8 frames.
    """
    if len(frames_THWC) < 8:
        raise ValueError("traces of interpolation need 8 frames at least")
    luma_THW = frames_THWC.astype(np.float32) @ _LUMA
    before, middle, after = luma_THW[:-2], luma_THW[1:-1], luma_THW[2:]
    span = (after - before).astype(np.float32)
    error_T = np.abs(middle - (after + before) / 2).mean(axis=(1, 2))
    changes = np.diff(luma_THW, axis=0)
    series = (error_T, _sharpness(luma_THW)[1:-1], np.abs(changes).mean(axis=(1, 2))[:-1])
    third, first = np.abs(np.diff(luma_THW, n=3, axis=0)).mean(), np.abs(changes).mean()
    share = float(error_T.sum() / (np.abs(span).mean(axis=(1, 2)).sum() / 2 + 0.5))
    return np.array(
        [
            *_places(before, middle, span),
            *(number for one in series for number in _rhythm(one + _LEAST)),
            np.log10(share + _LEAST),
            _log(float(third)) - _log(float(first)),
            *_noise(changes),
        ]
    )


def _places(
    before: NDArray[np.float32], middle: NDArray[np.float32], span: NDArray[np.float32]
) -> list[float]:
    """Tell where pixels that move lie between the frame before (0) and the one after (1)."""
    moves = np.abs(span) > _MOVES
    place = np.where(moves, (middle - before) / np.where(moves, span, 1.0), 0.0)
    counts = moves.sum(axis=(1, 2))
    midway = ((np.abs(place - 0.5) < 0.2) & moves).sum(axis=(1, 2))
    beyond = int((((place < -0.15) | (place > 1.15)) & moves).sum())
    # Counts are smoothed, so that a clip where nothing moves has the numbers of one that shows nothing odd.
    parities = [(midway[k::2].sum() + 1) / (counts[k::2].sum() + 4) for k in (0, 1)]
    total = int(counts.sum())
    return [
        (int(midway.sum()) + 1) / (total + 4),
        float(max(parities)),
        float(np.log(max(parities) / min(parities))),
        (beyond + 1) / (total + 8),
    ]


def _rhythm(series_T: NDArray[np.float32]) -> list[float]:
    logs = np.log(series_T)
    ranges = [float(np.ptp([logs[phase::period].mean() for phase in range(period)])) for period in _PERIODS]
    return [*ranges, float(logs.std())]


def _sharpness(luma_THW: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    edges = [np.abs(cv2.Laplacian(frame, cv2.CV_32F, ksize=1)).mean() for frame in luma_THW]
    return np.array(edges, dtype=np.float32)


def _noise(changes: NDArray[np.float32]) -> list[float]:
    still = np.abs(changes).max(axis=0) < _STILL
    noise = changes[:, still] if still.sum() > 50 else changes.reshape(len(changes), -1)
    power = float((noise**2).mean())
    kurtosis = float((noise**4).mean()) / max(power**2, 1e-9)
    memory = float((noise[1:] * noise[:-1]).mean()) / max(power, 1e-4)
    return [_log(float(noise.std())), float(np.log10(kurtosis + 1.0)), memory]


def _log(value: float) -> float:
    return float(np.log10(value + _SMALL))
