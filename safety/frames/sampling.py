"""Which frames of a clip a judge looks at: all of the first ones, then so many a second of the clip.

A short clip is seen whole, and an hour of video does not cost an hour of a detector.
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
        first_frames: how many frames from the clip's start on are all judged.
        frames_per_second: of the frames after them, the first in each interval of this rate.
    """

    first_frames: int = 16
    frames_per_second: float = 4.0


class FrameSampler:
    """Choose frames of one clip that comes in windows; how it is cut changes nothing."""

    def __init__(self, sampling: Sampling | None) -> None:
        self._sampling = sampling
        self._seen = 0
        self._interval = -1

    def take(self, window: Window) -> list[int]:
        """Give the places in the window, from 0, of the frames to judge; without a sampling, all."""
        return [place for place, time in enumerate(window.times_T) if self.take_time(float(time))]

    def take_time(self, time: float) -> bool:
        """Tell whether the next frame, at ``time`` seconds from the clip's start, is to be judged."""
        if self._sampling is None:
            return True
        interval = math.floor(time * self._sampling.frames_per_second + 1e-6)
        chosen = self._seen < self._sampling.first_frames or interval > self._interval
        self._interval = max(self._interval, interval)
        self._seen += 1
        return chosen


def agreed_score(score_T: NDArray[np.float64], agreeing: int) -> float:
    """Give the highest score that ``agreeing`` judged frames in a row all reach.

    Where fewer frames were judged, all of them have to.

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
