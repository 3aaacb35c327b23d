"""Maximum mean discrepancies: kernel distances between two sets of clips, unbiased at any number of clips.

MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y) (Gretton et al. 2012). The unbiased estimator leaves
the pairs of a clip with itself out, and so can be negative; the biased one keeps them. Kernels are evaluated
by blocks of rows, so that memory grows with n and not with its square.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from ..encoders.base import Feature
from .groups import check_sets, groups_of

__all__ = [
    "Kernel",
    "cmmd",
    "gaussian_kernel",
    "gaussian_mmd",
    "jedi_distance",
    "kernel_distance",
    "mmd_leave_one_out",
    "polynomial_kernel",
    "polynomial_mmd",
    "unit_rows",
]

Matrix: TypeAlias = NDArray[np.float64]
Kernel: TypeAlias = Callable[[Matrix, Matrix], Matrix]
"""Rows (a, D) and (b, D) to their kernel (a, b)."""

BLOCK = 1024
"""Rows of a block: a block of kernel values of 2,048 clips takes 16 MB."""


def polynomial_mmd(
    x: Feature,
    y: Feature,
    *,
    degree: int = 3,
    gamma: float | None = None,
    coef: float = 1.0,
    unbiased: bool = True,
) -> float:
    """Return the squared maximum mean discrepancy under the kernel (gamma x.y + coef)^degree.

    With the defaults this is the kernel distance (KID, Binkowski et al. 2018; KVD on video features), of all
    clips at once. Its expectation does not depend on the number of clips.

    Args:
        x: features of one set, (n, D).
        y: features of the other, (m, D).
        degree: of the polynomial, 1 or more.
        gamma: 1 / D where None.
        coef: what is added to the product.
        unbiased: leave the pairs of a row with itself out; a value can then be below 0.

    Raises:
        UsageError: a set has fewer than two rows, the widths differ, a value is not finite, or the kernel
            overflows.

    Example:
        >>> import numpy as np
        >>> polynomial_mmd(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]))  # 1 + 8 - 2
        7.0
    """
    check_sets(x, y, "a kernel distance")
    return _mmd(x, y, polynomial_kernel(degree, gamma, coef), unbiased)


def gaussian_mmd(x: Feature, y: Feature, *, sigma: float = 10.0, unbiased: bool = False) -> float:
    """Return the squared maximum mean discrepancy under the kernel exp(-|x - y|^2 / (2 sigma^2)).

    Args:
        x: features of one set, (n, D).
        y: features of the other, (m, D).
        sigma: the kernel's width, above 0.
        unbiased: leave the pairs of a row with itself out; a value can then be below 0.

    Raises:
        UsageError: as `polynomial_mmd`, or sigma is not above 0.
    """
    check_sets(x, y, "a kernel distance")
    origin = y.astype(np.float64).mean(axis=0)  # distances know no origin; near 0 they keep their digits
    return _mmd(x - origin, y - origin, gaussian_kernel(sigma), unbiased)


def jedi_distance(x: Feature, y: Feature) -> float:
    """Return the estimator of JEDi: 100 times the biased MMD^2 under (x.y / D)^2 (Luo et al. 2024).

    JEDi itself is this distance between V-JEPA features; with another encoder it is not JEDi.

    Raises:
        UsageError: as `polynomial_mmd`.
    """
    return 100.0 * polynomial_mmd(x, y, degree=2, coef=0.0, unbiased=False)


def cmmd(x: Feature, y: Feature) -> float:
    """Return the estimator of CMMD: 1,000 times the biased Gaussian MMD^2, sigma 10, of features of length 1.

    CMMD itself (Jayasumana et al. 2024) is this distance between CLIP features.

    Raises:
        UsageError: as `gaussian_mmd`, or a feature has length 0.
    """
    check_sets(x, y, "a kernel distance")
    return 1000.0 * gaussian_mmd(unit_rows(x), unit_rows(y))


def kernel_distance(
    x: Feature, y: Feature, *, rng: np.random.Generator, subsets: int = 100, subset_size: int = 1000
) -> tuple[float, float]:
    """Return the mean and standard deviation of `polynomial_mmd` over random subsets of equal size.

    This is how KID and KVD are usually printed. The deviation tells of one subset, not of the mean. Rows are
    put in an order of their own before the draw, so that a set gives the same number in any order.

    Args:
        x: features of one set, (n, D).
        y: features of the other, (m, D).
        rng: what subsets are drawn from.
        subsets: how many.
        subset_size: clips drawn from each set, without replacement.

    Raises:
        UsageError: a set is smaller than a subset, or as `polynomial_mmd`.
    """
    check_sets(x, y, "a kernel distance")
    if subsets < 1 or not 2 <= subset_size <= min(len(x), len(y)):
        raise UsageError(
            f"{subsets} subsets of {subset_size} clips cannot be drawn from sets of {len(x)} and {len(y)}; "
            "give a subset size between 2 and the smaller set, or use polynomial_mmd on all clips"
        )
    x, y = _in_order(x), _in_order(y)
    kernel = polynomial_kernel()
    values = [
        _mmd(
            x[rng.choice(len(x), subset_size, replace=False)],
            y[rng.choice(len(y), subset_size, replace=False)],
            kernel,
            unbiased=True,
        )
        for _ in range(subsets)
    ]
    return float(np.mean(values)), float(np.std(values))


def mmd_leave_one_out(
    x: Feature, y: Feature, clusters: Sequence[str], kernel: Kernel, *, unbiased: bool = True
) -> dict[str, float]:
    """Give MMD^2 without each cluster of ``x`` in turn, the reference set held fixed: see `groups`.

    The kernel is evaluated once: what is left without a group follows from sums by group.

    Args:
        x: features of the generated set, (n, D).
        y: features of the reference set, (m, D).
        clusters: the cluster of each row of ``x``.
        kernel: such as `polynomial_kernel` gives.
        unbiased: as in `polynomial_mmd`.

    Returns:
        Cluster or group -> value; empty where there are not two, or one leaves fewer than two clips.
    """
    check_sets(x, y, "a kernel distance")
    groups = groups_of(clusters)
    names = sorted(set(groups))
    index = {name: i for i, name in enumerate(names)}
    of_row = np.array([index[group] for group in groups])
    member = np.zeros((len(x), len(names)))
    member[np.arange(len(x)), of_row] = 1.0
    left = len(x) - member.sum(axis=0)
    if len(names) < 2 or left.min() < 2:
        return {}
    sums = _sums(x.astype(np.float64), y.astype(np.float64), kernel, member)
    within = sums.xx.sum() - sums.xx.sum(axis=0) - sums.xx.sum(axis=1) + np.diagonal(sums.xx)
    own = sums.x_diagonal.sum() - sums.x_diagonal
    across = sums.xy.sum() - sums.xy
    values = _combine(within, own, left, across, sums, len(y), unbiased)
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def polynomial_kernel(degree: int = 3, gamma: float | None = None, coef: float = 1.0) -> Kernel:
    """Return the kernel (gamma x.y + coef)^degree; gamma is 1 / D where None.

    Raises:
        UsageError: a degree under 1.
    """
    if degree < 1:
        raise UsageError(f"a polynomial kernel has a degree of 1 or more, not {degree}")

    def kernel(a: Matrix, b: Matrix) -> Matrix:
        base = a @ b.T
        base *= 1.0 / a.shape[1] if gamma is None else gamma  # in place: new memory costs more than the sums
        base += coef
        if degree == 1:
            return base
        power = base * base  # many times faster than a power of floats
        for _ in range(degree - 2):
            power *= base
        return power

    return kernel


def unit_rows(x: Feature) -> Matrix:
    """Return the rows divided by their lengths.

    Raises:
        UsageError: a row is all zeros and so has no direction.
    """
    rows = x.astype(np.float64)
    rows /= np.abs(rows).max(axis=1, keepdims=True, initial=np.finfo(np.float64).tiny)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        raise UsageError("a feature is all zeros and has no direction")
    return rows / lengths


@dataclass(frozen=True)
class _Sums:
    """Sums of kernel values by group of ``x``: xx (G, G), its diagonal and xy (G,); of all of ``y``."""

    xx: Matrix
    x_diagonal: Matrix
    xy: Matrix
    yy: float
    y_diagonal: float


def gaussian_kernel(sigma: float) -> Kernel:
    """Return the kernel exp(-|x - y|^2 / (2 sigma^2)).

    Raises:
        UsageError: sigma is not above 0.
    """
    if not sigma > 0:
        raise UsageError(f"the width of a Gaussian kernel is above 0, not {sigma}")

    def kernel(a: Matrix, b: Matrix) -> Matrix:
        squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2.0 * (a @ b.T)
        return np.exp(squares.clip(min=0.0) / (-2.0 * sigma**2))

    return kernel


def _mmd(x: Feature, y: Feature, kernel: Kernel, unbiased: bool) -> float:
    rows_x, rows_y = x.astype(np.float64), y.astype(np.float64)
    sums = _sums(rows_x, rows_y, kernel, np.ones((len(x), 1)))
    n = np.array([float(len(x))])
    value = float(_combine(sums.xx[0], sums.x_diagonal, n, sums.xy, sums, len(y), unbiased)[0])
    return value if unbiased else max(0.0, value)


def _combine(
    within: Matrix, own: Matrix, n: Matrix, across: Matrix, sums: _Sums, m: int, unbiased: bool
) -> Matrix:
    """Return MMD^2 (G,) from sums over pairs of ``x``, rows with themselves, and pairs with ``y``."""
    if unbiased:
        same = (within - own) / (n * (n - 1)) + (sums.yy - sums.y_diagonal) / (m * (m - 1))
    else:
        same = within / n**2 + sums.yy / m**2
    return same - 2.0 * across / (n * m)


def _sums(x: Matrix, y: Matrix, kernel: Kernel, member: Matrix) -> _Sums:
    groups = member.shape[1]
    xx, x_diagonal, xy = np.zeros((groups, groups)), np.zeros(groups), np.zeros(groups)
    yy = y_diagonal = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, start in _blocks(x):
            values = kernel(rows, x)
            of_rows = member[start : start + len(rows)]
            xx += of_rows.T @ (values @ member)
            x_diagonal += of_rows.T @ np.diagonal(values, offset=start)
            xy += of_rows.T @ kernel(rows, y).sum(axis=1)
        for rows, start in _blocks(y):
            values = kernel(rows, y)
            yy += float(values.sum())
            y_diagonal += float(np.trace(values, offset=start))
    if not np.isfinite(xx.sum() + xy.sum() + yy):
        raise UsageError("the kernel of these features overflows; scale both sets")
    return _Sums(xx, x_diagonal, xy, yy, y_diagonal)


def _blocks(rows: Matrix) -> Iterator[tuple[Matrix, int]]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK], start


def _in_order(x: Feature) -> Matrix:
    rows = np.ascontiguousarray(x, np.float64)
    return rows[sorted(range(len(rows)), key=lambda row: rows[row].tobytes())]
