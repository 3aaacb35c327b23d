"""Reference sets: the real clips that a set of generated ones is held against, and measures of sets."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..metrics.base import Measure, NotApplicable, SetSample
from ..metrics.encoders.base import Encoder, Feature
from ..metrics.encoders.cache import FeatureCache
from .core.clip_info import DECODING_VERSION
from .core.errors import MediaError, UsageError, unknown_name
from .core.files import VIDEO_SUFFIXES, survey_videos
from .core.items import ClipSettings
from .core.keys import Json, digest
from .core.media import Clip, decode, open_clip, write_clip
from .core.progress import note, track
from .core.run_data import SetScore
from .scoring import Scorer
from .store import RunStore
from .suite import ReferenceSet

__all__ = ["ReferenceClips", "SetScorer"]

_WORLD = "reference"


class ReferenceClips:
    """The clips of a reference set, with the digest that names them.

    Clips of the world pass through the very codec that generated clips are stored in, so that the codec
    makes no difference between the two sets.

    Raises:
        UsageError: no such world or folder, or no video in it.
    """

    def __init__(self, settings: ReferenceSet, clip: ClipSettings) -> None:
        self._settings = settings
        self._clip = clip
        if settings.folder is not None:
            self._files = _videos_in(Path(settings.folder))
            shas = sorted(c.sha256 for c in self._files)
            self.digest = digest("reference set", {"files": shas, "decoding": DECODING_VERSION})
            self.size = len(self._files)
        else:
            from ..generators.worlds import plane as world

            if settings.world != _WORLD:
                raise unknown_name("world", str(settings.world), [_WORLD])
            self._files = ()
            self.size = settings.clips
            self.digest = digest(
                "reference set",
                {
                    "world": _WORLD,
                    "version": world.WORLD_VERSION,
                    "clips": self.size,
                    "clip": clip.model_dump(),
                },
            )

    def features(self, encoder: Encoder, cache: FeatureCache) -> Feature:
        """Encode all clips that the encoder can read, shape (M, D), or take it from the cache."""
        cached = cache.get_set(self.digest, encoder.digest)
        if cached is not None:
            return cached
        rows: list[Feature] = []
        with track(f"reference set ({encoder.name})", self.size) as ticker:
            for clip in self._clips():
                stream = encoder.open(clip.info)
                decode(clip, [stream])
                rows.append(stream.finish())
                ticker.advance()
        features = np.concatenate(rows)
        cache.put_set(self.digest, encoder.digest, features)
        return features

    def _clips(self) -> Iterator[Clip]:
        if self._files:
            yield from self._files
            return
        from ..generators.worlds import plane as world

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            for frames_THWC, _ in world.world_clips(self.size, "reference set", self._clip):
                write_clip(path, frames_THWC, self._clip.fps)
                yield open_clip(path)


def _videos_in(folder: Path) -> tuple[Clip, ...]:
    if not folder.is_dir():
        raise UsageError(
            f"the reference set's folder {folder} does not exist; point reference_set.folder at one"
        )
    clips: list[Clip] = []
    left_out = {name: f"is {why}" for name, why in survey_videos(folder, outside=True).left_out.items()}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        try:
            clips.append(open_clip(path))
        except MediaError as error:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                reason = str(error).removeprefix(f"{path} ")
                left_out.setdefault(path.relative_to(folder).as_posix(), reason)
            # else: a folder of videos may hold a licence or a list beside them
    if left_out:
        what = "1 entry" if len(left_out) == 1 else f"{len(left_out)} entries"
        told = "; ".join(f"{name} {why}" for name, why in sorted(left_out.items()))
        note(f"warning: {what} of the reference set's folder {folder} left out: {told}")
    if len(clips) < 2:
        raise UsageError(
            f"the reference set's folder {folder} holds {len(clips)} videos; at least 2 are needed"
        )
    return tuple(clips)


@dataclass(frozen=True)
class SetScorer:
    """Score whole runs with measures of sets."""

    measures: Sequence[Measure]
    encoders: Mapping[str, Encoder]
    reference: ReferenceClips
    cache: FeatureCache

    def prepare(self) -> None:
        """Encode the reference set, so that a fault in it is known before anything is generated."""
        for measure in self.measures:
            self.reference.features(self.encoders[measure.needs[0]], self.cache)

    def score(self, store: RunStore, scorer: Scorer) -> list[SetScore]:
        """Score a run; what is stored under the same key already is taken as it is."""
        stored = store.set_scores()
        scores: list[SetScore] = []
        for measure in self.measures:
            key = self._key(measure, store)
            if measure.name not in stored or stored[measure.name].key != key:
                scores.append(self._score(measure, store, scorer, key))
        return scores

    def _key(self, measure: Measure, store: RunStore) -> str:
        fields: dict[str, Json] = {
            "measure": measure.name,
            "version": measure.version,
            "encoder": self.encoders[measure.needs[0]].digest,
            "reference": self.reference.digest,
            "clips": {item: (record.outcome, record.sha256) for item, record in store.clips().items()},
        }
        return digest("set score", fields)

    def _score(self, measure: Measure, store: RunStore, scorer: Scorer, key: str) -> SetScore:
        (name,) = measure.needs
        left_out: Counter[str] = Counter()
        rows: list[Feature] = []
        clusters: list[str] = []
        records = store.clips()
        for item in store.items():
            record = records[item.id]
            if record.outcome != "ok" or record.sha256 is None:
                left_out[record.outcome] += 1
                continue
            try:
                feature = scorer.encode(record.sha256, store.clip_path(record), [name])[name]
            except MediaError:
                left_out["failed"] += 1
                key = ""  # the encoder's failure may pass: without a key the set is taken anew next time
                continue
            if len(feature) == 0:
                left_out["not_applicable"] += 1
                continue
            rows.append(feature.mean(axis=0, keepdims=True))
            clusters.append(item.cluster)
        n, groups = len(rows), len(set(clusters))
        if measure.set_function is None or not rows:
            why = "no clip of this run has the feature that is compared (too short, refused or failed)"
            return SetScore(measure.name, "not_applicable", reason=why, left_out=dict(left_out), key=key)
        reference = self.reference.features(self.encoders[name], self.cache)
        try:
            result = measure.set_function(SetSample(np.concatenate(rows), clusters, reference))
        except NotApplicable as why:
            counts = {**left_out, "not_applicable": left_out["not_applicable"] + n}
            return SetScore(measure.name, "not_applicable", reason=str(why), left_out=counts, key=key)
        return SetScore(
            measure.name,
            "ok",
            result.value,
            result.low,
            result.high,
            method=result.method,
            notes=(*result.notes, *_left_out_of_reference(self.reference.size, len(reference))),
            n=n,
            clusters=groups,
            n_reference=len(reference),
            left_out=dict(left_out),
            leave_one_out=result.leave_one_out,
            key=key,
        )


def _left_out_of_reference(size: int, used: int) -> tuple[str, ...]:
    if used == size:
        return ()
    return (f"{size - used} of {size} reference clips are too short for the encoder and were left out",)
