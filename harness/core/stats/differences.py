"""Intervals of differences of paired rates, and the conclusion that an interval allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from ..counts import counted
from .clusters import by_cluster
from .interval import FEW, NO_VALUES, ROUGH, Interval, check_confidence, cut, one_prompt
from .rates import effective_sample_size, wilson

__all__ = ["Standing", "newcombe_interval", "paired_rate_interval", "standing"]

Standing: TypeAlias = Literal["superior", "non-inferior", "inferior", "not shown"]


def paired_rate_interval(
    differences: Sequence[float], clusters: Sequence[str], confidence: float
) -> Interval:
    """Compute the difference of two paired rates and its adjusted Wald interval, by prompt.

    ``differences`` are -1, 0 or 1. Two made-up prompts are added, one that got better and one that got worse,
    so that the interval does not collapse where few pairs differ; with one clip a prompt this is the interval
    of Bonett and Price (2012, "Adjusted Wald confidence interval for a difference of binomial proportions
    based on paired data").
    """
    check_confidence(confidence)
    if not differences:
        return NO_VALUES
    sums, counts = by_cluster(differences, clusters)
    groups, n = len(sums), len(differences)
    value = math.fsum(differences) / n
    if groups < 2:
        return one_prompt(value)
    from scipy import special

    size = n / groups
    sums, counts = np.append(sums, [size, -size]), np.append(counts, [size, size])
    total = n + 2 * size
    centre = math.fsum(sums) / total
    error = math.sqrt(math.fsum((sums - centre * counts) ** 2)) / total
    half = float(special.ndtri(1 - (1 - confidence) / 2)) * error
    low, high = cut(value, centre - half, centre + half, (-1.0, 1.0))
    notes = (ROUGH,) if groups < FEW else ()
    return Interval(value, low, high, f"adjusted Wald (Bonett-Price), {counted(groups, 'prompt')}", notes)


def newcombe_interval(
    a: Sequence[float], b: Sequence[float], clusters: Sequence[str], confidence: float
) -> Interval:
    """Compute the difference ``b - a`` of two paired rates and Newcombe's interval.

    It combines the Wilson intervals of both rates. Method 10 of Newcombe (1998, "Improved confidence
    intervals for the difference between binomial proportions based on paired data", Statistics in Medicine
    17:2635), with the correlation of the pairs, corrected as there where it is positive; each rate's ends are
    taken at its effective sample size.

    Args:
        a, b: 0 or 1, one a pair; the same items in the same order.
        clusters: the prompt of each pair.
        confidence: two-sided, in (0, 1).

    Raises:
        ValueError: a value is neither 0 nor 1, or there are not as many of one as of the other.

    Example:
        >>> pairs = [(1.0, 1.0)] * 36 + [(1.0, 0.0)] * 12 + [(0.0, 1.0)] * 2
        >>> names = [str(i) for i in range(50)]
        >>> found = newcombe_interval([x for x, _ in pairs], [y for _, y in pairs], names, 0.95)
        >>> round(found.low, 4), round(found.high, 4)
        (-0.3404, -0.0569)
    """
    check_confidence(confidence)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} values cannot be paired with {len(b)}")
    if not a:
        return NO_VALUES
    n, groups = len(a), len(set(clusters))
    p, q = math.fsum(a) / n, math.fsum(b) / n
    ends_p = wilson(p, effective_sample_size(a, clusters), confidence)
    ends_q = wilson(q, effective_sample_size(b, clusters), confidence)
    if groups < 2:
        return one_prompt(q - p)
    both = sum(x == y == 1 for x, y in zip(a, b, strict=True))
    neither = sum(x == y == 0 for x, y in zip(a, b, strict=True))
    only_a, only_b = round(n * p) - both, round(n * q) - both
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    margin = both * neither - only_a * only_b
    if margin > 0:
        margin = max(margin - n / 2, 0.0)
    correlation = margin / math.sqrt(product) if product else 0.0
    low = _square(q - ends_q[0], ends_p[1] - p, correlation)
    high = _square(ends_q[1] - q, p - ends_p[0], correlation)
    value = q - p
    low, high = cut(value, value - math.sqrt(low), value + math.sqrt(high), (-1.0, 1.0))
    notes = (ROUGH,) if groups < FEW else ()
    return Interval(value, low, high, f"Newcombe, paired, {counted(groups, 'prompt')}", notes)


def standing(
    low: float | None, high: float | None, better: Literal["higher", "lower"], margin: float = 0.0
) -> Standing:
    """Classify a run by the interval of its difference ``run - baseline``.

    ``superior`` if the whole interval is better than 0; ``non-inferior`` if none of it is worse than the
    margin; ``inferior`` if all of it is worse than 0 by more than the margin. What is superior is
    non-inferior too, and is called by the stronger name.

    Raises:
        ValueError: the margin is negative or not finite.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"a margin of {margin} is not a distance of 0 or more")
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "not shown"
    worst, best = (low, high) if better == "higher" else (-high, -low)
    if worst > 0:
        return "superior"
    if worst >= -margin:
        return "non-inferior"
    return "inferior" if best < -margin else "not shown"


def _square(x: float, y: float, correlation: float) -> float:
    return max(0.0, x * x - 2 * correlation * x * y + y * y)
