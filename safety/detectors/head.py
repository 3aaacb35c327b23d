"""The head of a detector: from a vector of numbers to the log odds of a generated clip.

Its first part is learned: logistic regression. It knows the traces of the generators that it was fit on,
and has no weight for a trace that none of them leaves. The second part, `Deviation`, knows the real clips
alone: how far a clip lies from them, in any direction. The larger of the two counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ...harness.core.arrays import Bools, Floats
from ...harness.core.config import Config
from ...harness.core.errors import UsageError
from ..training.linear import FeatureBlock, balanced_weights, fit_linear

__all__ = ["Deviation", "Head", "LinearHead", "fit_deviation", "fit_head"]

_L2: Final = 0.01
_REACH: Final = 5.0
"""Standard deviations beyond which a number counts no more: one odd number does not decide alone."""


_FARTHEST: Final = 15.0
_NEAR: Final = 1e-3
"""Of the deviation: standard deviations at which a number is cut, and the least squared distance."""


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


class Deviation(Config):
    """How far a clip lies from real ones: the log of the Mahalanobis distance, a mean over groups of numbers.

    Attributes:
        groups: sizes of the groups, in their order.
        centre, scale: of each number over the real clips.
        precision: of each group the inverse of the shrunk correlation matrix, row by row.
        offset, slope: from the distance to log odds.
    """

    groups: tuple[int, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    offset: float = 0.0
    slope: float = 1.0

    def values(self, vectors: Floats) -> Floats:
        """Measure vectors (n, k): (n,), larger for clips that are less like the real ones."""
        standard = np.clip((vectors - np.array(self.centre)) / np.array(self.scale), -_FARTHEST, _FARTHEST)
        parts = np.split(standard, np.cumsum(self.groups)[:-1], axis=1)
        logs: list[Floats] = []
        for part, flat in zip(parts, self.precision, strict=True):
            width = part.shape[1]
            precision = np.array(flat).reshape(width, width)
            logs.append(np.log(((part @ precision) * part).sum(axis=1) / width + _NEAR))
        return np.mean(logs, axis=0)

    def log_odds(self, vectors: Floats) -> Floats:
        """Score vectors (n, k): (n,), on the scale that `matched` chose."""
        return self.offset + self.slope * self.values(vectors)

    def matched(self, real: Floats, log_odds: Floats) -> Deviation:
        """Choose the scale on which real clips have the mean and the spread of the given log odds.

        Args:
            real: (n, k), real clips that nothing was fit on.
            log_odds: (n,), theirs by the learned part.
        """
        values = self.values(real)
        spread = float(values.std())
        slope = float(log_odds.std()) / spread if spread > 1e-12 else 1.0
        offset = float(log_odds.mean()) - slope * float(values.mean())
        return self.model_copy(update={"offset": offset, "slope": slope})


class Head(Config):
    """The learned part of a detector, and the deviation from real clips, where there is one."""

    learned: LinearHead
    deviation: Deviation | None = None

    def log_odds(self, vectors: Floats) -> Floats:
        """Score vectors (n, k): (n,), the larger of both parts."""
        odds = self.learned.log_odds(vectors)
        return odds if self.deviation is None else np.maximum(odds, self.deviation.log_odds(vectors))

    def distance(self, vectors: Floats) -> Floats:
        """Measure how far vectors (n, k) lie from those of the fit: root mean square deviation, (n,)."""
        return self.learned.distance(vectors)


def fit_deviation(real: Floats, groups: Sequence[int]) -> Deviation:
    """Fit the deviation from real clips.

    Correlations are shrunk towards none by ``k / (n + k)`` for groups of k numbers.

    Args:
        real: (n, k), of real clips alone.
        groups: sizes of the groups of numbers.
    """
    centre, spread = real.mean(axis=0), real.std(axis=0)
    scale = np.where(spread <= 1e-9 * np.maximum(1.0, np.abs(centre)), 1.0, spread)
    standard = (real - centre) / scale
    precision: list[tuple[float, ...]] = []
    for part in np.split(standard, np.cumsum(groups)[:-1], axis=1):
        n, width = part.shape
        shrunk = width / (n + width)
        matrix = (1 - shrunk) * (part.T @ part) / n + shrunk * np.eye(width)
        precision.append(tuple(float(f"{one:.6g}") for one in np.linalg.inv(matrix).ravel()))
    return Deviation(
        groups=tuple(groups),
        centre=tuple(centre.tolist()),
        scale=tuple(scale.tolist()),
        precision=tuple(precision),
    )


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
