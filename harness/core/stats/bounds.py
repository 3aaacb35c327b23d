"""One-sided bounds of means and rates that hold for few prompts, for skew and for rare events.

The bound is that of Gaffke (2005, "Three test statistics for a nonparametric one-sided hypothesis on the
mean of a nonnegative variable"), found again by Learned-Miller and Thomas (2020, "A new confidence interval
for the mean of a bounded random variable"). One made-up prompt is added to the sample, as long as the longest
and with all its values at the far end of the measure's range; then every prompt is given a random weight,
exponential and independent; the bound is the quantile of the weighted mean. Of values 0 and 1, one a prompt,
it is the exact bound of Clopper and Pearson (1934), and is proved; that it holds for all bounded values is a
conjecture that no simulation has broken (docs/statistics.md has ours). A betting bound
(Waudby-Smith and Ramdas 2024) is proved for all bounded values, but lies up to twice as far out, which takes
up to four times as many prompts.

Nothing bounds the mean of a measure whose range has no end: a prompt that was not drawn may hold anything.
The made-up prompt then lies as far out as the farthest that was drawn, and the assumption that comes with it
is stated: fewer than `UNSEEN` of all prompts lie beyond what the sample shows. Samples in which that share
could have been missed have no bound (under 29 prompts at 95 % confidence).

The probability is computed, not sampled: the bound depends on no seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from ..arrays import Floats
from ..counts import counted
from .clusters import by_cluster, spread_of_prompts
from .interval import FEW, NO_VALUES, ROUGH, Bounds, Interval, check_confidence, cut
from .power import needed_without_failures

__all__ = [
    "UNSEEN",
    "bounded_mean_interval",
    "mean_bound",
    "prompts_to_clear",
    "rate_bound",
    "unseen_prompts",
]

UNSEEN = 0.10
"""Share of prompts that a sample must be likely to show one of, before a mean without an end is bounded."""
MOST = 10_000_000
"""Largest number of prompts that is reported as needed."""

Side = Literal["upper", "lower"]


class _Sample(NamedTuple):
    """Prompts for an upper bound: means (U,), relative sizes (U,) up to 1, how often each occurs (U,)."""

    means: Floats
    sizes: Floats
    times: Floats
    end: float


def mean_bound(
    values: Sequence[float],
    clusters: Sequence[str],
    confidence: float,
    side: Side,
    bounds: Bounds = (None, None),
) -> float | None:
    """Bound the mean behind clustered values from one side.

    Args:
        values: one a clip, finite.
        clusters: the prompt of each.
        confidence: one-sided, in (0, 1).
        side: of the mean.
        bounds: the range of the measure; only the end on that side is used.

    Returns:
        The bound, or None where there is none: no values, or a range that has no end on that side and either
        fewer than `unseen_prompts` prompts or no spread among them.

    Raises:
        ValueError: a value is not finite or lies outside the range, or the confidence is not in (0, 1).
    """
    check_confidence(confidence)
    sample = _sample(values, clusters, confidence, side, bounds)
    if sample is None:
        return None
    bound = _upper(sample, confidence)
    return bound if side == "upper" else -bound


def bounded_mean_interval(
    values: Sequence[float], clusters: Sequence[str], confidence: float, bounds: tuple[float, float]
) -> Interval:
    """Compute the mean of clustered values of a known range, with `mean_bound` on either side.

    It holds for few prompts of which one is unlike all others, where a bootstrap sees hardly any spread in
    most resamples and the whole range in the rest.

    Raises:
        ValueError: a value is not finite or lies outside the range, or the confidence is not in (0, 1).

    Example:
        >>> found = bounded_mean_interval([1.0] * 11 + [0.5], [str(i) for i in range(12)], 0.95, (0, 1))
        >>> round(found.low, 2), round(found.high, 2)
        (0.68, 1.0)
    """
    check_confidence(confidence)
    if not values:
        return NO_VALUES
    each = (1 + confidence) / 2  # the two sides share the error
    low = mean_bound(values, clusters, each, "lower", bounds)
    high = mean_bound(values, clusters, each, "upper", bounds)
    assert low is not None  # the range has both ends
    assert high is not None
    mean = math.fsum(values) / len(values)
    low, high = cut(mean, low, high, bounds)
    groups = len(set(clusters))
    notes = (ROUGH,) if groups < FEW else ()
    return Interval(mean, low, high, f"Gaffke's bound on either side, {counted(groups, 'prompt')}", notes)


def rate_bound(values: Sequence[float], clusters: Sequence[str], confidence: float, side: Side) -> float:
    """Bound the rate behind a clustered 0/1 sample from one side.

    With one clip a prompt it is the exact bound of Clopper and Pearson (1934). No sample bounds a rate closer
    than as many prompts, none of them failing, would.

    Raises:
        ValueError: there are no values, or one is neither 0 nor 1.

    Example:
        >>> rate_bound([0.0] * 59, [str(i) for i in range(59)], 0.95, "upper") < 0.05
        True
    """
    check_confidence(confidence)
    if not values or not set(values) <= {0.0, 1.0}:
        raise ValueError("a rate needs values, each of them 0 or 1")
    bound = mean_bound(values, clusters, confidence, side, (0.0, 1.0))
    assert bound is not None  # the range has both ends
    return bound


def unseen_prompts(confidence: float) -> int:
    """Count the prompts under which a mean without an end has no bound.

    Example:
        >>> unseen_prompts(0.95)
        29
    """
    return needed_without_failures(UNSEEN, confidence)


def prompts_to_clear(
    values: Sequence[float],
    clusters: Sequence[str],
    confidence: float,
    side: Side,
    limit: float,
    bounds: Bounds = (None, None),
    *,
    power: float = 0.5,
) -> int | None:
    """Count the prompts whose bound would clear ``limit``, were they spread as those of the sample are.

    With ``power`` 0.5 their mean is that of the sample. With more, it may lie as much nearer to the limit as
    the mean of so many prompts does with that probability (by the normal approximation).

    None if no number under ten million would: the mean is at the limit, beyond it, or just within it.
    """
    check_confidence(confidence)
    check_confidence(power)
    sample = _sample(values, clusters, confidence, side, bounds, any_size=True)
    if sample is None:
        return None
    from scipy import stats

    target = limit if side == "upper" else -limit
    groups = math.fsum(sample.times)
    slack = float(stats.norm.ppf(power)) * spread_of_prompts(values, clusters) if power != 0.5 else 0.0

    def clears(prompts: int) -> bool:
        scaled = sample._replace(times=sample.times * (prompts / groups))
        return _exceeds(scaled, target - slack / math.sqrt(prompts)) <= 1 - confidence

    enough = 1
    while not clears(enough):
        enough *= 2
        if enough > MOST:
            return None
    few = enough // 2
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if clears(middle) else (middle, enough)
    end = bounds[1] if side == "upper" else bounds[0]
    return enough if end is not None else max(enough, unseen_prompts(confidence))


def _sample(
    values: Sequence[float],
    clusters: Sequence[str],
    confidence: float,
    side: Side,
    bounds: Bounds,
    *,
    any_size: bool = False,
) -> _Sample | None:
    """Orient a sample so that its upper bound is the wanted one; None if it has no bound."""
    sums, counts = by_cluster(values, clusters)
    if not len(sums):
        return None
    means, sizes = sums / counts, counts / counts.max()
    end = bounds[1]
    if side == "lower":
        means, end = -means, None if bounds[0] is None else -bounds[0]
    farthest = float(means.max())
    if end is None:
        if farthest == means.min() or (not any_size and len(means) < unseen_prompts(confidence)):
            return None
        end = farthest
    elif farthest > end:
        if farthest > end + 1e-9 * max(1.0, abs(end)):
            raise ValueError(f"a value lies outside the measure's range {bounds}")
        means = np.minimum(means, end)  # the mean of equal values may round one step past the range
    rows, times = np.unique(np.stack([means, sizes], axis=1), axis=0, return_counts=True)
    return _Sample(rows[:, 0], rows[:, 1], times.astype(np.float64), end)


def _upper(sample: _Sample, confidence: float) -> float:
    from scipy import optimize

    low, high = float(sample.means.min()), sample.end
    if low >= high:
        return high

    # From 0 to 1, so that neither small nor large values are lost in the search.
    unit = sample._replace(means=(sample.means - low) / (high - low), end=1.0)

    def excess(limit: float) -> float:
        return _exceeds(unit, limit) - (1 - confidence)

    found = optimize.root_scalar(excess, bracket=(0.0, 1.0), method="brentq", xtol=1e-12)
    return min(high, low + (high - low) * float(found.root))


def _exceeds(sample: _Sample, limit: float) -> float:
    """Give the probability that the weighted mean lies above ``limit``.

    The weighted mean lies above the limit where a sum of exponentials, each times its prompt's size and
    distance from the limit, is positive. The probability of that is the integral of Imhof (1961, "Computing
    the distribution of quadratic forms in normal variables", equation 3.2).
    """
    factors = np.append(sample.sizes * (sample.means - limit), sample.end - limit)
    times = np.append(sample.times, 1.0)
    if factors.max() <= 0:
        return 0.0
    if factors.min() >= 0:
        return 1.0
    factors = factors / np.abs(factors).max()  # or the squares of small ones would vanish
    factors = factors / math.sqrt(math.fsum(times * factors**2))
    centre = math.fsum(times * factors)
    last = _decayed(factors, times)
    if math.fsum(times) < 30:
        # Few prompts: the integrand has a long tail and few turns. Over the logarithm of the variable the
        # trapezoid rule takes both; below its start the integrand is its first-order term, a geometric
        # series.
        step, start = 0.05, -14.0
        u = np.exp(np.arange(start, math.log(last) + step, step))
        rest = step * centre * math.exp(start - step) / -math.expm1(-step)
        integral = rest + step * math.fsum(_integrand(factors, times, u))
    else:
        # Many: it falls fast and may turn often. The midpoint rule then errs by no more than the probability
        # that the sum lies further out than 2 pi / step (Davies 1973), here under exp(-35).
        step = math.pi / (abs(centre) + 35)
        u = (np.arange(math.ceil(last / step), dtype=np.float64) + 0.5) * np.float64(step)
        integral = step * math.fsum(_integrand(factors, times, u) / u)
    return min(1.0, max(0.0, 0.5 + integral / math.pi))


def _integrand(factors: Floats, times: Floats, u: Floats) -> Floats:
    """Give the sine of the phase over the modulus of the characteristic function at ``u`` (K,)."""
    found = np.empty(len(u))
    block = max(1, 1_000_000 // len(factors))
    for start in range(0, len(u), block):
        x = u[start : start + block, None] * factors  # (K, U)
        phase = (times * np.arctan(x)).sum(axis=1)
        modulus = np.exp(-0.5 * (times * np.log1p(x**2)).sum(axis=1))
        found[start : start + block] = np.sin(phase) * modulus
    return found


def _decayed(factors: Floats, times: Floats) -> float:
    """Find, within a factor of 1.5, where the modulus of the characteristic function is under exp(-36)."""
    u = 1.0
    while 0.5 * math.fsum(times * np.log1p((factors * u) ** 2)) < 36 and u < 1e17:
        u *= 1.5
    return u
