"""Limits of frame rate, frame size and length of a clip, for every reader and every suite."""

from __future__ import annotations

from typing import Final

from .errors import MediaError

__all__ = [
    "MAX_CLIP_PIXELS",
    "MAX_FPS",
    "MAX_FRAMES",
    "MAX_FRAME_PIXELS",
    "MIN_FPS",
    "check_frames",
    "check_rate",
    "check_size",
    "is_rate",
]

MIN_FPS: Final = 0.01
MAX_FPS: Final = 1000.0

MAX_FRAMES: Final = 108_000
"""An hour at 30 frames a second."""

MAX_FRAME_PIXELS: Final = 4096 * 4096
"""Twice the pixels of a 4K cinema frame: the measures need at most 2 GB for one such frame."""

MAX_CLIP_PIXELS: Final = 2**35
"""Pixels of all frames: 16,500 frames of 1920x1080, or 2,048 of 4096x4096."""


def is_rate(fps: float) -> bool:
    """Check whether ``fps`` can be the frame rate of a clip; infinity and NaN cannot."""
    return MIN_FPS <= fps <= MAX_FPS


def check_rate(what: str, fps: float) -> None:
    """Raise MediaError unless ``fps`` can be the frame rate of a clip."""
    if not is_rate(fps):
        raise MediaError(f"{what} has {fps:g} frames a second; {MIN_FPS:g} to {MAX_FPS:,.0f} can be read")


def check_size(what: str, width: int, height: int) -> None:
    """Raise MediaError if a frame has more pixels than can be read."""
    if width * height > MAX_FRAME_PIXELS:
        raise MediaError(
            f"{what} has frames of {width}x{height} pixels; {MAX_FRAME_PIXELS:,} pixels are the limit, as in "
            "4096x4096"
        )


def check_frames(what: str, frames: int, width: int, height: int) -> None:
    """Raise MediaError if a clip has more frames, or more pixels in all of them, than can be read."""
    if frames > MAX_FRAMES:
        raise MediaError(f"{what} has more than {MAX_FRAMES:,} frames, which is the limit; cut it")
    if frames * width * height > MAX_CLIP_PIXELS:
        raise MediaError(
            f"{what} has more than {MAX_CLIP_PIXELS // (width * height):,} frames, which is the limit for "
            f"frames of {width}x{height} pixels; cut it or scale it down"
        )
