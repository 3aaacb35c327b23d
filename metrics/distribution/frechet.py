"""The Frechet distance between two sets of clips, how sure it is, and what it would be of endless sets.

For Gaussians with the sets' means and covariances the squared distance is
|m_x - m_y|^2 + tr(S_x) + tr(S_y) - 2 tr((S_x S_y)^(1/2)) (Dowson and Landau 1982). With centred and scaled
features A, B such that S_x = A'A and S_y = B'B, the last trace is the nuclear norm of A B'. That needs no
square root of a product of matrices, is negative by rounding at most (then 0), and is exact for singular
covariances, which is what few clips give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from ...harness.core.keys import digest
from ..encoders.base import Feature

__all__ = [
    "Extrapolation",
    "extrapolate_frechet",
    "frechet_distance",
    "frechet_from_moments",
    "leave_one_out",
]

Matrix: TypeAlias = NDArray[np.float64]
Ddof: TypeAlias = Literal[0, 1]

MAX_GROUPS = 64
"""Above this many clusters the jackknife deletes groups of clusters, so that its cost stays bounded."""


def frechet_distance(x: Feature, y: Feature, *, ddof: Ddof = 1) -> float:
    """Return the squared Frechet distance between two sets of features; 0 for identical sets, never negative.

    It is biased upward by roughly c / n for sets of n rows: N(0, I) in 400 dimensions against itself gives
    about 545 at n = 64 and 20 at n = 4096. Compare only distances at equal n, or extrapolate
    (`extrapolate_frechet`).

    Args:
        x: features of one set, (n, D).
        y: features of the other, (m, D).
        ddof: 1 divides the covariance by n - 1 (`numpy.cov` and most ports), 0 by n (StyleGAN-V, cd-fvd).

    Raises:
        UsageError: a set has fewer than two rows, the widths differ, or a value is not finite.
    """
    _check(x, y)
    mean_x, factor_x = _factor(x, ddof)
    mean_y, factor_y = _factor(y, ddof)
    return _combine(mean_x, factor_x, mean_y, factor_y)


def frechet_from_moments(mean_x: Matrix, covariance_x: Matrix, mean_y: Matrix, covariance_y: Matrix) -> float:
    """Return the squared Frechet distance from means (D,) and covariances (D, D) alone.

    Covariances are factored by symmetric eigen-decomposition; eigenvalues that rounding made negative are 0.
    """
    return _combine(mean_x, _factor_of(covariance_x), mean_y, _factor_of(covariance_y))


def _factor(x: Feature, ddof: Ddof) -> tuple[Matrix, Matrix]:
    """Return the mean and a matrix A of at most D rows with A'A = covariance."""
    rows = x.astype(np.float64)
    mean = rows.mean(axis=0)
    centred = (rows - mean) / np.sqrt(len(rows) - ddof)
    if len(centred) > centred.shape[1]:
        centred = np.asarray(np.linalg.qr(centred, mode="r"), np.float64)
    return mean, centred


def _factor_of(covariance: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.sqrt(values.clip(min=0.0))[:, None] * vectors.T


def _combine(mean_x: Matrix, factor_x: Matrix, mean_y: Matrix, factor_y: Matrix) -> float:
    gap = mean_x - mean_y
    traces = np.square(factor_x).sum() + np.square(factor_y).sum()
    nuclear = np.linalg.svd(factor_x @ factor_y.T, compute_uv=False).sum()
    return max(0.0, float(gap @ gap + traces - 2.0 * nuclear))


def _check(x: Feature, y: Feature) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise UsageError(
            f"the sets' features have shapes {x.shape} and {y.shape}; expected (n, D) and (m, D)"
        )
    if min(len(x), len(y)) < 2:
        raise UsageError(f"a Frechet distance needs two clips in each set; got {len(x)} and {len(y)}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UsageError("a feature is NaN or infinite, so the sets have no distance")


@dataclass(frozen=True)
class Extrapolation:
    """A Frechet distance as the sets grow without end.

    Attributes:
        value: intercept at 1/n = 0; slightly negative values are possible for like sets.
        slope: of the distance over 1/n.
        sizes: the subset sizes n.
        distances: the distance at each size.
    """

    value: float
    slope: float
    sizes: tuple[int, ...]
    distances: tuple[float, ...]


def extrapolate_frechet(
    x: Feature, y: Feature, *, rng: np.random.Generator, points: int = 12, ddof: Ddof = 1
) -> Extrapolation:
    """Fit the distance linearly over 1/n and read it at 0 (Chong and Forsyth 2020, "FID infinity").

    At each of ``points`` sizes, evenly spaced between half and all of the smaller set, a random subset of
    that size is drawn from both sets without replacement. The 1/n law holds for n well above the feature
    dimension; below it the extrapolation still lowers the bias but does not remove it.

    Raises:
        UsageError: a set has fewer than 16 rows, or as `frechet_distance`.
    """
    _check(x, y)
    largest = min(len(x), len(y))
    if largest < 16:
        raise UsageError(f"an extrapolation needs at least 16 clips in each set; got {len(x)} and {len(y)}")
    sizes = sorted({int(size) for size in np.linspace(largest / 2, largest, points)})
    distances = [
        frechet_distance(
            x[rng.choice(len(x), size, replace=False)], y[rng.choice(len(y), size, replace=False)], ddof=ddof
        )
        for size in sizes
    ]
    slope, value = np.polyfit(1.0 / np.array(sizes), np.array(distances), 1)
    return Extrapolation(float(value), float(slope), tuple(sizes), tuple(distances))


def leave_one_out(x: Feature, y: Feature, clusters: Sequence[str]) -> dict[str, float]:
    """Give the distance without each cluster in turn: what its jackknife interval is made from.

    The jackknife (Tukey 1958; by groups, Kott 2001) and not a percentile bootstrap: a resample repeats rows,
    so it holds only about 63 % of the clips, and as the distance grows as sets shrink its whole distribution
    lies above the estimate.

    Args:
        x: features of the generated set, (n, D).
        y: features of the reference set, (m, D), held fixed.
        clusters: the cluster of each row of ``x``.

    Returns:
        Cluster -> distance. Above `MAX_GROUPS` clusters, group -> distance, with each cluster's group drawn
        from its name alone, so that two runs of one suite have the same groups. Empty where there are not
        two groups, or one of them leaves fewer than two clips.
    """
    names = sorted(set(clusters))
    group_of = {name: name if len(names) <= MAX_GROUPS else _group(name) for name in names}
    groups = sorted(set(group_of.values()))
    of_row = np.array([group_of[name] for name in clusters])
    if len(groups) < 2 or any((of_row != group).sum() < 2 for group in groups):
        return {}
    mean_y, factor_y = _factor(y, 1)
    return {group: _combine(*_factor(x[of_row != group], 1), mean_y, factor_y) for group in groups}


def _group(name: str) -> str:
    return f"group {int(digest('jackknife group', {'cluster': name})[:8], 16) % MAX_GROUPS}"
