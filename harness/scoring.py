"""From a stored clip to its scores: decode once, encode with what is not cached yet, measure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..metrics.base import Measure, NotApplicable, Sample, Scored
from ..metrics.features import Encoder, Feature, Stream, TextEncoder
from .cache import FeatureCache
from .errors import MediaError, UsageError
from .keys import Json, canonical_json, digest
from .media import Clip, ClipInfo, Window, decode, open_clip
from .plan import Item
from .store import ClipRecord, Score

__all__ = ["Scorer", "score_key"]

TEXT = ".text"


def score_key(measure: Measure, record: ClipRecord, prompt: str | None, encoders: Mapping[str, str]) -> str:
    """Give the identity of one score: what was measured, by which version, through which encoders.

    ``encoders`` is feature name -> encoder digest, of the features that the measure needs.
    """
    fields: dict[str, Json] = {
        "measure": measure.name,
        "version": measure.version,
        "outcome": record.outcome,
        "reason": record.reason,
        "clip": record.sha256,
        "encoders": dict(encoders),
    }
    if any(name.endswith(TEXT) for name in encoders):
        fields["prompt"] = prompt
    return digest("score", fields)


@dataclass(frozen=True)
class _Encoded:
    """The features of one clip, and for those that could not be made, why."""

    info: ClipInfo
    features: Mapping[str, Feature]
    problems: Mapping[str, str]


class Scorer:
    """Score items with a fixed set of measures and encoders.

    Args:
        measures: measures of single clips (not of sets).
        encoders: feature name -> encoder, for every feature that the measures need, and for those that
            measures of sets will ask for (so that one pass over the frames makes them all). ``<role>.text``
            maps to the encoder of the role.
    """

    def __init__(
        self, measures: Sequence[Measure], encoders: Mapping[str, Encoder], cache: FeatureCache
    ) -> None:
        self._measures = measures
        self._encoders = encoders
        self._cache = cache

    def keys(self, item: Item, record: ClipRecord) -> dict[str, str]:
        """Give the key that each measure's score of this item has: measure name -> key."""
        return {
            m.name: score_key(m, record, item.prompt, {f: self._encoders[f].digest for f in m.needs})
            for m in self._measures
        }

    def score(self, item: Item, record: ClipRecord, path: Path | None) -> tuple[ClipRecord, list[Score]]:
        """Score one item; return its record, completed by what decoding told, and its scores.

        A file that cannot be decoded makes the record, and every score, ``failed`` with the reason.
        """
        encoded: _Encoded | None = None
        if record.outcome == "ok" and record.sha256 is not None and path is not None:
            try:
                encoded = self._encode(item, record.sha256, path)
                record = replace(record, info=encoded.info)
            except MediaError as error:
                # Users know a file by the name they gave it, not by its digest.
                reason = str(error).replace(str(path), item.source or path.name)
                record = replace(record, outcome="failed", reason=reason)
        keys = self.keys(item, record)
        return record, [self._measure(m, item, record, encoded, keys[m.name]) for m in self._measures]

    def encode(self, sha256: str, path: Path, names: Sequence[str]) -> dict[str, Feature]:
        """Give the named features of a clip that is no item (one of a reference set).

        Raises:
            MediaError: the file cannot be decoded, or an encoder failed on it.
        """
        encoded = self._encode_clip(sha256, path, names)
        for problem in encoded.problems.values():
            raise MediaError(f"{path}: {problem}")
        return dict(encoded.features)

    def _encode(self, item: Item, sha256: str, path: Path) -> _Encoded:
        encoded = self._encode_clip(sha256, path, [n for n in self._encoders if not n.endswith(TEXT)])
        if item.prompt is None:
            return encoded
        features, problems = dict(encoded.features), dict(encoded.problems)
        for name in self._encoders:
            if name.endswith(TEXT):
                try:
                    features[name] = self._text(name, item.prompt)
                except Exception as error:  # a prompt that the tokenizer cannot read, for one
                    problems[name] = f"the prompt could not be encoded for {name!r}: {_describe(error)}"
        return replace(encoded, features=features, problems=problems)

    def _encode_clip(self, sha256: str, path: Path, names: Sequence[str]) -> _Encoded:
        """Take what is cached; make the rest in one pass over the frames."""
        features: dict[str, Feature] = {}
        for name in names:
            cached = self._cache.get(sha256, self._encoders[name].digest)
            if cached is not None:
                features[name] = cached
        missing = [name for name in names if name not in features]
        info = self._cache.get_info(sha256)
        if info is not None and not missing:
            return _Encoded(info, features, {})
        if not path.is_file():
            raise _damaged(path, "is gone")
        clip = open_clip(path)
        if clip.sha256 != sha256:
            raise _damaged(path, "has changed")
        info, made, problems = self._pass(clip, missing)
        self._cache.put_info(sha256, info)
        for name, feature in made.items():
            self._cache.put(sha256, self._encoders[name].digest, feature)
        return _Encoded(info, {**features, **made}, problems)

    def _pass(self, clip: Clip, names: Sequence[str]) -> tuple[ClipInfo, dict[str, Feature], dict[str, str]]:
        sinks = {name: _Sink(self._encoders[name].open(clip.info)) for name in names}
        info = decode(clip, list(sinks.values()))
        made: dict[str, Feature] = {}
        problems: dict[str, str] = {}
        for name, sink in sinks.items():
            feature = sink.finish()
            if feature is None:
                problems[name] = f"the encoder {name!r} failed: {sink.problem}"
            else:
                made[name] = feature
        return info, made, problems

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
        self, measure: Measure, item: Item, record: ClipRecord, encoded: _Encoded | None, key: str
    ) -> Score:
        if record.outcome != "ok" and not measure.every_outcome:
            return Score(item.id, measure.name, record.outcome, reason=record.reason, key=key)
        features = encoded.features if encoded is not None else {}
        for name in measure.needs:
            if encoded is not None and name in encoded.problems:
                return Score(item.id, measure.name, "failed", reason=encoded.problems[name], key=key)
        sample = Sample(item, record.outcome, record.info, features)
        try:
            result = _call(measure, sample)
        except NotApplicable as why:
            return Score(item.id, measure.name, "not_applicable", reason=str(why), key=key)
        except Exception as error:  # a measure, perhaps a user's own, must not end the run
            return Score(item.id, measure.name, "failed", reason=_describe(error), key=key)
        problem = _problem(measure, result)
        if problem is not None:
            return Score(item.id, measure.name, "failed", reason=problem, key=key)
        return Score(item.id, measure.name, "ok", result.value, evidence=result.evidence, key=key)


class _Sink:
    """An encoder's stream that remembers its own failure, so that other encoders go on."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.problem: str | None = None

    def push(self, window: Window) -> None:
        if self.problem is None:
            try:
                self._stream.push(window)
            except Exception as error:
                self.problem = _describe(error)

    def finish(self) -> Feature | None:
        if self.problem is None:
            try:
                return self._stream.finish()
            except Exception as error:
                self.problem = _describe(error)
        return None


def _damaged(path: Path, how: str) -> UsageError:
    """Build the error for a run folder that lost a clip: nothing of that is the generator's fault."""
    return UsageError(
        f"the stored clip {path} {how}; restore it, or delete it and let 'screentest run --retry-failed' "
        "make it again. No score was changed"
    )


def _call(measure: Measure, sample: Sample) -> Scored:
    if measure.function is None:
        raise TypeError(f"{measure.name} is a measure of sets")
    value = measure.function(sample)
    return value if isinstance(value, Scored) else Scored(float(value))


def _problem(measure: Measure, result: Scored) -> str | None:
    """Say why a result cannot be a score: it is no number, not in the measure's range, or not plain JSON."""
    if not math.isfinite(result.value):
        return f"the value was {result.value}"
    low, high = measure.bounds
    if (low is not None and result.value < low) or (high is not None and result.value > high):
        return f"the value {result.value:g} is outside of the measure's range"
    if measure.kind == "rate" and result.value not in (0.0, 1.0):
        return f"the value {result.value:g} of a rate is neither 0 nor 1"
    try:
        canonical_json(dict(result.evidence))
    except (TypeError, ValueError) as error:
        return f"its evidence is not plain JSON: {error}"
    return None


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
