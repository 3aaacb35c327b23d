"""Edits: carry a clip back along the flow, find what the prompt changes in it, and keep the rest.

The way back is that of deterministic inversion: the same flow, without a prompt, from data towards noise
(Song et al. 2020, "Denoising Diffusion Implicit Models", section 4.3, arXiv:2010.02502). On the way forth
what lies outside the mask is put back to where it was on the way back. The mask is where the predictions with
and without the prompt differ most: Couairon et al. 2022, "DiffEdit" (arXiv:2210.11427).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

    Velocity: TypeAlias = Callable[[Sequence[Tensor], Tensor], list[Tensor]]
    """The velocities of latents (C, T, H, W) each, at times (B,)."""

__all__ = ["Edit", "plan_edits"]

MASK_TIME: Final = 0.4
"""Time of the noisy clips on which the predictions are compared."""
MASK_LEAST: Final = 0.2
"""A place is changed where they differ by more than this share of what they differ by at `MASK_TOP`."""
MASK_TOP: Final = 0.98  # quantile of the differences of a clip
FRESH_NOISE: Final = 0.3
"""Share of the changed part's noise, in (0, 1), that is drawn by the seed; the rest is the clip's own."""


@dataclass(frozen=True)
class Edit:
    """What an edit of one clip keeps.

    Attributes:
        path: the clip's latents (C, T, H, W) at each of the sampler's times, the noisiest first.
        mask: (1, T, H, W) bool, true where the prompt may change the clip.
        start: where the way forth begins: the first of ``path``, with some fresh noise inside the mask.
    """

    path: Sequence[Tensor]
    mask: Tensor
    start: Tensor

    def keep(self, x: Tensor, step: int) -> Tensor:
        """Put latents ``x``, which are at a time of ``path``, back to it outside the mask."""
        return x.where(self.mask, self.path[step])


def plan_edits(
    latents: Sequence[Tensor],
    noise: Sequence[Tensor],
    asked: Velocity,
    unasked: Velocity,
    times: Tensor,
) -> list[Edit]:
    """Prepare edits of clips.

    Args:
        latents: clean, (C, T, H, W) each.
        noise: standard normal, of their shapes.
        asked: the velocity under the prompts, without guidance.
        unasked: the velocity without a prompt.
        times: (steps + 1, B), each clip's times from its strength down to 0.
    """
    masks = _masks(latents, noise, asked, unasked)
    path = [list(latents)]
    for now, after in pairwise(times.flip(0)):
        slope = unasked(path[-1], now)
        path.append([x + dt * v for x, v, dt in zip(path[-1], slope, after - now, strict=True)])
    path.reverse()
    edits: list[Edit] = []
    for n, (clip, fresh, mask) in enumerate(zip(latents, noise, masks, strict=True)):
        x, time = path[0][n], times[0, n]
        own = (x - (1.0 - time) * clip) / time  # the noise that leads to this clip
        mixed = (1.0 - FRESH_NOISE**2) ** 0.5 * own + FRESH_NOISE * fresh
        start = ((1.0 - time) * clip + time * mixed).where(mask, x)
        edits.append(Edit([latents_of[n] for latents_of in path], mask, start))
    return edits


def _masks(
    latents: Sequence[Tensor], noise: Sequence[Tensor], asked: Velocity, unasked: Velocity
) -> list[Tensor]:
    """Find where a prompt changes each clip, (1, T, H, W) bool, on two noisy copies of it."""
    import torch

    time = torch.full((len(latents),), MASK_TIME).to(latents[0])
    energy = [x.new_zeros(x.shape[1:]) for x in latents]
    for sign in (1.0, -1.0):
        noisy = [x.lerp(sign * e, MASK_TIME) for x, e in zip(latents, noise, strict=True)]
        pairs = zip(asked(noisy, time), unasked(noisy, time), strict=True)
        energy = [total + (c - u).square().sum(0) for total, (c, u) in zip(energy, pairs, strict=True)]
    found = [total.sqrt() for total in energy]
    return [(d > MASK_LEAST * torch.quantile(d, MASK_TOP))[None] for d in found]
