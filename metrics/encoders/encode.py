"""Encode a clip in one pass: decode it once for all encoders whose features are not cached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ...harness.core.errors import MediaError, UsageError, describe
from ...harness.core.media import ClipInfo, Decoding, Window, decoding, open_clip
from ...harness.core.storage import File, damaged_clip, opened
from .base import Encoder, Feature, FileEncoder, Incomplete, NotApplicable, Record, Stream
from .cache import FeatureCache

__all__ = ["Encoded", "encode_clip", "encode_file"]

_WHY = "not applicable"
"""Metadata key of a cached record: why the encoder does not apply to the clip."""


@dataclass(frozen=True)
class Encoded:
    """The features of one clip, the reasons for missing ones, and the names of incomplete ones."""

    info: ClipInfo
    features: Mapping[str, Feature | Record]
    problems: Mapping[str, str]
    incomplete: frozenset[str] = frozenset()
    not_applicable: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def matrices(self) -> dict[str, Feature]:
        """The features that are one matrix each."""
        return {name: made for name, made in self.features.items() if not isinstance(made, Record)}

    @property
    def records(self) -> dict[str, Record]:
        """The features that are records."""
        return {name: made for name, made in self.features.items() if isinstance(made, Record)}


def encode_clip(sha256: str, file: File, encoders: Mapping[str, Encoder], cache: FeatureCache) -> Encoded:
    """Return the features of a stored clip: cached ones, and the rest computed in one pass over the frames.

    The file is opened only if something is not cached.

    Raises:
        UsageError: the file is gone, or is not the one whose sha256 was recorded.
        MediaError: the file cannot be decoded.
    """
    features: dict[str, Feature | Record] = {}
    not_applicable: dict[str, str] = {}
    info, there = cache.get_clip(sha256, [encoder.digest for encoder in encoders.values()])
    for name, encoder in encoders.items():
        cached = there.get(encoder.digest)
        if isinstance(cached, Record) and _WHY in cached.meta:
            not_applicable[name] = str(cached.meta[_WHY])
        elif cached is not None:
            features[name] = cached
    missing = {n: encoder for n, encoder in encoders.items() if n not in features and n not in not_applicable}
    if info is not None and not missing:
        return Encoded(info, features, {}, not_applicable=not_applicable)
    with opened(file) as path:
        if not path.is_file():
            raise damaged_clip(file, "is gone")
        with decoding(path, sound=_hear(missing)) as frames:
            if frames.clip.sha256 != sha256:
                raise damaged_clip(file, "has changed")
            made = _one_pass(frames, missing)
    new: dict[str, Feature | Record] = {
        missing[name].digest: feature
        for name, feature in made.features.items()
        if name not in made.incomplete
    }
    new |= {missing[name].digest: Record({}, {_WHY: why}) for name, why in made.not_applicable.items()}
    cache.put_clip(sha256, made.info, new)
    if not features and not not_applicable:
        return made
    return replace(
        made,
        features={**features, **made.features},
        not_applicable={**not_applicable, **made.not_applicable},
    )


def encode_file(path: Path, encoder: Encoder, cache: FeatureCache) -> tuple[str, Feature]:
    """Return the sha256 of a file and its feature, from the cache if possible.

    Raises:
        MediaError: the file cannot be decoded, or the encoder failed on it or does not apply to it.
        UsageError: the feature is a record.
    """
    sha256 = open_clip(path).sha256
    encoded = encode_clip(sha256, path, {encoder.name: encoder}, cache)
    for problem in (*encoded.problems.values(), *encoded.not_applicable.values()):
        raise MediaError(f"{path}: {problem}")
    feature = encoded.features[encoder.name]
    if isinstance(feature, Record):
        raise UsageError(f"a set is compared by matrices, and the feature {encoder.name!r} is a record")
    return sha256, feature


def _hear(encoders: Mapping[str, Encoder]) -> bool:
    return any(encoder.hears for encoder in encoders.values() if not isinstance(encoder, FileEncoder))


def _one_pass(frames: Decoding, encoders: Mapping[str, Encoder]) -> Encoded:
    clip = frames.clip
    of_files = {name: encoder for name, encoder in encoders.items() if isinstance(encoder, FileEncoder)}
    sinks = {name: _Sink(e.open(clip.info)) for name, e in encoders.items() if name not in of_files}
    info = frames.into(list(sinks.values()))
    ends = {name: _end(sink.finish) for name, sink in sinks.items()}
    for name, encoder in of_files.items():
        ends[name] = _end(partial(encoder.encode_file, clip.path, info))
    return Encoded(
        info,
        {name: end.made for name, end in ends.items() if end.made is not None},
        {n: f"the encoder {n!r} failed: {end.problem}" for n, end in ends.items() if end.problem is not None},
        frozenset(name for name, end in ends.items() if end.incomplete),
        {name: end.not_applicable for name, end in ends.items() if end.not_applicable is not None},
    )


@dataclass(frozen=True)
class _End:
    """The result of an encoder: a feature (perhaps incomplete), or the reason why there is none."""

    made: Feature | Record | None = None
    problem: str | None = None
    not_applicable: str | None = None
    incomplete: bool = False


def _end(finish: Callable[[], Feature | Record]) -> _End:
    try:
        return _End(finish())
    except Incomplete as what:
        return _End(what.feature, incomplete=True)
    except NotApplicable as why:
        return _End(not_applicable=str(why))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of Rust is no Exception
        return _End(problem=describe(error))


class _Sink:
    """An encoder's stream that keeps its error, so that other encoders continue."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._error: BaseException | None = None

    def push(self, window: Window) -> None:
        if self._error is None:
            try:
                self._stream.push(window)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._error = error

    def finish(self) -> Feature | Record:
        if self._error is not None:
            raise self._error
        return self._stream.finish()
