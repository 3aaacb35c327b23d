"""The encoder ``start``: a clip beside the image or videos that its item starts from, frame by frame."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import MediaError
from ...harness.core.items import Item, start_kind
from ...harness.core.keys import file_sha256
from ...harness.core.media import decoding
from ...harness.core.pictures import open_picture
from ..encoders.base import Encoder, EncoderOptions, Feature, NotApplicable, Stream
from ..encoders.registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["MATCH_DB", "START", "START_COLUMNS", "StartEncoder"]

_VERSION = 1
START: Final = "start"
START_COLUMNS: Final = ("fidelity", "seam", "kept")
"""Of a clip: how near its nearest frame is to the picture that it starts from, or to the video's end that it
goes on from, as PSNR in dB; the step across the seam over the median step of the clip; the share of the
pixels that an edit left as they were. NaN where a clip does not start so. A clip that connects two videos has
the worse of its two ends."""
MATCH_DB: Final = 20.0
"""PSNR from which on a frame of the clip is taken for the video's own: then the seam is behind it, else it is
between the video and the clip."""
LEFT: Final = 16
"""Levels of 255 by which a pixel that an edit left may differ: what coding changes."""
_FLOOR: Final = 0.5  # levels: what coding changes between frames of a scene at rest
_BEST_DB: Final = 60.0
_Frame = NDArray[np.uint8]


class StartEncoder(Encoder):
    """Compare a clip with what its item starts from: float64 (1, 3), columns `START_COLUMNS`."""

    name = START
    trial = "none"

    def identity(self) -> Mapping[str, Json]:
        """List the version, the columns and the limits."""
        return {"version": _VERSION, "columns": list(START_COLUMNS), "match": MATCH_DB, "left": LEFT}

    def for_item(self, item: Item) -> Encoder:
        """Return the encoder that has this item's start."""
        return _OfItem(self, item)

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip without an item, which starts from nothing."""
        del info
        return _Nothing()


class _OfItem(Encoder):
    """The encoder of one item: the files that it starts from are part of the identity."""

    name = START

    def __init__(self, whole: StartEncoder, item: Item) -> None:
        self._whole, self._item = whole, item

    def identity(self) -> Mapping[str, Json]:
        """Add the kind of start, and the digests of its files."""
        paths = [
            path for path in (self._item.image, self._item.video, self._item.video_to) if path is not None
        ]
        files: list[Json] = [file_sha256(Path(path)) if Path(path).is_file() else "gone" for path in paths]
        return {**self._whole.identity(), "kind": start_kind(self._item), "files": files}

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip of this item."""
        item, size = self._item, (info.width, info.height)
        kind = start_kind(item)
        if kind is None:
            return _Nothing()
        if kind == "image":
            return _Ends([_Seam(_picture(Path(str(item.image)), size), seam=False)])
        if kind == "edit":
            return _Edit(_frames(Path(str(item.video)), size))
        if kind == "extend-back":
            return _Ends([_Seam(_first(Path(str(item.video)), size), before=True)])
        ends = [_Seam(_last(Path(str(item.video)), size))]
        if kind == "connect":
            ends.append(_Seam(_first(Path(str(item.video_to)), size), before=True))
        return _Ends(ends)


class _Nothing:
    def push(self, window: Window) -> None:
        del window

    def finish(self) -> Feature:
        raise NotApplicable("the clip starts from its prompt alone")


class _Seam:
    """One end of a clip: the picture that it joins, and where in the clip it is."""

    def __init__(self, picture: _Frame, *, before: bool = False, seam: bool = True) -> None:
        self.picture, self.before, self.seam = picture, before, seam
        self.psnr: list[float] = []
        self.edge: _Frame | None = None  # the frame of the clip that would touch the video

    def push(self, frame_HWC: _Frame) -> None:
        self.psnr.append(_psnr(self.picture, frame_HWC))
        if self.edge is None or self.before:
            self.edge = frame_HWC.copy()

    def result(self, steps: list[float]) -> tuple[float, float]:
        """Return the fidelity in dB, and the step across the seam over the median step."""
        if not self.seam:
            return self.psnr[0], math.nan
        best = int(np.argmax(self.psnr))
        if self.psnr[best] >= MATCH_DB:
            place = best - 1 if self.before else best
            if not 0 <= place < len(steps):
                raise NotApplicable("the clip holds the given video alone")
            step, others = steps[place], steps[:place] + steps[place + 1 :]
        else:
            assert self.edge is not None
            step, others = _step(self.picture, self.edge), steps
        typical = float(np.median(others)) if others else 0.0
        return self.psnr[best], (step + _FLOOR) / (typical + _FLOOR)


class _Ends:
    def __init__(self, ends: list[_Seam]) -> None:
        self._ends = ends
        self._steps: list[float] = []
        self._previous: _Frame | None = None

    def push(self, window: Window) -> None:
        for frame_HWC in window.frames_THWC:
            if self._previous is not None:
                self._steps.append(_step(self._previous, frame_HWC))
            for end in self._ends:
                end.push(frame_HWC)
            self._previous = frame_HWC
        if self._previous is not None:
            self._previous = self._previous.copy()

    def finish(self) -> Feature:
        found = [end.result(self._steps) for end in self._ends]
        seams = [seam for _, seam in found]
        return np.array([[min(psnr for psnr, _ in found), max(seams), math.nan]])


class _Edit:
    """An edited video beside its source, frame by frame."""

    def __init__(self, source: Iterator[_Frame]) -> None:
        self._source = source
        self._left: list[float] = []

    def push(self, window: Window) -> None:
        for frame_HWC in window.frames_THWC:
            given = next(self._source, None)
            if given is None:
                raise NotApplicable("the clip is longer than the video that it edits")
            far_HW = np.abs(frame_HWC.astype(np.int16) - given).max(axis=2) > LEFT
            self._left.append(1 - float(far_HW.mean()))

    def finish(self) -> Feature:
        return np.array([[math.nan, math.nan, float(np.mean(self._left))]])


def _frames(path: Path, size: tuple[int, int]) -> Iterator[_Frame]:
    with decoding(path) as windows:
        for window in windows:
            for frame_HWC in window.frames_THWC:
                yield _sized(frame_HWC, size)


def _first(path: Path, size: tuple[int, int]) -> _Frame:
    return next(_frames(path, size)).copy()


def _last(path: Path, size: tuple[int, int]) -> _Frame:
    last = deque(_frames(path, size), maxlen=1)
    if not last:
        raise MediaError(f"{path} has no frames")
    return last[0].copy()


def _picture(path: Path, size: tuple[int, int]) -> _Frame:
    with open_picture(path) as image:
        return _sized(np.asarray(image.convert("RGB"), np.uint8), size)


def _sized(frame_HWC: _Frame, size: tuple[int, int]) -> _Frame:
    """Bring a frame to the clip's width and height, as a generator that scales what it is given."""
    if frame_HWC.shape[1::-1] == size:
        return frame_HWC
    import cv2

    return np.asarray(cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA), np.uint8)


def _step(one: _Frame, two: _Frame) -> float:
    """Mean absolute difference of two frames, in levels of 255."""
    return float(np.abs(one.astype(np.int16) - two).mean())


def _psnr(one: _Frame, two: _Frame) -> float:
    error = float(np.mean((one.astype(np.float64) - two) ** 2))
    return min(_BEST_DB, 10 * math.log10(255**2 / error)) if error else _BEST_DB


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return StartEncoder()


ENCODERS.add(START, EncoderEntry("a clip beside the image or videos that it starts from, no weights", _build))
