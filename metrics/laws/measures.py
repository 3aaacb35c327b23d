"""Measures of physical laws: for each law 1 where a clip breaks it and 0 where it keeps it, from tracks.

A law is said to be broken where its severity is above a threshold that lawful clips of the reference world
rarely exceed (see `probes.thresholds`); the severity, the threshold and the first frame at fault are the
evidence. What a prompt expects (``expect``) says which laws apply. A clip that does not show what happens,
because its subject is missing, there twice, or still though it was asked to move, is counted by
`physics.discarded`, and no law is held against it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.base import Feature
from ..tracking.role_assignment import Cast
from ..tracking.tracks import Tracks, source_number
from .evaluation import LAWS, cast_for, discarded, find_all
from .motion import Finding
from .thresholds import ANY, VARIABLE, Quantile, thresholds_digest, thresholds_in_use

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["any_law", "discarded_clip", "law_measures"]

_VERSION: Final = 1
_THRESHOLDS_VERSION: Final = _VERSION * 1_000_000 + int(thresholds_in_use().digest[:8], 16) % 1_000_000
"""The version of the measures that rest on thresholds: another file of thresholds is another version."""
_WHAT: Final = {
    "gravity": "Whether what should fall does not fall by the gravity expected",
    "inertia": "Whether something changes its velocity though nothing touches it",
    "momentum": "Whether momentum is not kept in a collision",
    "energy": "Whether things part faster than they came together",
    "permanence": "Whether an expected thing is gone, or there twice, for a while",
    "continuity": "Whether a thing jumps from one place to another",
    "solidity": "Whether two things go into one another",
    "rigidity": "Whether a rigid thing changes its outline",
    "color": "Whether a thing changes its color",
    "causality": "Whether a struck thing sets off before it is touched",
    "persistence": "Whether a bite grows back",
    "uninvited": "Whether a thing appears that nobody asked for",
}


class _Last:
    """The clip that was looked at last: every law asks for the same, one after the other."""

    def __init__(self) -> None:
        self._asked: tuple[Feature, Mapping[str, Any] | None] | None = None
        self._cast: Cast | None = None
        self._found: Mapping[str, Finding | str] | None = None

    def cast(self, sample: Sample) -> Cast:
        feature, expect = sample.features["tracks"], sample.item.expect
        same = self._asked is not None and self._asked[0] is feature and self._asked[1] is expect
        if self._cast is None or not same:
            self._asked = self._cast = self._found = None  # nothing of another clip, should this one fail
            self._cast = cast_for(Tracks.from_feature(feature), expect)
            self._asked = (feature, expect)
        return self._cast

    def found(self, sample: Sample) -> Mapping[str, Finding | str]:
        cast = self.cast(sample)
        if self._found is None:
            self._found = find_all(cast)
        return self._found


_last = _Last()


def _law(name: str) -> Callable[[Sample], Scored]:
    def broken(sample: Sample) -> Scored:
        cast = _last.cast(sample)
        finding = _last.found(sample)[name]
        if isinstance(finding, str):
            raise NotApplicable(finding)
        limits, limits_digest = _limits(cast.tracks)
        if name not in limits:
            raise NotApplicable("this law has no threshold for the source of these tracks")
        limit = limits[name].threshold
        evidence: dict[str, Json] = {
            "severity": round(finding.severity, 6),
            "threshold": round(limit, 6),
            "thresholds": limits_digest,
            **{key: _plain(value) for key, value in finding.evidence.items()},
        }
        if finding.severity <= limit:
            return Scored(0.0, evidence)
        return Scored(1.0, {**_when(cast, finding), **evidence})

    broken.__name__ = name
    broken.__doc__ = f"""{_WHAT[name]}: 1 where it does, else 0.

    The evidence has the severity, the threshold and, where the law is broken, the first frame at fault.

    Raises:
        NotApplicable: the prompt expects nothing that this law speaks of, the clip is discarded or too short,
            the camera moves and cannot be followed, or the source of the tracks has no thresholds.
    """
    return broken


law_measures: Final = {
    name: measure(
        f"physics.{name}",
        version=_THRESHOLDS_VERSION,
        needs=("tracks",),
        better="lower",
        bounds=(0.0, 1.0),
        kind="rate",
    )(_law(name))
    for name in LAWS
}
"""Law -> its measure."""


@measure(
    "physics.any",
    version=_THRESHOLDS_VERSION,
    needs=("tracks",),
    better="lower",
    bounds=(0.0, 1.0),
    kind="rate",
)
def any_law(sample: Sample) -> Scored:
    """Whether a clip breaks any of the laws that apply to it: 1 where it does, else 0.

    The law with the largest ratio of severity to threshold counts, and the ratio has a threshold of its own:
    a clip that is held against many laws is not the likelier to fail.

    Raises:
        NotApplicable: no law applies, or the source of the tracks has no thresholds.
    """
    cast = _last.cast(sample)
    limits, limits_digest = _limits(cast.tracks)
    found = _last.found(sample)
    held = {n: finding for n, finding in found.items() if n in limits and not isinstance(finding, str)}
    if not held:
        reason = discarded(cast)
        raise NotApplicable("no law applies" if reason is None else f"discarded: {reason}")
    ratios = {name: finding.severity / limits[name].threshold for name, finding in held.items()}
    worst = max(ratios, key=lambda name: ratios[name])
    evidence: dict[str, Json] = {
        "law": worst,
        "ratio": round(ratios[worst], 6),
        "threshold": round(limits[ANY].threshold, 6),
        "thresholds": limits_digest,
        "laws": sorted(held),
    }
    if ratios[worst] <= limits[ANY].threshold:
        return Scored(0.0, evidence)
    return Scored(1.0, {**_when(cast, held[worst]), **evidence})


@measure(
    "physics.discarded", version=_VERSION, needs=("tracks",), better="lower", bounds=(0.0, 1.0), kind="rate"
)
def discarded_clip(sample: Sample) -> Scored:
    """Whether a clip says nothing of laws, as its subject is missing, there twice, or still: 1, else 0.

    Raises:
        NotApplicable: the prompt does not say what to expect.
    """
    reason = discarded(_last.cast(sample))
    return Scored(0.0) if reason is None else Scored(1.0, {"reason": reason})


def _limits(tracks: Tracks) -> tuple[Mapping[str, Quantile], str]:
    """Find the thresholds for the source of some tracks, and the first digits of their digest."""
    for name, part in thresholds_in_use().sources.items():
        if source_number(name) == tracks.source:
            return part.laws, thresholds_digest({name: part})[:12]
    raise NotApplicable(
        "the source of these tracks has no thresholds: make them with 'screentest validate --probes "
        f"--calibrate --source ...', and name the file in {VARIABLE}"
    )


def _when(cast: Cast, finding: Finding) -> dict[str, Json]:
    """Tell the first frame at fault, and its time in seconds, from and to which the page shows it."""
    if finding.first_frame is None:
        return {}
    second = round(float(cast.tracks.times_T[finding.first_frame]), 6)
    return {"first_frame": finding.first_frame, "first_s": second, "last_s": second}


def _plain(value: Json) -> Json:
    """Round floats to six digits, and put none in the place of those that are no numbers."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(child) for child in value]
    return value
