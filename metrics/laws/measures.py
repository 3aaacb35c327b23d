"""Measures of physical laws: for each law 1 where a clip breaks it and 0 where it keeps it, from tracks.

A law is said to be broken where its severity is above a threshold that lawful clips of a simulated world
rarely exceed (see `thresholds`); the severity, the threshold, what that was calibrated on and the first frame
at fault are the evidence. What a prompt expects (``expect``) says which laws apply. A clip that does not show
what happens, because its subject is missing, there twice, or still though it was asked to move, is counted by
`physics.discarded`, and no law is held against it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from ..base import NotApplicable, Sample, Scored, measure
from ..tracking.role_assignment import RoleAssignment
from ..tracking.tracks import Tracks
from .evaluation import LAWS, discarded, find_all, law_roles, unjudged
from .motion import Finding
from .thresholds import ANY, SourceThresholds, ThresholdFile, thresholds_digest

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["any_law", "discarded_clip", "law_measures"]

_VERSION: Final = 6
_SETTING: Final = "thresholds"
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


def _findings(sample: Sample) -> Mapping[str, Finding | str]:
    return find_all(sample.derived(law_roles))


def _law(name: str) -> Callable[[Sample], Scored]:
    def broken(sample: Sample) -> Scored:
        assigned = sample.derived(law_roles)
        finding = sample.derived(_findings)[name]
        if isinstance(finding, str):
            raise NotApplicable(finding)
        limits, limits_digest = _limits(sample, assigned.tracks)
        if name not in limits.laws:
            why = limits.missing.get(name, "none was made")
            raise NotApplicable(f"this law has no threshold for the source of these tracks: {why}")
        limit = limits.laws[name].threshold
        evidence: dict[str, Json] = {
            "severity": round(finding.severity, 6),
            "threshold": round(limit, 6),
            "thresholds": limits_digest,
            "calibrated_on": limits.calibrated_on,
            **{key: _plain(value) for key, value in finding.evidence.items()},
        }
        if finding.severity <= limit:
            return Scored(0.0, evidence)
        return Scored(1.0, {**_when(assigned, finding), **evidence})

    broken.__name__ = name
    broken.__doc__ = f"""{_WHAT[name]}: 1 where it does, else 0.

    The evidence has the severity, the threshold and, where the law is broken, the first frame at fault.

    Raises:
        NotApplicable: the prompt expects nothing that this law speaks of, the clip is discarded or too short,
            the camera moves and cannot be followed, or the source of the tracks has no thresholds.
    """
    return broken


_rate = partial(
    measure,
    version=_VERSION,
    needs=("tracks",),
    better="lower",
    bounds=(0.0, 1.0),
    kind="rate",
    settings=(_SETTING,),
)
law_measures: Final = {name: _rate(f"physics.{name}")(_law(name)) for name in LAWS}
"""Law -> its measure."""


@_rate("physics.any")
def any_law(sample: Sample) -> Scored:
    """Whether a clip breaks any of the laws that apply to it: 1 where it does, else 0.

    The law with the largest ratio of severity to threshold counts, and the ratio has a threshold of its own:
    a clip that is held against many laws is not the likelier to fail.

    Raises:
        NotApplicable: no law applies, or the source of the tracks has no thresholds.
    """
    assigned = sample.derived(law_roles)
    limits, limits_digest = _limits(sample, assigned.tracks)
    found = sample.derived(_findings)
    held = {n: finding for n, finding in found.items() if n in limits.laws and not isinstance(finding, str)}
    if not held:
        reason = unjudged(assigned) or discarded(assigned)
        if reason is None:
            raise NotApplicable("no law applies")
        raise NotApplicable(reason if unjudged(assigned) else f"discarded: {reason}")
    ratios = {name: finding.severity / limits.laws[name].threshold for name, finding in held.items()}
    worst = max(ratios, key=lambda name: ratios[name])
    evidence: dict[str, Json] = {
        "law": worst,
        "ratio": round(ratios[worst], 6),
        "threshold": round(limits.laws[ANY].threshold, 6),
        "thresholds": limits_digest,
        "calibrated_on": limits.calibrated_on,
        "laws": sorted(held),
    }
    if ratios[worst] <= limits.laws[ANY].threshold:
        return Scored(0.0, evidence)
    return Scored(1.0, {**_when(assigned, held[worst]), **evidence})


@measure(
    "physics.discarded", version=_VERSION, needs=("tracks",), better="lower", bounds=(0.0, 1.0), kind="rate"
)
def discarded_clip(sample: Sample) -> Scored:
    """Whether a clip says nothing of laws, as its subject is missing, there twice, or still: 1, else 0.

    Raises:
        NotApplicable: the prompt does not say what to expect, or the tracker is not fit for the clip.
    """
    assigned = sample.derived(law_roles)
    if (why := unjudged(assigned)) is not None:
        raise NotApplicable(why)
    reason = discarded(assigned)
    return Scored(0.0) if reason is None else Scored(1.0, {"reason": reason})


def _limits(sample: Sample, tracks: Tracks) -> tuple[SourceThresholds, str]:
    """Find the thresholds for the source of some tracks, and the first digits of their digest."""
    file = sample.setting(_SETTING, ThresholdFile)
    found = None if tracks.source is None else file.of_source(tracks.source)
    if found is None:
        raise NotApplicable(
            "the source of these tracks has no thresholds: make them with 'screentest validate --probes "
            "--calibrate --source ...', and name the file with --thresholds"
        )
    name, part = found
    return part, thresholds_digest({name: part})[:12]


def _when(assigned: RoleAssignment, finding: Finding) -> dict[str, Json]:
    """Tell the first frame at fault, and its time in seconds, from and to which the page shows it."""
    if finding.first_frame is None:
        return {}
    second = round(float(assigned.tracks.times_T[finding.first_frame]), 6)
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
