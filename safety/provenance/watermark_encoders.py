"""The encoders ``watermark`` and ``watermark.delivered``: what is read of a clip, and of delivered copies.

Both take the role ``watermark``, whose source is ``spread`` or another of `WATERMARKS`, with key and payload.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import MediaError
from ...harness.core.media import open_clip
from ...metrics.encoders.base import Encoder, EncoderOptions, FileEncoder, NotApplicable, Record, Stream
from ...metrics.encoders.registry import ENCODERS, EncoderEntry
from ...metrics.frame_blocks import FrameBlocks
from .delivery import VERSION as DELIVERY_VERSION
from .delivery import deliver
from .watermarks import MAX_FPR, Mark, Reading, make_mark

if TYPE_CHECKING:
    from ...harness.core.clip_info import ClipInfo, Window
    from ...harness.core.keys import Json

__all__ = ["DELIVERED", "DeliveredWatermark", "WatermarkEncoder", "read_mark"]

_VERSION = 1
_AT_ONCE = 16
DELIVERED: Final = ("crf18", "transcode", "crf28", "crf34", "resize", "crop", "trim")
"""The operations whose copies are read."""


def read_mark(path: Path, mark: Mark) -> Reading:
    """Read the watermark of a video.

    Raises:
        MediaError: the file cannot be decoded.
    """
    stream = _Stream(mark)
    for window in open_clip(path).windows():
        stream.push(window)
    return mark.judge(stream.votes())


class _Stream:
    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._total: NDArray[np.float64] | None = None
        self._blocks = FrameBlocks(_AT_ONCE, self._add)

    def push(self, window: Window) -> None:
        for frame_HWC in window.frames_THWC:
            self._blocks.add(frame_HWC)

    def finish(self) -> Record:
        return Record({}, dict(_fields(self._mark.judge(self.votes()))))

    def votes(self) -> NDArray[np.float64]:
        self._blocks.finish()
        if self._total is None:
            raise MediaError("the clip has no frames")
        return self._total

    def _add(self, frames_THWC: NDArray[np.uint8]) -> None:
        found = self._mark.votes(frames_THWC)
        self._total = found if self._total is None else self._total + found


def _fields(reading: Reading) -> Mapping[str, Json]:
    return {
        "matching": reading.matching,
        "bits": reading.bits,
        "accuracy": reading.accuracy,
        "p": reading.p,
        "detected": reading.detected,
    }


class WatermarkEncoder(Encoder):
    """Read the watermark of a clip; the record's metadata are the fields of `watermarks.Reading`.

    Raises:
        UsageError: there is no such watermark, or its key or payload is not one.
    """

    name = "watermark"
    trial = "none"

    def __init__(self, source: str) -> None:
        self.mark = make_mark(source, f"--encoder watermark={source}")

    @property
    def fewest_frames(self) -> int:
        """One frame can be read."""
        return 1

    def identity(self) -> Mapping[str, Json]:
        """List the watermark's identity and the rate of false alarms that is allowed."""
        return {"version": _VERSION, "mark": dict(self.mark.identity()), "max_fpr": MAX_FPR}

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _Stream(self.mark)


class DeliveredWatermark(FileEncoder):
    """Read the watermark of delivered copies of a marked clip; the metadata have a reading or a problem each.

    Raises the errors of `WatermarkEncoder`.
    """

    name = "watermark.delivered"

    def __init__(self, source: str) -> None:
        self._marked = WatermarkEncoder(source)

    def identity(self) -> Mapping[str, Json]:
        """List what `WatermarkEncoder` lists, and the operations with their version."""
        own = self._marked.identity()
        return {**own, "delivery": DELIVERY_VERSION, "operations": list(DELIVERED)}

    def encode_file(self, path: Path, info: ClipInfo) -> Record:
        """Deliver a file and read the copies.

        Raises:
            NotApplicable: the watermark is not in the clip, so that it cannot survive.
        """
        del info
        mark = self._marked.mark
        if not read_mark(path, mark).detected:
            raise NotApplicable("the clip's watermark is not detected, so that none can survive delivery")
        after: dict[str, Json] = {}
        problems: dict[str, Json] = {}
        with tempfile.TemporaryDirectory(prefix="screentest-delivery-") as folder:
            for operation in DELIVERED:
                try:
                    copy = deliver(operation, path, Path(folder))
                    after[operation] = _fields(read_mark(copy, mark))
                    copy.unlink()
                except MediaError as error:
                    problems[operation] = str(error)
        return Record({}, {"after": after, "problems": problems})


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del options
    return WatermarkEncoder(source or "spread")


def _build_delivered(source: str | None, options: EncoderOptions) -> Encoder:
    del options
    return DeliveredWatermark(source or "spread")


_SOURCES = "spread?key=FILE,payload=HEX, or a plug-in's watermark"
ENCODERS.add(
    "watermark",
    EncoderEntry(f"the watermark of a clip; name {_SOURCES}", _build, True, shipped=False, settings=_SOURCES),
)
ENCODERS.add(
    "watermark.delivered",
    EncoderEntry(
        f"watermarks of delivered copies; name {_SOURCES}",
        _build_delivered,
        True,
        shipped=False,
        role="watermark",
        settings=_SOURCES,
    ),
)
