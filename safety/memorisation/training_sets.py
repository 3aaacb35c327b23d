"""The training set that a generator's clips are held against, and the threshold of replication.

A clip is a replicate if it is *much* nearer to a training clip than to any real clip that was not in
training. Plain similarity does not tell that: two films of a ball on a table are alike, whoever made them. So
the similarity is relative to other real clips::

    relative = 1 - (1 - s_train) / (1 - s_other)

with the similarity of the nearest training clip and that of the nearest clip of one half of the held-out set:
1 for a copy, 0 for a clip that is as near to the one as to the other. (Carlini et al. 2023, "Extracting
training data from diffusion models", section 4, divide a distance by that of other neighbours as well; the
neighbours here are held out, so that a clip that is many times in the training set does not hide itself.)

With thumbnails, clips are compared by what is left of their difference after one is laid over the other
(`verified_search`), and the relative similarity asks for both, little left and much less than of others::

    relative = 1 - r_train * r_train / r_other

Features of an image model are compared about the mean of both sets, which takes off what all clips share.

The threshold is the 99.9th percentile of the same number for the other half of the held-out set. With fewer
than 1,000 clips in that half no sample shows that percentile, and the threshold is their maximum, above which
the share of clips that are no copies is only known to be small; `Calibration.note` says how small.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from ...harness.core.counts import counted
from ...harness.core.errors import UsageError
from ...harness.core.files import write_atomic
from ...harness.core.keys import Json, digest
from ...harness.core.progress import note
from ...harness.core.stats import rate_bound
from ...metrics.base import NotApplicable, Reference
from ...metrics.encoders.base import Feature
from .hashes import VERSIONS
from .named_clips import NamedClips
from .relative import Nearest
from .search import Centre, Match, centre_of, nearest_clips
from .thumbnails import FEATURE
from .verified_search import verified_clips

__all__ = [
    "FEWEST",
    "HELD_OUT",
    "INDEXED",
    "QUANTILE",
    "THUMBNAILS",
    "TRAIN",
    "Calibration",
    "TrainingSets",
    "calibration_note",
    "check_held_out",
    "evidence_of",
]

TRAIN: Final = "train"
HELD_OUT: Final = "held_out"
"""Names of the two reference sets in a suite."""
IMAGE, THUMBNAILS, MOTION = "image", FEATURE, "motion_hash_queries"
INDEXED: Final[Mapping[str, str]] = {IMAGE: IMAGE, THUMBNAILS: THUMBNAILS, MOTION: "motion_hash"}
"""Feature of the clip that is looked up -> feature of the index."""
QUANTILE: Final = 0.999
FEWEST: Final = 20
"""Held-out clips in either half under which there is no threshold."""
_ENOUGH = 60
"""Held-out clips of which each half has `FEWEST` in 99 of 100 sets, as halves are binomial."""
_VERSION = 3
_CLOSEST = 5
"""Held-out clips that are named because they are most like a training clip."""

Load = Callable[[str, str], tuple[Feature, list[str]]]
"""(name of the set, feature) -> rows, and the clip of each row."""


@dataclass(frozen=True)
class Calibration:
    """The threshold of one feature.

    Attributes:
        threshold: of the relative similarity, exceeded by replicates.
        n: held-out clips that it was computed from.
        others: clips of the other half of the held-out set, the nearest of which a clip is held against.
        median, largest: of the relative similarities of the ``n`` clips.
        values: those similarities, in the order of the clips.
        closest: the held-out clips with the largest: name, nearest training clip, and relative similarity.
    """

    threshold: float
    n: int
    others: int
    median: float
    largest: float
    values: tuple[float, ...] = ()
    closest: tuple[tuple[str, str, float], ...] = ()

    @classmethod
    def of(cls, values: Sequence[float], others: int, closest: Sequence[tuple[str, str, float]] = ()) -> Self:
        """Compute the threshold from the relative similarities of held-out clips."""
        relative = np.array(values)
        return cls(
            # "higher": a clip that was seen, never a value between two; the maximum for fewer than 1,000.
            threshold=float(np.quantile(relative, QUANTILE, method="higher")),
            n=len(relative),
            others=others,
            median=float(np.median(relative)),
            largest=float(relative.max()),
            values=tuple(map(float, relative)),
            closest=tuple(closest),
        )

    @property
    def note(self) -> str:
        """Say what the threshold is; see `calibration_note`."""
        return calibration_note(self.n)


def check_held_out(count: int) -> None:
    """Refuse a held-out set whose halves cannot both be large enough, before it is encoded.

    Raises:
        UsageError: it has fewer than two times `FEWEST` clips.
    """
    if count < 2 * FEWEST:
        raise UsageError(
            f"the reference set {HELD_OUT!r} has {counted(count, 'clip')}, and at least {2 * FEWEST} are "
            "needed, "
            f"{FEWEST} for each half; add more clips to it ({_ENOUGH} are nearly always enough, as a hash of "
            "each clip decides its half)"
        )


def _too_few(count: int, total: int, feature: str) -> UsageError:
    return UsageError(
        f"the reference set {HELD_OUT!r} has {counted(total, 'clip')} with the feature {feature!r}, "
        f"{count} of them in "
        f"one of its halves, and {FEWEST} are needed in each; add more clips to it ({_ENOUGH} are nearly "
        "always enough)"
    )


def calibration_note(n: int) -> str:
    """Say what a threshold of ``n`` held-out clips is, and how few false alarms it is known to give."""
    if n * (1 - QUANTILE) >= 1:
        return f"99.9th percentile of {n:,} held-out clips"
    bound = rate_bound([0.0] * n, [str(i) for i in range(n)], 0.95, "upper")
    return (
        f"the largest of {n:,} held-out clips: fewer than 1,000 do not show a 99.9th percentile; at 95 % "
        f"confidence up to {bound:.1%} of real clips that are no copies may lie above it"
    )


class TrainingSets:
    """The training set and the held-out set of a suite, as a setting of a run.

    Args:
        load: reads a set's features, (M, D), rows of length 1.
        digests: of either set, by name.
        encoders: digest of the encoder of each feature that may be read.
        cache: folder where thresholds are kept.
        sizes: clips of either set, to say what preparing takes.
    """

    def __init__(
        self,
        load: Load,
        digests: Mapping[str, str],
        encoders: Mapping[str, str],
        cache: Path,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        self._sizes = sizes or {}
        self._load, self._digests, self._encoders, self._cache = load, digests, encoders, cache
        self._sets: dict[str, tuple[Reference, Reference]] = {}
        self._centres: dict[str, Centre] = {}
        self._calibrations: dict[str, Calibration] = {}

    @property
    def digest(self) -> str:
        """64 hex digits of the sets, the encoders and the way of comparing."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return digest(
            "training sets",
            {
                "version": _VERSION,
                "quantile": QUANTILE,
                "sets": dict(self._digests),
                "encoders": dict(self._encoders),
            },
        )

    def prepare(self) -> None:
        """Encode both sets and compute the thresholds, before anything is generated.

        Raises:
            UsageError: a clip is in both sets, or a set has too few clips.
        """
        features = [feature for feature in INDEXED if feature in self._encoders]
        kept = {feature: found for feature in features if (found := self._read(feature)) is not None}
        self._calibrations |= kept
        if self._sizes and len(kept) < len(features):
            clips = " and ".join(f"{size:,} ({name})" for name, size in self._sizes.items())
            note(
                f"memorisation: {clips} reference clips are encoded and compared once, whatever part of the "
                f"suite is run; features and thresholds are kept in {self._cache}"
            )
        for feature in features:
            self.calibration(feature)

    def nearest(self, feature: str, rows: Feature) -> Nearest:
        """Find how near a clip is to the training set.

        Args:
            feature: of the clip that is looked up, one of `INDEXED`.
            rows: its rows; of a feature with versions, one version after the other.

        Raises:
            NotApplicable: the clip has no rows.
        """
        return self._near(feature, [_rows_of(feature, rows)])[0]

    def calibration(self, feature: str) -> Calibration:
        """Return the threshold of a feature.

        Raises:
            UsageError: a clip is in both sets, or a set has too few clips.
        """
        if feature not in self._calibrations:
            self._calibrations[feature] = self._read(feature) or self._calibrated(feature)
        return self._calibrations[feature]

    @cached_property
    def named(self) -> NamedClips:
        """The clips of the training set by name, compared by thumbnails.

        Raises:
            UsageError: a clip is in both sets, or a set has too few clips.
        """
        train, others = self._of(THUMBNAILS)
        path = self._path("named " + THUMBNAILS)
        return NamedClips(train, others, self._calibrating(THUMBNAILS), path)

    def _near(self, feature: str, queries: Sequence[Feature]) -> list[Nearest]:
        centre = self._centre(feature) if feature == IMAGE else None
        train, others = (_search(feature, queries, one, centre) for one in self._of(feature))
        return [Nearest(match, other) for match, other in zip(train, others, strict=True)]

    def _centre(self, feature: str) -> Centre:
        if feature not in self._centres:
            self._centres[feature] = centre_of(*(s.features[INDEXED[feature]] for s in self._of(feature)))
        return self._centres[feature]

    def _of(self, feature: str) -> tuple[Reference, Reference]:
        """Read the training set, and the half of the held-out set that clips are held against."""
        if feature not in self._sets:
            indexed = INDEXED[feature]
            (train, clips), (held, names) = (self._load(one, indexed) for one in (TRAIN, HELD_OUT))
            both = set(clips) & set(names)
            if both:
                raise UsageError(
                    f"{counted(len(both), 'clip is', 'clips are')} in the reference sets {TRAIN!r} and "
                    f"{HELD_OUT!r}, for example "
                    f"{min(both)[:12]}; held-out clips must not be in the training set"
                )
            chosen = [k for k, name in enumerate(names) if _is_other(name)]
            rows = np.asarray(held)[chosen]
            kept = [names[k] for k in chosen]
            if not clips:
                raise UsageError(
                    f"the reference set {TRAIN!r} has no clip with the feature {indexed!r}; add clips to it"
                )
            if len(set(kept)) < FEWEST:
                raise _too_few(len(set(kept)), len(set(names)), indexed)
            self._sets[feature] = (
                Reference(TRAIN, {indexed: train}, {indexed: clips}, len(set(clips))),
                Reference(HELD_OUT, {indexed: rows}, {indexed: kept}, len(set(kept))),
            )
        return self._sets[feature]

    def _calibrated(self, feature: str) -> Calibration:
        clips = self._calibrating(feature)
        near = self._near(feature, [part for _, part in clips])
        closest = sorted(
            ((name, one.match.clip, one.relative) for (name, _), one in zip(clips, near, strict=True)),
            key=lambda told: (-told[2], told[0]),
        )
        values = [one.relative for one in near]
        made = Calibration.of(values, self._of(feature)[1].size, closest[:_CLOSEST])
        self._path(feature).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path(feature), json.dumps(asdict(made)))
        return made

    def _calibrating(self, feature: str) -> list[tuple[str, Feature]]:
        """Read the half of the held-out set that thresholds are computed from."""
        rows, names = self._load(HELD_OUT, feature)
        clips = [one for one in _by_clip(rows, names) if not _is_other(one[0]) and len(one[1])]
        if len(clips) < FEWEST:
            raise _too_few(len(clips), len(set(names)), INDEXED[feature])
        return clips

    def _read(self, feature: str) -> Calibration | None:
        try:
            told: dict[str, Any] = json.loads(self._path(feature).read_text("utf-8"))
            told["closest"] = tuple((str(a), str(b), float(c)) for a, b, c in told["closest"])
            told["values"] = tuple(map(float, told["values"]))
            return Calibration(**told)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _path(self, feature: str) -> Path:
        key = digest("threshold", {"of": self.digest, "feature": feature})
        return self._cache / "thresholds" / f"{key}.json"


def _search(
    feature: str, queries: Sequence[Feature], index: Reference, centre: Centre | None
) -> Sequence[Match]:
    if feature == THUMBNAILS:
        return verified_clips(queries, index, THUMBNAILS)
    versions = len(VERSIONS) if feature == MOTION else 1
    shaped = [rows.reshape(versions, -1, rows.shape[1]) for rows in queries]
    return nearest_clips(shaped, index, INDEXED[feature], centre)


def _rows_of(feature: str, rows: Feature) -> Feature:
    if not len(rows):
        raise NotApplicable("nothing moves" if feature == MOTION else "no frame has the feature")
    return np.asarray(rows)


def _by_clip(rows: Feature, names: Sequence[str]) -> list[tuple[str, Feature]]:
    edges = [0, *(i for i in range(1, len(names)) if names[i] != names[i - 1]), len(names)]
    return [(names[a], np.asarray(rows[a:b])) for a, b in itertools.pairwise(edges) if b > a]


def _is_other(name: str) -> bool:
    """Whether a held-out clip is one that clips are held against, or one that the threshold is made from."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def evidence_of(near: Nearest, calibration: Calibration) -> dict[str, Json]:
    """List what a reader needs to check a finding."""
    return {"threshold": round(calibration.threshold, 6), "held_out": calibration.n, **near.evidence()}
