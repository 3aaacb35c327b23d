"""The Frechet distance between two sets of clips, its jackknife, and its extrapolation to infinite sets.

For Gaussians with the sets' means and covariances the squared distance is
|m_x - m_y|^2 + tr(S_x) + tr(S_y) - 2 tr((S_x S_y)^(1/2)) (Dowson and Landau 1982). With any factors A, B such
that S_x = A'A and S_y = B'B, the last trace is the nuclear norm of A B': no square root of a product of
matrices, which loses half of the digits, and negative by rounding at most (then 0).

What the factor of a set is depends on its size. Up to D + 1 rows it is the centred rows themselves, written
in n - 1 contrasts. Above, it is the Cholesky factor of the covariance; where the covariance is singular or
nearly so, as constant or repeated features make it, it is the R of a QR decomposition of the rows, which is
slower and keeps every digit.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...harness.core.counts import counted
from ...harness.core.errors import UsageError
from ..encoders.base import Feature
from .groups import kept_without

__all__ = [
    "Extrapolation",
    "SmallSetWarning",
    "extrapolate_frechet",
    "frechet_distance",
    "frechet_distance_from_moments",
    "frechet_value",
    "leave_one_out",
]

Matrix: TypeAlias = NDArray[np.float64]
Ddof: TypeAlias = Literal[0, 1]

FEWEST_EXTRAPOLATED = 16
"""Clips in each set that an extrapolation needs."""

EXTRAPOLATED_GROUPS = 16
"""Groups of the jackknife of an extrapolation, each of which costs a distance at every size."""

SINGULAR = 1e-13
"""Reciprocal condition number under which a covariance is factored without Cholesky."""

LARGEST = 1e140
"""Features beyond this would overflow in the sums of squares."""


class SmallSetWarning(UserWarning):
    """Say that a set has no more rows than features, so that a distance is mostly sample size."""


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

    Warns:
        SmallSetWarning: a set has no more rows than features.

    Example:
        >>> import numpy as np
        >>> clips = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
        >>> round(frechet_distance(clips, clips + 1.0), 6)
        2.0
    """
    value = frechet_value(x, y, ddof)
    warn_if_small(min(len(x), len(y)), x.shape[1])
    return value


def frechet_distance_from_moments(
    mean_x: Matrix, covariance_x: Matrix, mean_y: Matrix, covariance_y: Matrix
) -> float:
    """Return the squared Frechet distance from means (D,) and covariances (D, D) alone.

    A singular covariance is factored by symmetric eigen-decomposition, without the eigenvalues that rounding
    alone makes. Sets of few clips have more exact distances from their features (`frechet_distance`).

    Raises:
        UsageError: the shapes do not fit, a value is not finite, or a covariance is not symmetric or has
            negative eigenvalues beyond rounding.
    """
    shapes = [np.shape(m) for m in (mean_x, covariance_x, mean_y, covariance_y)]
    width = len(mean_x)
    if not width or shapes != [(width,), (width, width)] * 2:
        raise UsageError(
            f"the moments have shapes {shapes}; expected a mean (D,) and a covariance (D, D) a set"
        )
    _check_size("moment", mean_x, covariance_x, mean_y, covariance_y)
    gap = mean_x.astype(np.float64) - mean_y
    return _combine(gap, _factor_of_covariance(covariance_x), _factor_of_covariance(covariance_y))


def warn_if_small(rows: int, width: int) -> None:
    """Warn of a set of ``rows`` clips in ``width`` dimensions whose covariance cannot have full rank."""
    if rows <= width:
        warnings.warn(
            f"a set of {counted(rows, 'clip')} does not exceed the feature dimension {width}: the "
            "covariance is "
            "singular, the distance mostly sample size; compare it with distances at equal n and m only",
            SmallSetWarning,
            stacklevel=3,
        )


def frechet_value(x: Feature, y: Feature, ddof: Ddof = 1) -> float:
    """Return `frechet_distance` without its warning, for callers that say how many clips there are."""
    _check(x, y)
    origin = y[0].astype(np.float64)
    mean_x, factor_x = _factor(x, origin, ddof)
    mean_y, factor_y = _factor(y, origin, ddof)
    return _combine(mean_x - mean_y, factor_x, factor_y)


def _factor(x: Feature, origin: Matrix, ddof: Ddof) -> tuple[Matrix, Matrix]:
    """Return the mean less ``origin``, and a matrix A of at most D rows with A'A = covariance.

    Both are taken from a row, not from 0, which would cost the digits that features far from 0 share.
    """
    rows = x.astype(np.float64) - origin
    mean = rows.mean(axis=0)
    rows -= mean
    n, width = rows.shape
    scale = 1.0 / (n - ddof)
    if n <= width + 1:
        # The Householder reflection that takes (1, ..., 1) to the first axis, whose row is then 0.
        return mean, (rows[1:] + rows[0] / (np.sqrt(n) - 1.0)) * np.sqrt(scale)
    factor = _cholesky((rows.T @ rows) * scale)
    if factor is None:
        factor = np.asarray(np.linalg.qr(rows * np.sqrt(scale), mode="r"), np.float64)
    return mean, factor


def _factor_of_covariance(covariance: Matrix) -> Matrix:
    symmetric = (covariance.astype(np.float64) + covariance.T) / 2
    rounding = 1e-6 * float(np.abs(np.diagonal(symmetric)).max(initial=0.0))
    if float(np.abs(symmetric - covariance).max(initial=0.0)) > rounding:
        raise UsageError("a covariance is not symmetric")
    factor = _cholesky(symmetric)
    if factor is not None:
        return factor
    values, vectors = np.linalg.eigh(symmetric)
    if float(values[0]) < -rounding:
        raise UsageError(f"a covariance has the negative eigenvalue {values[0]:.3g}")
    kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
    return np.sqrt(values[kept])[:, None] * vectors[:, kept].T


def _cholesky(covariance: Matrix) -> Matrix | None:
    """Return the upper factor of a well-conditioned covariance, None of another."""
    from scipy.linalg import get_lapack_funcs

    factor, condition = get_lapack_funcs(("potrf", "pocon"), (covariance,))
    upper, failed = factor(covariance, lower=0, clean=1)
    if failed:
        return None
    reciprocal, _ = condition(upper, float(np.abs(covariance).sum(axis=0).max()), uplo="U")
    return np.asarray(upper, np.float64) if reciprocal > SINGULAR else None


def _combine(gap: Matrix, factor_x: Matrix, factor_y: Matrix) -> float:
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
    if not x.shape[1]:
        raise UsageError("the features have no columns")
    _check_size("feature", x, y)


def _check_size(what: str, *arrays: Feature) -> None:
    largest = float(np.max([np.maximum(array.max(), -array.min()) for array in arrays]))  # NaN if any is NaN
    if not np.isfinite(largest):
        raise UsageError(f"a {what} is NaN or infinite, so the sets have no distance")
    if largest > LARGEST:
        raise UsageError(
            f"a {what} is beyond {LARGEST:.0e}, whose square float64 cannot hold; scale both sets"
        )


@dataclass(frozen=True)
class Extrapolation:
    """A Frechet distance extrapolated to infinite sets.

    Attributes:
        value: intercept at 1/n = 0; slightly negative values are possible for like sets.
        slope: of the distance over 1/n.
        sizes: the subset sizes n.
        distances: the distance at each size.
        leave_one_out: cluster or group -> the value without it; empty where no clusters were given, there are
            not two, or one leaves fewer than 16 clips.
    """

    value: float
    slope: float
    sizes: tuple[int, ...]
    distances: tuple[float, ...]
    leave_one_out: Mapping[str, float] = field(default_factory=dict[str, float])


def extrapolate_frechet(
    x: Feature,
    y: Feature,
    *,
    rng: np.random.Generator,
    points: int = 12,
    ddof: Ddof = 1,
    clusters: Sequence[str] | None = None,
) -> Extrapolation:
    """Fit the distance linearly over 1/n and read it at 0 (Chong and Forsyth 2020, "FID infinity").

    At each of ``points`` sizes, evenly spaced between half and all of the smaller set, a random subset of
    that size is drawn from both sets without replacement. The 1/n law holds for n well above the feature
    dimension; below it the extrapolation still lowers the bias but does not remove it.

    Args:
        x: features of the generated set, (n, D).
        y: features of the reference set, (m, D).
        rng: what subsets are drawn from.
        points: how many sizes.
        ddof: as in `frechet_distance`.
        clusters: the cluster of each row of ``x``, for ``leave_one_out``: the subsets without a cluster are
            those with it, as far as they can be, so that the draw itself does not widen an interval.

    Raises:
        UsageError: a set has fewer than 16 rows, or as `frechet_distance`.
    """
    _check(x, y)
    if min(len(x), len(y)) < FEWEST_EXTRAPOLATED:
        raise UsageError(
            f"an extrapolation needs at least {FEWEST_EXTRAPOLATED} clips in each set; "
            f"got {len(x)} and {len(y)}"
        )
    # A subset of s rows is the s rows with the smallest keys.
    keys_x, keys_y = rng.random((points, len(x))), rng.random((points, len(y)))
    whole = _extrapolate(x, y, keys_x, keys_y, ddof)
    kept_rows = kept_without(clusters or [], least=FEWEST_EXTRAPOLATED, most=EXTRAPOLATED_GROUPS)
    without = {
        group: _extrapolate(x[kept], y, keys_x[:, kept], keys_y, ddof).value
        for group, kept in kept_rows.items()
    }
    return replace(whole, leave_one_out=without)


def _extrapolate(x: Feature, y: Feature, keys_x: Matrix, keys_y: Matrix, ddof: Ddof) -> Extrapolation:
    largest = min(len(x), len(y))
    sizes = [int(size) for size in np.linspace(largest / 2, largest, len(keys_x))]
    distances = [
        frechet_value(x[np.argsort(of_x)[:size]], y[np.argsort(of_y)[:size]], ddof)
        for size, of_x, of_y in zip(sizes, keys_x, keys_y, strict=True)
    ]
    slope, value = np.polyfit(1.0 / np.array(sizes), np.array(distances), 1)
    return Extrapolation(float(value), float(slope), tuple(sizes), tuple(distances))


def leave_one_out(x: Feature, y: Feature, clusters: Sequence[str]) -> dict[str, float]:
    """Give the distance without each cluster in turn, the reference set held fixed: see `groups`.

    Args:
        x: features of the generated set, (n, D).
        y: features of the reference set, (m, D).
        clusters: the cluster of each row of ``x``.

    Returns:
        Cluster or group -> distance; empty where there are not two, or one leaves fewer than two clips.
    """
    origin = y[0].astype(np.float64)
    mean_y, factor_y = _factor(y, origin, 1)
    distances: dict[str, float] = {}
    for group, kept in kept_without(clusters, least=2).items():
        mean_x, factor_x = _factor(x[kept], origin, 1)
        distances[group] = _combine(mean_x - mean_y, factor_x, factor_y)
    return distances
