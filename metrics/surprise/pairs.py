"""Matched pairs of clips, one physically possible and one impossible, each scored by a model.

A CSV file lists them, with the columns ``possible`` and ``impossible`` (files in its folder) and, optionally,
``cluster`` (pairs of one scene are not independent), ``tag`` (such as the broken law; each tag has a row
in the result) and ``prompt`` (what both clips show, for a model that reads it). Without a cluster, pairs with
the same possible clip form one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from ...harness.core.config import Config
from ...harness.core.counts import counted
from ...harness.core.csv_rows import csv_rows, read_table
from ...harness.core.errors import MediaError, UsageError
from ...harness.core.estimate import Estimate
from ...harness.core.files import safe_name
from ...harness.core.progress import track
from ...harness.core.stats import Interval
from ..encoders.base import Encoder
from ..encoders.cache import FeatureCache
from ..encoders.encode import encode_file
from .pairwise import area_under_curve, pairwise_accuracy

__all__ = [
    "ClipPair",
    "ClipScorer",
    "EncoderScorer",
    "PairScore",
    "PairsResult",
    "Reduce",
    "Share",
    "read_pairs",
    "score_pairs",
]

Reduce = Literal["mean", "max"]
_COLUMNS = ("possible", "impossible")
_OPTIONAL = ("cluster", "tag", "prompt")


@dataclass(frozen=True)
class ClipPair:
    """Two clips of one scene, by file."""

    possible: Path
    impossible: Path
    cluster: str
    tag: str = ""
    prompt: str = ""


class ClipScorer(Protocol):
    """What gives each clip of a pair a score, the higher the less the model expected it."""

    @property
    def digest(self) -> str:
        """Identify the model and its settings."""
        ...

    @property
    def how(self) -> str:
        """Say in a few words what the score is."""
        ...

    def score(self, path: Path, pair: ClipPair) -> tuple[str, float]:
        """Score one clip of a pair: its file's sha256, and the score.

        Raises:
            MediaError: the file cannot be decoded, or the model has no score for such a clip.
        """
        ...


@dataclass(frozen=True)
class EncoderScorer:
    """The last column of an encoder's feature, reduced over its rows.

    Attributes:
        encoder: what looks at the clips; each is decoded once, and its feature cached.
        cache: where features are kept.
        reduce: the mean over rows (for comparing within a pair) or the largest.
    """

    encoder: Encoder
    cache: FeatureCache
    reduce: Reduce = "mean"

    @property
    def digest(self) -> str:
        """Give the encoder's digest."""
        return self.encoder.digest

    @property
    def how(self) -> str:
        """Name the reduction."""
        return f"{self.reduce} of the windows"

    def score(self, path: Path, pair: ClipPair) -> tuple[str, float]:
        """Encode a clip, or read its feature from the cache.

        Raises:
            MediaError: it cannot be decoded, or is too short for a window.
        """
        del pair
        sha256, rows = encode_file(path, self.encoder, self.cache)
        if not len(rows):
            raise MediaError(f"{path} has fewer frames than a window of the model takes")
        values = rows[:, -1]
        return sha256, float(values.mean() if self.reduce == "mean" else values.max())


class PairScore(Config):
    """The scores of one pair, or why it has none. ``right`` is 1, 0 or, for a tie, 1/2."""

    possible: str
    impossible: str
    cluster: str
    tag: str
    status: Literal["ok", "left_out"]
    reason: str = ""
    scores: dict[str, float] | None = None
    right: float | None = None
    files: dict[str, str] = Field(default_factory=dict)


class Share(Estimate):
    """A share of pairs with its interval, over all of them or those of one tag."""

    tag: str | None


class PairsResult(Config):
    """Every pair, how often the impossible clip scored higher, and the accuracy of a single threshold.

    Attributes:
        model: the digest of what scored the clips.
        how: what the scores are.
        accuracy: of matched pairs; first over all, then by tag.
        area: the area under the ROC curve, over all pairs, matched or not.
        left_out: reason -> number of pairs.
    """

    model: str
    how: str
    accuracy: tuple[Share, ...]
    area: Share
    left_out: dict[str, int]
    rows: tuple[PairScore, ...]


def read_pairs(path: Path) -> tuple[ClipPair, ...]:
    """Read a CSV file of pairs.

    Raises:
        UsageError: no such file, or a line of it is wrong; the sentence names the line.
    """
    pairs: list[ClipPair] = []
    text = read_table(path, "the pairs")
    for line, row in csv_rows(path, text, partial(_check_columns, path)):
        names: list[str] = []
        for column in _COLUMNS:
            try:
                names.append(safe_name(path.parent, row[column]))
            except UsageError as error:
                raise UsageError(f"{path}, line {line}: {error}") from None
        if names[0] == names[1]:
            raise UsageError(f"{path}, line {line}, pairs {names[0]} with itself")
        files = [path.parent / name for name in names]
        cluster, tag, prompt = row.get("cluster") or names[0], row.get("tag", ""), row.get("prompt", "")
        pairs.append(ClipPair(files[0], files[1], cluster, tag, prompt))
    if not pairs:
        raise UsageError(f"{path} lists no pair")
    return tuple(pairs)


def _check_columns(path: Path, names: Sequence[str]) -> None:
    if not set(_COLUMNS) <= set(names) <= {*_COLUMNS, *_OPTIONAL}:
        raise UsageError(
            f"{path} should have the columns possible, impossible, and optionally {', '.join(_OPTIONAL)}"
        )


def score_pairs(pairs: Sequence[ClipPair], scorer: ClipScorer, *, confidence: float = 0.95) -> PairsResult:
    """Score both clips of every pair.

    Args:
        pairs: the clips.
        scorer: what scores them.
        confidence: of the intervals.

    Raises:
        UsageError: the model cannot be used; or not one pair could be scored, with the most frequent reason.
    """
    model = scorer.digest  # what cannot be opened says so once, and not for each pair
    rows: list[PairScore] = []
    with track("pairs", len(pairs)) as ticker:
        for pair in pairs:
            rows.append(_score(pair, scorer))
            ticker.advance()
    good = [row for row in rows if row.status == "ok"]
    left_out = Counter(row.reason for row in rows if row.status == "left_out")
    if not good:
        raise UsageError(
            f"not one of {counted(len(rows), 'pair')} could be scored; first reason: "
            f"{left_out.most_common(1)[0][0]}"
        )
    tags = sorted({row.tag for row in good if row.tag})
    shares = [_accuracy(good, None, confidence)]
    shares += [_accuracy([row for row in good if row.tag == tag], tag, confidence) for tag in tags]
    area = area_under_curve(*_columns(good), confidence)
    return PairsResult(
        model=model,
        how=scorer.how,
        accuracy=tuple(shares),
        area=_share(area, None, good, confidence),
        left_out=dict(sorted(left_out.items(), key=lambda r: (-r[1], r[0]))),
        rows=tuple(rows),
    )


def _score(pair: ClipPair, scorer: ClipScorer) -> PairScore:
    scores: dict[str, float] = {}
    files: dict[str, str] = {}
    names = {"possible": pair.possible, "impossible": pair.impossible}
    bare = PairScore(
        possible=pair.possible.name,
        impossible=pair.impossible.name,
        cluster=pair.cluster,
        tag=pair.tag,
        status="left_out",
    )
    for role, path in names.items():
        try:
            files[role], scores[role] = scorer.score(path, pair)
        except MediaError as error:
            return bare.model_copy(update={"reason": str(error), "files": files})
    order = (scores["impossible"] > scores["possible"]) - (scores["impossible"] < scores["possible"])
    found = {"status": "ok", "scores": scores, "right": (order + 1) / 2, "files": files}
    return bare.model_copy(update=found)


def _columns(rows: Sequence[PairScore]) -> tuple[list[float], list[float], list[str]]:
    scores = [row.scores or {} for row in rows]
    return [s["possible"] for s in scores], [s["impossible"] for s in scores], [row.cluster for row in rows]


def _accuracy(rows: Sequence[PairScore], tag: str | None, confidence: float) -> Share:
    return _share(pairwise_accuracy(*_columns(rows), confidence), tag, rows, confidence)


def _share(interval: Interval, tag: str | None, rows: Sequence[PairScore], confidence: float) -> Share:
    clusters = len({row.cluster for row in rows})
    return Share.of(interval.over("scene"), confidence, tag=tag, n=len(rows), clusters=clusters)
