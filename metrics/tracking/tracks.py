"""Tracks: where each thing of a clip is, frame by frame, what it looks like, and how the camera moves.

One representation behind several sources, chosen in a suite as the encoder ``tracks``::

    encoders: {tracks: world}                                           # colored shapes on any plain ground
    encoders: {tracks: blobs}                                           # what moves before a still camera
    encoders: {tracks: "google/owlv2-base-patch16-ensemble#ball,wall"}  # things named after the #

The measures of `laws` and `composition` read tracks and nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import Feature
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
    "noun_number",
    "source_name",
    "source_number",
]

_F = NDArray[np.float64]
LAYOUT: Final = 2
SHAPES: Final = OUTLINES
"""The outlines that tracks are scored by, in the order of `Tracks.shape_NTS`."""
_HEAD: Final = ("layout", "height", "width", "fps", "frames", "things", "source")
_FIELDS: Final = (
    ("position_NT2", 2),
    ("box_NT4", 4),
    ("center_NT2", 2),
    ("whole_NT4", 4),
    ("area_NT", 1),
    ("color_NT3", 3),
    ("shape_NTS", len(SHAPES)),
    ("form_NT4", 4),
    ("visible_NT", 1),
    ("confidence_NT", 1),
)
_CAMERA: Final = 5
_COLUMNS: Final = sum(width for _, width in _FIELDS) + 1


@dataclass(frozen=True)
class Tracks:
    """N things over T frames; NaN where a thing is not seen. The centre of the top-left pixel is (0, 0).

    Attributes:
        height, width, fps: of the clip.
        times_T: seconds from the first frame.
        position_NT2: centroids (x, y) of what is seen.
        box_NT4: edges (left, top, right, bottom) of what is seen.
        center_NT2: centroids of the whole things, though a part may be hidden; NaN where nobody can tell.
        whole_NT4: edges of the whole things, likewise.
        area_NT: areas in pixels.
        color_NT3: RGB in 8-bit levels.
        shape_NTS: fit of each outline of `SHAPES`, in [0, 1].
        form_NT4: moments of the form that turning does not change (see `probes.outlines.form_moments`).
        visible_NT: share of the thing that is seen; 0 where it is not.
        confidence_NT: of the source, in [0, 1].
        label_N: number of the noun by which a source found the thing (see `noun_number`), else NaN.
        camera_T4: how a still point of the first frame is seen: shift (x, y) in pixels of the frame's
            middle, logarithm of the zoom, and what share of the points that were followed agrees; NaN where
            the ground has nothing to follow.
        source: number of the source (see `source_number`), by which thresholds are found; NaN where unknown.
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
    label_N: _F
    camera_T4: _F
    source: float = float("nan")

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
        """Where each thing is seen."""
        return ~np.isnan(self.position_NT2[:, :, 0])

    @property
    def still_NT2(self) -> _F:
        """Centroids of the whole things for a camera that had stayed as at the first frame."""
        camera = np.nan_to_num(self.camera_T4, nan=0.0)
        middle = np.array([(self.width - 1) / 2, (self.height - 1) / 2])
        zoom_T1 = np.exp(camera[:, 2:3])
        return (self.center_NT2 - middle - camera[None, :, :2]) / zoom_T1 + middle

    def to_feature(self) -> Feature:
        """Write everything as one array of rows: a head, a row a frame, and a row a thing and frame."""
        rows = np.full((1 + self.frames * (1 + self.things), _COLUMNS), np.nan)
        head = (self.height, self.width, self.fps, self.frames, self.things, self.source)
        rows[0, : len(_HEAD)] = (LAYOUT, *head)
        rows[1 : 1 + self.frames, 0] = self.times_T
        rows[1 : 1 + self.frames, 1:_CAMERA] = self.camera_T4
        body = [np.asarray(getattr(self, name)).reshape(-1, width) for name, width in _FIELDS]
        label = np.repeat(self.label_N, self.frames)[:, None]
        rows[1 + self.frames :] = np.concatenate([*body, label], axis=1)
        return rows

    @classmethod
    def from_feature(cls, feature: Feature) -> Tracks:
        """Read what `to_feature` wrote.

        Raises:
            ValueError: it is no feature of tracks of this layout.
        """
        if feature.ndim != 2 or feature.shape[1] != _COLUMNS or feature[0, 0] != LAYOUT:
            raise ValueError(f"an array of shape {feature.shape} holds no tracks of layout {LAYOUT}")
        head = dict(zip(_HEAD, feature[0].tolist(), strict=False))
        frames, things = int(head["frames"]), int(head["things"])
        of_frames = np.asarray(feature[1 : 1 + frames], np.float64)
        body = np.asarray(feature[1 + frames :], np.float64).reshape(things, frames, _COLUMNS)
        fields: dict[str, Any] = {}
        start = 0
        for name, width in _FIELDS:
            part = body[:, :, start : start + width]
            fields[name] = part[:, :, 0] if width == 1 else part
            start += width
        return cls(
            height=int(head["height"]),
            width=int(head["width"]),
            fps=float(head["fps"]),
            times_T=of_frames[:, 0],
            camera_T4=of_frames[:, 1:_CAMERA],
            label_N=body[:, 0, start] if frames else np.empty(things),
            source=float(head["source"]),
            **fields,
        )


def noun_number(noun: str) -> float:
    """Number a noun (its CRC-32), so that an array of floats can hold it.

    Example:
        >>> noun_number("ball") == noun_number(" Ball ")
        True
    """
    return float(zlib.crc32(" ".join(noun.lower().split()).encode()))


def source_name(source: TrackSource) -> str:
    """Name a source by kind and version, ``world 1``: tracks of one name have the same thresholds."""
    identity = source.identity()
    return " ".join(str(identity[key]) for key in ("source", "version") if key in identity)


def source_number(name: str) -> float:
    """Number a source's name, so that an array of floats can hold it."""
    return noun_number(name)


class Tracker(Protocol):
    """One clip on its way through a source of tracks."""

    def push(self, frames_THWC: NDArray[np.uint8]) -> None:
        """Take the next frames, uint8 RGB."""
        ...

    def finish(self, clip: ClipShape) -> Tracks:
        """Return the tracks of the whole clip."""
        ...


class TrackSource(Protocol):
    """A way to find and follow things."""

    def identity(self) -> Mapping[str, Json]:
        """List what changes the tracks, without loading weights."""
        ...

    def open(self) -> Tracker:
        """Begin a clip."""
        ...


class ClipShape:
    """Size, rate and times of a clip."""

    def __init__(self, height: int, width: int, fps: float, times_T: _F) -> None:
        self.height, self.width, self.fps, self.times_T = height, width, fps, times_T
