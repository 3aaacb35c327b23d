"""Squared distances compared as exactly as if each was taken from differences, at the cost of a product.

A product of matrices gives all distances of two sets fast, but rounds so that ties, which the balls of
neighbours end at, are lost. So it only screens: its error has a bound, and where that leaves a comparison
open the distance is taken from the differences. What comes out is, bit for bit, what comes of these alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import Feature

__all__ = ["SquaredDistances"]

_VALUES = 2**17
"""Distances that are screened together, so that what is in hand stays in the processor's cache."""


class SquaredDistances:
    """Squared distances between the rows of two sets.

    Args:
        x_MD: one set, finite, (M, D); at least one row.
        y_ND: the other, (N, D); the same if None.
    """

    def __init__(self, x_MD: Feature, y_ND: Feature | None = None) -> None:
        self._x_MD = x_MD.astype(np.float64)
        self._y_ND = self._x_MD if y_ND is None else y_ND.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            middle_D = self._y_ND.mean(axis=0)  # near the middle the bound is narrow
            near_ND = self._y_ND - middle_D
            near_MD = near_ND if y_ND is None else self._x_MD - middle_D
            self._norms_M, self._norms_N = (np.einsum("ij,ij->i", one, one) for one in (near_MD, near_ND))
            self._products_MN = near_MD @ near_ND.T
        # Of a sum of D products in any order, of the centring, and of the differences that are bounded, too.
        self._share = (4 * near_ND.shape[1] + 64) * np.finfo(np.float64).eps

    def below(self, radii: NDArray[np.float64], columns: NDArray[np.intp] | None = None) -> NDArray[np.bool_]:
        """Say where the squared distance is below a radius.

        Args:
            radii: squared; (M, 1), or (1, number of columns).
            columns: rows of the second set; all of them if None.

        Returns:
            (M, number of columns).
        """
        y_ND = self._y_ND if columns is None else self._y_ND[columns]
        below_MN = np.empty((len(self._x_MD), len(y_ND)), np.bool_)
        whole_MN = np.broadcast_to(radii, below_MN.shape)
        for rows, least_BN, most_BN in self._bounds(columns):
            radii_BN, below_BN = whole_MN[rows], below_MN[rows]
            np.less(most_BN, radii_BN, out=below_BN)
            open_BN = (least_BN < radii_BN) & ~below_BN
            for row in np.flatnonzero(open_BN.any(axis=1)):
                which = np.flatnonzero(open_BN[row])
                below_BN[row, which] = _exact(self._x_MD[rows][row], y_ND[which]) < radii_BN[row, which]
        return below_MN

    def nearest(self, count: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Find the ``count`` nearest rows of the second set to each row of the first; in one set, itself too.

        Args:
            count: 1 to N.

        Returns:
            Their numbers and squared distances, two (M, count): the nearest first, of ties the lowest number.
        """
        numbers = np.empty((len(self._x_MD), count), np.intp)
        squared = np.empty(numbers.shape, np.float64)
        for rows, least_BN, most_BN in self._bounds(None):
            reach_B = np.partition(most_BN, count - 1, axis=1)[:, count - 1]
            near_BN = least_BN <= reach_B[:, None]
            for row, x_D in enumerate(self._x_MD[rows], rows.start):
                which = np.flatnonzero(near_BN[row - rows.start])
                exact = _exact(x_D, self._y_ND[which])
                first = np.argsort(exact, kind="stable")[:count]
                numbers[row], squared[row] = which[first], exact[first]
        return numbers, squared

    def _bounds(
        self, columns: NDArray[np.intp] | None
    ) -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.float64]]]:
        """Yield the least and the most that distances can be, for some rows at a time."""
        norms_N = self._norms_N if columns is None else self._norms_N[columns]
        several = max(1, _VALUES // max(1, len(norms_N)))
        for start in range(0, len(self._x_MD), several):
            rows = slice(start, min(start + several, len(self._x_MD)))
            products_BN = self._products_MN[rows] if columns is None else self._products_MN[rows, columns]
            with np.errstate(over="ignore", invalid="ignore"):
                slack_BN = self._norms_M[rows, None] + norms_N
                most_BN = slack_BN - 2.0 * products_BN
                slack_BN *= self._share
                slack_BN += 1e-300  # the error of what is too small for a share of it
                least_BN = most_BN - slack_BN
                most_BN += slack_BN
                known = bool(np.isfinite(most_BN.sum()))
            if not known:  # of what ran over, anything may be true
                unknown = ~np.isfinite(most_BN)
                least_BN[unknown], most_BN[unknown] = -np.inf, np.inf
            yield rows, least_BN, most_BN


def _exact(x_D: NDArray[np.float64], y_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(x_D[None], y_ND, "sqeuclidean")[0], np.float64)
