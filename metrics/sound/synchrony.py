"""Whether sound and picture go together: onsets of the sound against motion of the picture, over delays.

The strength of onsets and the change between frames are compared at steps of one frame. Their correlation at
each delay up to half a second is held against that of circular shifts of the sound by more than a second or a
quarter of the clip, which keep everything of both but their alignment (a permutation test over shifts).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .encoder import STEP

__all__ = ["REACH", "Synchrony", "synchrony"]

REACH: Final = 0.5
"""Seconds of delay that are looked at, either way."""
FEWEST: Final = 16
"""Pairs of frames that a comparison needs."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Synchrony:
    """How sound and motion go together.

    Attributes:
        together: correlation without a delay, in [-1, 1]; the best within one frame either way.
        delay: of the sound behind the picture at the highest correlation, in seconds.
        at_delay: that correlation.
        p: share of shifts of the sound whose highest correlation is at least as high.
        shifts: how many.
    """

    together: float
    delay: float
    at_delay: float
    p: float
    shifts: int


def synchrony(
    onset_B: NDArray[np.floating], start: float, motion_P: NDArray[np.floating], fps: float
) -> Synchrony | None:
    """Compare onsets and motion; None where either never changes, or there are under 16 pairs of frames.

    Args:
        onset_B: strength of onsets in blocks of `STEP` seconds.
        start: of the sound, in seconds after the first frame.
        motion_P: change from each frame to the next.
        fps: frames a second.
    """
    pairs = len(motion_P)
    if pairs < FEWEST:
        return None
    heard = _by_frame(np.asarray(onset_B, np.float64), start, pairs, fps)
    seen = np.asarray(motion_P, np.float64)
    heard, seen = np.log1p(heard), np.log1p(seen)  # a few strong events would be all that counts
    if np.ptp(heard) == 0 or np.ptp(seen) == 0:
        return None
    most = min(round(REACH * fps), pairs // 4)
    lags = np.arange(-most, most + 1)
    found = _correlations(heard, seen, lags)
    best = int(found.argmax())
    near = np.abs(lags) <= 1
    apart = min(max(round(fps), 2 * most + 1), pairs // 2)
    shifts = np.arange(apart, pairs - apart + 1)
    others = np.array([_correlations(np.roll(heard, shift), seen, lags).max() for shift in shifts])
    as_high = int((others >= found[best] - 1e-12).sum())
    return Synchrony(
        together=float(found[near].max()),
        delay=float(lags[best] / fps),
        at_delay=float(found[best]),
        p=(1 + as_high) / (1 + len(shifts)),
        shifts=len(shifts),
    )


def _by_frame(onset_B: Floats, start: float, pairs: int, fps: float) -> Floats:
    """Take the mean of onsets between the times of neighbouring frames; 0 where there is no sound."""
    times = start + (np.arange(len(onset_B)) + 0.5) * STEP
    place = np.floor(times * fps).astype(np.int64)
    inside = (place >= 0) & (place < pairs)
    total = np.bincount(place[inside], onset_B[inside], minlength=pairs)
    return total / np.maximum(np.bincount(place[inside], minlength=pairs), 1)


def _correlations(heard: Floats, seen: Floats, lags: NDArray[np.int64]) -> Floats:
    """Correlate what is heard ``lag`` steps later with what is seen, over the steps that both have."""
    found = np.zeros(len(lags))
    for k, lag in enumerate(lags):
        a = heard[max(0, lag) : len(heard) + min(0, lag)]
        b = seen[max(0, -lag) : len(seen) + min(0, -lag)]
        a, b = a - a.mean(), b - b.mean()
        size = np.sqrt((a @ a) * (b @ b))
        found[k] = a @ b / size if size > 0 else 0.0
    return found
