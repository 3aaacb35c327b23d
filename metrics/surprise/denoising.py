"""Pairs scored by what a generator expects: how badly it denoises each clip.

A diffusion model's denoising loss bounds how unlikely it finds a clip, so of two clips that differ in one
law alone it should denoise the lawful one better (Yuan et al. 2025, "LikePhys: Evaluating Intuitive Physics
Understanding in Video Diffusion Models via Likelihood Preference", arXiv:2510.11512). Both clips of a pair
get the same noise at the same levels, so that nothing but the clips differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import MediaError, UsageError
from ...harness.core.keys import digest
from ...harness.core.media import decoding

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from .pairs import ClipPair

__all__ = ["LEVELS", "DenoisingModel", "DenoisingScorer", "noise_levels"]

LEVELS: Final = 8
"""Noise levels, where no other number is asked for."""


@runtime_checkable
class DenoisingModel(Protocol):
    """A generator whose denoising loss of a given clip can be had."""

    def identity(self) -> Mapping[str, Json]:
        """List what changes its output, among it the weights."""
        ...

    def denoising_losses(
        self, frames_THWC: NDArray[np.uint8], fps: float, prompt: str, levels: Sequence[float], seed: int
    ) -> Sequence[float]:
        """Compute the mean squared error of what is predicted of a noisy clip, one for each level of noise.

        Args:
            frames_THWC: uint8 RGB.
            fps: frames a second.
            prompt: what the clip shows; empty for none.
            levels: from 0 (no noise) to 1 (noise alone), neither of them included.
            seed: of the noise, which depends on it, the level and the size of the clip alone.

        Raises:
            UsageError: the model takes no clips of this size, length or rate.
        """
        ...


def noise_levels(number: int) -> tuple[float, ...]:
    """Spread a number of noise levels evenly over (0, 1)."""
    return tuple((k + 0.5) / number for k in range(number))


@dataclass(frozen=True)
class DenoisingScorer:
    """The mean denoising loss of a clip over noise levels.

    Attributes:
        model: whose loss it is.
        levels: of the noise.
        seed: of the noise, together with the pair's possible clip.
    """

    model: DenoisingModel
    levels: tuple[float, ...]
    seed: int = 0

    @property
    def digest(self) -> str:
        """Identify the model, the levels and the seed."""
        return digest(
            "denoising loss", {**self.model.identity(), "levels": list(self.levels), "seed": self.seed}
        )

    @property
    def how(self) -> str:
        """Say how many levels there are."""
        return f"denoising loss, mean over {len(self.levels)} noise levels"

    def score(self, path: Path, pair: ClipPair) -> tuple[str, float]:
        """Compute the mean loss of one clip of a pair.

        Raises:
            MediaError: it cannot be decoded, or the model takes no such clips.
        """
        with decoding(path) as windows:
            clip = windows.clip
            frames = np.concatenate([window.frames_THWC for window in windows])
        seed = int(digest("denoising pair", {"clip": pair.possible.name, "seed": self.seed})[:12], 16)
        try:
            losses = self.model.denoising_losses(frames, clip.info.fps, pair.prompt, self.levels, seed)
        except UsageError as error:
            raise MediaError(str(error)) from None
        return clip.sha256, float(np.mean(losses))
