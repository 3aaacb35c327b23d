"""Intervals of means and of other statistics of sums, by the cluster bootstrap.

A mean's interval is the bootstrap-t (Efron and Tibshirani 1993, chapter 12): each resample's deviation from
the mean is divided by its own standard error, so that the interval follows the skew of the sample. A
statistic of several sums uses percentiles, widened for few clusters (Hesterberg 2015, section 5.3). With too
few clusters for a bootstrap, both use the delete-one-cluster jackknife.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..arrays import Floats
from ..counts import counted
from ..keys import Json, seeded_rng
from .clusters import blocks, by_cluster
from .interval import FEW, NO_VALUES, ROUGH, Bounds, Interval, check_confidence, cut, one_prompt
from .sets import jackknife_interval

__all__ = ["cluster_bootstrap", "cluster_bootstrap_mean"]

RESAMPLES = 10_000
FEWEST = 6
"""With fewer clusters, the jackknife replaces the bootstrap of a mean."""


def cluster_bootstrap_mean(
    values: Sequence[float],
    clusters: Sequence[str],
    confidence: float,
    *,
    seed: Json,
    bounds: Bounds = (None, None),
) -> Interval:
    """Compute the mean of ``values`` (n,) and its cluster bootstrap-t interval.

    `scipy.stats.bootstrap` draws neither clusters nor studentised means.

    Args:
        values: one a clip, finite.
        clusters: the prompt of each.
        confidence: two-sided, in (0, 1).
        seed: what the resampling is seeded by.
        bounds: the range of the measure; the interval is cut to it.

    Raises:
        ValueError: a value is not finite, or the confidence is not in (0, 1).
    """
    check_confidence(confidence)
    if not values:
        return NO_VALUES
    sums, counts = by_cluster(values, clusters)
    groups, total = len(sums), math.fsum(values)
    mean = total / len(values)
    if groups < 2:
        return one_prompt(mean)
    if min(values) == max(values):
        return _all_equal(values[0], groups, confidence, bounds)
    if np.allclose(sums, mean * counts, rtol=1e-12, atol=1e-12 * max(map(abs, values))):
        return _all_equal(mean, groups, confidence, bounds, what="prompts have the same mean")
    without = {str(g): (total - sums[g]) / (len(values) - counts[g]) for g in range(groups)}
    rough = jackknife_interval(mean, without, confidence, bounds=bounds)
    if groups < FEWEST:
        return rough
    quantiles, error = _studentised(sums, counts, mean, confidence, seed)
    low, high = cut(mean, mean - quantiles[1] * error, mean - quantiles[0] * error, bounds)
    if not (math.isfinite(low) and math.isfinite(high)):
        # Too many resamples hold prompts of one value: the sample cannot say how far its mean may be off.
        note = "most prompts have the same value: a rough interval"
        return Interval(mean, rough.low, rough.high, rough.method, (note,))
    notes = (ROUGH,) if groups < FEW else ()
    return Interval(
        mean, low, high, f"cluster bootstrap-t, {counted(groups, 'prompt')}, {RESAMPLES} resamples", notes
    )


def _studentised(
    sums: Floats, counts: Floats, mean: float, confidence: float, seed: Json
) -> tuple[tuple[float, float], float]:
    """Give the two quantiles of the resampled t, which may be infinite, and the mean's standard error."""
    groups = len(sums)
    residuals = sums - mean * counts
    equal = counts.min() == counts.max()
    # The standard error of a resample needs these sums alone, (G, 2) or (G, 5).
    columns = [residuals, residuals**2]
    if not equal:
        columns += [counts, residuals * counts, counts**2]
    table = np.ascontiguousarray(np.stack(columns))
    rng = seeded_rng("cluster bootstrap", seed)
    t = np.empty(RESAMPLES)
    done = 0
    for size in blocks(groups, RESAMPLES):
        picks = rng.integers(0, groups, size=(size, groups))
        drawn = [np.take(column, picks).sum(axis=1) for column in table]
        first, second = drawn[0], drawn[1]
        if equal:
            number = np.full(size, groups * counts[0])
            shift = first / number
            spread = second - first**2 / groups
        else:
            number = drawn[2]
            shift = first / number
            spread = second - 2 * shift * drawn[3] + shift**2 * drawn[4]
        # A spread of the size of rounding errors counts as no spread.
        spread = np.where(spread > 1e-12 * second, spread, 0.0)
        error = np.sqrt(groups / (groups - 1) * spread) / number
        with np.errstate(divide="ignore", invalid="ignore"):
            t[done : done + size] = np.nan_to_num(shift / error, nan=0.0, posinf=np.inf, neginf=-np.inf)
        done += size
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.sort(t), (tail, 1 - tail), method="inverted_cdf")
    error = math.sqrt(groups / (groups - 1) * math.fsum(residuals**2)) / math.fsum(counts)
    return (float(low), float(high)), error


def cluster_bootstrap(
    totals: Floats,
    statistic: Callable[[Floats], Floats],
    confidence: float,
    *,
    seed: Json,
    bounds: Bounds = (None, None),
) -> Interval:
    """Compute a statistic of sums, such as a ratio of means, and its cluster bootstrap interval.

    Args:
        totals: (G, K): K sums (and counts) a cluster, the clusters in the order of their names.
        statistic: sums over clusters to the value, (..., K) to (...); NaN where it has none.
        confidence, seed: as for `cluster_bootstrap_mean`.
        bounds: the range of the statistic; the interval is cut to it.

    Raises:
        ValueError: a total is not finite, or the confidence is not in (0, 1).
    """
    check_confidence(confidence)
    if not np.isfinite(totals).all():
        raise ValueError("a bootstrap needs finite totals")
    groups = len(totals)
    if not groups:
        return NO_VALUES
    value = float(statistic(totals.sum(axis=0)))
    if not math.isfinite(value):
        return Interval(None, None, None, "none", ("the value is not defined",))
    if groups < 2:
        return one_prompt(value)
    if groups < FEW:
        replicates = np.array([statistic(np.delete(totals, g, axis=0).sum(axis=0)) for g in range(groups)])
    else:
        rng = seeded_rng("cluster bootstrap", seed)
        draws = (rng.integers(0, groups, size=(size, groups)) for size in blocks(groups, RESAMPLES))
        replicates = np.concatenate([statistic(totals[picks].sum(axis=1)) for picks in draws])
    if not np.isfinite(replicates).all():
        note = "without some of the prompts the value is not defined"
        return Interval(value, None, None, "none", (note,))
    if replicates.min() == replicates.max():
        return _all_equal(float(replicates[0]), groups, confidence, bounds)
    if groups < FEW:
        without = {str(g): float(replicates[g]) for g in range(groups)}
        return jackknife_interval(value, without, confidence, bounds=bounds)
    low, high = (float(q) for q in np.quantile(np.sort(replicates), _expanded_tails(groups, confidence)))
    low, high = cut(value, low, high, bounds)
    return Interval(
        value, low, high, f"cluster bootstrap, {counted(groups, 'prompt')}, {RESAMPLES} resamples"
    )


def _expanded_tails(groups: int, confidence: float) -> tuple[float, float]:
    from scipy import special

    tail = (1 - confidence) / 2
    reach = math.sqrt(groups / (groups - 1)) * float(special.stdtrit(groups - 1, 1 - tail))
    expanded = float(special.ndtr(-reach))
    return expanded, 1 - expanded


def _all_equal(
    value: float, groups: int, confidence: float, bounds: Bounds, *, what: str = "values are equal"
) -> Interval:
    """Bound a mean where every value, or the mean of every prompt, is the same: the sample shows no spread.

    With confidence 1 - a, at most a share q = 1 - a^(1/G) of all prompts gives anything else (the rule of
    three), and at worst that share lies at the end of the measure's range.
    """
    note = f"all {what}: the sample shows no spread"
    if bounds[0] is None or bounds[1] is None:
        return Interval(value, None, None, "none", (f"{note}, and the measure's range has no end",))
    share = -math.expm1(math.log((1 - confidence) / 2) / groups)
    low, high = value - share * (value - bounds[0]), value + share * (bounds[1] - value)
    low, high = cut(value, low, high, bounds)
    return Interval(value, low, high, f"rule of three, {counted(groups, 'prompt')}", (note,))
