"""The Frechet video distance as a torchmetrics metric: sums that merge across shards and processes."""

from __future__ import annotations

from typing import Any

import torch
from torchmetrics import Metric

from ...harness.core.errors import UsageError
from .frechet import Ddof, frechet_from_moments

__all__ = ["FrechetVideoDistance"]


class FrechetVideoDistance(Metric):
    """Squared Frechet distance between real and generated features, kept as float64 sums.

    The state is the number of rows, their sum and the sum of their outer products, of each set; states add up
    over batches, shards and processes. For features at hand, `frechet_distance` is more accurate.

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

    higher_is_better = False
    is_differentiable = False
    full_state_update = False

    def __init__(self, feature_dim: int, *, ddof: Ddof = 1, **settings: Any) -> None:
        super().__init__(**settings)
        self.feature_dim = feature_dim
        self.ddof: Ddof = ddof
        for name in ("real", "fake"):
            self.add_state(f"{name}_n", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
            self.add_state(f"{name}_sum", torch.zeros(feature_dim, dtype=torch.float64), dist_reduce_fx="sum")
            self.add_state(
                f"{name}_outer",
                torch.zeros(feature_dim, feature_dim, dtype=torch.float64),
                dist_reduce_fx="sum",
            )

    def update(self, features: torch.Tensor, real: bool) -> None:
        """Add the features of some clips, (n, D), to the real or the generated set.

        Raises:
            UsageError: another shape, or a value that is not finite.
        """
        if features.ndim != 2 or features.shape[1] != self.feature_dim:
            raise UsageError(f"features have shape {tuple(features.shape)}; expected (n, {self.feature_dim})")
        if not bool(torch.isfinite(features).all()):
            raise UsageError("a feature is NaN or infinite, so the sets have no distance")
        x_ND = features.detach().double()
        name = "real" if real else "fake"
        for state, term in (("n", len(x_ND)), ("sum", x_ND.sum(dim=0)), ("outer", x_ND.T @ x_ND)):
            setattr(self, f"{name}_{state}", getattr(self, f"{name}_{state}") + term)

    def compute(self) -> torch.Tensor:
        """Return the distance, a float64 scalar.

        Raises:
            UsageError: a set has fewer than two clips.
        """
        moments: list[Any] = []
        for name in ("real", "fake"):
            n = int(getattr(self, f"{name}_n"))
            if n < 2:
                raise UsageError(f"a Frechet distance needs two clips in each set; the {name} set has {n}")
            mean_D = getattr(self, f"{name}_sum") / n
            outer_DD = getattr(self, f"{name}_outer") - n * torch.outer(mean_D, mean_D)
            moments += [mean_D.cpu().numpy(), (outer_DD / (n - self.ddof)).cpu().numpy()]
        device = getattr(self, "real_sum").device  # noqa: B009
        return torch.tensor(frechet_from_moments(*moments), dtype=torch.float64, device=device)
