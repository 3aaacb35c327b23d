"""The encoder `tracks`: the tracks of a clip as a feature, by the tracker that a suite names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from ...harness.core.keys import Json
from ...harness.core.media import ClipInfo, Window
from ..encoders.base import Encoder, EncoderOptions, Record, Stream
from ..encoders.registry import ENCODERS, EncoderEntry
from .tracks import LAYOUT, ClipShape, TrackSource

__all__ = ["TracksEncoder"]


class TracksEncoder(Encoder):
    """Track the objects of a clip; the feature is the record of `Tracks.to_record`.

    Args:
        source: ``world`` (also called ``reference``), ``blobs``, ``motion``, or an
            open-vocabulary detector with the nouns to detect, ``FOLDER_OR_HUB_ID#noun,noun``.
        options: device and dtype of the detector.

    Raises:
        UsageError: there is no such tracker, or a detector has no nouns.
        MissingWeightsError: the weights are not on this machine.
    """

    name = "tracks"
    source: TrackSource

    def __init__(self, source: str, options: EncoderOptions) -> None:
        self.source = _source(source, options)

    def identity(self) -> Mapping[str, Json]:
        """List the layout and the identity of the tracker."""
        return {"layout": LAYOUT, **self.source.identity()}

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        return _Stream(self.source, info)


class _Stream:
    def __init__(self, source: TrackSource, info: ClipInfo) -> None:
        self._tracker, self._info = source.open(), info
        self._identity = dict(source.identity())
        self._times: list[NDArray[np.float64]] = []

    def push(self, window: Window) -> None:
        self._times.append(np.asarray(window.times_T, np.float64))
        self._tracker.push(window.frames_THWC)

    def finish(self) -> Record:
        times = np.concatenate(self._times) if self._times else np.empty(0)
        info = self._info
        tracks = self._tracker.finish(ClipShape(info.height, info.width, info.fps, times))
        return replace(tracks, source=self._identity).to_record()


def _source(source: str, options: EncoderOptions) -> TrackSource:
    if source in ("world", "reference"):
        from .shape_tracker import WorldSource

        return WorldSource()
    if source == "blobs":
        from .motion_tracker import BlobSource

        return BlobSource()
    if source == "motion":
        from .stabilized_tracker import MotionSource

        return MotionSource()
    if "#" in source or "/" in source:
        from .named_object_tracker import OpenVocabularySource

        return OpenVocabularySource(source, options)
    raise UsageError(
        f"the source {source!r} of the encoder 'tracks' is unknown; known: world, blobs, motion, and a "
        "detector with the nouns to detect, FOLDER_OR_HUB_ID#noun,noun"
    )


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    return TracksEncoder(source or "world", options)


ENCODERS.add(
    "tracks",
    EncoderEntry(
        "tracks of objects: world, blobs, motion, or a detector's HUB/ID#nouns",
        _build,
        True,
        settings="world, blobs, motion, or a detector and its nouns, HUB/ID#noun,noun",
    ),
)
