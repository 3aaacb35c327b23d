"""Sampling of the frames that a judge sees: all of the first frames, then a fixed number per second.

So a short clip is judged completely, and a long video does not take as long as all its frames would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ...harness.core.media import Window

__all__ = ["FrameSampler", "Sampling", "agreed_score"]


@dataclass(frozen=True)
class Sampling:
    """How frames are chosen.

    Attributes:
        first_frames: number of frames at the clip's start that are all judged.
        frames_per_second: rate for the later frames: the first frame in each interval is judged.
    """

    first_frames: int = 16
    frames_per_second: float = 4.0


class FrameSampler:
    """Choose the frames of one clip, window by window; the choice does not depend on the windows."""

    def __init__(self, sampling: Sampling | None) -> None:
        self._sampling = sampling
        self._seen = 0
        self._interval = -1

    def take(self, window: Window) -> list[int]:
        """Return the indices, in the window, of the frames to judge; without a sampling, all."""
        return [place for place, time in enumerate(window.times_T) if self.take_time(float(time))]

    def take_time(self, time: float) -> bool:
        """Check whether to judge the next frame, at ``time`` seconds from the clip's start."""
        if self._sampling is None:
            return True
        interval = math.floor(time * self._sampling.frames_per_second + 1e-6)
        chosen = self._seen < self._sampling.first_frames or interval > self._interval
        self._interval = max(self._interval, interval)
        self._seen += 1
        return chosen


def agreed_score(score_T: NDArray[np.float64], agreeing: int) -> float:
    """Return the highest score that ``agreeing`` judged frames in a row all reach.

    If fewer frames were judged, all of them must reach it.

    Raises:
        ValueError: no frame was judged.

    Example:
        >>> agreed_score(np.array([0.9, 0.1, 0.5, 0.6]), 2)
        0.5
    """
    if not len(score_T):
        raise ValueError("no frame was judged")
    rows = np.lib.stride_tricks.sliding_window_view(score_T, min(agreeing, len(score_T)))
    return float(rows.min(axis=1).max())
