"""Perceptual hash of what moves in a clip, without weights.

A frame is reduced to its mean color in 12 x 12 blocks over its median color: the block mean value of Yang,
Gu and Niu 2006, in color and not cut to bits. ``motion_hash``, the difference of the blocks of neighbouring
frames scaled to length 1, describes what moves where and whither. It has a second encoder for the clip that
is looked up, ``motion_hash_queries``: it hashes the clip in several versions (mirrored, cut to its centre,
set into a larger picture, its lowest blocks covered), so that a copy is found that was mirrored, framed,
cropped or captioned. Its features have the rows of a version one after the other.

This is no learned feature and never stands in for one: a measure that reads it says so in its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...metrics.encoders.base import Encoder, EncoderOptions, Feature, Stream
from ...metrics.encoders.registry import ENCODERS, EncoderEntry
from ...metrics.frame_sampling import FrameSampler, Sampling

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["HASH_FPS", "VERSIONS", "HashEncoder"]

Frames = NDArray[np.uint8]
HASH_FPS: Final = 8.0
"""Frames of a second that are hashed."""
_VERSION = 1
_SIDE = 12
_MOVES = 0.35
"""Mean change of a block, in 8-bit levels, from which something moves (noise of codecs is below it)."""
_CUT, _SET, _COVERED = (0.9, 0.8, 0.7), 0.85, 2


def _zoomed(kept: float, frame_HWC: Frames) -> Frames:
    height, width = frame_HWC.shape[:2]
    h, w = max(round(height * kept), 1), max(round(width * kept), 1)
    top, left = (height - h) // 2, (width - w) // 2
    return frame_HWC[top : top + h, left : left + w]


def _set_into(place: tuple[float, float], frame_HWC: Frames) -> Frames:
    """Set a frame into a larger one of its median color, as if the rest of the picture had been cut off."""
    height, width = frame_HWC.shape[:2]
    h, w = round(height / _SET), round(width / _SET)
    out = np.empty((h, w, 3), np.uint8)
    out[:] = np.median(frame_HWC[::2, ::2].reshape(-1, 3), axis=0)
    top, left = round((h - height) * place[0]), round((w - width) * place[1])
    out[top : top + height, left : left + width] = frame_HWC
    return out


_PLACES = tuple((y, x) for y in (0.0, 0.5, 1.0) for x in (0.0, 0.5, 1.0))
VERSIONS: Final[Mapping[str, Callable[[Frames], Frames]]] = {
    "as it is": lambda frame_HWC: frame_HWC,
    "mirrored": lambda frame_HWC: frame_HWC[:, ::-1],
    **{f"cut to {kept:g}": partial(_zoomed, kept) for kept in _CUT},
    **{f"set in at {y:g}, {x:g}": partial(_set_into, (y, x)) for y, x in _PLACES},
    "covered below": lambda frame_HWC: frame_HWC,
}
"""Versions of a clip that is looked up; of the last, the lowest blocks are left out."""


class HashEncoder(Encoder):
    """Hash the changes between frames: float32 (rows, 432), rows of length 1.

    A change in which nothing moves has no row, in any version.

    Args:
        name: of the feature.
        versions: the versions that are hashed, one after the other.
    """

    trial = "none"

    def __init__(self, name: str, versions: tuple[str, ...]) -> None:
        self.name = name
        self._versions = versions

    def identity(self) -> Mapping[str, Json]:
        """List the version, the rate, the blocks and the versions of the clip."""
        return {
            "version": _VERSION,
            "fps": HASH_FPS,
            "blocks": _SIDE,
            "motion": True,
            "versions": list(self._versions),
        }

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _Hashes(self._versions)


class _Hashes:
    def __init__(self, versions: tuple[str, ...]) -> None:
        self._versions = versions
        self._sampler = FrameSampler(Sampling(0, HASH_FPS))
        self._blocks: list[NDArray[np.float32]] = []  # of each frame, (V, D)

    def push(self, window: Window) -> None:
        for place in self._sampler.take(window):
            frame_HWC = window.frames_THWC[place]
            self._blocks.append(np.stack([_blocks(frame_HWC, name) for name in self._versions]))

    def finish(self) -> Feature:
        if not self._blocks:
            return np.empty((0, _SIDE * _SIDE * 3), np.float32)
        blocks_VTD = np.stack(self._blocks, axis=1)
        blocks_VTD = np.diff(blocks_VTD, axis=1)
        # By the clip as it is, so that every version has the same rows.
        blocks_VTD = blocks_VTD[:, np.abs(blocks_VTD[0]).mean(axis=1) > _MOVES]
        length = np.linalg.norm(blocks_VTD, axis=2, keepdims=True)
        unit_VTD = blocks_VTD / np.maximum(length, 1.0)
        return unit_VTD.reshape(-1, blocks_VTD.shape[2]).astype(np.float32)


def _blocks(frame_HWC: Frames, version: str) -> NDArray[np.float32]:
    import cv2

    shown = np.ascontiguousarray(VERSIONS[version](frame_HWC))
    small = np.asarray(cv2.resize(shown, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.float32)
    small -= np.median(small.reshape(-1, 3), axis=0)
    if version == "covered below":
        small[-_COVERED:] = 0.0
    return small.ravel()


def _add(name: str, versions: tuple[str, ...]) -> None:
    def build(source: str | None, options: EncoderOptions) -> Encoder:
        del source, options
        return HashEncoder(name, versions)

    ENCODERS.add(name, EncoderEntry("perceptual hash of what changes between frames, no weights", build))


_add("motion_hash", ("as it is",))
_add("motion_hash_queries", tuple(VERSIONS))
