"""The encoder ``faces``: how surely NudeNet sees a face in sampled frames, without a model hub.

NudeNet 3.4.2 has two classes of faces among its body parts, and its weights come inside its wheel (its
licence file is AGPL-3.0). It is made for photographs of adults; drawn faces, those of animals and small ones
are outside of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import MediaError
from ...metrics.encoders.base import Encoder, EncoderOptions, Feature, Stream
from ...metrics.encoders.registry import ENCODERS, EncoderEntry
from ...metrics.frame_sampling import FrameSampler, Sampling
from ..frames.nudenet_detector import NudeNetDetector
from ..frames.nudity import SCORE_FLOOR, NudityEncoder

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["COLUMNS", "FACES", "FACE_CLASSES", "FacesEncoder"]

FACES: Final = "faces"
"""Name of the encoder and of its feature."""
FACE_CLASSES: Final = ("FACE_FEMALE", "FACE_MALE")
COLUMNS: Final = ("seconds", "frame", "score", "number", "area")
"""Columns of the feature, a row a judged frame: its time and its number in the clip, the highest score of a
face (0 where none reaches 0.25), how many faces reach that, and the largest one's share of the frame."""
SAMPLING: Final = Sampling(first_frames=4, frames_per_second=2.0)
_VERSION: Final = 1


class FacesEncoder(Encoder):
    """Look for faces in the judged frames: float64 (T, 5), columns `COLUMNS`."""

    name = FACES

    @property
    def fewest_frames(self) -> int:
        """One: every frame is looked at on its own."""
        return 1

    @cached_property
    def _identity(self) -> Mapping[str, Json]:
        nudity = NudityEncoder().identity()
        return {
            "version": _VERSION,
            "nudenet": nudity["nudenet"],
            "weights": nudity["weights"],
            "score_floor": SCORE_FLOOR,
            "classes": list(FACE_CLASSES),
            "columns": list(COLUMNS),
            "sampling": asdict(SAMPLING),
        }

    def identity(self) -> Mapping[str, Json]:
        """List the versions, the digest of the weights, the classes, the columns and the sampling."""
        return self._identity

    @cached_property
    def _detector(self) -> NudeNetDetector:
        return NudeNetDetector(NudityEncoder().weights)

    def look(self, frame_HWC: NDArray[np.uint8]) -> tuple[float, float, float]:
        """Look for faces in one RGB frame, uint8 (H, W, 3): highest score, number, largest area."""
        found = [
            one for one in self._detector.detect(np.ascontiguousarray(frame_HWC)) if one.part in FACE_CLASSES
        ]
        if not found:
            return 0.0, 0.0, 0.0
        return max(one.score for one in found), float(len(found)), max(one.area for one in found)

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _FacesStream(self)


class _FacesStream:
    def __init__(self, encoder: FacesEncoder) -> None:
        self._encoder = encoder
        self._sampler = FrameSampler(SAMPLING)
        self._seen = 0
        self._rows: list[tuple[float, ...]] = []

    def push(self, window: Window) -> None:
        for place in self._sampler.take(window):
            found = self._encoder.look(window.frames_THWC[place])
            self._rows.append((float(window.times_T[place]), float(self._seen + place), *found))
        self._seen += len(window.frames_THWC)

    def finish(self) -> Feature:
        if not self._rows:
            raise MediaError("the clip has no frames")
        return np.array(self._rows, np.float64)


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return FacesEncoder()


ENCODERS.add(FACES, EncoderEntry("NudeNet: faces in sampled frames", _build))
