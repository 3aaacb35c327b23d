"""Intervals and bounds: how sure a number is, with seeds of one prompt treated as what they are.

Clips of one prompt are alike, so they are resampled and counted by prompt (the *cluster*):

- means: the cluster bootstrap, with the percentiles widened for few clusters (Hesterberg 2015, section 5.3,
  "expanded percentile");
- rates: the Wilson interval, and the exact Clopper-Pearson bound for ceilings, both at the effective sample
  size of the clustered sample (Korn and Graubard 1998), because a bootstrap collapses at 0 or n events;
- sets: the delete-one-cluster jackknife.

All randomness is derived from the seed given; sums run in a fixed order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .keys import Json, seeded_rng

__all__ = [
    "Interval",
    "cluster_bootstrap_mean",
    "effective_sample_size",
    "holm",
    "jackknife_interval",
    "needed_without_failures",
    "rate_bound",
    "rate_interval",
]

RESAMPLES = 4000


@dataclass(frozen=True)
class Interval:
    """A value with its two-sided interval; all three are None where there is nothing to say them from."""

    value: float | None
    low: float | None
    high: float | None
    method: str
    notes: tuple[str, ...] = ()


def _by_cluster(
    values: Sequence[float], clusters: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum values and count them by cluster, the clusters in the order of their names: two arrays (G,)."""
    members: dict[str, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        members.setdefault(cluster, []).append(value)
    names = sorted(members)
    sums = np.array([math.fsum(members[name]) for name in names], dtype=np.float64)
    counts = np.array([len(members[name]) for name in names], dtype=np.float64)
    return sums, counts


def cluster_bootstrap_mean(
    values: Sequence[float],
    clusters: Sequence[str],
    confidence: float,
    *,
    seed: Json,
    bounds: tuple[float | None, float | None] = (None, None),
) -> Interval:
    """Give the mean of ``values`` (n,) and its cluster-bootstrap interval.

    Args:
        values: one a clip, finite.
        clusters: the prompt of each.
        confidence: two-sided, in (0, 1).
        seed: what the resampling is seeded by.
        bounds: the range of the measure; the interval is cut to it.
    """
    if not values:
        return Interval(None, None, None, "none", ("no values",))
    mean = math.fsum(values) / len(values)
    sums, counts = _by_cluster(values, clusters)
    groups = len(sums)
    if groups < 2:
        return Interval(mean, None, None, "none", ("one prompt only: no interval can be given",))
    rng = seeded_rng("cluster bootstrap", seed)
    picks = rng.integers(0, groups, size=(RESAMPLES, groups))
    means = np.sort(sums[picks].sum(axis=1) / counts[picks].sum(axis=1))
    low, high = (float(q) for q in np.quantile(means, _expanded_tails(groups, confidence)))
    # The widened percentiles of a skewed sample can still miss the mean itself by rounding.
    low, high = min(low, mean), max(high, mean)
    if bounds[0] is not None:
        low = max(low, bounds[0])
    if bounds[1] is not None:
        high = min(high, bounds[1])
    notes = ("few prompts: a rough interval",) if groups < 10 else ()
    return Interval(mean, low, high, f"cluster bootstrap, {groups} prompts, {RESAMPLES} resamples", notes)


def _expanded_tails(groups: int, confidence: float) -> tuple[float, float]:
    from scipy import stats

    tail = (1 - confidence) / 2
    reach = math.sqrt(groups / (groups - 1)) * float(stats.t.ppf(1 - tail, groups - 1))
    expanded = float(stats.norm.sf(reach))
    return expanded, 1 - expanded


def effective_sample_size(values: Sequence[float], clusters: Sequence[str]) -> float:
    """Give the number of independent trials that a clustered 0/1 sample is worth, in [1, n].

    ``p (1-p) / var(p)`` with the between-cluster variance of p (Korn and Graubard 1998). Where all values
    agree the sample cannot tell how alike the clips of a prompt are, and each prompt counts once.
    """
    sums, counts = _by_cluster(values, clusters)
    groups, n = len(sums), float(counts.sum())
    p = float(sums.sum()) / n
    if np.all(counts == 1):
        return n
    if groups < 2 or p in (0.0, 1.0):
        return float(groups)
    residuals = sums - p * counts
    variance = groups / (groups - 1) * float(residuals @ residuals) / n**2
    if variance == 0:
        return n
    return min(n, max(1.0, p * (1 - p) / variance))


def rate_interval(values: Sequence[float], clusters: Sequence[str], confidence: float) -> Interval:
    """Give the share of ones among ``values`` (0 or 1), with its Wilson interval at the effective size."""
    if not values:
        return Interval(None, None, None, "none", ("no values",))
    from scipy import stats

    p = math.fsum(values) / len(values)
    n = effective_sample_size(values, clusters)
    z = float(stats.norm.ppf(1 - (1 - confidence) / 2))
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At p = 0 or 1 the end is exact; rounding would leave it a hair inside.
    low = 0.0 if p == 0 else max(0.0, centre - half)
    high = 1.0 if p == 1 else min(1.0, centre + half)
    return Interval(p, low, high, f"Wilson, effective n {n:.4g} of {len(values)}")


def rate_bound(
    values: Sequence[float], clusters: Sequence[str], confidence: float, side: Literal["upper", "lower"]
) -> float:
    """Bound the rate behind a clustered 0/1 sample from one side (Clopper and Pearson 1934).

    Raises:
        ValueError: there are no values.

    Example:
        >>> rate_bound([0.0] * 59, [str(i) for i in range(59)], 0.95, "upper") < 0.05
        True
    """
    if not values:
        raise ValueError("a bound needs at least one value")
    from scipy import stats

    n = effective_sample_size(values, clusters)
    k = math.fsum(values) / len(values) * n
    if side == "upper":
        return 1.0 if k >= n else float(stats.beta.ppf(confidence, k + 1, n - k))
    return 0.0 if k <= 0 else float(stats.beta.ppf(1 - confidence, k, n - k + 1))


def needed_without_failures(ceiling: float, confidence: float) -> int:
    """Count the independent clips, none of them failing, that show a rate to be under ``ceiling``.

    Raises:
        ValueError: the ceiling is not in (0, 1).

    Example:
        >>> [needed_without_failures(p, 0.95) for p in (0.05, 0.01, 0.005, 0.001)]
        [59, 299, 598, 2995]
    """
    if not 0 < ceiling < 1:
        raise ValueError(f"a ceiling of {ceiling} is not between 0 and 1")
    return math.ceil(math.log(1 - confidence) / math.log(1 - ceiling))


def jackknife_interval(value: float, leave_one_out: Mapping[str, float], confidence: float) -> Interval:
    """Give the delete-one-cluster jackknife interval of ``value``, with Student's t at G - 1.

    Args:
        value: the statistic on all clusters.
        leave_one_out: cluster -> the statistic without it, (G,).
        confidence: two-sided, in (0, 1).
    """
    groups = len(leave_one_out)
    if groups < 2:
        return Interval(value, None, None, "none", ("one prompt only: no interval can be given",))
    from scipy import stats

    replicates = np.array([leave_one_out[name] for name in sorted(leave_one_out)], dtype=np.float64)
    deviations = replicates - replicates.mean()
    error = math.sqrt((groups - 1) / groups * float(deviations @ deviations))
    half = float(stats.t.ppf(1 - (1 - confidence) / 2, groups - 1)) * error
    notes = ("few prompts: a rough interval",) if groups < 10 else ()
    return Interval(
        value, value - half, value + half, f"delete-one-prompt jackknife, {groups} prompts", notes
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number (Holm 1979), in the order given.

    Example:
        >>> [round(p, 4) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted
