"""The Vendi score: the effective number of different clips in a set, from the spectrum of its similarities.

Friedman and Dieng 2023: the exponential of the entropy of the eigenvalues of K / n, where K holds the cosines
between features. n clips that are all alike score 1, n mutually orthogonal ones n.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from ..encoders.base import Feature
from .groups import kept_without
from .kernel import unit_rows

__all__ = ["vendi_leave_one_out", "vendi_score"]

Matrix: TypeAlias = NDArray[np.float64]


def vendi_score(x: Feature) -> float:
    """Return the effective number of different clips, in [1, n] and at most D.

    The score grows with n, so that only sets of equal size can be compared.

    Args:
        x: features, (n, D).

    Raises:
        UsageError: fewer than two rows, a value that is not finite, or a feature of zeros, which has no
            direction.

    Example:
        >>> import numpy as np
        >>> round(vendi_score(np.eye(3)), 6), round(vendi_score(np.ones((3, 2))), 6)
        (3.0, 1.0)
    """
    return _score(_unit(x))


def vendi_leave_one_out(x: Feature, clusters: Sequence[str]) -> dict[str, float]:
    """Give the score without each cluster in turn: see `groups`.

    Args:
        x: features, (n, D).
        clusters: the cluster of each row.

    Returns:
        Cluster or group -> score; empty where there are not two, or one leaves fewer than two clips.
    """
    rows = _unit(x)
    return {group: _score(rows[kept]) for group, kept in kept_without(clusters, least=2).items()}


def _score(rows: Matrix) -> float:
    n, width = rows.shape
    # K / n and X'X / n have the same eigenvalues beside zeros.
    gram = (rows @ rows.T if n <= width else rows.T @ rows) / n
    values = np.linalg.eigvalsh(gram)
    values = values[values > 0]
    values /= values.sum()
    return float(np.clip(np.exp(-(values * np.log(values)).sum()), 1.0, min(n, width)))


def _unit(x: Feature) -> Matrix:
    if x.ndim != 2 or not x.shape[1]:
        raise UsageError(f"the features have shape {x.shape}; expected (n, D)")
    if len(x) < 2:
        raise UsageError(f"a Vendi score needs two clips; got {len(x)}")
    if not np.isfinite(x).all():
        raise UsageError("a feature is NaN or infinite, so the set has no score")
    return unit_rows(x)
