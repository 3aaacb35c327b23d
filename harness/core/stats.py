"""Intervals and bounds: how sure a number is, with seeds of one prompt treated as what they are.

Clips of one prompt are alike, so they are resampled and counted by prompt (the *cluster*):

- means: the cluster bootstrap, with the percentiles widened for few clusters (Hesterberg 2015, section 5.3,
  "expanded percentile"); under ten clusters, whose means a bootstrap cannot reach beyond, the
  delete-one-cluster jackknife with Student's t instead;
- rates: the Wilson interval, and the exact Clopper-Pearson bound for ceilings, both at the effective sample
  size of the clustered sample (Korn and Graubard 1998), because a bootstrap collapses at 0 or n events;
- differences of rates: the adjusted Wald interval (Bonett and Price 2012), by prompt;
- sets: the delete-one-cluster jackknife.

All randomness is derived from the seed given; sums run in a fixed order and without BLAS, whose last bit may
depend on the machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .keys import Json, seeded_rng

__all__ = [
    "Interval",
    "cluster_bootstrap",
    "cluster_bootstrap_mean",
    "effective_sample_size",
    "holm",
    "jackknife_interval",
    "needed_at_rate",
    "needed_without_failures",
    "paired_rate_interval",
    "rate_bound",
    "rate_interval",
    "sign_flip_test",
]

RESAMPLES = 4000
FLIPS = 9999
FEW = 10
"""Clusters under which an interval is rough, and the bootstrap gives way to the jackknife."""

Floats: TypeAlias = NDArray[np.float64]
Bounds: TypeAlias = tuple[float | None, float | None]


@dataclass(frozen=True)
class Interval:
    """A value with its two-sided interval; all three are None where there is nothing to say them from."""

    value: float | None
    low: float | None
    high: float | None
    method: str
    notes: tuple[str, ...] = ()


NO_VALUES = Interval(None, None, None, "none", ("no values",))
ROUGH = "few prompts: a rough interval"


def _one_prompt(value: float) -> Interval:
    return Interval(value, None, None, "none", ("one prompt only: no interval can be given",))


def _by_cluster(values: Sequence[float], clusters: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum values and count them by cluster, the clusters in the order of their names: two arrays (G,)."""
    members: dict[str, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        if not math.isfinite(value):
            raise ValueError(f"{value} among the values: leave it out and count it as left out")
        members.setdefault(cluster, []).append(value)
    names = sorted(members)
    sums = np.array([math.fsum(members[name]) for name in names], dtype=np.float64)
    counts = np.array([len(members[name]) for name in names], dtype=np.float64)
    return sums, counts


def _blocks(groups: int, total: int) -> Iterator[int]:
    """Cut ``total`` resamples of ``groups`` clusters into blocks of bounded memory."""
    block = max(1, 1_000_000 // groups)
    for start in range(0, total, block):
        yield min(block, total - start)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")


def _cut(value: float, low: float, high: float, bounds: Bounds) -> tuple[float, float]:
    """Cut an interval to the measure's range; never past the value, which rounding may put outside."""
    if bounds[0] is not None:
        low = max(low, bounds[0])
    if bounds[1] is not None:
        high = min(high, bounds[1])
    return min(low, value), max(high, value)


def cluster_bootstrap_mean(
    values: Sequence[float],
    clusters: Sequence[str],
    confidence: float,
    *,
    seed: Json,
    bounds: Bounds = (None, None),
) -> Interval:
    """Give the mean of ``values`` (n,) and its cluster-bootstrap interval.

    Args:
        values: one a clip, finite.
        clusters: the prompt of each.
        confidence: two-sided, in (0, 1).
        seed: what the resampling is seeded by.
        bounds: the range of the measure; the interval is cut to it.

    Raises:
        ValueError: a value is not finite, or the confidence is not in (0, 1).
    """
    _check_confidence(confidence)
    if not values:
        return NO_VALUES
    sums, counts = _by_cluster(values, clusters)
    groups, total = len(sums), math.fsum(values)
    mean = total / len(values)
    if groups < 2:
        return _one_prompt(mean)
    if min(values) == max(values):
        return _all_equal(values[0], groups, confidence, bounds)
    if groups < FEW:
        without = {str(g): (total - sums[g]) / (len(values) - counts[g]) for g in range(groups)}
        return jackknife_interval(mean, without, confidence, bounds=bounds)
    rng = seeded_rng("cluster bootstrap", seed)
    means = np.empty(RESAMPLES)
    done = 0
    for size in _blocks(groups, RESAMPLES):
        picks = rng.integers(0, groups, size=(size, groups))
        means[done : done + size] = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
        done += size
    low, high = (float(q) for q in np.quantile(np.sort(means), _expanded_tails(groups, confidence)))
    low, high = _cut(mean, low, high, bounds)
    return Interval(mean, low, high, f"cluster bootstrap, {groups} prompts, {RESAMPLES} resamples")


def cluster_bootstrap(
    totals: Floats,
    statistic: Callable[[Floats], Floats],
    confidence: float,
    *,
    seed: Json,
    bounds: Bounds = (None, None),
) -> Interval:
    """Give a statistic of sums, such as a ratio of means, and its cluster-bootstrap interval.

    Args:
        totals: (G, K): K sums (and counts) a cluster, the clusters in the order of their names.
        statistic: sums over clusters to the value, (..., K) to (...); NaN where it has none.
        confidence: two-sided, in (0, 1).
        seed: what the resampling is seeded by.
        bounds: the range of the statistic; the interval is cut to it.

    Raises:
        ValueError: a total is not finite, or the confidence is not in (0, 1).
    """
    _check_confidence(confidence)
    if not np.isfinite(totals).all():
        raise ValueError("a bootstrap needs finite totals")
    groups = len(totals)
    if not groups:
        return NO_VALUES
    value = float(statistic(totals.sum(axis=0)))
    if not math.isfinite(value):
        return Interval(None, None, None, "none", ("the value is not defined",))
    if groups < 2:
        return _one_prompt(value)
    if groups < FEW:
        replicates = np.array([statistic(np.delete(totals, g, axis=0).sum(axis=0)) for g in range(groups)])
    else:
        rng = seeded_rng("cluster bootstrap", seed)
        blocks = (rng.integers(0, groups, size=(size, groups)) for size in _blocks(groups, RESAMPLES))
        replicates = np.concatenate([statistic(totals[picks].sum(axis=1)) for picks in blocks])
    if not np.isfinite(replicates).all():
        note = "without some of the prompts the value is not defined"
        return Interval(value, None, None, "none", (note,))
    if replicates.min() == replicates.max():
        return _all_equal(float(replicates[0]), groups, confidence, bounds)
    if groups < FEW:
        without = {str(g): float(replicates[g]) for g in range(groups)}
        return jackknife_interval(value, without, confidence, bounds=bounds)
    low, high = (float(q) for q in np.quantile(np.sort(replicates), _expanded_tails(groups, confidence)))
    low, high = _cut(value, low, high, bounds)
    return Interval(value, low, high, f"cluster bootstrap, {groups} prompts, {RESAMPLES} resamples")


def _expanded_tails(groups: int, confidence: float) -> tuple[float, float]:
    from scipy import stats

    tail = (1 - confidence) / 2
    reach = math.sqrt(groups / (groups - 1)) * float(stats.t.ppf(1 - tail, groups - 1))
    expanded = float(stats.norm.sf(reach))
    return expanded, 1 - expanded


def _all_equal(value: float, groups: int, confidence: float, bounds: Bounds) -> Interval:
    """Bound a mean where every value is the same, so that the sample shows no spread.

    With confidence 1 - a, at most a share q = 1 - a^(1/G) of all prompts gives anything else (the rule of
    three), and at worst that share lies at the end of the measure's range.
    """
    note = "all values are equal: the sample shows no spread"
    if bounds[0] is None or bounds[1] is None:
        return Interval(value, None, None, "none", (f"{note}, and the measure's range has no end",))
    share = _zero_bound(groups, 1 - (1 - confidence) / 2)
    low, high = value - share * (value - bounds[0]), value + share * (bounds[1] - value)
    low, high = _cut(value, low, high, bounds)
    return Interval(value, low, high, f"rule of three, {groups} prompts", (note,))


def _zero_bound(groups: float, confidence: float) -> float:
    """Bound, from above, the rate of something that none of ``groups`` independent trials showed."""
    return -math.expm1(math.log1p(-confidence) / groups)


def effective_sample_size(values: Sequence[float], clusters: Sequence[str]) -> float:
    """Give the number of independent trials that a clustered 0/1 sample is worth, in [1, n].

    ``p (1-p) / var(p)`` with the between-cluster variance of p, times the squared ratio of Student's t at n-1
    and at G-1, because that variance is estimated from G clusters (Korn and Graubard 1998). Where all values
    agree the sample cannot tell how alike the clips of a prompt are, and each prompt counts once.

    Raises:
        ValueError: there are no values, or one is neither 0 nor 1.
    """
    sums, counts = _by_cluster(values, clusters)
    if not values or not set(values) <= {0.0, 1.0}:
        raise ValueError("a rate needs values, each of them 0 or 1")
    groups, n = len(sums), len(values)
    p = math.fsum(values) / n
    if groups == n:
        return float(n)
    if groups < 2 or p in (0.0, 1.0):
        return float(groups)
    variance = groups / (groups - 1) * math.fsum((sums - p * counts) ** 2) / n**2
    # A spread of rounding errors: the prompts agree to the last clip, and no more than n can be claimed.
    if variance < 1e-20:
        return float(n)
    from scipy import stats

    shrink = (float(stats.t.ppf(0.975, n - 1)) / float(stats.t.ppf(0.975, groups - 1))) ** 2
    return min(float(n), max(1.0, p * (1 - p) / variance * shrink))


def rate_interval(values: Sequence[float], clusters: Sequence[str], confidence: float) -> Interval:
    """Give the share of ones among ``values`` (0 or 1) and its Wilson interval at the effective sample size.

    A sample with one event shows as little of how alike the clips of a prompt are as one with none; so the
    interval reaches at least as far as that of as many prompts without any event (or with nothing else).
    """
    _check_confidence(confidence)
    if not values:
        return NO_VALUES
    p = math.fsum(values) / len(values)
    n = effective_sample_size(values, clusters)
    groups = len(set(clusters))
    low = min(_wilson(p, n, confidence)[0], _wilson(1.0, groups, confidence)[0])
    high = max(_wilson(p, n, confidence)[1], _wilson(0.0, groups, confidence)[1])
    return Interval(p, low, high, f"Wilson, effective n {n:.4g} of {len(values)}")


def _wilson(p: float, n: float, confidence: float) -> tuple[float, float]:
    """Give Wilson's score interval (Wilson 1927) of a rate ``p`` seen in ``n`` trials."""
    from scipy import stats

    z = float(stats.norm.ppf(1 - (1 - confidence) / 2))
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At p = 0 or 1 the end is exact; rounding would leave it a hair inside.
    return 0.0 if p == 0 else max(0.0, centre - half), 1.0 if p == 1 else min(1.0, centre + half)


def rate_bound(
    values: Sequence[float], clusters: Sequence[str], confidence: float, side: Literal["upper", "lower"]
) -> float:
    """Bound the rate behind a clustered 0/1 sample from one side (Clopper and Pearson 1934).

    No sample bounds a rate closer than as many prompts, none of them failing, would: otherwise a failure in
    one clip, which makes the effective sample size look large, could turn a sample that shows too little
    into one that passes.

    Raises:
        ValueError: there are no values, or one is neither 0 nor 1.

    Example:
        >>> rate_bound([0.0] * 59, [str(i) for i in range(59)], 0.95, "upper") < 0.05
        True
    """
    _check_confidence(confidence)
    n = effective_sample_size(values, clusters)
    p = math.fsum(values) / len(values)
    nearest = _zero_bound(len(set(clusters)), confidence)
    if side == "upper":
        return max(_upper(p, n, confidence), nearest)
    return min(1 - _upper(1 - p, n, confidence), 1 - nearest)


def _upper(p: float, n: float, confidence: float) -> float:
    """Give the Clopper-Pearson upper bound for a rate ``p`` seen in ``n`` trials; n need not be whole."""
    if p >= 1:
        return 1.0
    if p <= 0:
        return _zero_bound(n, confidence)
    from scipy import stats

    return float(stats.beta.ppf(confidence, p * n + 1, n - p * n))


def needed_at_rate(rate: float, ceiling: float, confidence: float) -> int | None:
    """Count the independent clips that show a rate to be under ``ceiling`` if they fail at ``rate``.

    None where no number, or none under ten million, would: the rate is at the ceiling or above it.
    """
    _check_confidence(confidence)
    if not 0 <= rate < ceiling or _upper(rate, 1e7, confidence) > ceiling:
        return None
    few, enough = 0, 10_000_000
    while enough - few > 1:
        middle = (few + enough) // 2
        if _upper(rate, middle, confidence) <= ceiling:
            enough = middle
        else:
            few = middle
    return enough


def needed_without_failures(ceiling: float, confidence: float) -> int:
    """Count the independent clips, none of them failing, that show a rate to be under ``ceiling``.

    Raises:
        ValueError: the ceiling or the confidence is not in (0, 1).

    Example:
        >>> [needed_without_failures(p, 0.95) for p in (0.05, 0.01, 0.005, 0.001)]
        [59, 299, 598, 2995]
    """
    if not 0 < ceiling < 1:
        raise ValueError(f"a ceiling of {ceiling} is not between 0 and 1")
    _check_confidence(confidence)
    # Where the quotient is a whole number, rounding must not ask for one clip more.
    return max(1, math.ceil(math.log1p(-confidence) / math.log1p(-ceiling) - 1e-9))


def jackknife_interval(
    value: float, leave_one_out: Mapping[str, float], confidence: float, *, bounds: Bounds = (None, None)
) -> Interval:
    """Give the delete-one-cluster jackknife interval of ``value``, with Student's t at G - 1.

    Args:
        value: the statistic on all clusters.
        leave_one_out: cluster -> the statistic without it, (G,).
        confidence: two-sided, in (0, 1).
        bounds: the range of the measure; the interval is cut to it.

    Raises:
        ValueError: a value is not finite, or the confidence is not in (0, 1).
    """
    _check_confidence(confidence)
    if not all(math.isfinite(v) for v in (value, *leave_one_out.values())):
        raise ValueError("a jackknife needs finite values")
    groups = len(leave_one_out)
    if groups < 2:
        return _one_prompt(value)
    from scipy import stats

    replicates = np.array([leave_one_out[name] for name in sorted(leave_one_out)], dtype=np.float64)
    deviations = replicates - math.fsum(replicates) / groups
    error = math.sqrt((groups - 1) / groups * math.fsum(deviations**2))
    half = float(stats.t.ppf(1 - (1 - confidence) / 2, groups - 1)) * error
    low, high = _cut(value, value - half, value + half, bounds)
    notes = (ROUGH,) if groups < FEW else ()
    return Interval(value, low, high, f"delete-one-prompt jackknife, {groups} prompts", notes)


def paired_rate_interval(
    differences: Sequence[float], clusters: Sequence[str], confidence: float
) -> Interval:
    """Give the difference of two paired rates and its adjusted Wald interval, by prompt.

    ``differences`` are -1, 0 or 1. Two made-up prompts are added, one that got better and one that got worse,
    so that the interval does not collapse where few pairs differ; with one clip a prompt this is the interval
    of Bonett and Price (2012, "Adjusted Wald confidence interval for a difference of binomial proportions
    based on paired data").
    """
    _check_confidence(confidence)
    if not differences:
        return NO_VALUES
    sums, counts = _by_cluster(differences, clusters)
    groups, n = len(sums), len(differences)
    value = math.fsum(differences) / n
    if groups < 2:
        return _one_prompt(value)
    from scipy import stats

    size = n / groups
    sums, counts = np.append(sums, [size, -size]), np.append(counts, [size, size])
    total = n + 2 * size
    centre = math.fsum(sums) / total
    error = math.sqrt(math.fsum((sums - centre * counts) ** 2)) / total
    half = float(stats.norm.ppf(1 - (1 - confidence) / 2)) * error
    low, high = _cut(value, centre - half, centre + half, (-1.0, 1.0))
    notes = (ROUGH,) if groups < FEW else ()
    return Interval(value, low, high, f"adjusted Wald (Bonett-Price), {groups} prompts", notes)


def sign_flip_test(
    differences: Sequence[float], clusters: Sequence[str], *, seed: Json
) -> tuple[float, str] | None:
    """Test that paired differences are around 0, flipping the sign of whole prompts: (p, the test's name).

    Exact where prompts differ by equal amounts (the sign test; of a rate with one clip a prompt, McNemar's
    exact test) or at most 14 prompts differ; beyond that ``FLIPS`` seeded flips, the observed one counted
    in (Phipson and Smyth 2010). None without values.
    """
    if not differences:
        return None
    sums, _ = _by_cluster(differences, clusters)
    sums = sums[sums != 0]
    groups = len(sums)
    if groups == 0:
        return 1.0, "exact sign test, no prompt differs"
    sizes = np.abs(sums)
    if sizes.min() == sizes.max():
        from scipy import stats

        p = float(stats.binomtest(int((sums > 0).sum()), groups).pvalue)
        return p, f"exact sign test, {groups} prompts differ"
    # Flips that tie with what was seen count, whatever the last bit of their sum.
    seen = abs(math.fsum(sums)) - 1e-12 * math.fsum(sizes)
    if groups <= 14:
        signs = 1.0 - 2.0 * ((np.arange(2**groups)[:, None] >> np.arange(groups)) & 1)
        hits = int((np.abs((signs * sums).sum(axis=1)) >= seen).sum())
        return hits / 2**groups, f"exact sign-flip test, {groups} prompts differ"
    rng = seeded_rng("sign flips", seed)
    hits = 0
    for size in _blocks(groups, FLIPS):
        signs = 1.0 - 2.0 * rng.integers(0, 2, size=(size, groups))
        hits += int((np.abs((signs * sums).sum(axis=1)) >= seen).sum())
    return (1 + hits) / (1 + FLIPS), f"sign-flip test, {groups} prompts differ, {FLIPS} flips"


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number (Holm 1979), in the order given.

    Raises:
        ValueError: one is not in [0, 1].

    Example:
        >>> [round(p, 4) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError("a p-value is not between 0 and 1")
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted
