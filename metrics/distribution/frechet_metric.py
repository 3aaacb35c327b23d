"""The Frechet video distance as a torchmetrics metric: moments that merge across shards and processes."""

from __future__ import annotations

from typing import Any

import torch

from ...harness.core.errors import UsageError
from .frechet import Ddof, frechet_distance_from_moments, warn_if_small
from .set_metric import SetDistanceMetric

__all__ = ["FrechetVideoDistance"]


class FrechetVideoDistance(SetDistanceMetric):
    """Squared Frechet distance between real and generated features, kept as float64 moments.

    The state of each set is its number of rows, its mean and its centred sums of products, which merge over
    batches, shards and processes without loss for features far from 0 (Chan, Golub and LeVeque 1983). For
    features at hand, `frechet_distance` is more accurate where clips are fewer than features.

    Args:
        feature_dim: D.
        ddof: 1 divides covariances by n - 1, 0 by n.

    Example:
        >>> import torch
        >>> from screentest.metrics import FrechetVideoDistance
        >>> metric = FrechetVideoDistance(feature_dim=2)
        >>> clips = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
        >>> metric.update(clips, real=True)
        >>> metric.update(clips + 1.0, real=False)
        >>> round(float(metric.compute()), 6)
        2.0
    """

    distance = "Frechet distance"

    real: torch.Tensor
    fake: torch.Tensor

    def __init__(self, feature_dim: int, *, ddof: Ddof = 1, **settings: Any) -> None:
        super().__init__(feature_dim, **settings)
        self.ddof: Ddof = ddof
        for name in ("real", "fake"):
            self.add_state(name, _moments(torch.zeros(0, feature_dim)), dist_reduce_fx=merge_moments)

    def add_features(self, features: torch.Tensor, name: str) -> None:
        """Merge the moments of some clips, (n, D), into those of their set."""
        state = getattr(self, name)
        batch = _moments(features.to(state.device))
        setattr(self, name, merge_moments(torch.stack([state, batch])))

    def compute(self) -> torch.Tensor:
        """Return the distance, a float64 scalar.

        Raises:
            UsageError: a set has fewer than two clips.

        Warns:
            SmallSetWarning: a set has no more clips than features.
        """
        moments: list[Any] = []
        sizes: list[int] = []
        for name in ("real", "fake"):
            state = getattr(self, name).cpu()
            n = int(state[0, 0])
            if n < 2:
                raise UsageError(f"a Frechet distance needs two clips in each set; the {name} set has {n}")
            sizes.append(n)
            moments += [state[1].numpy(), (state[2:] / (n - self.ddof)).numpy()]
        warn_if_small(min(sizes), self.feature_dim)
        distance = frechet_distance_from_moments(*moments)
        return torch.tensor(distance, dtype=torch.float64, device=self.real.device)


def merge_moments(states: torch.Tensor) -> torch.Tensor:
    """Merge the moments of K sets, (K, D + 2, D), into those of their union, (D + 2, D).

    The rows of one set's moments are its number of clips (in the first column), its mean, and its centred sum
    of outer products.
    """
    merged = states[0]
    for state in states[1:]:
        n_a, n_b = merged[0, 0], state[0, 0]
        share = n_b / (n_a + n_b).clamp(min=1.0)
        gap_D = torch.where(n_a > 0, state[1] - merged[1], 0.0)
        mean_D = torch.where(n_a > 0, merged[1] + gap_D * share, state[1])
        centred_DD = merged[2:] + state[2:] + torch.outer(gap_D, gap_D) * (n_a * share)
        merged = torch.cat([(merged[0] + state[0])[None], mean_D[None], centred_DD])
    return merged


def _moments(features: torch.Tensor) -> torch.Tensor:
    """Return the moments of rows (n, D) as `merge_moments` has them; zeros for no rows."""
    x_ND = features.double()
    n, width = x_ND.shape
    state = x_ND.new_zeros(width + 2, width)
    if n:
        origin_D = x_ND[0]  # the mean is summed from a row, not from 0, and so keeps its last digits
        mean_D = origin_D + (x_ND - origin_D).mean(dim=0)
        centred_ND = x_ND - mean_D
        state[0, 0] = n
        state[1] = mean_D
        state[2:] = centred_ND.T @ centred_ND
    return state
