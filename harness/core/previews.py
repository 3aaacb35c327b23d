"""Previews: the small H.264 files of clips that every browser plays."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .codec import encode_mp4, exact_rate
from .errors import MediaError
from .media import Clip, Decoding, open_clip
from .storage import File, opened

__all__ = ["preview_mp4"]


def preview_mp4(
    source: File,
    *,
    min_side: int = 192,
    max_side: int = 480,
    max_seconds: float = 10,
    crf: int = 23,
    change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None,
) -> bytes:
    """Make a small H.264 file that every browser plays, from the first ``max_seconds`` of a video.

    A tiny clip is enlarged by a whole number, pixel by pixel, until its shorter side has ``min_side`` pixels;
    a large one is shrunk until its longer side has ``max_side``. The rate is the declared one, evenly spaced.

    Args:
        source: the video.
        min_side, max_side: pixels.
        max_seconds: of the video.
        crf: how strongly it is compressed, from 0 (hardly) to 51.
        change: what is done with each frame (H, W, 3) before it is compressed.

    Raises:
        MediaError: the file cannot be read, is damaged within these seconds, or its preview cannot be made.
    """
    from av.error import FFmpegError

    options = {"profile": "baseline", "crf": str(crf), "preset": "veryfast"}
    with opened(source) as path, tempfile.TemporaryDirectory() as folder:
        clip = open_clip(path)
        file = Path(folder) / "preview.mp4"
        frames = _preview_frames(clip, min_side, max_side, max_seconds)
        frames = frames if change is None else map(change, frames)
        try:
            encode_mp4(file, frames, exact_rate(clip.info.fps), "yuv420p", options)
            return file.read_bytes()
        except (FFmpegError, OSError, ValueError, OverflowError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise MediaError(f"no preview of {path} could be made: {reason}") from None


def _preview_frames(
    clip: Clip, min_side: int, max_side: int, max_seconds: float
) -> Iterator[NDArray[np.uint8]]:
    import av

    short, long = sorted((clip.info.height, clip.info.width))
    factor = max(1, min(-(-min_side // short), max_side // long))
    for window in Decoding(clip):
        for frame_HWC, time in zip(window.frames_THWC, window.times_T, strict=True):
            if time >= max_seconds:
                return
            if long > max_side:
                height, width = (
                    max(2, round(side * max_side / long / 2) * 2) for side in frame_HWC.shape[:2]
                )
                image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
                image = image.reformat(width, height, interpolation="AREA", threads=1)
                yield np.asarray(image.to_ndarray(), np.uint8)
            else:
                image = frame_HWC.repeat(factor, axis=0).repeat(factor, axis=1)
                odd_h, odd_w = image.shape[0] % 2, image.shape[1] % 2
                yield np.pad(image, ((0, odd_h), (0, odd_w), (0, 0)), mode="edge")
