"""The reference world, a small text-to-video generator trained on it, and the encoders that judge it."""

from __future__ import annotations

from .generator import CHECKPOINTS, WEIGHTS, ReferenceGenerator
from .planted import Planted, planted
from .sampler import SamplerSettings
from .trainable import SHIPPED, TRAINABLE, export, train

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
