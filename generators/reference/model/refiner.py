"""The second stage of the cascade: twice the height and width, by a small residual network.

The first stage draws at the sizes that it knows; this one sharpens what the autoencoder gives, a frame with
its neighbours in time, and adds what linear interpolation cannot. The upsampling is done by sub-pixel
convolution: Shi et al. 2016 (arXiv:1609.05158). A cascade of models of rising resolution: Ho et al. 2022
(arXiv:2106.15282).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....harness.core.config import Config
from .checkpoint import load_checkpoint
from .parts import SCALE

__all__ = ["Refiner", "RefinerConfig", "interpolate", "load_refiner", "refine"]


class RefinerConfig(Config):
    """The size of the network."""

    width: int = 40
    blocks: int = 3


class Refiner(nn.Module):
    """Clips (B, 3, T, H, W) in [-1, 1] to (B, 3, T, 2 H, 2 W): interpolation and a learned correction."""

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.enter = nn.Conv3d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(width, width, (1, 3, 3), padding=(0, 1, 1)),
                nn.SiLU(),
                nn.Conv3d(width, width, (1, 3, 3), padding=(0, 1, 1)),
            )
            for _ in range(config.blocks)
        )
        self.leave = nn.Conv3d(width, 3 * SCALE**2, (1, 3, 3), padding=(0, 1, 1))
        nn.init.zeros_(self.leave.weight)  # it starts as the interpolation
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)

    def forward(self, clips: Tensor) -> Tensor:
        """Double the height and the width."""
        h = self.enter(clips)
        for block in self.blocks:
            h = h + block(h)
        detail = self.leave(F.silu(h)).transpose(1, 2)  # (B, T, 12, H, W)
        return interpolate(clips) + F.pixel_shuffle(detail, SCALE).transpose(1, 2)


def interpolate(clips: Tensor) -> Tensor:
    """Double the height and the width of clips (B, 3, T, H, W) by bilinear interpolation."""
    return F.interpolate(clips, scale_factor=(1, SCALE, SCALE), mode="trilinear", align_corners=False)


def load_refiner(folder: Path) -> Refiner:
    """Load a refiner, as `load_checkpoint` does."""
    return load_checkpoint(folder, "refiner", Refiner, RefinerConfig)


def refine(model: Refiner, clips: Tensor, frames: int = 16) -> Tensor:
    """Refine clips (B, 3, T, H, W) a part of their frames at a time, to bound the memory.

    Each part is given one frame more on either side, which is all that the network looks at in
    time: the result is that of the whole clip.
    """
    total = clips.shape[2]
    parts: list[Tensor] = []
    for start in range(0, total, frames):
        low, high = max(0, start - 1), min(total, start + frames + 1)
        out = model(clips[:, :, low:high])
        parts.append(out[:, :, start - low : start - low + min(frames, total - start)])
    return torch.cat(parts, dim=2)
