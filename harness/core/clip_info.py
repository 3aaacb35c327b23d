"""Properties of a decoded clip, and the windows of frames that decoding yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from .sound import SoundChunk

__all__ = ["DECODING_VERSION", "ClipInfo", "Sink", "Window"]

DECODING_VERSION: Final = 2
"""Version of how pixels and times are read. Features and scores of another version are computed again."""


@dataclass(frozen=True)
class ClipInfo:
    """Properties of a clip.

    Attributes:
        height, width: pixels, after the rotation that the file asks for.
        fps: mean frames per second, from the time stamps.
        frames: number of frames; before decoding, as the file declares it (None where it does not).
        duration: seconds from the first frame to the end of the last; before decoding, as the file declares
            it (None where it does not).
        variable_rate: whether frames are unevenly spaced in time; known only after decoding.
        notes: sentences that a reader of the scores should know, such as: the file is interlaced, its pixels
            are not square, it is HDR, its frame rate was assumed, its end cannot be checked.
    """

    height: int
    width: int
    fps: float
    frames: int | None
    duration: float | None
    codec: str
    container: str
    variable_rate: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", tuple(self.notes))  # stored as JSON, which has lists only


@dataclass(frozen=True)
class Window:
    """Consecutive frames of a clip.

    Attributes:
        frames_THWC: uint8 RGB.
        times_T: seconds after the first frame of the clip.
        start: index of the first of these frames in the clip.
        sound: what was decoded of the sound while these frames were, if it was asked for.
    """

    frames_THWC: NDArray[np.uint8]
    times_T: NDArray[np.float64]
    start: int
    sound: tuple[SoundChunk, ...] = ()


class Sink(Protocol):
    """A consumer of the windows of a clip, in order."""

    def push(self, window: Window) -> None:
        """Take the next frames."""
        ...
