"""Sampling: integrate a rectified flow from an item's noise to latents, with classifier-free guidance.

Liu et al. 2022, "Flow Straight and Fast" (arXiv:2209.03003). Guidance: Ho & Salimans 2022 (arXiv:2207.12598).
Heun's method: Karras et al. 2022, algorithm 1 (arXiv:2206.00364). Fresh noise at each step: Song et al. 2023,
"Consistency Models", algorithm 1 (arXiv:2303.01469). The shift of the times: Esser et al. 2024, section 5.3.2
(arXiv:2403.03206). Two scales of guidance, for the text and for an image: Brooks et al. 2022,
"InstructPix2Pix", section 3.2.1 (arXiv:2211.09800). Edits: see `editing`.
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
from .editing import Edit, plan_edits

if TYPE_CHECKING:
    from torch import Tensor

    from .dit import DiT
    from .editing import Velocity

    Conditioning: TypeAlias = tuple[Sequence[Tensor], Tensor]
    """What a text model says of prompts: the words of each (L, D), and all of them pooled (B, D)."""

__all__ = ["Given", "SamplerSettings", "item_noise", "sample", "shift_time"]


class SamplerSettings(Config):
    """The settings of sampling, all of which change a clip.

    Each step of ``euler`` asks the model once. Each of ``heun`` asks it twice, but for the last, which is one
    of Euler: 2 steps - 1 in all, so that 13 steps of Heun cost what 25 of Euler do. With guidance, each time
    is for the prompt and for no prompt, and with a start image also for the prompt without that image.
    ``renoise`` asks once a step, too: it goes to the clean latents that the model predicts, and back to the
    next time with fresh noise, so that what an early step decided wrongly can be decided again. Edits, which
    keep the noise of their clip, follow ``euler`` instead.
    """

    solver: Literal["euler", "heun", "renoise"] = "euler"
    steps: int = Field(default=25, ge=1, le=1000, description="steps from noise to a clip")
    guidance: float = Field(default=2.5, ge=0, le=50, description="1 follows the prompt without guidance")
    image_guidance: float = Field(
        default=2.0, ge=0, le=50, description="1 follows a start image without guidance"
    )
    shift: float = Field(default=3.0, gt=0, le=100, description="above 1, more of the steps are near noise")


@dataclass(frozen=True)
class Given:
    """The conditioning frames of one clip.

    Attributes:
        latents: the clean latents of a clip (C, T, H, W): what is kept of them is said by the other two.
        known: which of its frames stay as they are, (T,) bool.
        strength: of an edit, the time to which the whole clip is carried back, in (0, 1].
        still: the clean latents (C, 1, H, W) of an image that the clip starts from.
        picture: that image, (3, height, width) in [-1, 1]; the sampler does not look at it.
    """

    latents: Tensor | None = None
    known: Tensor | None = None
    strength: float = 1.0
    still: Tensor | None = None
    picture: Tensor | None = None


def item_noise(item: str, shape: Sequence[int], step: int = 0) -> Tensor:
    """Draw standard normal noise of a shape; it depends only on the item's id and the sampler's step."""
    import torch

    parts = (item, step) if step else (item,)
    return torch.from_numpy(seeded_rng("reference-noise", *parts).standard_normal(shape, np.float32))


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
    fresh: Callable[[int, int], Tensor] | None = None,
) -> list[Tensor]:
    """Follow the flow from noise to latents; a clip does not depend on the others of the call.

    Args:
        model: predicts velocities.
        noise: standard normal, (C, T, H, W) each; sizes may differ.
        conditioning: the text model's output for each prompt.
        empty: its output for the empty prompt.
        settings: solver, steps and guidance scale g; the velocity is ``u + g (c - u)`` of the predictions
            without and with the prompt. What is given is given in both. With a start image, and the scale i
            of its guidance, ``(i - 1) (c - n)`` is added, where n is the prediction without the image.
        given: what each clip starts from. Latents without ``known`` frames are a clip to be edited.
        fresh: for ``renoise``, gives the noise of clip n, in its shape, that step k (from 1) starts with.

    Returns:
        Latents of the shapes of ``noise``, of unit variance a channel; known frames exactly as given.

    Raises:
        ValueError: the solver needs fresh noise, and there is none.
    """
    import torch

    if settings.solver == "renoise" and fresh is None:
        raise ValueError("the solver renoise needs fresh noise")
    given = given or [Given()] * len(noise)
    free = [
        torch.ones(x.shape[1], dtype=torch.bool) if g.known is None else ~g.known
        for x, g in zip(noise, given, strict=True)
    ]
    moving = [mask[None, :, None, None].to(x) for mask, x in zip(free, noise, strict=True)]  # (1, T, 1, 1)
    with torch.inference_mode():
        velocity = _guided(model, conditioning, empty, settings, given, free)
        times = _times([g.strength for g in given], settings).to(noise[0])  # (steps + 1, B)
        edits = _edits(model, noise, conditioning, empty, given, times)
        x = [
            edits[n].start if n in edits else _start(e, g, m)
            for n, (e, g, m) in enumerate(zip(noise, given, moving, strict=True))
        ]
        for step, (now, after) in enumerate(pairwise(times)):
            slope = velocity(x, now)
            if settings.solver == "heun" and step < settings.steps - 1:
                next_slope = velocity(_moved(x, slope, after - now, moving), after)
                slope = [0.5 * (a + b) for a, b in zip(slope, next_slope, strict=True)]
            moved = _moved(x, slope, after - now, moving)
            if settings.solver == "renoise" and fresh is not None and step < settings.steps - 1:
                clean = _moved(x, slope, -now, moving)
                again = {n: fresh(n, step + 1).to(x[n]) for n in range(len(x)) if n not in edits}
                for n, e in again.items():
                    moved[n] = clean[n].where(moving[n] == 0, clean[n].lerp(e, after[n]))
            x = moved
            x = [edits[n].keep(clip, step + 1) if n in edits else clip for n, clip in enumerate(x)]
    return x


def _edits(
    model: DiT,
    noise: Sequence[Tensor],
    conditioning: Conditioning,
    empty: Conditioning,
    given: Sequence[Given],
    times: Tensor,
) -> dict[int, Edit]:
    """Prepare the edits among the clips, by their numbers."""
    clips = {n: g.latents for n, g in enumerate(given) if g.latents is not None and g.known is None}
    if not clips:
        return {}
    numbers = list(clips)
    words, pooled = [conditioning[0][n] for n in numbers], conditioning[1][numbers]
    nothing, blank = [empty[0][0]] * len(numbers), empty[1].expand(len(numbers), -1)
    planned = plan_edits(
        list(clips.values()),
        [noise[n] for n in numbers],
        lambda x, time: model(x, time, words, pooled),
        lambda x, time: model(x, time, nothing, blank),
        times[:, numbers],
    )
    return dict(zip(numbers, planned, strict=True))


def _times(strengths: Sequence[float], settings: SamplerSettings) -> Tensor:
    """List each clip's times, from its strength down to 0: (steps + 1, B)."""
    import torch

    first = shift_time(torch.tensor(strengths, dtype=torch.float64), 1.0 / settings.shift)  # shifts back
    left = torch.linspace(1.0, 0.0, settings.steps + 1, dtype=torch.float64)
    return shift_time(left[:, None] * first, settings.shift)


def _start(noise: Tensor, given: Given, moving: Tensor) -> Tensor:
    return noise if given.latents is None else given.latents.where(moving == 0, noise)


def _moved(
    x: Sequence[Tensor], slope: Sequence[Tensor], dt: Tensor, moving: Sequence[Tensor]
) -> list[Tensor]:
    return [a + (d * m) * v for a, v, d, m in zip(x, slope, dt, moving, strict=True)]


def _guided(
    model: DiT,
    conditioning: Conditioning,
    empty: Conditioning,
    settings: SamplerSettings,
    given: Sequence[Given],
    free: Sequence[Tensor],
) -> Velocity:
    """Make the velocity of a batch under its prompts, guided away from no prompt and from no start image."""
    import torch

    words, pooled = conditioning
    count = len(words)
    known = None if all(mask.all() for mask in free) else [~mask for mask in free]
    stills = [g.still for g in given]
    # The clips of one call: all with their prompts, all without, and those with an image without it.
    without_prompt = list(range(count)) if settings.guidance != 1.0 else []
    pictured = [n for n in range(count) if stills[n] is not None]
    without_image = pictured if settings.image_guidance != 1.0 else []
    asked = [*range(count), *without_prompt, *without_image]
    all_words = [*words, *(empty[0][0] for _ in without_prompt), *(words[n] for n in without_image)]
    blank = empty[1].expand(len(without_prompt), -1)
    all_pooled = torch.cat([pooled, blank, pooled[without_image]])
    all_known = None if known is None else [known[n] for n in asked]
    none = [None] * len(without_image)
    all_stills = [*(stills[n] for n in (*range(count), *without_prompt)), *none] if pictured else None

    def velocity(x: Sequence[Tensor], time: Tensor) -> list[Tensor]:
        out = model([x[n] for n in asked], time[asked], all_words, all_pooled, all_known, all_stills)
        guided = list(out[:count])
        for n, u in zip(without_prompt, out[count:], strict=False):
            guided[n] = u.lerp(out[n], settings.guidance)
        for n, v in zip(without_image, out[count + len(without_prompt) :], strict=True):
            guided[n] = guided[n] + (settings.image_guidance - 1.0) * (out[n] - v)
        return guided

    return velocity
