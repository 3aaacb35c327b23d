"""What set measures share: the two sets of a run, and a value with its jackknife interval, n and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...harness.core.counts import counted
from ...harness.core.estimate import RunEstimate
from ...harness.core.stats import jackknife_interval
from ..base import DEFAULT, NotApplicable, RunSample
from ..encoders.base import Feature
from .groups import MAX_GROUPS

__all__ = ["SMALL", "both_sets", "estimate_of", "one_set"]

SMALL = (
    "fewer clips than features: the covariance is singular and the distance is mostly sample size; "
    "compare it only with distances at the same n and m"
)


def both_sets(sample: RunSample, feature: str, least: int) -> tuple[Feature, Feature]:
    """Return the rows of the run and of its reference set, (N, D) and (M, D).

    Raises:
        NotApplicable: a set has fewer than ``least`` clips.
    """
    x, y = sample.features[feature], np.asarray(sample.references[DEFAULT].features[feature])
    n, m = sample.clips, len(set(sample.references[DEFAULT].clips[feature]))
    if min(n, m) < least:
        raise NotApplicable(f"a distance needs {_number(least)} clips in each set; there are {n} and {m}")
    return x, y


def one_set(sample: RunSample, feature: str, least: int, what: str) -> Feature:
    """Return the rows of the run, (N, D).

    Raises:
        NotApplicable: it has fewer than ``least`` clips.
    """
    if sample.clips < least:
        raise NotApplicable(f"{what} needs {_number(least)} clips; there {_are(sample.clips)}")
    return sample.features[feature]


def estimate_of(
    sample: RunSample,
    feature: str,
    value: float,
    replicates: Mapping[str, float],
    notes: Sequence[str] = (),
    *,
    bounds: tuple[float | None, float | None],
) -> RunEstimate:
    """Return a value with its jackknife interval, how many clips it is of, and notes.

    Args:
        sample: the clips.
        feature: that is compared.
        value: of all clips.
        replicates: group -> value without it.
        notes: what else is to be said.
        bounds: of the measure.
    """
    rows, width = sample.features[feature].shape
    n, prompts = sample.clips, len(set(sample.clusters))
    reference = sample.references.get(DEFAULT)
    m = None if reference is None else len(set(reference.clips[feature]))
    said = [f"{_sets(sample, feature, n, m, rows)}, {width} features", *notes]
    base = RunEstimate(value=value, confidence=sample.confidence, n=n, clusters=prompts, n_reference=m)
    if not replicates:
        said.append("no interval: it needs two prompts, each leaving enough clips of the others")
        return base.model_copy(update={"notes": tuple(said)})
    if len(set(replicates.values())) == 1:
        said.append("no interval: without any prompt the value is the same, so the sample shows no spread")
        told = {"notes": tuple(said), "leave_one_out": dict(replicates)}
        return base.model_copy(update=told)
    interval = jackknife_interval(value, replicates, sample.confidence, bounds=bounds)
    if m is not None:
        said.append("the interval holds the reference set fixed")
    said += interval.notes
    grouped = len(replicates) < prompts or prompts > MAX_GROUPS
    method = f"jackknife over {len(replicates)} groups of {prompts} prompts" if grouped else interval.method
    found = {"low": interval.low, "high": interval.high, "method": method, "notes": tuple(said)}
    return base.model_copy(update={**found, "leave_one_out": dict(replicates)})


def _sets(sample: RunSample, feature: str, n: int, m: int | None, rows: int) -> str:
    frames = "" if rows == n else f" ({rows} frames)"
    if m is None:
        return f"n = {counted(n, 'generated clip')}{frames}"
    of_reference = len(sample.references[DEFAULT].features[feature])
    if rows == n and of_reference == m:
        return f"n = {n} generated and m = {m} reference clips"
    return (
        f"n = {counted(n, 'generated clip')}{frames} and m = {counted(m, 'reference clip')} "
        f"({of_reference} frames)"
    )


def _number(count: int) -> str:
    return "two" if count == 2 else str(count)


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"
