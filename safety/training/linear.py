"""Logistic regression for several labels at once, where a label may be unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats
from ..calibration import sigmoid

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["FeatureBlock", "balanced_weights", "fit_linear"]


class FeatureBlock(NamedTuple):
    """Some of the features, and the penalty on their coefficients."""

    design: csr_array | NDArray[np.float32]
    """(n, d)."""
    l2: float


def fit_linear(
    blocks: Sequence[FeatureBlock], labels: Floats, weights: Floats, *, steps: int = 200
) -> tuple[list[Floats], Floats]:
    """Minimise the weighted log loss plus l2/2 times the squared coefficients, by L-BFGS from zero.

    Args:
        blocks: features of the same n rows, side by side.
        labels: (n, k) of 0, 1 and NaN for unknown.
        weights: (n, k), 0 where the label is unknown; each column sums to 1.
        steps: the most iterations.

    Returns:
        Coefficients (d, k) of each block, and the bias (k,), which is not penalised.
    """
    from scipy.optimize import minimize

    k = labels.shape[1]
    target = np.nan_to_num(labels)
    designs: list[Any] = [block.design for block in blocks]
    widths = [int(design.shape[1]) for design in designs]
    ends = np.cumsum(widths)
    turned: list[Any] = [design.T for design in designs]
    l2 = np.repeat([block.l2 for block in blocks], widths)[:, None]

    def objective(flat: Floats) -> tuple[float, Floats]:
        coef, bias = flat[:-k].reshape(-1, k), flat[-k:]
        parts = np.split(coef.astype(np.float32), ends[:-1])
        z = sum(np.asarray(d @ c, np.float64) for d, c in zip(designs, parts, strict=True)) + bias
        loss = float(np.sum(weights * (np.logaddexp(0.0, z) - target * z))) + 0.5 * float(
            np.sum(l2 * coef * coef)
        )
        slope = weights * (sigmoid(z) - target)
        narrow = slope.astype(np.float32)
        gradient = np.concatenate([np.asarray(t @ narrow, np.float64) for t in turned]) + l2 * coef
        return loss, np.concatenate([gradient.ravel(), slope.sum(0)])

    options: dict[str, Any] = {"maxiter": steps, "maxcor": 10, "ftol": 1e-7, "gtol": 1e-7}
    start = np.zeros((int(ends[-1]) + 1) * k)
    found: Any = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return np.split(found.x[:-k].reshape(-1, k), ends[:-1]), found.x[-k:]


def balanced_weights(labels: Floats, sources: NDArray[np.str_], power: float = 0.5) -> Floats:
    """Weigh rows (n, k): both classes of a column count alike, unknown ones 0, and a column sums to 1.

    Within a class a source counts by its rows to the ``power``: at 1 each row counts alike, at 0 each source,
    so that a large source does not speak for all.
    """
    weights = np.zeros(labels.shape)
    for column in range(labels.shape[1]):
        for value in (0.0, 1.0):
            rows = labels[:, column] == value
            if not rows.any():
                continue
            _, at, count = np.unique(sources[rows], return_inverse=True, return_counts=True)
            share = count.astype(np.float64) ** power
            weights[rows, column] = 0.5 * (share / share.sum() / count)[at]
    return weights
