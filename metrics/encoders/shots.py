"""The encoders ``shots`` and ``small-frames``: small pictures of frames, to find cuts and repetitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, EncoderOptions, Feature, RowBuffer, Stream
from .flow import sampling_stride
from .registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = [
    "SHOTS",
    "SHOTS_COLUMNS",
    "SMALL_FRAMES",
    "UNLIKE",
    "ShotsEncoder",
    "SmallFramesEncoder",
    "change_between",
]

_VERSION = 1
SHOTS: Final = "shots"
SHOTS_COLUMNS: Final = ("change",)
"""\\|a - b\\|^2 / (\\|a\\|^2 + \\|b\\|^2) of the thumbnails of two neighbouring frames: 0 for the same
picture, 1 for unrelated ones and between a picture and a flat frame, up to 2."""
UNLIKE: Final = 0.5
"""Change over which two pictures are more unlike than like."""
SMALL_FRAMES: Final = "small-frames"
_SIDE: Final = 16
_SMALL: Final = 8
_RATE: Final = 8.0
_FLAT: Final = 4.0  # levels: what varies less counts as flat; its square is added to both parts of the sum


def _thumbnail(frame_HWC: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    import cv2

    small = cv2.resize(frame_HWC.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(-1)


class ShotsEncoder(Encoder):
    """Compare the thumbnails (16 x 16) of neighbouring frames: float64 (T - 1, 1), columns `SHOTS_COLUMNS`.

    The mean color of each frame is taken off, so that a change of exposure alone is not one of the picture.
    """

    name = SHOTS

    def identity(self) -> Mapping[str, Json]:
        """List the version, the size of a thumbnail and the columns."""
        return {"version": _VERSION, "side": _SIDE, "flat": _FLAT, "columns": list(SHOTS_COLUMNS)}

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _Changes()


class _Changes:
    def __init__(self) -> None:
        self._last: NDArray[np.float64] | None = None
        self._rows: list[float] = []

    def push(self, window: Window) -> None:
        for frame_HWC in window.frames_THWC:
            small = _uncolored(frame_HWC)
            if self._last is not None:
                self._rows.append(_change(self._last, small))
            self._last = small

    def finish(self) -> Feature:
        return np.array(self._rows, np.float64).reshape(-1, len(SHOTS_COLUMNS))


def change_between(one_HWC: NDArray[np.uint8], two_HWC: NDArray[np.uint8]) -> float:
    """Compare two frames by their thumbnails, as `SHOTS_COLUMNS` says."""
    return _change(_uncolored(one_HWC), _uncolored(two_HWC))


def _uncolored(frame_HWC: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Make a thumbnail of a frame and take its mean color off."""
    small = _thumbnail(frame_HWC, _SIDE).reshape(-1, 3).astype(np.float64)
    return small - small.mean(axis=0)


def _change(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    both = np.square(one).mean() + np.square(two).mean() + 2 * _FLAT**2
    return float(np.square(one - two).mean() / both)


class SmallFramesEncoder(Encoder):
    """Reduce frames about 1/8 s apart to 8 x 8 pixels: float32 (T, 192), in 8-bit levels.

    Every so many frames one is taken, as by ``dynamics``, so that a part that is played again is read at the
    same frames.
    """

    name = SMALL_FRAMES

    def identity(self) -> Mapping[str, Json]:
        """List the version, the size and the rate."""
        return {"version": _VERSION, "side": _SMALL, "rate": _RATE}

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        return _SmallFrames(sampling_stride(info, _RATE)[0])


class _SmallFrames:
    def __init__(self, stride: int) -> None:
        self._stride, self._seen = stride, 0
        self._rows = RowBuffer()

    def push(self, window: Window) -> None:
        first = -self._seen % self._stride
        for frame_HWC in window.frames_THWC[first :: self._stride]:
            self._rows.add(_thumbnail(frame_HWC, _SMALL)[None])
        self._seen += len(window.frames_THWC)

    def finish(self) -> Feature:
        made = self._rows.all()
        return np.empty((0, 3 * _SMALL**2), np.float32) if made is None else made


def _build_shots(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return ShotsEncoder()


def _build_small(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return SmallFramesEncoder()


ENCODERS.add(SHOTS, EncoderEntry("changes of the whole picture between frames, no weights", _build_shots))
ENCODERS.add(SMALL_FRAMES, EncoderEntry("8 x 8 thumbnails of sampled frames, no weights", _build_small))
