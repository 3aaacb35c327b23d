"""Logistic regression for several labels at once, where a label may be unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from .calibration import sigmoid

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["balanced_weights", "fit_linear"]

Floats = NDArray[np.float64]


def fit_linear(
    design: csr_array | NDArray[np.float32], labels: Floats, weights: Floats, *, l2: float, steps: int = 200
) -> tuple[Floats, Floats]:
    """Minimise the weighted log loss plus l2/2 times the squared coefficients, by L-BFGS from zero.

    Args:
        design: features (n, d).
        labels: (n, k) of 0, 1 and NaN for unknown.
        weights: (n, k), 0 where the label is unknown; each column sums to 1.
        l2: weight of the penalty; the bias is free.
        steps: the most iterations.

    Returns:
        Coefficients (d, k) and bias (k,).
    """
    from scipy.optimize import minimize

    n, d = cast("tuple[int, int]", design.shape)
    k = labels.shape[1]
    target = np.nan_to_num(labels)
    del n

    def objective(flat: Floats) -> tuple[float, Floats]:
        coef, bias = flat[: d * k].reshape(d, k), flat[d * k :]
        z = np.asarray(design @ coef) + bias
        loss = float(np.sum(weights * (np.logaddexp(0.0, z) - target * z))) + 0.5 * l2 * float(
            np.sum(coef * coef)
        )
        slope = weights * (sigmoid(z) - target)
        gradient = np.asarray(design.T @ slope) + l2 * coef
        return loss, np.concatenate([gradient.ravel(), slope.sum(0)])

    options: dict[str, Any] = {"maxiter": steps, "maxcor": 10, "ftol": 1e-9, "gtol": 1e-7}
    found: Any = minimize(objective, np.zeros(d * k + k), jac=True, method="L-BFGS-B", options=options)
    return found.x[: d * k].reshape(d, k), found.x[d * k :]


def balanced_weights(labels: Floats, sources: NDArray[np.str_]) -> Floats:
    """Weigh rows so that both classes of a column count alike, and sources by the root of their rows.

    Without the root the largest file would decide what harm sounds like.
    """
    weights = np.zeros(labels.shape)
    for column in range(labels.shape[1]):
        for value in (0.0, 1.0):
            rows = labels[:, column] == value
            for source in np.unique(sources[rows]):
                these = rows & (sources == source)
                weights[these, column] = 1.0 / np.sqrt(these.sum())
            total = weights[rows, column].sum()
            if total:
                weights[rows, column] /= 2 * total
    return weights
