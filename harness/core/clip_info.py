"""What is known of a decoded clip, and the windows of frames that it comes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["DECODING_VERSION", "ClipInfo", "Sink", "Window"]

DECODING_VERSION: Final = 2
"""What a file's pixels and times are taken to be. Features and scores of another version are made again."""


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a decoded clip.

    Attributes:
        height, width: pixels, after the rotation that the file asks for.
        fps: mean frames a second by the time stamps.
        frames: number of frames; before decoding, as the file declares it (None where it does not).
        duration: seconds from the first frame to the end of the last; before decoding, as the file declares
            it (None where it does not).
        variable_rate: whether frames are unevenly spaced in time; known only after decoding.
        notes: what a reader of the scores should know of the file, a sentence each: interlaced, pixels that
            are not square, transparency, HDR, an assumed rate, an end that cannot be checked.
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
        object.__setattr__(self, "notes", tuple(self.notes))  # JSON, which it is stored as, has lists alone


@dataclass(frozen=True)
class Window:
    """Consecutive frames: uint8 RGB (T, H, W, 3), their times in seconds (T,), and the first one's number.

    The first frame of the clip is at time 0.
    """

    frames_THWC: NDArray[np.uint8]
    times_T: NDArray[np.float64]
    start: int


class Sink(Protocol):
    """What takes the windows of a clip one after the other."""

    def push(self, window: Window) -> None:
        """Take the next frames."""
        ...


def merge_notes(*notes: Sequence[str]) -> tuple[str, ...]:
    """Join notes, each once, in the order in which they came."""
    return tuple(dict.fromkeys(note for some in notes for note in some))
