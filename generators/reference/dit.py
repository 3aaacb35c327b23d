"""A latent video diffusion transformer, to be read top to bottom: embedders, block, model, named sizes.

Peebles & Xie 2023, "Scalable Diffusion Models with Transformers" (arXiv:2212.09748), with three changes:
tokens are patches of a video latent; the prompt's words join the sequence as tokens of their own (the paper's
in-context conditioning) while their pooled vector joins the time in adaLN-zero; the output is the velocity
of a rectified flow (Liu et al. 2022, arXiv:2209.03003) instead of the noise and a variance.

Shapes: B clips, C latent channels, (T, H, W) latent size, N patches, L words, D width.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...harness.config import Config
from ...harness.errors import unknown_name
from .checkpoint import load_weights, read_config
from .text import TextConditioner, TextConfig

__all__ = ["SIZES", "DiT", "DiTConfig", "TextToVideo", "build_config", "load_text_to_video"]


class DiTConfig(Config):
    """The size of the transformer and of what it reads."""

    width: int
    depth: int
    heads: int
    text: TextConfig
    latent: tuple[int, int, int, int] = (16, 4, 8, 8)
    patch: tuple[int, int, int] = (1, 2, 2)
    mlp_ratio: int = 4


# Embedders ----------------------------------------------------------------------------------------


class PatchEmbed(nn.Module):
    """Cut a latent into patches and project each to the width; add where it is."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.patch = config.patch
        channels, *size = config.latent
        self.grid = tuple(s // p for s, p in zip(size, config.patch, strict=True))
        self.project = nn.Linear(channels * math.prod(config.patch), config.width)
        self.position = nn.Buffer(sincos_position(self.grid, config.width), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Embed latents (B, C, T, H, W) as tokens (B, N, D)."""
        (b, c), (nt, nh, nw), (pt, ph, pw) = x.shape[:2], self.grid, self.patch
        x = x.reshape(b, c, nt, pt, nh, ph, nw, pw)
        x = x.permute(0, 2, 4, 6, 1, 3, 5, 7).reshape(b, nt * nh * nw, c * pt * ph * pw)  # (B, N, C pt ph pw)
        return self.project(x) + self.position  # (B, N, D)

    def restore(self, tokens: Tensor) -> Tensor:
        """Put patches (B, N, C pt ph pw) back in their places: (B, C, T, H, W)."""
        b, (nt, nh, nw), (pt, ph, pw) = tokens.shape[0], self.grid, self.patch
        x = tokens.reshape(b, nt, nh, nw, -1, pt, ph, pw).permute(0, 4, 1, 5, 2, 6, 3, 7)
        return x.reshape(b, -1, nt * pt, nh * ph, nw * pw)  # (B, C, T, H, W)


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


def sincos_position(grid: tuple[int, ...], width: int) -> Tensor:
    """Give each cell of a (T, H, W) grid a fixed vector: (1, N, D), a part of D for each axis."""
    part = width // (2 * len(grid))
    omega = 1.0 / 100.0 ** (torch.arange(part) / part)  # short wavelengths: a grid has few cells
    cells = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float32) for n in grid))  # (N, 3)
    angle = (cells[:, :, None] * omega).flatten(1)  # (N, 3 part)
    position = torch.cat([angle.sin(), angle.cos()], dim=1)
    return F.pad(position, (0, width - position.shape[1]))[None]  # (1, N, D)


# Block --------------------------------------------------------------------------------------------


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Shift and scale each clip's tokens (B, S, D) by its own vectors (B, D)."""
    return x * (1.0 + scale[:, None]) + shift[:, None]


class Attention(nn.Module):
    """Multi-head self-attention over all tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens (B, S, D)."""
        b, s, d = x.shape
        q, k, v = (
            self.qkv(x).view(b, s, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        )  # (B, h, S, D/h)
        mixed = F.scaled_dot_product_attention(q, k, v)  # (B, h, S, D/h)
        return self.out(mixed.transpose(1, 2).reshape(b, s, d))  # (B, S, D)


class DiTBlock(nn.Module):
    """A transformer block whose norms are shifted, scaled and gated by the condition (adaLN-zero)."""

    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.attention = Attention(width, heads)
        hidden = mlp_ratio * width
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU("tanh"), nn.Linear(hidden, width))
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Update tokens (B, S, D) under the condition (B, D)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(condition).chunk(
            6, dim=-1
        )  # (B, D) each
        x = x + gate1[:, None] * self.attention(modulate(self.norm1(x), shift1, scale1))  # (B, S, D)
        return x + gate2[:, None] * self.mlp(modulate(self.norm2(x), shift2, scale2))  # (B, S, D)


class FinalLayer(nn.Module):
    """Turn tokens into patches of velocity."""

    def __init__(self, width: int, patch_values: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.linear = nn.Linear(width, patch_values)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Project tokens (B, N, D) to (B, N, values of a patch)."""
        shift, scale = self.modulation(condition).chunk(2, dim=-1)  # (B, D) each
        return self.linear(modulate(self.norm(x), shift, scale))


# Model --------------------------------------------------------------------------------------------


class DiT(nn.Module):
    """Predict the velocity of noisy latents at a time, given a prompt."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.patches = PatchEmbed(config)
        self.time = TimeEmbed(width)
        self.words = nn.Linear(config.text.width, width)
        self.pooled = nn.Linear(config.text.width, width)
        self.blocks = nn.ModuleList(
            DiTBlock(width, config.heads, config.mlp_ratio) for _ in range(config.depth)
        )
        self.final = FinalLayer(width, config.latent[0] * math.prod(config.patch))
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for layer in (self.time.mlp[0], self.time.mlp[2]):
            assert isinstance(layer, nn.Linear)
            nn.init.normal_(layer.weight, std=0.02)
        # adaLN-zero: every block starts as the identity, and the model as the zero velocity.
        for part in (*self.blocks, self.final):
            assert isinstance(part, DiTBlock | FinalLayer)
            last = part.modulation[1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
        nn.init.zeros_(self.final.linear.weight)

    def forward(self, x: Tensor, time: Tensor, words: Tensor, pooled: Tensor) -> Tensor:
        """Predict velocities.

        Args:
            x: noisy latents (B, C, T, H, W), of unit variance a channel.
            time: (B,) in [0, 1]; 1 is noise and 0 is data.
            words: the prompt's tokens (B, L, text width).
            pooled: the prompt as one vector (B, text width).

        Returns:
            Velocities, noise minus data, of the shape of ``x``.
        """
        tokens = self.patches(x)  # (B, N, D)
        n = tokens.shape[1]
        tokens = torch.cat([tokens, self.words(words)], dim=1)  # (B, N + L, D)
        condition = self.time(time) + self.pooled(pooled)  # (B, D)
        for block in self.blocks:
            tokens = block(tokens, condition)  # (B, N + L, D)
        patches = self.final(tokens[:, :n], condition)  # (B, N, C pt ph pw)
        return self.patches.restore(patches)  # (B, C, T, H, W)


class TextToVideo(nn.Module):
    """The text conditioner and the transformer, trained as one."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        self.text = TextConditioner(config.text)
        self.dit = DiT(config)

    def forward(self, x: Tensor, time: Tensor, ids: Tensor) -> Tensor:
        """Predict the velocity of latents (B, C, T, H, W) at times (B,) for prompts of token ids (B, L)."""
        words, pooled = self.text(ids)
        return self.dit(x, time, words, pooled)


def load_text_to_video(folder: Path) -> TextToVideo:
    """Load a checkpoint, ready to use.

    Raises:
        MissingWeightsError: it is not there.
        UsageError: it is damaged, or of another format version.
    """
    model = TextToVideo(read_config(folder, "dit", DiTConfig))
    load_weights(model, folder)
    return model.eval()


# Named sizes --------------------------------------------------------------------------------------

SIZES: Final[dict[str, dict[str, int]]] = {
    "nano": {"width": 48, "depth": 2, "heads": 2},
    "small": {"width": 160, "depth": 6, "heads": 5},
    "base": {"width": 256, "depth": 8, "heads": 8},
}
"""Width, depth and heads by name; the shipped checkpoints are ``small``."""


def build_config(size: str, text: TextConfig, **more: tuple[int, ...]) -> DiTConfig:
    """Describe a named size reading prompts through ``text``; ``more`` takes ``latent`` and ``patch``.

    Raises:
        UsageError: no size of that name.
    """
    if size not in SIZES:
        raise unknown_name("size of the transformer", size, SIZES)
    return DiTConfig.model_validate({**SIZES[size], "text": text, **more})
