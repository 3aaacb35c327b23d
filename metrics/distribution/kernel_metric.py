"""The kernel video distance as a torchmetrics metric."""

from __future__ import annotations

from typing import Any

import torch
from torchmetrics import Metric

from ...harness.core.errors import UsageError
from ...harness.core.keys import seeded_rng
from .kernel import kernel_distance

__all__ = ["KernelVideoDistance"]


class KernelVideoDistance(Metric):
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

    higher_is_better = False
    is_differentiable = False
    full_state_update = False

    real: list[torch.Tensor]
    fake: list[torch.Tensor]

    def __init__(
        self, feature_dim: int, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.feature_dim = feature_dim
        self.subsets = subsets
        self.subset_size = subset_size
        self.seed = seed
        for name in ("real", "fake"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, features: torch.Tensor, real: bool) -> None:
        """Add the features of some clips, (n, D), to the real or the generated set.

        Raises:
            UsageError: another shape, or a value that is not finite.
        """
        if features.ndim != 2 or features.shape[1] != self.feature_dim:
            raise UsageError(f"features have shape {tuple(features.shape)}; expected (n, {self.feature_dim})")
        if not bool(torch.isfinite(features).all()):
            raise UsageError("a feature is NaN or infinite, so the sets have no distance")
        (self.real if real else self.fake).append(features.detach())

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a batch is of one set, so that it has no distance of its own to return.

        Raises:
            UsageError: always, and nothing has changed.
        """
        raise UsageError(
            "one batch of one set has no kernel distance; call `update(features, real=...)` for each batch "
            "and `compute()` at the end"
        )

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
