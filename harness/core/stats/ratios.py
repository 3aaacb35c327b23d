"""Intervals of ratios: of positive values in pairs, and of positive values of sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..keys import Json
from .interval import Interval
from .means import cluster_bootstrap_mean
from .sets import jackknife_interval

__all__ = ["jackknife_ratio", "ratio_interval"]


def ratio_interval(
    a: Sequence[float], b: Sequence[float], clusters: Sequence[str], confidence: float, *, seed: Json
) -> Interval:
    """Compute the geometric mean of the ratios ``b / a`` of pairs, and its interval.

    The interval is that of the mean log ratio (the cluster bootstrap-t), taken back by the exponential. A
    change that is alike on this scale, such as a half of every prompt's value, is shown by few prompts, even
    if the prompts' values differ by orders of magnitude.

    Args:
        a, b: one a pair, above 0.
        clusters: the prompt of each pair.
        confidence: two-sided, in (0, 1).
        seed: what the resampling is seeded by.

    Raises:
        ValueError: a value is not above 0, or there are not as many of one as of the other.

    Example:
        >>> found = ratio_interval([1.0, 10.0, 100.0], [2.0, 20.0, 200.0], ["a", "b", "c"], 0.95, seed=0)
        >>> round(found.value, 9)
        2.0
    """
    logs = [_log(y) - _log(x) for x, y in zip(a, b, strict=True)]
    return _exponential(cluster_bootstrap_mean(logs, clusters, confidence, seed=seed))


def jackknife_ratio(
    a: float, b: float, without: Mapping[str, tuple[float, float]], confidence: float
) -> Interval:
    """Compute ``b / a`` of two values of sets, and its delete-one-cluster jackknife interval of the logs.

    Args:
        a, b: the values, above 0.
        without: cluster -> both values without its clips.
        confidence: two-sided, in (0, 1).

    Raises:
        ValueError: a value is not above 0.
    """
    logs = {name: _log(y) - _log(x) for name, (x, y) in without.items()}
    return _exponential(jackknife_interval(_log(b) - _log(a), logs, confidence))


def _log(value: float) -> float:
    if not value > 0:
        raise ValueError(f"{value} is not above 0, so it is in no ratio")
    return math.log(value)


def _exponential(found: Interval) -> Interval:
    value, low, high = (
        None if end is None else math.exp(end) for end in (found.value, found.low, found.high)
    )
    method = found.method if low is None else f"log ratio, {found.method}"
    return replace(found, value=value, low=low, high=high, method=method)
