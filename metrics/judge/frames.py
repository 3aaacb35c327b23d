"""The frames that a judge is shown: evenly spaced frames of a clip, and drawn clips of known content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...harness.core.keys import digest, seeded_rng
from .questions import Asked

if TYPE_CHECKING:
    from ...harness.core.media import Window

__all__ = ["FRAMES_VERSION", "Pictures", "Spread", "drawn_control", "pictures"]

FRAMES_VERSION = 1
"""Raised whenever a picture that a judge is shown would change."""

_LEAST_SIDE = 256
_COLORS = {
    "red": (220, 40, 40),
    "green": (40, 170, 70),
    "blue": (50, 80, 220),
    "yellow": (240, 210, 50),
    "purple": (150, 60, 190),
    "orange": (245, 140, 30),
}
_SHAPES = ("circle", "square", "triangle")

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class Pictures:
    """Frames as a judge is shown them.

    Attributes:
        jpegs: one file a frame, in order.
        times: seconds after the first frame of the clip.
        digest: 64 hex digits of the pixels before they were compressed, and of the times.
    """

    jpegs: tuple[bytes, ...]
    times: tuple[float, ...]
    digest: str


class Spread:
    """Select about ``count`` evenly spaced frames of a clip whose length is not known before its end.

    At most ``4 count`` frames are held: then every second one is dropped, and from then on only every second
    one is taken. The selection does not depend on the decoder's windows.
    """

    def __init__(self, count: int, longest: int) -> None:
        self._count = count
        self._longest = longest
        self._stride = 1
        self._seen = 0
        self._held: list[tuple[int, float, Frame]] = []
        self._last: tuple[int, float, Frame] | None = None

    def push(self, window: Window) -> None:
        """Take the next frames of the clip."""
        for frame_HWC, time in zip(window.frames_THWC, window.times_T, strict=True):
            number, self._seen = self._seen, self._seen + 1
            self._last = (number, float(time), frame_HWC)
            if number % self._stride:
                continue
            self._held.append((number, float(time), _fitted(frame_HWC, self._longest)))
            if len(self._held) > 4 * self._count:
                self._held = self._held[::2]
                self._stride *= 2
        if self._last is not None:  # a copy, so that the window can be freed
            self._last = (*self._last[:2], self._last[2].copy())

    def chosen(self) -> tuple[list[Frame], list[float]]:
        """Return frames and their times: the first, the last, and those nearest to even steps in between."""
        if self._last is None:
            return [], []
        number, time, frame = self._last
        held = [part for part in self._held if part[0] != number]
        held.append((number, time, _fitted(frame, self._longest)))
        wanted = np.linspace(0, number, min(self._count, self._seen))
        places = {min(range(len(held)), key=lambda k: abs(held[k][0] - want)) for want in wanted}
        kept = [held[place] for place in sorted(places)]
        return [part[2] for part in kept], [part[1] for part in kept]


def _fitted(frame_HWC: Frame, longest: int) -> Frame:
    """Shrink a frame whose longer side is above ``longest``; enlarge a tiny one by a whole number."""
    import cv2

    height, width = frame_HWC.shape[:2]
    side = max(height, width)
    if side > longest:
        size = (max(1, round(width * longest / side)), max(1, round(height * longest / side)))
        return np.asarray(cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA), np.uint8)
    factor = max(1, min(_LEAST_SIDE, longest) // side)
    return frame_HWC.repeat(factor, axis=0).repeat(factor, axis=1)


def pictures(frames: Sequence[Frame], times: Sequence[float], quality: int) -> Pictures:
    """Compress frames, uint8 RGB (H, W, 3), as JPEG of the given quality.

    Raises:
        ValueError: a frame cannot be compressed.
    """
    import cv2

    jpegs: list[bytes] = []
    for frame in frames:
        good, data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not good:
            raise ValueError(f"a frame of shape {frame.shape} cannot be compressed")
        jpegs.append(data.tobytes())
    fields = {
        "version": FRAMES_VERSION,
        "pixels": [hashlib.sha256(frame.tobytes()).hexdigest() for frame in frames],
        "shapes": [list(frame.shape) for frame in frames],
        "times": [round(time, 6) for time in times],
        "quality": quality,
    }
    return Pictures(tuple(jpegs), tuple(times), digest("pictures", fields))


def drawn_control(seed: str, number: int, frames: int, quality: int) -> tuple[Asked, Pictures]:
    """Draw a clip in which one colored shape moves, with a question about it whose answer is known.

    Even numbers ask for what is there (yes), odd ones for something of another color and shape (no).
    """
    rng = seeded_rng("judge control", FRAMES_VERSION, seed, number)
    color, other = (list(_COLORS)[k] for k in rng.permutation(len(_COLORS))[:2])
    shape, another = (_SHAPES[k] for k in rng.permutation(len(_SHAPES))[:2])
    start, step = rng.uniform(50, 90, 2), rng.uniform(30, 90, 2)
    ground = int(rng.integers(90, 160))
    places = [start + step * t / max(1, frames - 1) for t in range(frames)]
    clip = [_drawn(shape, _COLORS[color], place, ground) for place in places]
    there = number % 2 == 0
    words = f"{color} {shape}" if there else f"{other} {another}"
    article = "an" if words[0] in "aeiou" else "a"
    asked = Asked(f"Does {article} {words} appear in this video?", there, "drawn")
    return asked, pictures(clip, [t / 8 for t in range(frames)], quality)


def _drawn(shape: str, color: tuple[int, int, int], center: NDArray[np.float64], ground: int) -> Frame:
    import cv2

    frame = np.full((256, 256, 3), ground, np.uint8)
    x, y, radius = round(center[0]), round(center[1]), 34
    if shape == "circle":
        cv2.circle(frame, (x, y), radius, color, -1)
    elif shape == "square":
        cv2.rectangle(frame, (x - radius, y - radius), (x + radius, y + radius), color, -1)
    else:
        corners = [(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)]
        cv2.fillPoly(frame, [np.array(corners, np.int32)], color)
    return frame
