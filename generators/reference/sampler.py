"""Sampling: Euler steps of a rectified flow with classifier-free guidance, and noise that is an item's own.

Liu et al. 2022, "Flow Straight and Fast" (arXiv:2209.03003); for guidance, Ho & Salimans 2022
(arXiv:2207.12598).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from pydantic import Field

from ...harness.config import Config
from ...harness.keys import seeded_rng

if TYPE_CHECKING:
    from torch import Tensor

    from .dit import TextToVideo

__all__ = ["SamplerSettings", "item_noise", "sample", "shift_time"]


class SamplerSettings(Config):
    """What of the sampling changes a clip."""

    steps: int = Field(default=25, ge=1, le=1000, description="Euler steps")
    guidance: float = Field(default=2.5, ge=0, le=50, description="1 follows the prompt without guidance")
    shift: float = Field(default=4.0, gt=0, le=100, description="above 1, more of the steps are near noise")


def item_noise(ids: Sequence[str], shape: Sequence[int]) -> Tensor:
    """Draw standard normal noise (B, *shape) whose rows depend on their own item's id and on nothing else."""
    import torch

    rows = [seeded_rng("reference-noise", item).standard_normal(shape, np.float32) for item in ids]
    return torch.from_numpy(np.stack(rows))


_Time = TypeVar("_Time", "Tensor", float)


def shift_time(time: _Time, shift: float) -> _Time:
    """Move times in [0, 1] towards noise (1), their ends staying where they are.

    Example:
        >>> [shift_time(t, 4.0) for t in (0.0, 0.5, 1.0)]
        [0.0, 0.8, 1.0]
    """
    return shift * time / (1.0 + (shift - 1.0) * time)


def sample(
    model: TextToVideo, noise: Tensor, ids: Tensor, empty: Tensor, settings: SamplerSettings
) -> Tensor:
    """Follow the flow from ``noise`` to latents.

    Args:
        model: predicts velocities.
        noise: (B, C, T, H, W), standard normal.
        ids: token ids of the prompts (B, L).
        empty: token ids of the empty prompt (1, L).
        settings: steps and guidance scale g; the velocity is ``u + g (c - u)`` of the two predictions.

    Returns:
        Latents (B, C, T, H, W), of unit variance a channel.
    """
    import torch

    guided = settings.guidance != 1.0
    both = torch.cat([ids, empty.expand_as(ids)]) if guided else ids
    steps = settings.steps
    times = [shift_time(1.0 - step / steps, settings.shift) for step in range(steps + 1)]
    with torch.inference_mode():
        words, pooled = model.text(both)
        x = noise
        for now, after in pairwise(times):
            pair = torch.cat([x, x]) if guided else x
            velocity = model.dit(pair, pair.new_full((len(pair),), now), words, pooled)
            if guided:
                told, untold = velocity.chunk(2)
                velocity = untold + settings.guidance * (told - untold)
            x = x + (after - now) * velocity
    return x
