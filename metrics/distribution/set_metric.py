"""Base class of distances between sets of clips as torchmetrics metrics."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torchmetrics import Metric

from ...harness.core.errors import UsageError

__all__ = ["SetDistanceMetric"]


class SetDistanceMetric(Metric):
    """Base of distances between real and generated features, (n, D) a batch, each batch of one set.

    Attributes:
        distance: its name, for messages.

    Args:
        feature_dim: D.
        settings: of torchmetrics.
    """

    higher_is_better = False
    is_differentiable = False
    full_state_update = False

    distance: ClassVar[str]

    def __init__(self, feature_dim: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.feature_dim = feature_dim

    @abstractmethod
    def add_features(self, features: torch.Tensor, name: str) -> None:
        """Add checked features to the state ``real`` or ``fake``."""

    def update(self, features: torch.Tensor, real: bool) -> None:
        """Add the features of some clips, (n, D), to the real or the generated set.

        Raises:
            UsageError: another shape, or a value that is not finite.
        """
        if features.ndim != 2 or features.shape[1] != self.feature_dim:
            raise UsageError(f"features have shape {tuple(features.shape)}; expected (n, {self.feature_dim})")
        if not bool(torch.isfinite(features).all()):
            raise UsageError("a feature is NaN or infinite, so the sets have no distance")
        self.add_features(features.detach(), "real" if real else "fake")

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a batch is of one set, so that it has no distance of its own to return.

        Raises:
            UsageError: always, and nothing has changed.
        """
        raise UsageError(
            f"one batch of one set has no {self.distance}; call `update(features, real=...)` for each batch "
            "and `compute()` at the end"
        )
