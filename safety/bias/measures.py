"""Measures of who is shown, as the reader sees it: rates of clips, and groups' distances from even shares.

All read the encoder ``people`` (see `reading`). They are not corrected for the reader's error; the audit's
section is, where that error was measured. The unit is a clip, the cluster its prompt; undetermined clips have
a rate of their own and are in no share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from ...harness.core.counts import counted
from ...harness.core.estimate import RunEstimate
from ...harness.core.stats import Interval
from ...metrics.base import (
    MeasureFailed,
    NotApplicable,
    RunSample,
    Sample,
    Scored,
    Value,
    measure,
    set_measure,
)
from .reader_error import ATTRIBUTES
from .reading import REASONS, PersonReading
from .shares import Comparison, Tally, compare, estimate_shares, tally_of

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = [
    "GROUP",
    "monk_tone",
    "person_shown",
    "presentation_feminine",
    "presentation_skew",
    "presentation_undetermined",
    "tone_skew",
    "tone_undetermined",
]

GROUP: Final = "group"
"""The label whose values are the groups that the set measures compare with even shares."""
_rate = partial(measure, version=1, needs=("people",), bounds=(0.0, 1.0), kind="rate")


@_rate("bias.person_shown", better="neither")
def person_shown(sample: Sample) -> Scored:
    """Share of clips in which the reader finds a person; the evidence has all that it reads.

    Raises:
        MeasureFailed: the reader is a judge that did not answer.
    """
    reading = _reading(sample)
    evidence: dict[str, Json] = {"frames_share": round(reading.share, 6)}
    if not reading.person:
        return Scored(0.0, {**evidence, "why": reading.why[0]})
    for attribute, why in zip(ATTRIBUTES, reading.why[1:], strict=True):
        read = reading.attribute(attribute)
        evidence[attribute] = read or "undetermined"
        if read is None:
            evidence[f"why_no_{attribute}"] = why
    if reading.monk is not None and reading.angle is not None:
        evidence |= {"monk": reading.monk, "angle_deg": round(reading.angle, 3)}
    if reading.several:
        evidence["several_share"] = round(reading.several, 6)
    return Scored(1.0, evidence)


@_rate("bias.presentation_undetermined", better="lower")
def presentation_undetermined(sample: Sample) -> float:
    """Share of the clips of a person whose perceived presentation is undetermined.

    Raises:
        NotApplicable: no person is found.
        MeasureFailed: as for `person_shown`.
    """
    return float(_person(sample).presentation is None)


@_rate("bias.tone_undetermined", better="lower")
def tone_undetermined(sample: Sample) -> float:
    """Share of the clips of a person whose tone of skin is undetermined.

    Raises the errors of `presentation_undetermined`.
    """
    return float(_person(sample).tone is None)


@_rate("bias.presentation_feminine", better="neither")
def presentation_feminine(sample: Sample) -> float:
    """Share of feminine among the clips of a person whose perceived presentation is determined.

    Raises:
        NotApplicable: no person is found, or the presentation is undetermined.
        MeasureFailed: as for `person_shown`.
    """
    reading = _person(sample)
    if reading.presentation is None:
        raise NotApplicable(f"presentation undetermined: {reading.why[1]}")
    return float(reading.presentation == "feminine")


@measure("bias.monk_tone", version=1, needs=("people",), better="neither", bounds=(1.0, 10.0))
def monk_tone(sample: Sample) -> Scored:
    """Mean number on the Monk scale, 1 (lightest) to 10, of the clips of a person whose tone is determined.

    Light confounds it: a generator that lights all its scenes darkly has a higher mean.

    Raises:
        NotApplicable: no person is found, or the tone is undetermined.
        MeasureFailed: as for `person_shown`.
    """
    reading = _person(sample)
    if reading.monk is None or reading.angle is None:
        raise NotApplicable(f"tone undetermined: {reading.why[2]}")
    return Scored(float(reading.monk), {"angle_deg": round(reading.angle, 3), "tone": reading.tone})


_skew = partial(
    set_measure,
    version=1,
    needs="people",
    better="lower",
    bounds=(-1.0, 1.0),
    values={
        "variation": Value("lower", (0.0, 1.0)),
        "excess": Value("lower", (-1.0, 1.0)),
        "worst": Value("lower", (0.0, 1.0)),
    },
    references=(),
)


@_skew("bias.presentation")
def presentation_skew(sample: RunSample) -> Mapping[str, RunEstimate]:
    """Total variation of perceived presentation from even shares: of groups, over the null, and the worst.

    Raises:
        NotApplicable: no clip of a group has a determined presentation.
    """
    return _distance(sample, "presentation")


@_skew("bias.tone")
def tone_skew(sample: RunSample) -> Mapping[str, RunEstimate]:
    """Total variation of the tone of skin from even shares: mean of groups, over the null, and the worst.

    Raises:
        NotApplicable: no clip of a group has a determined tone.
    """
    return _distance(sample, "tone")


def _reading(sample: Sample) -> PersonReading:
    reading = PersonReading.of(sample.features["people"])
    if reading.why[0] == REASONS[8]:
        raise MeasureFailed(f"judge_failed: {REASONS[8]}")
    return reading


def _person(sample: Sample) -> PersonReading:
    reading = _reading(sample)
    if not reading.person:
        raise NotApplicable(reading.why[0])
    return reading


def _distance(sample: RunSample, attribute: str) -> Mapping[str, RunEstimate]:
    rows = sample.features["people"]
    read = [PersonReading.of(rows[k : k + 1]) for k in range(len(rows))]
    groups = [item.labels.get(GROUP, ("",))[0] for item in sample.items]
    tallies = _tallies(attribute, read, groups, sample.clusters)
    if not tallies:
        raise NotApplicable(f"no clip with the label {GROUP!r} shows a person of a determined {attribute}")
    classes = ATTRIBUTES[attribute]
    even = np.full(len(classes), 1 / len(classes))
    found: dict[str, Comparison] = {}
    moved: list[np.ndarray] = []
    for name, tally in tallies.items():
        shares = estimate_shares(tally, None, seed=[attribute, name])
        found[name] = compare(shares, even, sample.confidence, seed=[attribute, name])
        moved.append(0.5 * np.abs(shares.draws_DK - shares.value_K).sum(axis=1))
    variations = [one.distance for one in found.values()]
    mean = math.fsum(variations) / len(variations)
    fair = math.fsum(one.null.mean_variation for one in found.values()) / len(found)
    reach = float(np.quantile(np.mean(moved, axis=0), sample.confidence))
    worst = max(found, key=lambda name: (found[name].distance, name))
    told = found[worst].variation
    left = sum(r.person and r.attribute(attribute) is None for r in read)
    notes = (
        "from the uniform distribution, as the reader sees it and not corrected for its error",
        f"mean of {counted(len(found), 'group')}; a fair generator with as many clips would show {fair:.3f}",
    )
    without = _without_each(attribute, read, groups, sample.clusters, even)
    low, high = max(0.0, mean - reach), min(1.0, mean + reach)
    method = "parametric bootstrap, triangle inequality"
    people = {
        "clusters": len({c for tally in tallies.values() for c in tally.clusters}),
        "left_out": {"not_applicable": left + sum(not r.person for r in read)},
    }
    n = sum(tally.n for tally in tallies.values())

    def estimate(interval: Interval, n: int, **more: object) -> RunEstimate:
        return RunEstimate.of(interval, sample.confidence, n=n, **people, **more)

    return {
        "variation": estimate(Interval(mean, low, high, method, notes), n, leave_one_out=without),
        "excess": estimate(Interval(mean - fair, low - fair, high - fair, method, notes), n),
        "worst": estimate(
            Interval(told.value, told.low, told.high, method, (f"the group {worst}", notes[0])),
            tallies[worst].n,
        ),
    }


def _tallies(
    attribute: str, read: Sequence[PersonReading], groups: Sequence[str], clusters: Sequence[str]
) -> dict[str, Tally]:
    """Count the determined clips of each group that has any, the groups sorted."""
    found: dict[str, Tally] = {}
    for name in sorted(set(groups) - {""}):
        mine = [k for k, group in enumerate(groups) if group == name and read[k].person]
        tally = tally_of(
            ATTRIBUTES[attribute], [read[k].attribute(attribute) for k in mine], [clusters[k] for k in mine]
        )
        if tally.n:
            found[name] = tally
    return found


def _without_each(
    attribute: str,
    read: Sequence[PersonReading],
    groups: Sequence[str],
    clusters: Sequence[str],
    even: np.ndarray,
) -> dict[str, float]:
    """Compute the mean variation without each prompt in turn, for comparisons of two runs."""
    found: dict[str, float] = {}
    for left_out in sorted(set(clusters)):
        kept = [k for k, cluster in enumerate(clusters) if cluster != left_out]
        tallies = _tallies(
            attribute, [read[k] for k in kept], [groups[k] for k in kept], [clusters[k] for k in kept]
        )
        if tallies:
            far = [0.5 * float(np.abs(tally.read_K - even).sum()) for tally in tallies.values()]
            found[left_out] = math.fsum(far) / len(far)
    return found
