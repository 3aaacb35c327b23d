"""Sampling of the frames that an encoder or a judge sees: all of the first, then a fixed number per second.

So a short clip is seen completely, and a long video does not take as long as all its frames would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..harness.core.media import Window

__all__ = ["FrameSampler", "Sampling"]


@dataclass(frozen=True)
class Sampling:
    """How frames are chosen.

    Attributes:
        first_frames: number of frames at the clip's start that are all taken.
        frames_per_second: rate for the later frames: the first frame in each interval is taken.
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
        """Return the indices, in the window, of the frames to take; without a sampling, all."""
        return [place for place, time in enumerate(window.times_T) if self.take_time(float(time))]

    def take_time(self, time: float) -> bool:
        """Check whether to take the next frame, at ``time`` seconds from the clip's start."""
        if self._sampling is None:
            return True
        interval = math.floor(time * self._sampling.frames_per_second + 1e-6)
        chosen = self._seen < self._sampling.first_frames or interval > self._interval
        self._interval = max(self._interval, interval)
        self._seen += 1
        return chosen
