"""A latent video diffusion transformer, to be read top to bottom: embedders, block, model, named sizes.

Peebles & Xie 2023, "Scalable Diffusion Models with Transformers" (arXiv:2212.09748), with these changes:

- Tokens are patches of video latents, and clips of different sizes and prompts of different lengths share one
  call (see `pack`). Positions are counted from the top-left corner of the first frame; the condition contains
  the size of the clip.
- The prompt's words join the sequence as tokens of their own (the paper's in-context conditioning), and its
  pooled vector joins the time in adaLN-zero. Both come from a frozen text model (see `text`).
- Frames can be given: their tokens are clean and their condition says so, with a time of their own (0).
- The output is the velocity of a rectified flow (Liu et al. 2022, arXiv:2209.03003) instead of the noise and
  a variance.

Shapes: B clips, C latent channels, (T, H, W) a clip's latent size, N patches, L words, P values of a patch,
D width; K rows of a table of conditions, R rows of S tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ....harness.core.config import Config
from ....harness.core.errors import unknown_name
from .checkpoint import load_checkpoint
from .pack import lay_out

__all__ = ["SIZES", "DiT", "DiTConfig", "build_config", "load_dit"]

Grid: TypeAlias = tuple[int, int, int]
Spread: TypeAlias = Callable[[Tensor], Tensor]
"""Give each token its row of a table (K, D)."""


class DiTConfig(Config):
    """The size of the transformer and of what it reads."""

    width: int = Field(ge=6)
    depth: int = Field(ge=1)
    heads: int = Field(ge=1)
    text_width: int = Field(ge=1, description="of the text model's vectors")
    channels: int = Field(default=16, ge=1, description="of the latents")
    patch: int = Field(
        default=2, ge=1, description="side of a patch, one latent frame deep, in latent pixels"
    )
    mlp_ratio: int = Field(default=4, ge=1)
    row_tokens: int = Field(default=160, ge=1, description="tokens a row that clips of different sizes share")


# Embedders ----------------------------------------------------------------------------------------


class TimeEmbed(nn.Module):
    """Embed the flow's time, in [0, 1], as sines and cosines and a small perceptron."""

    def __init__(self, width: int, frequencies: int = 128) -> None:
        super().__init__()
        scale = torch.exp(-math.log(10_000.0) * torch.arange(frequencies) / frequencies)
        self.scale = nn.Buffer(1000.0 * scale, persistent=False)
        self.mlp = nn.Sequential(nn.Linear(2 * frequencies, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time: Tensor) -> Tensor:
        """Embed times (B,) as (B, D)."""
        angle = time[:, None].float() * self.scale  # (B, F)
        return self.mlp(torch.cat([angle.cos(), angle.sin()], dim=-1))  # (B, D)


def sincos(points: Tensor, width: int) -> Tensor:
    """Give points (N, 3), in patches from the corner, a vector each (N, D): a part of D for each axis."""
    part = width // 6
    omega = 1.0 / 100.0 ** (torch.arange(part) / part)  # short wavelengths: a clip has few patches
    angle = (points[:, :, None] * omega).flatten(1)  # (N, 3 part)
    vectors = torch.cat([angle.sin(), angle.cos()], dim=1)
    return F.pad(vectors, (0, width - vectors.shape[1]))


@lru_cache(maxsize=256)
def positions(grid: Grid, first: int, width: int, device: torch.device) -> Tensor:
    """Embed the places of a (T, H, W) grid of patches whose first frame is number ``first``: (N, D)."""
    with torch.inference_mode(False):  # kept for later calls, which may be of training
        t, h, w = (torch.arange(n, dtype=torch.float32) for n in grid)
        return sincos(torch.cartesian_prod(t + first, h, w), width).to(device)


def patchify(x: Tensor, patch: int) -> Tensor:
    """Cut latents (B, C, T, H, W) into patches (B, N, P), each of one frame.

    Raises:
        ValueError: the height or the width is not a multiple of the patch.
    """
    b, c, t, height, width = x.shape
    if height % patch or width % patch:
        raise ValueError(f"latents of {height}x{width} cannot be cut into patches of side {patch}")
    x = x.reshape(b, c, t, height // patch, patch, width // patch, patch)
    return x.permute(0, 2, 3, 5, 1, 4, 6).reshape(b, -1, c * patch * patch)


def unpatchify(patches: Tensor, grid: Grid, patch: int) -> Tensor:
    """Put patches (B, N, P) of a (T, h, w) grid back in their places: (B, C, T, H, W)."""
    (b, _, values), (t, h, w) = patches.shape, grid
    x = patches.reshape(b, t, h, w, values // patch**2, patch, patch).permute(0, 4, 1, 2, 5, 3, 6)
    return x.reshape(b, -1, t, h * patch, w * patch)


# Block --------------------------------------------------------------------------------------------


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Shift and scale tokens (R, S, D) by vectors that broadcast to them."""
    return torch.addcmul(shift, x, 1.0 + scale)


class Attention(nn.Module):
    """Multi-head self-attention over the tokens of a row, or those of them that a mask lets through."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Mix tokens (R, S, D); ``mask`` (R, 1, S, S) is added to the logits."""
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (3, R, h, S, D/h)
        mixed = F.scaled_dot_product_attention(*qkv.unbind(0), attn_mask=mask)  # (R, h, S, D/h)
        return self.out(mixed.transpose(1, 2).flatten(2))  # (R, S, D)


class DiTBlock(nn.Module):
    """A transformer block whose norms are shifted, scaled and gated by the condition (adaLN-zero)."""

    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.attention = Attention(width, heads)
        hidden = mlp_ratio * width
        # The exact GELU: the paper's tanh form of it differs by less than 0.001 and is slower on a CPU.
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x: Tensor, conditions: Tensor, spread: Spread, mask: Tensor | None) -> Tensor:
        """Update tokens (R, S, D) under a table of conditions (K, D)."""
        modulation = spread(self.modulation(conditions))  # (R, S, 6 D), or of a size that broadcasts to it
        shift1, scale1, gate1, shift2, scale2, gate2 = modulation.chunk(6, dim=-1)
        x = torch.addcmul(x, gate1, self.attention(modulate(self.norm1(x), shift1, scale1), mask))
        return torch.addcmul(x, gate2, self.mlp(modulate(self.norm2(x), shift2, scale2)))  # (R, S, D)


class FinalLayer(nn.Module):
    """Turn tokens into patches of velocity."""

    def __init__(self, width: int, patch_values: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.linear = nn.Linear(width, patch_values)

    def forward(self, x: Tensor, conditions: Tensor, spread: Spread) -> Tensor:
        """Project tokens (..., D) to patches (..., P) under a table of conditions (K, D)."""
        shift, scale = spread(self.modulation(conditions)).chunk(2, dim=-1)
        return self.linear(modulate(self.norm(x), shift, scale))


# Model --------------------------------------------------------------------------------------------


class DiT(nn.Module):
    """Predict the velocity of noisy latents at a time, given a prompt, and frames where there are some."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        width, patch_values = config.width, config.channels * config.patch**2
        self.patches = nn.Linear(patch_values, width)
        self.words = nn.Linear(config.text_width, width)
        self.time = TimeEmbed(width)
        self.pooled = nn.Linear(config.text_width, width)
        self.size = nn.Linear(width, width)
        self.blocks = nn.ModuleList(
            DiTBlock(width, config.heads, config.mlp_ratio) for _ in range(config.depth)
        )
        self.final = FinalLayer(width, patch_values)
        self._initialise()

    def _initialise(self) -> None:
        # Linear layers as in the paper's code: Xavier, a patch being embedded by a linear layer too.
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        # What makes up the condition starts small, as the paper's embeddings of time and label do.
        for layer in (self.time.mlp[0], self.time.mlp[2], self.size):
            assert isinstance(layer, nn.Linear)
            nn.init.normal_(layer.weight, std=0.02)
        # adaLN-zero: every block starts as the identity, and the model as the zero velocity.
        for part in (*self.blocks, self.final):
            assert isinstance(part, DiTBlock | FinalLayer)
            last = part.modulation[1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
        nn.init.zeros_(self.final.linear.weight)

    def forward(
        self,
        x: Sequence[Tensor],
        time: Tensor,
        words: Sequence[Tensor],
        pooled: Tensor,
        known: Sequence[Tensor] | None = None,
        stills: Sequence[Tensor | None] | None = None,
    ) -> list[Tensor]:
        """Predict velocities; a clip's does not depend on the others of the call.

        Args:
            x: noisy latents, (C, T, H, W) each, of unit variance a channel.
            time: (B,) in [0, 1]; 1 is noise and 0 is data.
            words: the tokens of each prompt (L, text width), without padding.
            pooled: each prompt as one vector (B, text width).
            known: which latent frames of each clip, (T,) bool, are given: clean in ``x``.
            stills: for each clip a clean latent frame (C, 1, H, W) that it starts from, or None; it joins the
                sequence as the frame before the first.

        Returns:
            Velocities, noise minus data, of the shapes of ``x``; those of known frames are meaningless.
        """
        grids = [self._grid(clip) for clip in x]
        ends = torch.tensor(grids, dtype=torch.float32)
        context = self.pooled(pooled) + self.size(sincos(ends, self.config.width).to(pooled))  # (B, D)
        noisy = self.time(time) + context  # (B, D)
        given = known is not None or (stills is not None and any(still is not None for still in stills))
        if not given and len(set(grids)) == 1 and len({len(text) for text in words}) == 1:
            return self._alike(x, words, grids[0], noisy)
        clean = self.time(torch.zeros_like(time[:1])) + context  # (B, D)
        if stills is None:
            stills = [None] * len(x)
        frames = [np.zeros(len(clip[0]), np.bool_) for clip in x]
        if known is not None:
            frames = [mask.cpu().numpy() for mask in known]
        return self._packed(x, words, frames, stills, torch.cat([noisy, clean]))

    def _alike(
        self, x: Sequence[Tensor], words: Sequence[Tensor], grid: Grid, conditions: Tensor
    ) -> list[Tensor]:
        """Clips of one size with prompts of one length: a row each, and one condition a row."""
        width, patch = self.config.width, self.config.patch
        where = positions(grid, 0, width, conditions.device)
        tokens = self.patches(patchify(torch.stack(list(x)), patch)) + where  # (B, N, D)
        tokens = torch.cat([tokens, self.words(torch.stack(list(words)))], dim=1)  # (B, N + L, D)
        spread: Spread = lambda table: table[:, None]  # noqa: E731
        for block in self.blocks:
            tokens = block(tokens, conditions, spread, None)  # (B, N + L, D)
        patches = self.final(tokens[:, : len(where)], conditions, spread)  # (B, N, P)
        return list(unpatchify(patches, grid, patch).unbind(0))

    def _packed(
        self,
        x: Sequence[Tensor],
        words: Sequence[Tensor],
        known: Sequence[np.ndarray],
        stills: Sequence[Tensor | None],
        conditions: Tensor,
    ) -> list[Tensor]:
        """Clips of any sizes: packed rows, and for each token the row of the conditions (2 B, D) it is under.

        Row i is clip i at its time, and row B + i is clip i where it is clean.
        """
        b, width, patch, device = len(x), self.config.width, self.config.patch, conditions.device
        starts = [(i, still) for i, still in enumerate(stills) if still is not None]
        pieces = [*x, *(still for _, still in starts)]
        grids = [self._grid(piece) for piece in pieces]
        layout = lay_out(
            [np.repeat(mask, h * w) for mask, (_, h, w) in zip(known, grids[:b], strict=True)],
            [len(text) for text in words],
            [(i, h * w) for (i, _), (_, h, w) in zip(starts, grids[b:], strict=True)],
            self.config.row_tokens,
            device,
        )
        where = [positions(grid, 0 if n < b else -1, width, device) for n, grid in enumerate(grids)]
        cut = torch.cat([patchify(piece[None], patch)[0] for piece in pieces])  # (N of all, P)
        flat = torch.cat([self.patches(cut) + torch.cat(where), self.words(torch.cat(list(words)))])
        tokens = layout.rows(flat)  # (R, S, D)
        for block in self.blocks:
            tokens = block(tokens, conditions, layout.spread, layout.mask)  # (R, S, D)
        tokens = layout.clips(tokens)  # (N of clips, D)
        patches = self.final(tokens, conditions, layout.spread_clips).split(layout.lengths)
        return [unpatchify(p[None], grid, patch)[0] for p, grid in zip(patches, grids[:b], strict=True)]

    def _grid(self, x: Tensor) -> Grid:
        """Count the patches of a clip (C, T, H, W) along its axes."""
        return x.shape[1], x.shape[2] // self.config.patch, x.shape[3] // self.config.patch


def load_dit(folder: Path) -> DiT:
    """Load a transformer, as `load_checkpoint` does."""
    return load_checkpoint(folder, "dit", DiT, DiTConfig)


# Named sizes --------------------------------------------------------------------------------------

SIZES: Final[dict[str, dict[str, int]]] = {
    "nano": {"width": 48, "depth": 2, "heads": 2},
    "small": {"width": 160, "depth": 6, "heads": 5},
    "base": {"width": 256, "depth": 8, "heads": 8},
}
"""Width, depth and heads by name; the shipped checkpoints are ``small``."""


def build_config(size: str, text_width: int, **more: int) -> DiTConfig:
    """Describe a named size that reads vectors of ``text_width``; ``more`` takes other fields of `DiTConfig`.

    Raises:
        UsageError: no size of that name.
    """
    if size not in SIZES:
        raise unknown_name("size of the transformer", size, SIZES)
    return DiTConfig.model_validate({**SIZES[size], "text_width": text_width, **more})
