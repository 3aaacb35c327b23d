"""Pixels: decoded frames to upright RGB, and RGB to H.264 in MP4."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import MediaError

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["RgbConverter", "encode_mp4", "exact_rate"]


class RgbConverter:
    """Turn the decoded frames of one video upright and into RGB."""

    def __init__(self, path: Path) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        # The quick path is wrong by some levels of 255: it rounds coarsely and repeats chroma along a row.
        self._how = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        self._reformatter = VideoReformatter()
        self._path = path
        self._turn: tuple[bool, int, int] | None = None

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return the frame as uint8 RGB (H, W, 3), as it is to be shown.

        Raises:
            MediaError: the frame is to be shown askew, or has colours that FFmpeg cannot convert.
        """
        from av.error import FFmpegError

        if self._turn is None:
            # Of the first frame only: it holds for the whole stream, and a frame whose side data was looked
            # at keeps itself alive until the garbage collector comes.
            self._turn = _orientation(frame, self._path)
        transposed, step_y, step_x = self._turn
        try:
            rgb = self._reformatter.reformat(frame, format="rgb24", interpolation=self._how, threads=1)
        except FFmpegError:
            kind = f"{frame.format.name}, matrix {int(frame.colorspace)} of ITU-T H.273"
            raise MediaError(f"the colours of {self._path} ({kind}) cannot be turned into RGB") from None
        frame_HWC = np.asarray(rgb.to_ndarray(), np.uint8)
        return (frame_HWC.transpose(1, 0, 2) if transposed else frame_HWC)[::step_y, ::step_x]


def _orientation(frame: VideoFrame, path: Path) -> tuple[bool, int, int]:
    """Read the display matrix: whether rows and columns swap, then the steps (1 or -1) along y and x."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, 1, 1
    # Row vectors (x, y, 1) times a 3x3 matrix, x to the right and y down: x' = a x + c y, y' = b x + d y.
    a, b, _, c, d = (int(v) for v in np.frombuffer(bytes(matrix), np.int32)[:5])
    if b == c == 0 and a and d:
        return False, 1 if d > 0 else -1, 1 if a > 0 else -1
    if a == d == 0 and b and c:
        return True, 1 if b > 0 else -1, 1 if c > 0 else -1
    raise MediaError(f"{path} is to be shown at an angle that is not a multiple of 90 degrees")


def exact_rate(fps: float) -> Fraction:
    """Find the fraction meant by ``fps``: 29.97002997 is 30000/1001."""
    if not 0 < fps <= 100_000:
        raise MediaError(f"{fps} is not a frame rate")
    return Fraction(fps).limit_denominator(1001) or Fraction(fps).limit_denominator(1_000_000)


def encode_mp4(
    path: Path, frames: Iterable[NDArray[np.uint8]], rate: Fraction, pix_fmt: str, options: dict[str, str]
) -> None:
    """Encode frames, uint8 RGB (H, W, 3) of one size, on one thread, with libx264's ``options``."""
    import av
    from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

    reformatter = VideoReformatter()
    how = (
        Interpolation.BICUBIC
        | Interpolation.ACCURATE_RND
        | Interpolation.FULL_CHR_H_INT
        | Interpolation.FULL_CHR_H_INP
    )
    # "bitexact" keeps the library's version, and with it the day of an upgrade, out of the container.
    with av.open(
        os.fspath(path.absolute()),
        "w",
        format="mp4",
        options={"movflags": "+faststart"},
        container_options={"fflags": "bitexact"},
    ) as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.thread_count = 1
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = ColorRange.MPEG
        for number, frame_HWC in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame_HWC.shape[:2]
            rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
            frame = reformatter.reformat(
                rgb,
                format=pix_fmt,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=how,
                threads=1,
            )
            frame.pts = number
            frame.time_base = 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
