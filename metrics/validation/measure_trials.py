"""Trials of measures: the values of true clips and of their corrupted copies, by the shared feature cache."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ...harness.core.errors import MediaError, describe
from ...harness.core.items import ClipSettings, Item, make_item
from ...harness.core.media import open_clip, write_clip
from ...harness.core.progress import track
from ..base import Measure, MeasureFailed, NotApplicable, Sample, Scored
from ..encoders.base import Encoder, Feature, TextEncoder
from ..encoders.encode import Encoded, encode_clip
from ..encoders.registry import TEXT_SUFFIX
from .corruptions import CAPTION, CORRUPTIONS, corrupted
from .true_clips import TrueClip, TrueClips, with_others

if TYPE_CHECKING:
    from ..encoders.cache import FeatureCache

__all__ = ["CLEAN", "ClipRow", "Tools", "clip_rows", "encoded_clip"]

CLEAN: Final = "none"
"""The corruption of a clip as it is."""


@dataclass(frozen=True)
class Tools:
    """What clips are measured with.

    Attributes:
        measures: of single clips, or of sets.
        encoders: feature -> encoder, for all that the measures need.
        cache: where features are kept.
        texts: prompts that were embedded, by feature and prompt.
    """

    measures: Sequence[Measure]
    encoders: Mapping[str, Encoder]
    cache: FeatureCache
    texts: dict[tuple[str, str], Feature] = field(default_factory=dict[tuple[str, str], Feature])

    def text(self, name: str, prompt: str) -> Feature | None:
        """Embed a prompt for the feature ``name``; None if the encoder reads no text."""
        encoder = self.encoders[name]
        if not isinstance(encoder, TextEncoder):
            return None
        if (name, prompt) not in self.texts:
            self.texts[name, prompt] = encoder.encode_text(prompt)
        return self.texts[name, prompt]


@dataclass(frozen=True)
class ClipRow:
    """The values of one clip under one corruption.

    Attributes:
        corruption: its name, or `CLEAN`.
        values: measure -> value.
        reasons: measure -> why there is no value.
    """

    clip: str
    corruption: str
    severity: float
    values: Mapping[str, float]
    reasons: Mapping[str, str]


def clip_rows(clips: TrueClips, tools: Tools, names: Sequence[str]) -> list[ClipRow]:
    """Measure every clip as it is and under the named corruptions at every severity.

    Two clips are in memory at a time. Each copy is written as generated clips are stored, and removed again.

    Raises:
        MediaError: a copy cannot be encoded.
    """
    rows: list[ClipRow] = []
    readers = [m for m in tools.measures if any(need.endswith(TEXT_SUFFIX) for need in m.needs)]
    of_prompts = replace(tools, measures=readers)  # others cannot see a caption
    with track("clips", len(clips)) as ticker, tempfile.TemporaryDirectory() as folder:
        for clip, other in with_others(clips):
            encoded = encoded_clip(clip.frames, clip.fps, Path(folder), tools)
            rows.append(_row(clip, encoded, clip.prompt, tools, (CLEAN, 0.0)))
            for name, severity in _grades(names):
                if name == CAPTION:
                    if readers and clip.prompt is not None and other.prompt not in (None, clip.prompt):
                        rows.append(_row(clip, encoded, other.prompt, of_prompts, (name, severity)))
                    continue
                frames = corrupted(clip, name, severity, other)
                if frames is not None:
                    changed = encoded_clip(frames, clip.fps, Path(folder), tools)
                    rows.append(_row(clip, changed, clip.prompt, tools, (name, severity)))
            ticker.advance()
    return rows


def _grades(names: Sequence[str]) -> Iterator[tuple[str, float]]:
    for name in names:
        for severity in CORRUPTIONS[name].severities:
            yield name, severity


def encoded_clip(frames_THWC: np.ndarray, fps: float, folder: Path, tools: Tools) -> Encoded:
    """Write a clip, encode it or read its features from the cache, and remove it.

    Raises:
        MediaError: it cannot be decoded.
    """
    path = folder / "clip.mp4"
    write_clip(path, frames_THWC, fps)
    try:
        item = _item(frames_THWC.shape, fps, None)
        encoders = {n: e.for_item(item) for n, e in tools.encoders.items() if not n.endswith(TEXT_SUFFIX)}
        return encode_clip(open_clip(path).sha256, path, encoders, tools.cache)
    finally:
        path.unlink(missing_ok=True)


def _item(shape: tuple[int, ...], fps: float, prompt: str | None) -> Item:
    clip = ClipSettings(frames=shape[0], height=shape[1], width=shape[2], fps=fps)
    return make_item(prompt, 0, clip, source=None if prompt is not None else "clip.mp4")


def _row(
    clip: TrueClip, encoded: Encoded, prompt: str | None, tools: Tools, what: tuple[str, float]
) -> ClipRow:
    features: dict[str, Feature] = dict(encoded.matrices)
    if prompt is not None:
        for name in tools.encoders:
            text = tools.text(name, prompt) if name.endswith(TEXT_SUFFIX) else None
            if text is not None:
                features[name] = text
    item = _item(clip.frames.shape, clip.fps, prompt)
    sample = Sample(item, "ok", encoded.info, features, records=encoded.records)
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for measure in tools.measures:
        try:
            values[measure.name] = _value(measure, sample, encoded)
        except (NotApplicable, MeasureFailed) as why:
            reasons[measure.name] = str(why)
        except MediaError as why:
            reasons[measure.name] = f"failed: {why}"
        except Exception as error:  # a user's own measure must not end the validation
            reasons[measure.name] = f"failed: {describe(error)}"
    return ClipRow(clip.name, *what, values, reasons)


def _value(measure: Measure, sample: Sample, encoded: Encoded) -> float:
    for name in measure.needs:
        if name in encoded.not_applicable:
            raise NotApplicable(encoded.not_applicable[name])
        if name in encoded.problems:
            raise MediaError(encoded.problems[name])
    assert measure.function is not None  # set measures are tried on sets
    made = measure.function(sample)
    value = made.value if isinstance(made, Scored) else float(made)
    if not math.isfinite(value):
        raise MeasureFailed(f"the value was {value}")
    return value
