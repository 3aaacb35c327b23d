"""Vectors of labelled clips for several detectors at once, kept in the feature cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...harness.core.arrays import Bools, Floats
from ...harness.core.errors import MediaError, UsageError
from ...harness.core.keys import digest, file_sha256
from ...harness.core.progress import track
from ...metrics.encoders.base import Feature, Record
from ...metrics.encoders.cache import FeatureCache
from .corpus import Corpus, LabelledClip
from .delivery import DELIVERY_VERSION, deliver
from .extractor import Extractor
from .preparation import FileFacts, Preparation, prepare, read_segments, unprepared

__all__ = ["UNPREPARED", "FeatureTable", "collect", "feature_key"]

UNPREPARED: Final = "unprepared"
"""In the place of a delivery: clips as they are, without the preparation."""
_FACTS: Final = "file facts"


@dataclass(frozen=True)
class FeatureTable:
    """A row per segment of a clip.

    Attributes:
        clips: of each row.
        vectors: detector -> (n, k).
        facts: of each row's file.
        left_out: sentences on the clips without a row.
    """

    clips: tuple[LabelledClip, ...]
    vectors: Mapping[str, Floats]
    facts: tuple[FileFacts, ...]
    left_out: tuple[str, ...] = ()

    @property
    def generated(self) -> Bools:
        """The class of each row."""
        return np.array([clip.generated for clip in self.clips], dtype=np.bool_)

    @property
    def sources(self) -> list[str]:
        """The source of each row."""
        return [clip.source for clip in self.clips]

    @property
    def scenes(self) -> list[str]:
        """The scene of each row."""
        return [clip.scene for clip in self.clips]


def feature_key(extractor: Extractor, preparation: Preparation, segments: int, delivery: str | None) -> str:
    """Compute the digest under which the vectors of a clip are cached."""
    return digest(
        "detector feature",
        {
            "extractor": extractor.digest,
            "preparation": preparation.digest,
            "segments": segments,
            "delivery": delivery,
            "delivery_version": DELIVERY_VERSION if delivery not in (None, UNPREPARED) else None,
        },
    )


def collect(
    corpus: Corpus,
    extractors: Mapping[str, Extractor],
    preparation: Preparation,
    cache: FeatureCache,
    *,
    segments: int = 1,
    delivery: str | None = None,
) -> FeatureTable:
    """Compute the vectors of all clips, or read them from the cache.

    Args:
        corpus: the clips.
        extractors: detector -> what it looks at.
        preparation: of every clip.
        cache: of features.
        segments: how many segments of a clip are read at most.
        delivery: what is done to each clip first, by name; `UNPREPARED` for nothing and no preparation.

    Raises:
        UsageError: no clip of a class could be read.
    """
    clips: list[LabelledClip] = []
    facts: list[FileFacts] = []
    rows: dict[str, list[Floats]] = {name: [] for name in extractors}
    left_out = list(corpus.left_out)
    with track(f"clips{f' after {delivery}' if delivery else ''}", len(corpus.clips)) as done:
        for clip in corpus.clips:
            try:
                found, about = _of_clip(clip, extractors, preparation, cache, segments, delivery)
            except MediaError as error:
                left_out.append(str(error))
            else:
                number = len(next(iter(found.values())))
                clips += [clip] * number
                facts += [about] * number
                for name, matrix in found.items():
                    rows[name].append(matrix)
            done.advance()
    for generated, what in ((False, "real"), (True, "generated")):
        if not any(clip.generated == generated for clip in clips):
            raise UsageError(f"not one {what} clip can be read: {'; '.join(left_out[:3])}")
    vectors = {name: np.concatenate(parts) for name, parts in rows.items()}
    return FeatureTable(tuple(clips), vectors, tuple(facts), tuple(left_out))


def _of_clip(
    clip: LabelledClip,
    extractors: Mapping[str, Extractor],
    preparation: Preparation,
    cache: FeatureCache,
    segments: int,
    delivery: str | None,
) -> tuple[dict[str, Floats], FileFacts]:
    keys = {name: feature_key(one, preparation, segments, delivery) for name, one in extractors.items()}
    facts_key = digest(_FACTS, {"version": 1})
    sha = file_sha256(clip.path)
    _, there = cache.get_clip(sha, [*keys.values(), facts_key])
    told = there.get(facts_key)
    known = {name: there.get(key) for name, key in keys.items()}
    have = {
        name: np.asarray(v, np.float64)
        for name, v in known.items()
        if v is not None and not isinstance(v, Record)
    }
    if isinstance(told, Record) and len(have) == len(extractors):
        return have, FileFacts(**dict(told.meta))  # pyright: ignore[reportArgumentType]  (as it was written)
    parts, facts, _ = read_segments(clip.path, preparation, segments)
    missing = {name: one for name, one in extractors.items() if name not in have}
    made: dict[str, list[Floats]] = {name: [] for name in missing}
    for segment in parts:
        if delivery == UNPREPARED:
            ready = unprepared(segment, preparation, facts)
        else:
            ready = prepare(deliver(delivery, segment) if delivery else segment, preparation, facts)
        for name, extractor in missing.items():
            made[name].append(extractor.extract(ready))
    have |= {name: np.stack(vectors) for name, vectors in made.items()}
    kept: dict[str, Feature | Record] = {keys[name]: have[name] for name in made}
    cache.put_clip(sha, None, {**kept, facts_key: Record({}, facts.as_json())})
    return have, facts
