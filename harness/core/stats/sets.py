"""Intervals of set measures, such as a distance between two sets of clips."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..counts import counted
from .interval import FEW, ROUGH, Bounds, Interval, check_confidence, cut, one_prompt

__all__ = ["jackknife_interval"]


def jackknife_interval(
    value: float, leave_one_out: Mapping[str, float], confidence: float, *, bounds: Bounds = (None, None)
) -> Interval:
    """Compute the delete-one-cluster jackknife interval of ``value``, with Student's t at G - 1.

    Args:
        value: the statistic on all clusters.
        leave_one_out: cluster -> the statistic without it, (G,).
        confidence: two-sided, in (0, 1).
        bounds: the range of the measure; the interval is cut to it.

    Raises:
        ValueError: a value is not finite, or the confidence is not in (0, 1).
    """
    check_confidence(confidence)
    if not all(math.isfinite(v) for v in (value, *leave_one_out.values())):
        raise ValueError("a jackknife needs finite values")
    groups = len(leave_one_out)
    if groups < 2:
        return one_prompt(value)
    from scipy import special

    replicates = np.array([leave_one_out[name] for name in sorted(leave_one_out)], dtype=np.float64)
    deviations = replicates - math.fsum(replicates) / groups
    error = math.sqrt((groups - 1) / groups * math.fsum(deviations**2))
    half = float(special.stdtrit(groups - 1, 1 - (1 - confidence) / 2)) * error
    low, high = cut(value, value - half, value + half, bounds)
    notes = (ROUGH,) if groups < FEW else ()
    return Interval(value, low, high, f"delete-one-prompt jackknife, {counted(groups, 'prompt')}", notes)
