"""What a clip goes through between a generator and a viewer: copies, remuxing, transcoding, trimming.

Each operation is by name, with its settings in its summary; `VERSION` is raised when one of them changes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.codec import encode_mp4, exact_rate
from ...harness.core.errors import MediaError, describe
from ...harness.core.media import decoding, open_clip

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = ["OPERATIONS", "VERSION", "Operation", "deliver"]

VERSION: Final = 1
Frame = NDArray[np.uint8]
_MUXERS = {"mov,mp4,m4a,3gp,3g2,mj2": "mp4", "matroska,webm": "matroska"}


@dataclass(frozen=True)
class Operation:
    """A step of delivery.

    Attributes:
        summary: what it does, with its settings.
        apply: write the delivered copy of the first path to the second.
        frames: whether frames are encoded anew; else their coded bytes stay as they are.
    """

    summary: str
    apply: Callable[[Path, Path], None]
    frames: bool


def deliver(name: str, source: Path, folder: Path) -> Path:
    """Write the delivered copy of a video into a folder, under the operation's name.

    Raises:
        MediaError: the operation cannot be done to such a file.
    """
    target = folder / name
    try:
        OPERATIONS[name].apply(source, target)
    except MediaError:
        raise
    except (OSError, ValueError) as error:  # FFmpeg's errors are both
        raise MediaError(f"{OPERATIONS[name].summary} cannot be done to it: {describe(error)}") from None
    return target


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _remux(source: Path, target: Path, *, muxer: str | None = None, share: float = 1.0) -> None:
    """Copy the coded video into a new container, up to a share of its length."""
    import av

    with av.open(os.fspath(source)) as given:
        if given.format.name == "gif":
            raise MediaError("the coded frames of a GIF cannot be put into another file")
        chosen = muxer or _MUXERS.get(given.format.name, given.format.name)
        stream = given.streams.video[0]
        last = _end(given, share)
        with av.open(os.fspath(target), "w", format=chosen) as made:
            out = made.add_stream_from_template(stream)
            for packet in given.demux(stream):
                if packet.dts is None or (last is not None and packet.pts is not None and packet.pts >= last):
                    continue
                packet.stream = out
                made.mux(packet)


def _end(given: InputContainer, share: float) -> int | None:
    """Return the time stamp at which a trimmed copy ends; None for a whole one."""
    if share == 1.0:
        return None
    stream = given.streams.video[0]
    if not stream.time_base or not given.duration:
        raise MediaError("its length is not declared, so it cannot be trimmed without decoding it")
    return int((stream.start_time or 0) + share * given.duration / 1_000_000 / stream.time_base)


def _encode(source: Path, target: Path, *, crf: int, change: Callable[[Frame], Frame]) -> None:
    """Decode, change each frame, and encode as H.264 in 4:2:0, as a delivery service does."""
    clip = open_clip(source)
    options = {"crf": str(crf), "preset": "medium"}
    encode_mp4(target, _frames(source, change), exact_rate(clip.info.fps), "yuv420p", options)


def _frames(source: Path, change: Callable[[Frame], Frame]) -> Iterator[Frame]:
    with decoding(source) as windows:
        for window in windows:
            for frame_HWC in window.frames_THWC:
                yield _even(change(frame_HWC))


def _even(frame_HWC: Frame) -> Frame:
    """Cut a frame to an even height and width, which 4:2:0 needs."""
    height, width = frame_HWC.shape[:2]
    return np.ascontiguousarray(frame_HWC[: height - height % 2 or None, : width - width % 2 or None])


def _same(frame_HWC: Frame) -> Frame:
    return frame_HWC


def _half(frame_HWC: Frame) -> Frame:
    import cv2

    height, width = frame_HWC.shape[:2]
    size = (max(2, width // 2), max(2, height // 2))
    return np.asarray(cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _crop(frame_HWC: Frame) -> Frame:
    height, width = frame_HWC.shape[:2]
    y, x = round(height * 0.05), round(width * 0.05)
    return frame_HWC[y : height - y, x : width - x]


def _transcoded(crf: int) -> Operation:
    return Operation(f"transcode to H.264 at crf {crf}", partial(_encode, crf=crf, change=_same), True)


OPERATIONS: Final[dict[str, Operation]] = {
    "copy": Operation("copy the file", _copy, False),
    "remux": Operation("write the coded frames into a new file of the same kind", _remux, False),
    "container": Operation(
        "write the coded frames into a Matroska file", partial(_remux, muxer="matroska"), False
    ),
    "trim": Operation("keep the first half, without decoding", partial(_remux, share=0.5), False),
    "transcode": _transcoded(23),
    "crf18": _transcoded(18),
    "crf28": _transcoded(28),
    "crf34": _transcoded(34),
    "resize": Operation(
        "halve the size, and encode as H.264 at crf 23", partial(_encode, crf=23, change=_half), True
    ),
    "crop": Operation(
        "cut 5 % off each side, and encode as H.264 at crf 23", partial(_encode, crf=23, change=_crop), True
    ),
}
