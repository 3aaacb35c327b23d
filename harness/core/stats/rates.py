"""Wilson intervals of rates, at the effective sample size of clustered data."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .clusters import by_cluster
from .interval import NO_VALUES, Interval, check_confidence

__all__ = ["effective_sample_size", "rate_interval", "wilson"]


def effective_sample_size(values: Sequence[float], clusters: Sequence[str]) -> float:
    """Compute the number of independent trials that equals a clustered 0/1 sample, in [1, n].

    ``p (1-p) / var(p)`` with the between-cluster variance of p, times the squared ratio of Student's t at n-1
    and at G-1, because that variance is estimated from G clusters (Korn and Graubard 1998). Where all values
    agree the sample cannot tell how alike the clips of a prompt are, and each prompt counts once.

    Raises:
        ValueError: there are no values, or one is neither 0 nor 1.
    """
    sums, counts = by_cluster(values, clusters)
    if not values or not set(values) <= {0.0, 1.0}:
        raise ValueError("a rate needs values, each of them 0 or 1")
    groups, n = len(sums), len(values)
    p = math.fsum(values) / n
    if groups == n:
        return float(n)
    if groups < 2 or p in (0.0, 1.0):
        return float(groups)
    variance = groups / (groups - 1) * math.fsum((sums - p * counts) ** 2) / n**2
    # The spread is only rounding error: all prompts agree, and the sample size is at most n.
    if variance < 1e-20:
        return float(n)
    from scipy import special

    shrink = (float(special.stdtrit(n - 1, 0.975)) / float(special.stdtrit(groups - 1, 0.975))) ** 2
    return min(float(n), max(1.0, p * (1 - p) / variance * shrink))


def rate_interval(values: Sequence[float], clusters: Sequence[str], confidence: float) -> Interval:
    """Compute the share of ones among ``values`` and its Wilson interval at the effective sample size.

    A sample with a single event shows as little about the likeness of clips of one prompt as a sample with
    none. So the interval reaches at least as far as that of as many prompts without any event (or with only
    events).
    """
    check_confidence(confidence)
    if not values:
        return NO_VALUES
    p = math.fsum(values) / len(values)
    n = effective_sample_size(values, clusters)
    groups = len(set(clusters))
    low = min(wilson(p, n, confidence)[0], wilson(1.0, groups, confidence)[0])
    high = max(wilson(p, n, confidence)[1], wilson(0.0, groups, confidence)[1])
    notes = ("one prompt only: a rough interval",) if groups == 1 else ()
    return Interval(p, low, high, f"Wilson, effective n {n:.4g} of {len(values)}", notes)


def wilson(p: float, n: float, confidence: float) -> tuple[float, float]:
    """Compute Wilson's score interval (Wilson 1927) of a rate ``p`` seen in ``n`` trials."""
    from scipy import special

    z = float(special.ndtri(1 - (1 - confidence) / 2))
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At p = 0 or 1 the end is exact; rounding would move it slightly inside.
    return 0.0 if p == 0 else max(0.0, centre - half), 1.0 if p == 1 else min(1.0, centre + half)
