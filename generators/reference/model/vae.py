"""A small video autoencoder: 8x8 in space, 4x in time, 16 latent channels, Gaussian posterior (KL-VAE).

Convolutions never see full resolution: space-to-depth takes the clip to half size at the input, and its
inverse brings it back at the output. Convolutions are factorised into (1, 3, 3) and (3, 1, 1), and each
position is normalised by itself, over its channels, so that a crop is coded as inside the whole frame.

Sources: Kingma & Welling 2014 (arXiv:1312.6114); Rombach et al. 2022, section 3.1 (arXiv:2112.10752);
Tran et al. 2018 for the factorised convolution (arXiv:1711.11248).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....harness.core.config import Config
from .checkpoint import load_checkpoint

__all__ = ["VAE", "Posterior", "VAEConfig", "encode_clips", "load_vae", "to_pixels", "to_unit"]

_STRIDES: Final = ((2, 2, 2), (1, 2, 2), (2, 2, 2))  # (T, H, W) at the input and before each wider stage


class VAEConfig(Config):
    """The size of the autoencoder, and what normalises its latents.

    ``latent_mean`` and ``latent_std`` hold one value a channel, measured on training clips after training.
    """

    widths: tuple[int, int, int] = (32, 64, 192)
    encoder_blocks: tuple[int, int, int] = (0, 1, 2)
    decoder_blocks: tuple[int, int, int] = (1, 1, 2)
    latent_channels: int = 16
    latent_mean: tuple[float, ...] = ()
    latent_std: tuple[float, ...] = ()


class Posterior:
    """A diagonal Gaussian over latents, each tensor of shape (B, C, T/4, H/8, W/8)."""

    def __init__(self, mean: Tensor, log_variance: Tensor) -> None:
        self.mean = mean
        self.log_variance = log_variance.clamp(-20.0, 10.0)

    def sample(self, noise: Tensor) -> Tensor:
        """Draw latents with standard normal ``noise`` of the mean's shape."""
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def kl(self) -> Tensor:
        """Kullback-Leibler divergence from the standard normal, in nats a latent value."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1.0 - self.log_variance).mean()


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each position of a (B, C, T, H, W) tensor."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise; the shape stays."""
        last = input.permute(0, 2, 3, 4, 1)  # contiguous already in channels-last memory
        return super().forward(last).permute(0, 4, 1, 2, 3)


class Block(nn.Module):
    """Residual block: space, then time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(width), ChannelNorm(width)
        self.space = nn.Conv3d(width, width, (1, 3, 3), padding=(0, 1, 1))
        self.time = nn.Conv3d(width, width, (3, 1, 1), padding=(1, 0, 0))
        nn.init.zeros_(self.time.weight)
        assert self.time.bias is not None
        nn.init.zeros_(self.time.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the two convolutions say: (B, C, T, H, W) stays."""
        h = self.space(F.silu(self.norm1(x)))
        return x + self.time(F.silu(self.norm2(h)))


class VAE(nn.Module):
    """Encode pixels to latents and decode them; both sides take and give (B, C, T, H, W)."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        w, z = config.widths, config.latent_channels
        packed = [3 * 8, w[0] * 4, w[1] * 8]  # channels after each space-to-depth
        self.enter = nn.Conv3d(packed[0], w[0], (1, 3, 3), padding=(0, 1, 1))
        self.down = nn.ModuleList([nn.Conv3d(packed[1], w[1], 1), nn.Conv3d(packed[2], w[2], 1)])
        self.encoder = nn.ModuleList(_stage(w[i], config.encoder_blocks[i]) for i in range(3))
        self.to_posterior = nn.Conv3d(w[2], 2 * z, 1)
        self.from_latent = nn.Conv3d(z, w[2], (1, 3, 3), padding=(0, 1, 1))
        self.decoder = nn.ModuleList(_stage(w[i], config.decoder_blocks[i]) for i in range(3))
        self.up = nn.ModuleList([nn.Conv3d(w[1], packed[1], 1), nn.Conv3d(w[2], packed[2], 1)])
        self.norm_out = ChannelNorm(w[0])
        self.leave = nn.Conv3d(w[0], packed[0], (1, 3, 3), padding=(0, 1, 1))
        self.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]

    def encode(self, pixels: Tensor) -> Posterior:
        """Code clips (B, 3, T, H, W) in [-1, 1]; T is a multiple of 4, H and W of 8."""
        h = self.enter(space_to_depth(pixels, _STRIDES[0]))  # (B, w0, T/2, H/2, W/2)
        h = self.encoder[0](h)
        h = self.down[0](space_to_depth(h, _STRIDES[1]))  # (B, w1, T/2, H/4, W/4)
        h = self.encoder[1](h)
        h = self.down[1](space_to_depth(h, _STRIDES[2]))  # (B, w2, T/4, H/8, W/8)
        h = self.to_posterior(self.encoder[2](h))  # (B, 2z, T/4, H/8, W/8)
        mean, log_variance = h.chunk(2, dim=1)
        return Posterior(mean, log_variance)

    def decode(self, latents: Tensor) -> Tensor:
        """Turn latents (B, z, T/4, H/8, W/8) back into clips (B, 3, T, H, W), about [-1, 1]."""
        h = self.decoder[2](self.from_latent(latents))  # (B, w2, T/4, H/8, W/8)
        h = depth_to_space(self.up[1](h), _STRIDES[2])  # (B, w1, T/2, H/4, W/4)
        h = depth_to_space(self.up[0](self.decoder[1](h)), _STRIDES[1])  # (B, w0, T/2, H/2, W/2)
        h = self.leave(F.silu(self.norm_out(self.decoder[0](h))))  # (B, 24, T/2, H/2, W/2)
        return depth_to_space(h, _STRIDES[0])  # (B, 3, T, H, W)

    def normalise(self, latents: Tensor) -> Tensor:
        """Bring latents to zero mean and unit variance a channel, as the diffusion model sees them."""
        mean, std = self._statistics(latents)
        return (latents - mean) / std

    def denormalise(self, latents: Tensor) -> Tensor:
        """Undo `normalise`."""
        mean, std = self._statistics(latents)
        return latents * std + mean

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        shape = (1, -1, 1, 1, 1)
        mean = like.new_tensor(self.config.latent_mean or [0.0]).view(shape)
        std = like.new_tensor(self.config.latent_std or [1.0]).view(shape)
        return mean, std


def load_vae(folder: Path) -> VAE:
    """Load an autoencoder, as `load_checkpoint` does."""
    return load_checkpoint(folder, "vae", VAE, VAEConfig)


def space_to_depth(x: Tensor, stride: tuple[int, int, int]) -> Tensor:
    """Fold (t, h, w) neighbourhoods into channels: (B, C, T, H, W) to (B, thwC, T/t, H/h, W/w)."""
    (b, c, *size), (st, sh, sw) = x.shape, stride
    nt, nh, nw = size[0] // st, size[1] // sh, size[2] // sw
    x = x.reshape(b, c, nt, st, nh, sh, nw, sw).permute(0, 2, 4, 6, 3, 5, 7, 1)
    return x.reshape(b, nt, nh, nw, st * sh * sw * c).permute(0, 4, 1, 2, 3)


def depth_to_space(x: Tensor, stride: tuple[int, int, int]) -> Tensor:
    """Undo `space_to_depth`."""
    (b, packed, nt, nh, nw), (st, sh, sw) = x.shape, stride
    c = packed // (st * sh * sw)
    x = x.permute(0, 2, 3, 4, 1).reshape(b, nt, nh, nw, st, sh, sw, c)
    x = x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(b, nt * st, nh * sh, nw * sw, c)
    return x.permute(0, 4, 1, 2, 3)


def to_unit(frames_BTHWC: Tensor) -> Tensor:
    """Turn uint8 clips (B, T, H, W, 3) into floats (B, 3, T, H, W) in [-1, 1]."""
    return frames_BTHWC.permute(0, 4, 1, 2, 3).float() / 127.5 - 1.0


def to_pixels(clips_BCTHW: Tensor) -> Tensor:
    """Turn floats (B, 3, T, H, W) in [-1, 1] into uint8 clips (B, T, H, W, 3)."""
    return ((clips_BCTHW.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 4, 1)


def _stage(width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(blocks)))


@torch.no_grad()
def encode_clips(model: VAE, clips_NTHWC: Tensor, device: torch.device, batch: int = 16) -> Tensor:
    """Code uint8 clips (N, T, H, W, 3) as posterior means (N, z, T/4, H/8, W/8), on the CPU."""
    model.to(device)
    with torch.no_grad():
        parts = [model.encode(to_unit(part.to(device))).mean.cpu() for part in clips_NTHWC.split(batch)]
    return torch.cat(parts)
