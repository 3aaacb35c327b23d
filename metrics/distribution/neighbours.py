"""Precision, recall, density and coverage: fidelity and diversity separately, by nearest neighbours.

Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models", with improved precision
and recall as in Kynkaanniemi et al. 2019. The ball of a clip reaches to its k-th nearest neighbour in its own
set; a clip at exactly that distance is outside, as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...harness.core.counts import counted
from ...harness.core.errors import UsageError
from ..encoders.base import Feature
from .groups import check_sets, kept_without
from .squared_distances import SquaredDistances

__all__ = ["Prdc", "prdc_leave_one_out", "precision_recall_density_coverage"]


class Prdc(NamedTuple):
    """Fidelity and diversity of a generated set; higher is better.

    Attributes:
        precision: share of generated clips within the ball of a real one, in [0, 1].
        recall: share of real clips within the ball of a generated one, in [0, 1].
        density: mean number of real balls that a generated clip lies in, over k; about 1 for equal
            distributions, and above it where generated clips crowd where real ones do.
        coverage: share of real clips whose ball holds a generated one, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall_density_coverage(real: Feature, fake: Feature, *, nearest_k: int = 5) -> Prdc:
    """Return precision, recall, density and coverage of generated clips against real ones.

    Args:
        real: features of the reference set, (m, D).
        fake: features of the generated set, (n, D).
        nearest_k: k, the neighbour that a ball reaches to.

    Raises:
        UsageError: a set has no more than k rows or fewer than two, the widths differ, a value is not finite,
            or a real clip has k copies, so that its ball is empty.

    Example:
        >>> import numpy as np
        >>> real = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> precision_recall_density_coverage(real, real[:2] + 0.5, nearest_k=1)
        Prdc(precision=1.0, recall=0.75, density=2.0, coverage=0.75)
    """
    _check(real, fake, nearest_k)
    across = SquaredDistances(real, fake)
    in_real_MN = across.below(_radii(real, nearest_k)[:, None])
    _, near_NK = SquaredDistances(fake).nearest(nearest_k + 1)  # the nearest is the clip itself
    in_fake_MN = across.below(near_NK[None, :, nearest_k])
    return Prdc(
        precision=float(in_real_MN.any(axis=0).mean()),
        recall=float(in_fake_MN.any(axis=1).mean()),
        density=float(in_real_MN.sum(axis=0).mean() / nearest_k),
        coverage=float(in_real_MN.any(axis=1).mean()),
    )


def prdc_leave_one_out(
    real: Feature, fake: Feature, clusters: Sequence[str], *, nearest_k: int = 5
) -> dict[str, Prdc]:
    """Give the four values without each cluster of generated clips in turn, the real set held fixed.

    Args:
        real: features of the reference set, (m, D).
        fake: features of the generated set, (n, D).
        clusters: the cluster of each row of ``fake``.
        nearest_k: k.

    Returns:
        Cluster or group (see `groups`) -> values; empty where there are not two, or one leaves no more than k
        clips.
    """
    _check(real, fake, nearest_k)
    real_radii = _radii(real, nearest_k)
    groups = kept_without(clusters, least=nearest_k + 1)
    if not groups:
        return {}
    largest = max(int(len(kept) - kept.sum()) for kept in groups.values())
    numbers_NL, near_NL = SquaredDistances(fake).nearest(nearest_k + 1 + largest)
    across = SquaredDistances(real, fake)
    in_real_MN = across.below(real_radii[:, None])
    in_fake_MN = across.below(near_NL[None, :, nearest_k])
    real_balls_N, real_held_M = in_real_MN.sum(axis=0), in_real_MN.sum(axis=1)
    fake_held_M = in_fake_MN.sum(axis=1)
    values: dict[str, Prdc] = {}
    for group, kept in groups.items():
        # A ball grows where one of the k nearest is left out; all others stay as they are.
        there_NL = kept[numbers_NL]
        grown = np.flatnonzero(kept & ~there_NL[:, : nearest_k + 1].all(axis=1))
        reach = np.argmax(np.cumsum(there_NL[grown], axis=1) == nearest_k + 1, axis=1)
        other = ~kept
        other[grown] = True
        recalled_M = fake_held_M - in_fake_MN[:, other].sum(axis=1)
        recalled_M += across.below(near_NL[None, grown, reach], grown).sum(axis=1)
        values[group] = Prdc(
            precision=float((real_balls_N[kept] > 0).mean()),
            recall=float((recalled_M > 0).mean()),
            density=float(real_balls_N[kept].mean() / nearest_k),
            coverage=float((real_held_M > in_real_MN[:, ~kept].sum(axis=1)).mean()),
        )
    return values


def _radii(real: Feature, k: int) -> NDArray[np.float64]:
    radii = SquaredDistances(real).nearest(k + 1)[1][:, k]
    if not radii.all():
        raise UsageError(
            f"{int((radii == 0).sum())} of {counted(len(real), 'real clip')} have "
            f"{counted(k, 'copy', 'copies')} in their set, so that "
            "nothing is near them; remove the copies or raise nearest_k"
        )
    return radii


def _check(real: Feature, fake: Feature, k: int) -> None:
    check_sets(real, fake, "precision and recall")
    if not 1 <= k < min(len(real), len(fake)):
        raise UsageError(
            f"nearest_k = {k} needs more than {max(k, 1)} clips in each set and a k of 1 or more; there are "
            f"{len(real)} real and {len(fake)} generated clips"
        )
