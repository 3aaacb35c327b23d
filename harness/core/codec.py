"""Encode RGB frames as H.264 in MP4."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import MediaError
from .limits import MAX_FPS, MIN_FPS, is_rate

__all__ = ["encode_mp4", "exact_rate"]


def exact_rate(fps: float) -> Fraction:
    """Find the fraction meant by ``fps``: 29.97002997 is 30000/1001."""
    if not is_rate(fps):
        raise MediaError(f"{fps} is not a frame rate; give {MIN_FPS:g} to {MAX_FPS:,.0f} frames per second")
    return Fraction(fps).limit_denominator(1001)


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
    # "bitexact" keeps the library's version out of the file, so that an upgrade does not change its bytes.
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
