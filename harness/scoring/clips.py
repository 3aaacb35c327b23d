"""Score a stored clip: decode it once, encode what is not cached yet, and measure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...metrics.base import Measure, MeasureFailed, NotApplicable, Sample, Scored, Setting
from ...metrics.encoders.base import Encoder, Feature, TextEncoder
from ...metrics.encoders.cache import FeatureCache
from ...metrics.encoders.encode import Encoded, encode_clip
from ..core.clip_info import DECODING_VERSION
from ..core.errors import MediaError, ServiceDown, UsageError, describe
from ..core.items import Item
from ..core.keys import Digester, Json, canonical_json
from ..core.layers import to_json
from ..core.run_data import ClipRecord, Score
from ..core.storage import File

__all__ = ["CUT", "PROVISIONAL", "TEXT", "Scorer", "score_key", "score_without_clip"]

TEXT = ".text"
CUT = "prompt_cut"
"""Evidence key of a sentence that says how much of the prompt was not read."""
PROVISIONAL = "provisional"
"""Evidence key of a score from an incomplete feature; the next scoring computes it again."""


def score_key(
    measure: Measure,
    record: ClipRecord,
    prompt: str | None,
    encoders: Mapping[str, str],
    settings: Mapping[str, str] | None = None,
) -> str:
    """Compute the key of one score from the clip, the measure's version, the encoders and the settings.

    ``encoders`` is feature name -> encoder digest, for the features that the measure needs. ``settings`` is
    name -> digest, for the settings of the run that it reads.
    """
    varying = _of_item(record, prompt, any(name.endswith(TEXT) for name in encoders))
    return _digester(measure, encoders, settings or {}, tuple(varying))(varying)


def _of_item(record: ClipRecord, prompt: str | None, with_prompt: bool) -> dict[str, Json]:
    """List the fields of a score's key that differ from item to item."""
    fields: dict[str, Json] = {"clip": record.sha256, "outcome": record.outcome, "reason": record.reason}
    if with_prompt:
        fields["prompt"] = prompt
    if record.layers:
        fields["layers"] = to_json(record.layers)
    return fields


def _digester(
    measure: Measure, encoders: Mapping[str, str], settings: Mapping[str, str], varying: tuple[str, ...]
) -> Digester:
    shared: dict[str, Json] = {
        "measure": measure.name,
        "version": measure.version,
        "decoding": DECODING_VERSION,
        "encoders": dict(encoders),
    }
    if settings:
        shared["settings"] = dict(settings)
    if measure.source is not None:
        shared["source"] = measure.source
    return Digester("score", shared, varying)


class Scorer:
    """Score items with a fixed set of measures and encoders.

    Args:
        measures: measures of single clips (not set measures).
        encoders: feature name -> encoder, for every feature that the measures need, and for those that set
            measures will need, so that one pass over the frames computes them all. ``<role>.text`` maps to
            the encoder of the role.
        settings: the settings of the run that the measures read, by name.
    """

    def __init__(
        self,
        measures: Sequence[Measure],
        encoders: Mapping[str, Encoder],
        cache: FeatureCache,
        settings: Mapping[str, Setting] | None = None,
    ) -> None:
        self._measures = measures
        self._settings = settings or {}
        self._encoders = encoders
        self._cache = cache
        self._digesters: dict[tuple[str, tuple[str, ...]], Digester] = {}

    def prepare(self, items: Sequence[Item]) -> None:
        """Let the encoders check all items of a run.

        Raises:
            UsageError: an item needs something that an encoder cannot read.
        """
        for encoder in {id(encoder): encoder for encoder in self._encoders.values()}.values():
            encoder.prepare(items)

    def keys(self, item: Item, record: ClipRecord) -> dict[str, str]:
        """Compute the keys of this item's scores: measure name -> key."""
        return {m.name: self._key(m, item, record) for m in self._measures}

    def _key(self, measure: Measure, item: Item, record: ClipRecord) -> str:
        varying = _of_item(record, item.prompt, any(name.endswith(TEXT) for name in measure.needs))
        names = tuple(varying)
        if (measure.name, names) not in self._digesters:
            encoders = {f: self._encoders[f].digest for f in measure.needs}
            settings = {name: self._settings[name].digest for name in measure.settings}
            self._digesters[measure.name, names] = _digester(measure, encoders, settings, names)
        return self._digesters[measure.name, names](varying)

    def score(self, item: Item, record: ClipRecord, file: File | None) -> tuple[ClipRecord, list[Score]]:
        """Score one item; return its record, with the properties found in decoding, and its scores.

        A file that cannot be decoded makes the record, and every score, ``failed`` with the reason.
        """
        encoded: Encoded | None = None
        if record.outcome == "ok" and record.sha256 is not None and file is not None:
            try:
                encoded = self._encode(item, record.sha256, file)
                record = replace(record, info=encoded.info)
            except MediaError as error:
                # Name the file as the user named it, not by its digest.
                reason = str(error).replace(str(file), item.file or item.source or file.name)
                record = replace(record, outcome="failed", reason=reason)
        keys = self.keys(item, record)
        matrices, records = ({}, {}) if encoded is None else (encoded.matrices, encoded.records)
        # One sample for all measures, so that values derived by several of them are computed once.
        sample = Sample(item, record.outcome, record.info, matrices, record.layers, records, self._settings)
        return record, [self._measure(m, sample, record, encoded, keys[m.name]) for m in self._measures]

    def failed(self, item: Item, record: ClipRecord, reason: str) -> list[Score]:
        """Give failed scores to an item that could not be scored at all."""
        keys = self.keys(item, record)
        return [Score(item.id, m.name, "failed", reason=reason, key=keys[m.name]) for m in self._measures]

    def encode(self, sha256: str, file: File, names: Sequence[str]) -> dict[str, Feature]:
        """Return the named features of a clip for a set measure; a feature that does not apply has no rows.

        Raises:
            MediaError: the file cannot be decoded, or an encoder failed on it.
        """
        encoded = encode_clip(sha256, file, {name: self._encoders[name] for name in names}, self._cache)
        for problem in encoded.problems.values():
            raise MediaError(f"{file}: {problem}")
        for name in encoded.records:
            raise UsageError(f"the feature {name!r} is a record, and a set measure reads matrices only")
        nothing = np.empty((0, 0))
        return {name: encoded.matrices.get(name, nothing) for name in names}

    def _encode(self, item: Item, sha256: str, file: File) -> Encoded:
        encoders = {n: e.for_item(item) for n, e in self._encoders.items() if not n.endswith(TEXT)}
        encoded = encode_clip(sha256, file, encoders, self._cache)
        if item.prompt is None or not any(name.endswith(TEXT) for name in self._encoders):
            return encoded
        features = dict(encoded.features)
        problems = dict(encoded.problems)
        for name in self._encoders:
            if name.endswith(TEXT):
                try:
                    features[name] = self._text(name, item.prompt)
                except ServiceDown:
                    raise  # the cache cannot be reached, which says nothing about the prompt
                except Exception as error:  # for example, a prompt that the tokenizer cannot read
                    problems[name] = f"the prompt could not be encoded for {name!r}: {describe(error)}"
        return replace(encoded, features=features, problems=problems)

    def _text(self, name: str, prompt: str) -> Feature:
        encoder = self._encoders[name]
        cached = self._cache.get_text(prompt, encoder.digest)
        if cached is not None:
            return cached
        if not isinstance(encoder, TextEncoder):
            raise TypeError(f"the encoder {encoder.name!r} has no text side, so there is no feature {name!r}")
        feature = encoder.encode_text(prompt)
        self._cache.put_text(prompt, encoder.digest, feature)
        return feature

    def _measure(
        self, measure: Measure, sample: Sample, record: ClipRecord, encoded: Encoded | None, key: str
    ) -> Score:
        item = sample.item
        if _no_say(record, measure):
            return Score(item.id, measure.name, record.outcome, reason=record.reason, key=key)
        for name in measure.needs:
            if encoded is not None and name in encoded.problems:
                return Score(item.id, measure.name, "failed", reason=encoded.problems[name], key=key)
            if encoded is not None and name in encoded.not_applicable:
                why = encoded.not_applicable[name]
                return Score(item.id, measure.name, "not_applicable", reason=why, key=key)
        made = _taken(measure, sample, key)
        cut = self._cut(measure, item.prompt) if made.status == "ok" else ""
        if cut:
            made = replace(made, evidence={**made.evidence, CUT: cut})
        if made.status == "ok" and encoded is not None and encoded.incomplete & set(measure.needs):
            return replace(made, evidence={**made.evidence, PROVISIONAL: True})
        return made

    def _cut(self, measure: Measure, prompt: str | None) -> str:
        """Say how much of a prompt the text encoders of a measure do not read; empty where they read all."""
        texts = (self._encoders[name] for name in measure.needs if name.endswith(TEXT))
        if prompt is None:
            return ""
        return "; ".join(
            cut for encoder in texts if isinstance(encoder, TextEncoder) and (cut := encoder.cut(prompt))
        )


def score_without_clip(measure: Measure, item: Item, record: ClipRecord) -> Score | None:
    """Give the score that follows from what came back for an item, without looking at a clip.

    It has no key. None where the clip, or a setting of the run, has a say.
    """
    if _no_say(record, measure):
        return Score(item.id, measure.name, record.outcome, reason=record.reason)
    if measure.function is None or measure.settings or (record.outcome == "ok" and measure.needs):
        return None
    return _taken(measure, Sample(item, record.outcome, record.info, {}, record.layers), "")


def _no_say(record: ClipRecord, measure: Measure) -> bool:
    """Say whether the outcome alone decides the score."""
    return record.outcome == "not_applicable" or (record.outcome != "ok" and not measure.every_outcome)


def _taken(measure: Measure, sample: Sample, key: str) -> Score:
    item = sample.item
    try:
        result = _call(measure, sample)
    except NotApplicable as why:
        return Score(item.id, measure.name, "not_applicable", reason=str(why), key=key)
    except MeasureFailed as why:
        return Score(item.id, measure.name, "failed", reason=str(why), key=key)
    except (
        Exception,
        SystemExit,
    ) as error:  # a user's own measure must not end the run
        return Score(item.id, measure.name, "failed", reason=describe(error), key=key)
    problem = _problem(measure, result)
    if problem is not None:
        return Score(item.id, measure.name, "failed", reason=problem, key=key)
    return Score(item.id, measure.name, "ok", result.value, evidence=result.evidence, key=key)


def _call(measure: Measure, sample: Sample) -> Scored:
    if measure.function is None:
        raise TypeError(f"{measure.name} is a set measure")
    value = measure.function(sample)
    return value if isinstance(value, Scored) else Scored(float(value))


def _problem(measure: Measure, result: Scored) -> str | None:
    """Say why a result cannot be a score: not a number, outside the range, or evidence that is not JSON."""
    if not math.isfinite(result.value):
        return f"the value was {result.value}"
    low, high = measure.bounds
    if (low is not None and result.value < low) or (high is not None and result.value > high):
        return f"the value {result.value:g} is outside of the measure's range"
    if measure.kind == "rate" and result.value not in (0.0, 1.0):
        return f"the value {result.value:g} of a rate is neither 0 nor 1"
    try:
        if result.evidence:
            canonical_json(dict(result.evidence))
    except (TypeError, ValueError) as error:
        return f"its evidence is not plain JSON: {error}"
    return None
