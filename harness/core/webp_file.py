"""Read an animated WebP file through Pillow and libwebp, because not every FFmpeg can."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .clip_info import ClipInfo
from .counts import counted
from .errors import MediaError
from .files import is_animated_webp
from .limits import check_frames, check_rate, check_size
from .rgb import ALPHA_NOTE, over_white
from .sound import SoundChunk

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["WebpReader", "open_webp"]

_QUICKEST = 0.01
_SHOWN_FOR = 0.1
"""Browsers show a frame of at most 10 ms for 100 ms."""


class WebpReader:
    """The frames of one open animation, and afterwards its true properties. Made by `open_webp`."""

    def __init__(self, path: Path, image: Image) -> None:
        self._path = path
        self._image = image
        self._count = int(getattr(image, "n_frames", 1))
        self._ends: list[float] = []
        self._notes: dict[str, None] = {}
        check_size(str(path), *image.size)
        check_frames(str(path), self._count, *image.size)

    def look(self) -> ClipInfo:
        """Decode the first frame and return the declared properties; the rate is that of this frame."""
        _, seconds = self._frame(0)
        width, height = self._image.size
        return ClipInfo(height, width, 1 / seconds, self._count, None, "webp", "webp")

    def frames(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """Yield every frame, uint8 RGB (H, W, 3), and its time in seconds after the first.

        Raises:
            MediaError: the file is damaged.
        """
        for number in range(self._count):
            frame_HWC, seconds = self._frame(number)
            start = self._ends[-1] if self._ends else 0.0
            self._ends.append(start + seconds)
            yield frame_HWC, start

    def sound(self) -> tuple[SoundChunk, ...]:
        """Return nothing: an animation has no sound."""
        return ()

    def info(self, declared: ClipInfo) -> ClipInfo:
        """Return the true properties, after the last frame."""
        starts = np.array([0.0, *self._ends[:-1]])
        gaps = np.diff(starts)
        fps = len(gaps) / float(starts[-1]) if len(gaps) else declared.fps
        check_rate(str(self._path), fps)
        check_rate(str(self._path), self._count / self._ends[-1])
        uneven = len(gaps) > 1 and float(np.ptp(gaps)) > 0.1 / fps + 0.002
        return replace(
            declared,
            fps=fps,
            duration=self._ends[-1],
            variable_rate=bool(uneven),
            notes=tuple(self._notes),
        )

    def _frame(self, number: int) -> tuple[NDArray[np.uint8], float]:
        try:
            self._image.seek(number)
            rgba_HWC = np.asarray(self._image.convert("RGBA"), np.uint8)
        except (OSError, EOFError, ValueError, SyntaxError):
            raise MediaError(
                f"{self._path} is truncated or damaged: {number} of {counted(self._count, 'frame')} "
                "could be read"
            ) from None
        frame_HWC, transparent = over_white(rgba_HWC)
        if transparent:
            self._notes[ALPHA_NOTE] = None
        seconds = float(self._image.info.get("duration", 0)) / 1000
        if seconds <= _QUICKEST:
            seconds = _SHOWN_FOR
            self._notes["it has frames of 10 ms or less, which are shown for 0.1 s as browsers do"] = None
        return frame_HWC, seconds


@contextmanager
def open_webp(path: Path) -> Generator[WebpReader]:
    """Open an animated WebP file.

    Raises:
        MediaError: it is a still image, shorter than its header says, or damaged.
    """
    from PIL import Image

    with path.open("rb") as file:
        head = file.read(32)
    if not is_animated_webp(head):
        raise MediaError(f"{path} is a still image, not a video")
    stated = int.from_bytes(head[4:8], "little") + 8
    if path.stat().st_size < stated:
        raise MediaError(f"{path} is truncated: {path.stat().st_size:,} of {stated:,} bytes are there")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is looked at here
            image = Image.open(path, formats=("WEBP",))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise MediaError(f"{path} is not a WebP animation that can be read") from None
    with image:
        yield WebpReader(path, image)
