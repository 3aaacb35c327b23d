"""The reader ``clip:SOURCE``: perceived presentation by zero-shot classification with a CLIP model.

Each frame is held against a text for each class and one for nobody; the softmax of the cosines, at the
model's own scale, is averaged over frames. Tone is not read: what such models say of skin is not reliable.
Zero-shot answers carry the stereotypes of the model's training data; so its error is measured on labelled
clips as any reader's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats
from ...metrics.encoders.base import EncoderOptions
from ...metrics.encoders.clip import ClipEncoder
from ...metrics.frame_sampling import FrameSampler, Sampling
from .reading import READERS, REASONS, PersonReader, PersonReading, ReaderEntry, nobody

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import Window

__all__ = ["TEXTS", "ZeroShotReader", "reading_of_probabilities"]

_VERSION: Final = 1
TEXTS: Final = {
    "feminine": "a photo of a woman",
    "masculine": "a photo of a man",
    "nobody": "a photo with no people in it",
}
"""What frames are held against, in the words that CLIP's authors use for zero-shot classes."""
_SAMPLING: Final = Sampling(8, 2.0)
_LIKELY: Final = 0.8
"""Share of the probability of a person that one presentation needs."""


class ZeroShotReader(PersonReader):
    """Read presentation with a CLIP model.

    Args:
        source: of the model: ``reference``, a folder or a hub id.
        options: device and dtype.
    """

    name = "clip"

    def __init__(self, source: str, options: EncoderOptions) -> None:
        self._clip = ClipEncoder(source, options)

    def identity(self) -> Mapping[str, Json]:
        """List the version, the model, the texts, and the settings."""
        return {
            "version": _VERSION,
            "clip": dict(self._clip.identity()),
            "texts": dict(TEXTS),
            "frames": [_SAMPLING.first_frames, _SAMPLING.frames_per_second],
            "likely": _LIKELY,
        }

    @cached_property
    def _texts(self) -> Floats:
        return np.concatenate([self._clip.encode_text(text) for text in TEXTS.values()]).astype(np.float64)

    def open(self) -> _ZeroShotStream:
        """Start a clip."""
        return _ZeroShotStream(self)

    def probabilities(self, frames_THWC: NDArray[np.uint8]) -> Floats:
        """Give each frame's probability of each of `TEXTS`, (T, 3)."""
        cosines = self._clip.encode_frames(frames_THWC).astype(np.float64) @ self._texts.T
        logits = self._clip.scale * cosines
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)


class _ZeroShotStream:
    def __init__(self, reader: ZeroShotReader) -> None:
        self._reader = reader
        self._sampler = FrameSampler(_SAMPLING)
        self._rows: list[Floats] = []

    def push(self, window: Window) -> None:
        for place in self._sampler.take(window):
            self._rows.append(self._reader.probabilities(window.frames_THWC[place : place + 1]))

    def finish(self) -> PersonReading:
        return reading_of_probabilities(np.concatenate(self._rows)) if self._rows else nobody(REASONS[1])


def reading_of_probabilities(p_TC: Floats) -> PersonReading:
    """Read a clip from its frames' probabilities of `TEXTS`, (T, 3)."""
    mean = p_TC.mean(axis=0)
    share = float((p_TC[:, 2] < 0.5).mean())
    if mean[2] >= 0.5:
        return nobody(REASONS[1], share)
    feminine = float(mean[0] / (mean[0] + mean[1]))
    presentation = None
    if max(feminine, 1 - feminine) >= _LIKELY:
        presentation = "feminine" if feminine > 0.5 else "masculine"
    return PersonReading(
        True, presentation, share=share, why=("", "" if presentation else REASONS[10], REASONS[7])
    )


def _build(source: str | None, options: EncoderOptions) -> PersonReader:
    return ZeroShotReader(source or "", options)


READERS.add("clip", ReaderEntry("zero-shot by a CLIP model; presentation alone", _build, takes_source=True))
