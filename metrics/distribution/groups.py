"""Groups of prompts for the delete-one jackknife intervals of set measures.

The jackknife (Tukey 1958; by groups, Kott 2001) and not a percentile bootstrap: a resample repeats rows, so
it holds only about 63 % of the clips, and as distances grow, and diversity shrinks, in smaller sets, its
whole distribution lies to one side of the estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from ...harness.core.keys import digest

__all__ = ["MAX_GROUPS", "check_sets", "groups_of", "kept_without"]

MAX_GROUPS = 64
"""Above this many clusters the jackknife deletes groups of clusters, so that its cost stays bounded."""


def groups_of(clusters: Sequence[str], most: int = MAX_GROUPS) -> list[str]:
    """Return the group of each row: its cluster, or above ``most`` clusters one drawn from its name.

    Two runs of one suite so have the same groups, and can be compared group by group.
    """
    names = sorted(set(clusters))
    group_of = {name: name if len(names) <= most else _group(name, most) for name in names}
    return [group_of[name] for name in clusters]


def kept_without(
    clusters: Sequence[str], *, least: int, most: int = MAX_GROUPS
) -> Mapping[str, NDArray[np.bool_]]:
    """Return group -> which rows are left without it, (n,).

    Args:
        clusters: the cluster (prompt) of each row.
        least: how many rows the statistic needs.
        most: groups there may be.

    Returns:
        Empty where there are not two groups, or one of them leaves fewer than ``least`` rows.
    """
    of_row = np.array(groups_of(clusters, most))
    kept = {str(group): of_row != group for group in sorted(set(of_row.tolist()))}
    if len(kept) < 2 or any(rows.sum() < least for rows in kept.values()):
        return {}
    return kept


def check_sets(x: NDArray[np.floating], y: NDArray[np.floating], what: str) -> None:
    """Refuse sets of features that no distance can be taken of.

    Args:
        x: features of one set, (n, D).
        y: features of the other, (m, D).
        what: the distance, for the sentence.

    Raises:
        UsageError: the shapes do not fit, a set has fewer than two rows, or a value is not finite.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not x.shape[1]:
        raise UsageError(
            f"the sets' features have shapes {x.shape} and {y.shape}; expected (n, D) and (m, D)"
        )
    if min(len(x), len(y)) < 2:
        raise UsageError(f"{what} needs two clips in each set; got {len(x)} and {len(y)}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UsageError("a feature is NaN or infinite, so the sets have no distance")


def _group(name: str, most: int) -> str:
    return f"group {int(digest('jackknife group', {'cluster': name})[:8], 16) % most}"
