"""Values with 95 % intervals, in the format of the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ....harness.core.stats import Interval, cluster_bootstrap_mean, jackknife_interval, rate_interval

__all__ = ["Estimate", "distance", "mean", "share"]

Estimate: TypeAlias = "dict[str, float | int | None]"
"""``value``, ``low``, ``high`` (95 %) and ``n``; None if the data do not give it."""


def share(hits: Sequence[bool], clusters: Sequence[str] | None = None) -> Estimate:
    """Compute the share of hits and its Wilson interval; clips of one prompt are one cluster."""
    values = [float(hit) for hit in hits]
    names = [str(index) for index in range(len(values))] if clusters is None else clusters
    return _listed(rate_interval(values, names, 0.95), len(values))


def mean(values: Sequence[float], seed: str) -> Estimate:
    """Compute the mean of independent values and its bootstrap interval."""
    names = [str(index) for index in range(len(values))]
    return _listed(cluster_bootstrap_mean(values, names, 0.95, seed=seed), len(values))


def distance(value: float, leave_one_out: Mapping[str, float], n: int) -> Estimate:
    """Return a set distance and its jackknife interval."""
    return _listed(jackknife_interval(value, leave_one_out, 0.95, bounds=(0.0, None)), n)


def _listed(interval: Interval, n: int) -> Estimate:
    return {"value": interval.value, "low": interval.low, "high": interval.high, "n": n}
