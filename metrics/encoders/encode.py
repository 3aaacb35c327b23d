"""One pass over a clip: decode it once for all encoders, and take what is cached already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...harness.core.errors import MediaError, ScreentestError, UsageError
from ...harness.core.media import Clip, ClipInfo, Window, decode, open_clip
from .base import Encoder, Feature, Incomplete, Stream
from .cache import FeatureCache

__all__ = ["Encoded", "describe", "encode_clip", "encode_file"]


@dataclass(frozen=True)
class Encoded:
    """The features of one clip, for those that could not be made, why, and which of them are incomplete."""

    info: ClipInfo
    features: Mapping[str, Feature]
    problems: Mapping[str, str]
    incomplete: frozenset[str] = frozenset()


def encode_clip(sha256: str, path: Path, encoders: Mapping[str, Encoder], cache: FeatureCache) -> Encoded:
    """Give the features of a stored clip: what is cached, and the rest made in one pass over the frames.

    Raises:
        UsageError: the file is gone, or is not the one whose sha256 was recorded.
        MediaError: the file cannot be decoded.
    """
    features: dict[str, Feature] = {}
    for name, encoder in encoders.items():
        cached = cache.get(sha256, encoder.digest)
        if cached is not None:
            features[name] = cached
    missing = {name: encoder for name, encoder in encoders.items() if name not in features}
    info = cache.get_info(sha256)
    if info is not None and not missing:
        return Encoded(info, features, {})
    if not path.is_file():
        raise _damaged(path, "is gone")
    clip = open_clip(path)
    if clip.sha256 != sha256:
        raise _damaged(path, "has changed")
    made = _one_pass(clip, missing)
    cache.put_info(sha256, made.info)
    for name, feature in made.features.items():
        if name not in made.incomplete:
            cache.put(sha256, missing[name].digest, feature)
    return replace(made, features={**features, **made.features})


def encode_file(path: Path, encoder: Encoder, cache: FeatureCache) -> tuple[str, Feature]:
    """Give the sha256 of a file and its feature, from the cache where it is there.

    Raises:
        MediaError: the file cannot be decoded, or the encoder failed on it.
    """
    sha256 = open_clip(path).sha256
    encoded = encode_clip(sha256, path, {encoder.name: encoder}, cache)
    for problem in encoded.problems.values():
        raise MediaError(f"{path}: {problem}")
    return sha256, encoded.features[encoder.name]


def _one_pass(clip: Clip, encoders: Mapping[str, Encoder]) -> Encoded:
    sinks = {name: _Sink(encoder.open(clip.info)) for name, encoder in encoders.items()}
    info = decode(clip, list(sinks.values()))
    made: dict[str, Feature] = {}
    problems: dict[str, str] = {}
    for name, sink in sinks.items():
        feature = sink.finish()
        if feature is None:
            problems[name] = f"the encoder {name!r} failed: {sink.problem}"
        else:
            made[name] = feature
    incomplete = frozenset(name for name, sink in sinks.items() if sink.incomplete)
    return Encoded(info, made, problems, incomplete)


class _Sink:
    """An encoder's stream that remembers its own failure, so that other encoders go on."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.problem: str | None = None
        self.incomplete = False

    def push(self, window: Window) -> None:
        if self.problem is None:
            try:
                self._stream.push(window)
            except Exception as error:
                self.problem = describe(error)

    def finish(self) -> Feature | None:
        if self.problem is None:
            try:
                return self._stream.finish()
            except Incomplete as what:
                self.incomplete = True
                return what.feature
            except Exception as error:
                self.problem = describe(error)
        return None


def _damaged(path: Path, how: str) -> UsageError:
    """Build the error for a run folder that lost a clip: nothing of that is the generator's fault."""
    return UsageError(
        f"the stored clip {path} {how}; restore it, or delete it and let 'screentest run --retry-failed' "
        "make it again. No score was changed"
    )


def describe(error: Exception) -> str:
    """Say in one line what went wrong; the class of an error that is not ours leads it."""
    message = " ".join(str(error).split()) or "no message"
    return message if isinstance(error, ScreentestError) else f"{type(error).__name__}: {message}"
