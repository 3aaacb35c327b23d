"""Compute set measures from the stored clips of a run, for the whole run and for slices."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ...metrics.base import Measure, MeasureFailed, NotApplicable, Reference, RunSample, Value
from ...metrics.encoders.base import Encoder, Feature
from ...metrics.encoders.cache import FeatureCache
from ..core.clip_info import ClipInfo
from ..core.errors import MediaError, UsageError, describe
from ..core.estimate import RunEstimate
from ..core.items import Item
from ..core.keys import Json, digest
from ..core.media import open_clip
from ..core.run_data import SetScore, Status
from ..core.storage import File, opened
from ..run_folder.store import RunStore
from ..suites.reference_sets import ReferenceClips, unlike_timing
from .clips import Scorer

__all__ = ["Rows", "SetScorer", "clip_row", "named_slices"]

CONFIDENCE = 0.95


def named_slices(wanted: Sequence[str], items: Sequence[Item]) -> list[str]:
    """List the slices that a suite names: a tag, a label's value, or (by a label's name) all its values.

    Raises:
        UsageError: no item has such a tag or label.
    """
    there = sorted({name for item in items for name in item.slices})
    found: list[str] = []
    for one in wanted:
        of_label = [name for name in there if name == one or name.startswith(f"{one}:")]
        if not of_label:
            raise UsageError(f"no prompt has the tag or label {one!r} that 'slices' names; mend the suite")
        found += of_label
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Rows:
    """The items that have all features of a measure, and the status of those that do not.

    Attributes:
        features: feature -> the row (1, D) of an item, or its rows.
        failed: whether an encoder failed on a clip, so that another try may give more.
        infos: of the clips of ``items``; empty where they are not known.
    """

    items: list[Item]
    features: dict[str, list[Feature]]
    without: dict[str, str]
    failed: bool
    infos: list[ClipInfo] = field(default_factory=list["ClipInfo"])


def clip_row(measure: Measure, scorer: Scorer, sha256: str, file: File) -> dict[str, Feature] | Status:
    """Take the features of one clip that a set measure needs, or say why there are none.

    Each is (1, D), the mean of its rows, or all of them for a measure of frames.
    """
    try:
        made = scorer.encode(sha256, file, measure.needs)
    except MediaError:
        return "failed"
    if any(len(feature) == 0 for feature in made.values()):
        return "not_applicable"
    if measure.rows == "frame":
        return made
    return {name: feature.mean(axis=0, keepdims=True) for name, feature in made.items()}


@dataclass(frozen=True)
class SetScorer:
    """Score whole runs, and slices of them, with set measures.

    Attributes:
        references: the reference sets of the suite, by name.
        slices: as the suite names them.
    """

    measures: Sequence[Measure]
    encoders: Mapping[str, Encoder]
    references: Mapping[str, ReferenceClips]
    cache: FeatureCache
    slices: Sequence[str] = ()

    def prepare(self) -> None:
        """Encode the reference sets, so that an error in one appears before anything is generated."""
        for measure in self.measures:
            _ = self._references(measure)

    def digests(self, measure: Measure) -> dict[str, str]:
        """Return the digests of a measure's reference sets, by name."""
        return {name: self.references[name].digest for name in measure.references}

    def score(self, store: RunStore, scorer: Scorer) -> dict[str, list[SetScore]]:
        """Score a run: measure -> its values; what is stored under the same key stays as it is."""
        stored: dict[str, set[str]] = {}
        for one in store.set_scores().values():
            stored.setdefault(one.measure, set()).add(one.key if one.intact else "")
        items = store.items()
        slices = named_slices(self.slices, items)
        scores: dict[str, list[SetScore]] = {}
        for measure in self.measures:
            key = self._key(measure, store, items, slices)
            if stored.get(measure.name) != {key}:
                rows = self._rows(measure, store, scorer, items)
                key = "" if rows.failed else key  # what failed may pass next time
                taken = (self.values(measure, rows, items, name, key) for name in (None, *slices))
                scores[measure.name] = [value for of_slice in taken for value in of_slice]
        return scores

    def _key(self, measure: Measure, store: RunStore, items: Sequence[Item], slices: Sequence[str]) -> str:
        fields: dict[str, Json] = {
            "measure": measure.name,
            "version": measure.version,
            "encoders": {name: self.encoders[name].digest for name in measure.needs},
            "references": dict(self.digests(measure)),
            "clips": {record.item: (record.outcome, record.sha256) for record in store.each_clip()},
            "labels": {item.id: list(item.slices) for item in items},
            "slices": list(slices),
        }
        if measure.source is not None:
            fields["source"] = measure.source
        return digest("set score", fields)

    def _references(self, measure: Measure) -> dict[str, Reference]:
        found: dict[str, Reference] = {}
        for name in measure.references:
            clips = self.references[name]
            made = {f: clips.features(self.encoders[f], self.cache) for f in measure.needs}
            features = {f: rows for f, (rows, _) in made.items()}
            found[name] = Reference(name, features, {f: names for f, (_, names) in made.items()}, clips.size)
        return found

    def _rows(self, measure: Measure, store: RunStore, scorer: Scorer, items: Sequence[Item]) -> Rows:
        rows = Rows([], {name: [] for name in measure.needs}, {}, False)
        records, failed = store.clips(), False
        for item in items:
            record = records[item.id]
            if record.outcome != "ok" or record.sha256 is None:
                rows.without[item.id] = record.outcome
                continue
            row = clip_row(measure, scorer, record.sha256, store.clip_file(record))
            if isinstance(row, str):
                rows.without[item.id], failed = row, failed or row == "failed"
                continue
            for name, feature in row.items():
                rows.features[name].append(feature)
            rows.items.append(item)
            rows.infos.append(record.info or _info(store.clip_file(record)))
        return Rows(rows.items, rows.features, rows.without, failed, rows.infos)

    def values(
        self, measure: Measure, rows: Rows, items: Sequence[Item], name: str | None, key: str
    ) -> list[SetScore]:
        """Compute a measure on the whole run, or on one slice."""
        chosen = [k for k, item in enumerate(rows.items) if name is None or name in item.slices]
        asked = [item for item in items if name is None or name in item.slices]
        left_out = Counter(rows.without[item.id] for item in asked if item.id in rows.without)
        given = _Given(measure, name, key, len(chosen), left_out)
        if measure.set_function is None or not chosen:
            return given.without(
                "not_applicable",
                "no clip of this run has the feature that is compared (too short, refused or failed)",
            )
        unlike = self._unlike(measure, rows.infos)
        if unlike:
            return given.without("not_applicable", unlike)
        features = {f: np.concatenate([made[k] for k in chosen]) for f, made in rows.features.items()}
        references = self._references(measure)
        first = next(iter(rows.features.values()), None)
        of_rows = [rows.items[k] for k in chosen for _ in range(1 if first is None else len(first[k]))]
        sample = RunSample(of_rows, features, references, CONFIDENCE)
        try:
            result = measure.set_function(sample)
        except NotApplicable as why:
            return given.without("not_applicable", str(why))
        except MeasureFailed as why:
            return given.without("failed", str(why))
        except (
            Exception,
            SystemExit,
        ) as error:  # a user's own measure must not end the run
            return given.without("failed", describe(error))
        named = {"": result} if isinstance(result, RunEstimate) else dict(result)
        if set(named) != set(given.names):
            got = ", ".join(sorted(named)) or "none"
            return given.without("failed", f"it gave the values {got}, not those it is registered with")
        clusters = len({item.cluster for item in sample.items})
        notes = [note for one in references.values() for note in _unread(one)]
        return [given.value(value, one, clusters, notes) for value, one in named.items()]

    def _unlike(self, measure: Measure, infos: Sequence[ClipInfo]) -> str:
        """Say why a reference set cannot be compared with the clips in time; empty if it can.

        Measures of single frames do not ask.
        """
        if measure.rows == "frame" or not infos:
            return ""
        fixed = all(self.encoders[feature].frames_read is not None for feature in measure.needs)
        for name in measure.references:
            why = unlike_timing(
                [(info.fps, info.frames) for info in infos], self.references[name].timing, lengths=not fixed
            )
            if why:
                return f"the reference set {name!r} {why}"
        return ""


@dataclass(frozen=True)
class _Given:
    """What the values of one measure on one slice have in common."""

    measure: Measure
    slice: str | None
    key: str
    n: int
    left_out: Counter[str]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.measure.values) or ("",)

    def without(self, status: Status, why: str, names: Sequence[str] | None = None) -> list[SetScore]:
        counts = {**self.left_out, status: self.left_out[status] + self.n}
        key = "" if status == "failed" else self.key
        return [
            SetScore(
                measure=self.measure.name,
                status=status,
                reason=why,
                left_out=counts,
                key=key,
                name=name,
                slice=self.slice,
                n=0,
            )
            for name in (self.names if names is None else names)
        ]

    def value(self, name: str, one: RunEstimate, clusters: int, notes: Sequence[str]) -> SetScore:
        own = self.measure.values.get(name) or Value(self.measure.better, self.measure.bounds)
        problem = _problem(one, own)
        if problem is not None:
            return self.without("failed", problem, [name])[0]
        return SetScore(
            measure=self.measure.name,
            status="ok",
            value=one.value,
            low=one.low,
            high=one.high,
            confidence=one.confidence,
            method=one.method,
            notes=(*one.notes, *notes),
            n=one.n or self.n,
            clusters=one.clusters or clusters,
            n_reference=one.n_reference or 0,
            left_out={k: self.left_out[k] + one.left_out.get(k, 0) for k in {*self.left_out, *one.left_out}},
            leave_one_out=one.leave_one_out,
            key=self.key,
            name=name,
            slice=self.slice,
        )


def _info(file: File) -> ClipInfo:
    with opened(file) as path:
        return open_clip(path).info


def _problem(one: RunEstimate, own: Value) -> str | None:
    """Say why an estimate cannot be a score: it is not a number, or outside its range."""
    if one.value is None or not math.isfinite(one.value):
        return f"the value was {one.value}"
    low, high = own.bounds
    if (low is not None and one.value < low) or (high is not None and one.value > high):
        return f"the value {one.value:g} is outside of the measure's range"
    return None


def _unread(reference: Reference) -> list[str]:
    used = min((len(set(clips)) for clips in reference.clips.values()), default=reference.size)
    if used == reference.size:
        return []
    return [
        f"{reference.size - used} of {reference.size} reference clips are too short for the encoder and were "
        "left out"
    ]
