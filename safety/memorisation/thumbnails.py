"""Thumbnails of frames: what a copy is recognised by where no image encoder is named, without weights.

A row is a frame, reduced to 32 x 32 pixels by the mean over areas. The same feature is in the index of a
training set and of the clip that is looked up: what the clip would look like mirrored, cropped, framed or
captioned is made from its thumbnails when it is looked up (`windows`), so that nothing of it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...metrics.encoders.base import Encoder, EncoderOptions, Feature, Stream
from ...metrics.encoders.registry import ENCODERS, EncoderEntry
from ...metrics.frame_sampling import FrameSampler, Sampling

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["FEATURE", "SIDE", "THUMBNAIL_FPS", "ThumbnailEncoder", "as_pictures"]

FEATURE: Final = "thumbnails"
"""The name of the feature."""
SIDE: Final = 32
"""Height and width of a thumbnail."""
THUMBNAIL_FPS: Final = 8.0
"""Frames of a second that are reduced."""
_VERSION = 1


class ThumbnailEncoder(Encoder):
    """Reduce frames to thumbnails: float16 (frames, 3072), 0 to 255, rows of pixels, RGB."""

    name = FEATURE
    trial = "none"

    def identity(self) -> Mapping[str, Json]:
        """List the version, the rate and the size."""
        return {"version": _VERSION, "fps": THUMBNAIL_FPS, "side": SIDE}

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _Thumbnails()


class _Thumbnails:
    def __init__(self) -> None:
        self._sampler = FrameSampler(Sampling(0, THUMBNAIL_FPS))
        self._rows: list[NDArray[np.float16]] = []

    def push(self, window: Window) -> None:
        import cv2

        for place in self._sampler.take(window):
            frame_HWC = np.ascontiguousarray(window.frames_THWC[place], np.float32)
            small = cv2.resize(frame_HWC, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            self._rows.append(np.asarray(small, np.float16).ravel())

    def finish(self) -> Feature:
        return np.stack(self._rows) if self._rows else np.empty((0, SIDE * SIDE * 3), np.float16)


def as_pictures(rows: Feature) -> NDArray[np.float32]:
    """Return thumbnails as float32 pictures, (frames, 32, 32, 3)."""
    return np.asarray(rows, np.float32).reshape(-1, SIDE, SIDE, 3)


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return ThumbnailEncoder()


ENCODERS.add(FEATURE, EncoderEntry("frames of 32 x 32 pixels, no weights", _build))
