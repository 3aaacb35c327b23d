"""Tracks: place and appearance of each object of a clip in each frame, and the camera's motion.

All trackers give this representation. A suite chooses one as the encoder ``tracks``::

    encoders: {tracks: world}                                           # colored shapes, plain background
    encoders: {tracks: blobs}                                           # what moves before a still camera
    encoders: {tracks: motion}                                          # what moves, and the camera may, too
    encoders: {tracks: "google/owlv2-base-patch16-ensemble#ball,wall"}  # things named after the #

The measures of `laws` and `instructions` read only tracks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import Record
from .outlines import OUTLINES

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = [
    "LAYOUT",
    "SHAPES",
    "ClipShape",
    "TrackSource",
    "Tracker",
    "Tracks",
    "name_of",
    "plain_noun",
    "source_name",
]

_F = NDArray[np.float64]
LAYOUT: Final = 4
SHAPES: Final = OUTLINES
"""The outlines that tracks are scored by, in the order of `Tracks.shape_NTS`."""
_ARRAYS: Final = (
    *("times_T", "position_NT2", "box_NT4", "center_NT2", "whole_NT4", "area_NT", "color_NT3", "shape_NTS"),
    *("form_NT4", "visible_NT", "confidence_NT", "camera_T4"),
)


_HIDDEN: Final = "hidden_NT"  # only of a tracker that looks for it


@dataclass(frozen=True)
class Tracks:
    """N objects over T frames; NaN where an object is not seen. The centre of the top-left pixel is (0, 0).

    Attributes:
        height, width, fps: of the clip.
        times_T: seconds from the first frame.
        position_NT2: centroids (x, y) of the visible parts.
        box_NT4: edges (left, top, right, bottom) of the visible parts.
        center_NT2: centroids of the whole objects, also under partial occlusion; NaN if not known.
        whole_NT4: edges of the whole objects, likewise.
        area_NT: areas in pixels.
        color_NT3: RGB in 8-bit levels.
        shape_NTS: fit of each outline of `SHAPES`, in [0, 1].
        form_NT4: rotation-invariant moments of the shape (see `outlines.form_moments`).
        visible_NT: visible share of the object; 0 where it is not seen.
        confidence_NT: of the tracker, in [0, 1].
        nouns: the noun by which a detector found each object, in lower case; None without a detector.
        camera_T4: the camera's motion since the first frame: shift (x, y) of the frame's middle in pixels,
            logarithm of the zoom, and the share of tracked points that agree; NaN where the background cannot
            be tracked.
        source: the identity of the tracker, for which thresholds are looked up; None if unknown.
        background_spread: standard deviation, in 8-bit levels, of a channel around the smooth background that
            the tracker subtracts; None if it subtracts none.
        sees_still: whether the tracker sees objects that do not move.
        hidden_NT: where the tracker has found that something which it does not follow hides an object; None
            if it does not look for that.
    """

    height: int
    width: int
    fps: float
    times_T: _F
    position_NT2: _F
    box_NT4: _F
    center_NT2: _F
    whole_NT4: _F
    area_NT: _F
    color_NT3: _F
    shape_NTS: _F
    form_NT4: _F
    visible_NT: _F
    confidence_NT: _F
    nouns: tuple[str | None, ...]
    camera_T4: _F
    source: Mapping[str, Json] | None = None
    background_spread: float | None = None
    sees_still: bool = True
    hidden_NT: NDArray[np.bool_] | None = None

    @property
    def side(self) -> float:
        """The unit of lengths: the square root of the frame's area, in pixels."""
        return float(np.sqrt(self.height * self.width))

    @property
    def frames(self) -> int:
        """T."""
        return len(self.times_T)

    @property
    def things(self) -> int:
        """N."""
        return len(self.position_NT2)

    @property
    def seen_NT(self) -> NDArray[np.bool_]:
        """Where each object is seen."""
        return ~np.isnan(self.position_NT2[:, :, 0])

    @property
    def still_NT2(self) -> _F:
        """Centroids of the whole objects, as a camera fixed at the first frame would see them."""
        camera = np.nan_to_num(self.camera_T4, nan=0.0)
        middle = np.array([(self.width - 1) / 2, (self.height - 1) / 2])
        zoom_T1 = np.exp(camera[:, 2:3])
        return (self.center_NT2 - middle - camera[None, :, :2]) / zoom_T1 + middle

    def chosen(self, numbers: Sequence[int]) -> Tracks:
        """Leave some of the objects, by number, in the order given."""
        at = np.asarray(numbers, np.int64)
        of_things = [name for name in (*_ARRAYS, _HIDDEN) if name.partition("_")[2].startswith("N")]
        arrays = {name: array[at] for name in of_things if (array := getattr(self, name)) is not None}
        return replace(self, nouns=tuple(self.nouns[n] for n in numbers), **arrays)

    def to_record(self) -> Record:
        """Write everything as named arrays, with the rest as metadata."""
        meta: dict[str, Json] = {
            "layout": LAYOUT,
            "height": self.height,
            "width": self.width,
            "fps": self.fps,
            "nouns": self.nouns,
            "source": None if self.source is None else dict(self.source),
            "background_spread": self.background_spread,
            "sees_still": self.sees_still,
        }
        arrays = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        if self.hidden_NT is not None:
            arrays[_HIDDEN] = np.asarray(self.hidden_NT, np.float64)
        return Record(arrays, meta)

    @classmethod
    def from_record(cls, record: Record) -> Tracks:
        """Read what `to_record` wrote.

        Raises:
            ValueError: it is not a record of tracks of this layout.
        """
        meta: Mapping[str, Any] = record.meta
        if meta.get("layout") != LAYOUT or set(record.arrays) - {_HIDDEN} != set(_ARRAYS):
            raise ValueError(f"a record of {', '.join(record.arrays)} holds no tracks of layout {LAYOUT}")
        arrays: dict[str, Any] = {name: np.asarray(record.arrays[name], np.float64) for name in _ARRAYS}
        return cls(
            height=meta["height"],
            width=meta["width"],
            fps=meta["fps"],
            nouns=tuple(meta["nouns"]),
            source=meta["source"],
            background_spread=meta["background_spread"],
            sees_still=meta["sees_still"],
            hidden_NT=np.asarray(record.arrays[_HIDDEN]) > 0 if _HIDDEN in record.arrays else None,
            **arrays,
        )


def plain_noun(noun: str) -> str:
    """Write a noun in lower case with single spaces, to compare nouns.

    Example:
        >>> plain_noun(" Red  Ball ")
        'red ball'
    """
    return " ".join(noun.lower().split())


def source_name(source: TrackSource) -> str:
    """Name a tracker for messages, by kind and version: ``world 1``. Thresholds use its whole identity."""
    return name_of(source.identity())


def name_of(identity: Mapping[str, Json]) -> str:
    """Name a tracker by its identity.

    Example:
        >>> name_of({"source": "world", "version": 5, "block": 8})
        'world 5'
    """
    return " ".join(str(identity[key]) for key in ("source", "version") if key in identity)


class Tracker(Protocol):
    """Tracks the objects of one clip."""

    def push(self, frames_THWC: NDArray[np.uint8]) -> None:
        """Take the next frames, uint8 RGB."""
        ...

    def finish(self, clip: ClipShape) -> Tracks:
        """Return the tracks of the whole clip."""
        ...


class TrackSource(Protocol):
    """A tracker that a suite can name; it starts a `Tracker` for each clip."""

    def identity(self) -> Mapping[str, Json]:
        """List what changes the tracks, without loading weights."""
        ...

    def open(self) -> Tracker:
        """Start a clip."""
        ...


class ClipShape:
    """Size, rate and times of a clip."""

    def __init__(self, height: int, width: int, fps: float, times_T: _F) -> None:
        self.height, self.width, self.fps, self.times_T = height, width, fps, times_T
