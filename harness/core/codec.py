"""Encode RGB frames as H.264 in MP4, and the sound that goes with them as FLAC."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import MediaError
from .limits import MAX_FPS, MIN_FPS, is_rate
from .sound import SoundTrack

if TYPE_CHECKING:
    from av import AudioStream
    from av.container import OutputContainer

__all__ = ["encode_mp4", "exact_rate"]

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_BLOCK = 4096  # samples of a frame of FLAC


def exact_rate(fps: float) -> Fraction:
    """Find the fraction meant by ``fps``: 29.97002997 is 30000/1001."""
    if not is_rate(fps):
        raise MediaError(f"{fps} is not a frame rate; give {MIN_FPS:g} to {MAX_FPS:,.0f} frames per second")
    return Fraction(fps).limit_denominator(1001)


def encode_mp4(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    rate: Fraction,
    pix_fmt: str,
    options: dict[str, str],
    sound: SoundTrack | None = None,
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
        heard = None if sound is None else _sound_stream(container, sound)
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
        if sound is not None and heard is not None:
            _encode_sound(container, heard, sound)


def _sound_stream(container: OutputContainer, sound: SoundTrack) -> AudioStream:
    channels = len(sound.samples_CN)
    if channels not in _LAYOUTS:
        raise MediaError(f"sound of {channels} channels cannot be stored; give 1, 2, 6 or 8")
    stream = container.add_stream("flac", rate=sound.rate)
    stream.codec_context.layout = _LAYOUTS[channels]
    stream.codec_context.format = "s16"
    stream.codec_context.options = {"strict": "experimental"}
    return stream


def _encode_sound(container: OutputContainer, stream: AudioStream, sound: SoundTrack) -> None:
    import av

    levels_NC = np.clip(np.rint(sound.samples_CN.T * 32768.0), -32768, 32767).astype(np.int16)
    layout = _LAYOUTS[len(sound.samples_CN)]
    for start in range(0, len(levels_NC), _BLOCK):
        part = np.ascontiguousarray(levels_NC[start : start + _BLOCK]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = sound.rate, start, Fraction(1, sound.rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
