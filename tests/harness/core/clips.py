"""Small videos of any kind, and reading them back."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from screentest.harness.core.media import ClipInfo, Window, decode, open_clip

Frames = NDArray[np.uint8]


def moving_disc(frames: int, height: int = 64, width: int = 64) -> Frames:
    y, x = np.mgrid[:height, :width]
    clip = np.full((frames, height, width, 3), (200, 210, 220), np.uint8)
    for t in range(frames):
        clip[t, (x - width / 4 - t * width / 80) ** 2 + (y - height / 2) ** 2 < (height / 6) ** 2] = (
            220,
            30,
            40,
        )
    return clip


def texture(frames: int, height: int, width: int) -> Frames:
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def encode(
    path: Path,
    frames: Frames,
    *,
    codec: str = "libx264",
    rate: Fraction = Fraction(25),
    pts: Sequence[int] | None = None,
    colour: tuple[str, int, int] = ("yuv420p", Colorspace.ITU709, ColorRange.MPEG),
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rotation: tuple[float, bool] | None = None,
) -> Path:
    pix_fmt, matrix, span = colour
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        stream.codec_context.thread_count = 1
        # Colorspace has swscale's numbers; the stream's own are AVCOL_SPC's: 1 BT.709, 6 BT.601.
        stream.codec_context.colorspace = 1 if matrix == Colorspace.ITU709 else 6
        stream.codec_context.color_range = span
        stream.codec_context.time_base = 1 / rate
        if rotation:
            stream.set_display_rotation(rotation[0], hflip=rotation[1])
        for number, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24").reformat(
                format=pix_fmt, dst_colorspace=matrix, dst_color_range=span
            )
            frame.pts = number if pts is None else pts[number]
            frame.time_base = 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


class Recorder:
    def __init__(self) -> None:
        self.windows: list[Window] = []

    def push(self, window: Window) -> None:
        self.windows.append(window)

    @property
    def frames(self) -> Frames:
        return np.concatenate([w.frames_THWC for w in self.windows])

    @property
    def times(self) -> NDArray[np.float64]:
        return np.concatenate([w.times_T for w in self.windows])


def read(path: Path) -> tuple[Frames, NDArray[np.float64], ClipInfo]:
    recorder = Recorder()
    info = decode(open_clip(path), [recorder])
    return recorder.frames, recorder.times, info


def psnr(a: Frames, b: Frames) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))
