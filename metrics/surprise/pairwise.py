"""Pairwise accuracy: how often one clip of a matched pair scores above the other, with an interval.

Comparing two clips of one scene, such as a possible and an impossible one, removes the effects of the scene
and of the score's scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats
from ...harness.core.counts import counted
from ...harness.core.stats import (
    FEW,
    ROUGH,
    Bounds,
    Interval,
    cluster_bootstrap_mean,
    jackknife_interval,
    rate_interval,
)

__all__ = ["area_under_curve", "pairwise_accuracy"]

_BOUNDS: Bounds = (0.0, 1.0)
_ROUNDING: Final = 1e-12
"""A width up to it is that of sums of replicates which are equal."""


def pairwise_accuracy(
    low: Sequence[float], high: Sequence[float], clusters: Sequence[str], confidence: float
) -> Interval:
    """Compute the share of pairs in which ``high`` is above ``low``, with ties counted half; chance is 1/2.

    Without ties the interval is that of a rate (`rate_interval`), with ties that of a mean.

    Args:
        low: scores that should be the lower of their pair, (n,), finite.
        high: the others, in the same order.
        clusters: what each pair belongs to; pairs of one cluster are not independent.
        confidence: two-sided, in (0, 1).

    Raises:
        ValueError: a score is not finite, or the lengths differ.

    Example:
        >>> pairwise_accuracy([1.0, 2.0], [2.0, 2.0], ["a", "b"], 0.95).value
        0.75
    """
    below, above = _finite(low), _finite(high)
    right = [float(b) for b in (np.sign(above - below) + 1) / 2]
    if set(right) == {0.0, 1.0} and len(set(clusters)) > 1:
        return rate_interval(right, clusters, confidence)
    return cluster_bootstrap_mean(right, clusters, confidence, seed=("pairwise accuracy",), bounds=_BOUNDS)


def area_under_curve(
    low: Sequence[float], high: Sequence[float], clusters: Sequence[str], confidence: float
) -> Interval:
    """Compute the share of *all* pairs, matched or not, in which ``high`` is above ``low``, with ties half.

    The area under the ROC curve (Mann-Whitney): how well one threshold for all scenes would do. The interval
    is the delete-one-cluster jackknife. Where every pair agrees, or each scene has the same scores twice, the
    sample shows no spread: the interval is then what a share q of scenes that do otherwise could still hide,
    which keep (1 - q)^2 of the pairs, q bounded by the rule of three. Where the area is otherwise the same
    without any one cluster, as by chance with few scenes, there is no interval.

    Args:
        low: scores that should be the lower ones, (n,), finite.
        high: the others; ``low[i]`` and ``high[i]`` are of the cluster ``clusters[i]``.
        clusters: what each pair belongs to.
        confidence: two-sided, in (0, 1).

    Raises:
        ValueError: a score is not finite, or the lengths differ.
    """
    below, above = _finite(low), _finite(high)
    if not len(below):
        return Interval(None, None, None, "none", ("no values",))
    value = _area(below, above)
    names = sorted(set(clusters))
    member = np.array(clusters)
    if len(names) > 1 and (value in (0.0, 1.0) or _unmoved(below, above, member)):
        kept = ((1 - confidence) / 2) ** (2 / len(names))  # (1 - q)^2, where q is 1 - (half the rest)^(1 / G)
        what = "all pairs agree" if value in (0.0, 1.0) else "no scene's scores differ"
        notes = (f"{what}: the sample shows no spread", *((ROUGH,) if len(names) < FEW else ()))
        ends = kept * value, 1 - kept * (1 - value)
        return Interval(value, *ends, f"rule of three, {counted(len(names), 'prompt')}", notes)
    without = {name: _area(below[member != name], above[member != name]) for name in names if len(names) > 1}
    return _with_spread(jackknife_interval(value, without, confidence, bounds=_BOUNDS))


def _with_spread(found: Interval) -> Interval:
    """Take away an interval of no width: such a sample cannot say how far its value may be off."""
    if found.low is None or found.high is None or found.high - found.low > _ROUNDING:
        return found
    return Interval(
        found.value, None, None, "none", ("the sample shows no spread: no interval can be given",)
    )


def _unmoved(below: Floats, above: Floats, member: NDArray[np.str_]) -> bool:
    """Say whether each cluster has the same scores on both sides."""
    one, two = (np.lexsort((scores, member)) for scores in (below, above))
    return bool(np.array_equal(below[one], above[two]))


def _area(below: Floats, above: Floats) -> float:
    """Count by rank, so that a million clips need no table of pairs."""
    ordered = np.sort(below)
    wins = np.searchsorted(ordered, above, side="left")
    ties = np.searchsorted(ordered, above, side="right") - wins
    return (2 * int(wins.sum()) + int(ties.sum())) / (2 * len(below) * len(above))


def _finite(values: Sequence[float]) -> Floats:
    array = np.array(values, np.float64)
    if not np.isfinite(array).all():
        raise ValueError("a score is not finite: leave its pair out and count it as left out")
    return array
