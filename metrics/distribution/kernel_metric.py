"""The kernel video distance as a torchmetrics metric."""

from __future__ import annotations

from typing import Any

import torch

from ...harness.core.keys import seeded_rng
from .kernel import kernel_distance
from .set_metric import SetDistanceMetric

__all__ = ["KernelVideoDistance"]


class KernelVideoDistance(SetDistanceMetric):
    """Kernel distance (KID on video features) between real and generated sets, over random subsets.

    Features are kept, since the kernel needs all pairs. The subsets come from the seed and the sets alone:
    the order of the clips, batches and processes does not change the value.

    Args:
        feature_dim: D.
        subsets: how many subsets are drawn.
        subset_size: clips drawn from each set; at most the smaller set.
        seed: what the subsets are drawn from.

    Example:
        >>> import torch
        >>> from screentest.metrics import KernelVideoDistance
        >>> metric = KernelVideoDistance(feature_dim=1, subsets=3, subset_size=2)
        >>> metric.update(torch.zeros(2, 1), real=True)
        >>> metric.update(torch.ones(2, 1), real=False)
        >>> [float(value) for value in metric.compute()]
        [7.0, 0.0]
    """

    distance = "kernel distance"

    real: list[torch.Tensor]
    fake: list[torch.Tensor]

    def __init__(
        self, feature_dim: int, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0, **settings: Any
    ) -> None:
        super().__init__(feature_dim, **settings)
        self.subsets = subsets
        self.subset_size = subset_size
        self.seed = seed
        for name in ("real", "fake"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def add_features(self, features: torch.Tensor, name: str) -> None:
        """Keep the features of some clips, (n, D)."""
        getattr(self, name).append(features)

    def compute(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean and standard deviation over subsets, two float64 scalars.

        Raises:
            UsageError: a set is smaller than a subset.
        """
        sets = [
            torch.cat([batch.double().cpu().reshape(-1, self.feature_dim) for batch in batches]).numpy()
            if len(batches)
            else torch.zeros(0, self.feature_dim, dtype=torch.float64).numpy()
            for batches in ([state] if isinstance(state, torch.Tensor) else state for state in self._sets())
        ]
        rng = seeded_rng("kernel video distance", self.seed)
        values = kernel_distance(*sets, rng=rng, subsets=self.subsets, subset_size=self.subset_size)
        mean, deviation = (torch.tensor(value, dtype=torch.float64, device=self.device) for value in values)
        return mean, deviation

    def _sets(self) -> tuple[list[torch.Tensor] | torch.Tensor, list[torch.Tensor] | torch.Tensor]:
        """Return both states: lists of batches, or tensors once processes have been merged."""
        return self.real, self.fake
