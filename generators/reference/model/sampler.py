"""Sampling: integrate a rectified flow from an item's noise to latents, with classifier-free guidance.

Liu et al. 2022, "Flow Straight and Fast" (arXiv:2209.03003). Guidance: Ho & Salimans 2022 (arXiv:2207.12598).
Heun's method: Karras et al. 2022, algorithm 1 (arXiv:2206.00364). The shift of the times: Esser et al. 2024,
section 5.3.2 (arXiv:2403.03206). Starting from a noisy clip: Meng et al. 2021, "SDEdit" (arXiv:2108.01073).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import numpy as np
from pydantic import Field

from ....harness.core.config import Config
from ....harness.core.keys import seeded_rng

if TYPE_CHECKING:
    from torch import Tensor

    from .dit import DiT

    Velocity: TypeAlias = Callable[[Sequence[Tensor], Tensor], list[Tensor]]
    """The velocities of latents (C, T, H, W) each, at times (B,)."""

    Conditioning: TypeAlias = tuple[Sequence[Tensor], Tensor]
    """What a text model says of prompts: the words of each (L, D), and all of them pooled (B, D)."""

__all__ = ["Given", "SamplerSettings", "item_noise", "sample", "shift_time"]


class SamplerSettings(Config):
    """The settings of sampling, all of which change a clip.

    Each step of ``euler`` asks the model once. Each of ``heun`` asks it twice, but for the last, which is one
    of Euler: 2 steps - 1 in all, so that 13 steps of Heun cost what 25 of Euler do. With guidance, each time
    is for the prompt and for no prompt.
    """

    solver: Literal["euler", "heun"] = "euler"
    steps: int = Field(default=25, ge=1, le=1000, description="steps from noise to a clip")
    guidance: float = Field(default=2.5, ge=0, le=50, description="1 follows the prompt without guidance")
    shift: float = Field(default=3.0, gt=0, le=100, description="above 1, more of the steps are near noise")


@dataclass(frozen=True)
class Given:
    """The conditioning frames of one clip.

    Attributes:
        latents: the clean latents of a clip (C, T, H, W): what is kept of them is said by the other two.
        known: which of its frames stay as they are, (T,) bool.
        strength: share of noise that the other frames start with, in (0, 1]; at 1 nothing of them is left.
        still: the clean latents (C, 1, H, W) of an image that the clip starts from.
    """

    latents: Tensor | None = None
    known: Tensor | None = None
    strength: float = 1.0
    still: Tensor | None = None


def item_noise(item: str, shape: Sequence[int]) -> Tensor:
    """Draw standard normal noise of a shape; it depends only on the item's id."""
    import torch

    return torch.from_numpy(seeded_rng("reference-noise", item).standard_normal(shape, np.float32))


_Time = TypeVar("_Time", "Tensor", float)


def shift_time(time: _Time, shift: float) -> _Time:
    """Move times in [0, 1] towards noise (1), their ends staying where they are.

    Example:
        >>> [shift_time(t, 4.0) for t in (0.0, 0.5, 1.0)]
        [0.0, 0.8, 1.0]
    """
    return shift * time / (1.0 + (shift - 1.0) * time)


def sample(
    model: DiT,
    noise: Sequence[Tensor],
    conditioning: Conditioning,
    empty: Conditioning,
    settings: SamplerSettings,
    given: Sequence[Given] | None = None,
) -> list[Tensor]:
    """Follow the flow from noise to latents; a clip does not depend on the others of the call.

    Args:
        model: predicts velocities.
        noise: standard normal, (C, T, H, W) each; sizes may differ.
        conditioning: the text model's output for each prompt.
        empty: its output for the empty prompt.
        settings: solver, steps and guidance scale g; the velocity is ``u + g (c - u)`` of the predictions
            without and with the prompt. What is given is given in both.
        given: what each clip starts from.

    Returns:
        Latents of the shapes of ``noise``, of unit variance a channel; known frames exactly as given.
    """
    import torch

    given = given or [Given()] * len(noise)
    free = [
        torch.ones(x.shape[1], dtype=torch.bool) if g.known is None else ~g.known
        for x, g in zip(noise, given, strict=True)
    ]
    moving = [mask[None, :, None, None].to(x) for mask, x in zip(free, noise, strict=True)]  # (1, T, 1, 1)
    with torch.inference_mode():
        velocity = _guided(model, conditioning, empty, settings.guidance, given, free)
        x = [_start(e, g, m) for e, g, m in zip(noise, given, moving, strict=True)]
        times = _times([g.strength for g in given], settings).to(noise[0])  # (steps + 1, B)
        for step, (now, after) in enumerate(pairwise(times)):
            slope = velocity(x, now)
            if settings.solver == "heun" and step < settings.steps - 1:
                ahead = velocity(_moved(x, slope, after - now, moving), after)
                slope = [0.5 * (a + b) for a, b in zip(slope, ahead, strict=True)]
            x = _moved(x, slope, after - now, moving)
    return x


def _times(strengths: Sequence[float], settings: SamplerSettings) -> Tensor:
    """List each clip's times, from its strength down to 0: (steps + 1, B)."""
    import torch

    first = shift_time(torch.tensor(strengths, dtype=torch.float64), 1.0 / settings.shift)  # shifts back
    left = torch.linspace(1.0, 0.0, settings.steps + 1, dtype=torch.float64)
    return shift_time(left[:, None] * first, settings.shift)


def _start(noise: Tensor, given: Given, moving: Tensor) -> Tensor:
    if given.latents is None:
        return noise
    return given.latents.lerp(noise, given.strength * moving)


def _moved(
    x: Sequence[Tensor], slope: Sequence[Tensor], dt: Tensor, moving: Sequence[Tensor]
) -> list[Tensor]:
    return [a + (d * m) * v for a, v, d, m in zip(x, slope, dt, moving, strict=True)]


def _guided(
    model: DiT,
    conditioning: Conditioning,
    empty: Conditioning,
    guidance: float,
    given: Sequence[Given],
    free: Sequence[Tensor],
) -> Velocity:
    """Make the velocity of a batch under its prompts, guided away from no prompt."""
    import torch

    words, pooled = conditioning
    known = None if all(mask.all() for mask in free) else [~mask for mask in free]
    stills = None if all(g.still is None for g in given) else [g.still for g in given]
    if guidance == 1.0:
        return lambda x, time: model(x, time, words, pooled, known, stills)
    both = [*words, *(empty[0][0] for _ in words)]
    pooled_both = torch.cat([pooled, empty[1].expand_as(pooled)])
    known_both = None if known is None else [*known, *known]
    stills_both = None if stills is None else [*stills, *stills]

    def velocity(x: Sequence[Tensor], time: Tensor) -> list[Tensor]:
        out = model([*x, *x], torch.cat([time, time]), both, pooled_both, known_both, stills_both)
        pairs = zip(out[: len(x)], out[len(x) :], strict=True)
        return [u.lerp(c, guidance) for c, u in pairs]

    return velocity
