"""The linear head of a detector: from a vector of numbers to the log odds of a generated clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ...harness.core.arrays import Bools, Floats
from ...harness.core.config import Config
from ...harness.core.errors import UsageError
from ..training.linear import FeatureBlock, balanced_weights, fit_linear

__all__ = ["LinearHead", "fit_head"]

_L2: Final = 0.01
_REACH: Final = 5.0
"""Standard deviations beyond which a number counts no more: one odd number does not decide alone."""


class LinearHead(Config):
    """Standardise each number, cut it to 5 standard deviations, and add them up with weights.

    Attributes:
        centre, scale: of each number over the clips that it was fit on.
        weight: of each standardised number.
    """

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    bias: float

    def log_odds(self, vectors: Floats) -> Floats:
        """Score vectors (n, k): (n,), above 0 where generated is the likelier, for a trained head."""
        return np.clip(self._standard(vectors), -_REACH, _REACH) @ np.array(self.weight) + self.bias

    def distance(self, vectors: Floats) -> Floats:
        """Measure how far vectors (n, k) lie from those of the fit: root mean square deviation, (n,)."""
        return np.sqrt((self._standard(vectors) ** 2).mean(axis=1))

    def _standard(self, vectors: Floats) -> Floats:
        if vectors.ndim != 2 or vectors.shape[1] != len(self.weight):
            raise UsageError(
                f"the features have {vectors.shape[-1]} numbers a clip, and the detector was fit on "
                f"{len(self.weight)}: they are another encoder's or another version's"
            )
        return (vectors - np.array(self.centre)) / np.array(self.scale)


def fit_head(
    vectors: Floats, generated: Bools, sources: Sequence[str], falling: bool | None = None
) -> LinearHead:
    """Fit a head by logistic regression; both classes count alike, and within a class each source.

    Args:
        vectors: (n, k), finite.
        generated: (n,).
        sources: of each clip: its generator, or where its footage is from.
        falling: for one number of a direction known without training: whether a lower one means generated.
            Then only the scale is taken, from the real clips.

    Raises:
        UsageError: a class is missing, or a number is not finite.
    """
    if generated.all() or not generated.any():
        raise UsageError(
            "a detector needs real and generated clips to be fit on, and one of the two is missing"
        )
    if not np.isfinite(vectors).all():
        raise UsageError("a feature of a clip is not a finite number, so no detector can be fit on it")
    of = vectors if falling is None else vectors[~generated]
    centre, spread = of.mean(axis=0), of.std(axis=0)
    flat = spread <= 1e-9 * np.maximum(1.0, np.abs(centre))
    scale = np.where(flat, 1.0, spread)
    if falling is not None:
        weight, bias = np.full(vectors.shape[1], -1.0 if falling else 1.0), 0.0
    else:
        standard = np.clip((vectors - centre) / scale, -_REACH, _REACH)
        labels = generated.astype(np.float64)[:, None]
        weights = balanced_weights(labels, np.array(sources, dtype=np.str_), power=0.0)
        (found,), intercept = fit_linear([FeatureBlock(standard.astype(np.float32), _L2)], labels, weights)
        weight, bias = np.where(flat, 0.0, found[:, 0]), float(intercept[0])
    return LinearHead(
        centre=tuple(centre.tolist()),
        scale=tuple(scale.tolist()),
        weight=tuple(weight.tolist()),
        bias=bias,
    )
