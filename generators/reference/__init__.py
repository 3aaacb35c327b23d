"""The reference generator: a small text-to-video model trained on the reference world, and its encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .generator import ReferenceGenerator
from .model.parts import CHECKPOINTS, WEIGHTS
from .model.sampler import SamplerSettings
from .training.trainable import SHIPPED, TRAINABLE, export, train

if TYPE_CHECKING:
    from .training.data import Planted, planted

__all__ = [
    "CHECKPOINTS",
    "SHIPPED",
    "TRAINABLE",
    "WEIGHTS",
    "Planted",
    "ReferenceGenerator",
    "SamplerSettings",
    "export",
    "planted",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in ("Planted", "planted"):  # imports the world, and pymunk with it
        from .training import data as training_sets

        return getattr(training_sets, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
