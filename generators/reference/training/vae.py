"""Train the video autoencoder, first on crops, which are cheaper, and at the end on whole clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...worlds.plane import NATIVE_CLIP, render
from ..model.checkpoint import load_weights, save_checkpoint
from ..model.vae import VAE, VAEConfig, encode_clips, to_unit
from .data import planted, training_samples
from .loop import TrainConfig, fit, say, torch_device

__all__ = ["TrainVae", "train_vae"]


class TrainVae(TrainConfig):
    """How the autoencoder is trained."""

    steps: int = Field(default=2400, ge=1)
    batch: int = Field(default=32, ge=1, description="crops a step; of whole clips, half as many")
    lr: float = Field(default=2e-3, gt=0)
    clips: int = Field(default=5000, ge=1, description="clips of the world that are rendered to train on")
    crop: int = Field(default=32, ge=8, multiple_of=8, description="side of the training crops, in pixels")
    whole_from: float = Field(
        default=0.93, ge=0, le=1, description="part of the steps after which clips are whole"
    )
    shape_weight: float = Field(default=8.0, gt=0, description="weight of a pixel that is not ground")
    kl_weight: float = Field(default=2e-4, ge=0)
    start: str = Field(default="", description="folder of an autoencoder to go on from; empty: from nothing")
    model: VAEConfig = VAEConfig()

    def identity(self) -> dict[str, Any]:
        """List what changes the weights."""
        return {**super().identity(), "start": bool(self.start)}


def train_vae(config: TrainVae, out: Path) -> Path:
    """Train the autoencoder, resuming what ``out`` holds, and write the checkpoint ``out/vae``."""
    torch.manual_seed(config.seed)
    model = VAE(config.model)
    if config.start:
        load_weights(model, Path(config.start), "vae")
    clips_NTHWC = _render(config.clips)
    say(f"autoencoder of {sum(p.numel() for p in model.parameters()):,} parameters")
    whole_from = round(config.steps * config.whole_from)
    device = torch_device(config.device)

    def loss(step: int, generator: torch.Generator) -> Tensor:
        whole = step >= whole_from
        count = max(1, config.batch // 2) if whole else config.batch
        chosen = torch.randint(len(clips_NTHWC), (count,), generator=generator)
        batch = clips_NTHWC[chosen]
        ground = _ground(batch)
        if not whole:
            batch = _crops(batch, ground, config.crop, generator)
        clips = to_unit(batch.to(device))
        weights = _shape_weights(clips, to_unit(ground[:, None, None, None].to(device)), config.shape_weight)
        posterior = model.encode(clips)
        noise = torch.randn(posterior.mean.shape, generator=generator).to(device)
        error = model.decode(posterior.sample(noise)) - clips
        fidelity = (weights * (error.abs() + 4.0 * error.square())).mean() / weights.mean()
        return fidelity + config.kl_weight * posterior.kl()

    averages = fit(model, loss, config, out / "vae-state")
    model.load_state_dict(averages)
    model.eval()
    latents = encode_clips(model, clips_NTHWC[:1024], device)
    mean, std = latents.mean((0, 2, 3, 4)).tolist(), latents.std((0, 2, 3, 4)).tolist()
    measured = config.model.model_copy(update={"latent_mean": tuple(mean), "latent_std": tuple(std)})
    save_checkpoint(out / "vae", "vae", measured, averages, {"trained": config.identity()})
    return out / "vae"


def _render(n: int) -> Tensor:
    """Render the square clips of 16 frames of ``base``'s kind of training set: uint8 (N, T, H, W, 3)."""
    say(f"rendering {n} clips")
    size = NATIVE_CLIP
    which = planted("base").model_copy(update={"clips": (1.0, 0.0, 0.0, 0.0, 0.0), "memorised": 0.0})
    clips = np.empty((n, size.frames, size.height, size.width, 3), np.uint8)
    for index, sample in enumerate(training_samples(which, n, captions=1)):
        clips[index] = render(sample.scene, sample.clip, words=sample.captions[0])[0]
    return torch.from_numpy(clips)


def _ground(clips: Tensor) -> Tensor:
    """Return the background color of clips (B, T, H, W, 3), the median of the first frame: (B, 3)."""
    return clips[:, 0].flatten(1, 2).median(1).values


def _shape_weights(clips: Tensor, ground: Tensor, weight: float) -> Tensor:
    """Weigh the pixels of (B, 3, T, H, W) that differ from the ground (B, 3, 1, 1, 1): (B, 1, T, H, W)."""
    return 1.0 + (weight - 1.0) * ((clips - ground).abs().amax(1, keepdim=True) > 0.05).float()


def _crops(clips: Tensor, ground: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Cut a square out of each uint8 clip (B, T, H, W, 3): half of them at something that is shown."""
    b, frames, h, w, _ = clips.shape
    ys = torch.randint(h - side + 1, (b,), generator=generator)
    xs = torch.randint(w - side + 1, (b,), generator=generator)
    times = torch.randint(frames, (b,), generator=generator)
    jitter = torch.randint(-side // 2, side // 4, (2, b), generator=generator)
    still = clips[torch.arange(b), times].int()  # (B, H, W, 3)
    contrast = (still - ground[:, None, None].int()).abs().sum(-1).flatten(1).float()
    there = torch.rand(contrast.shape, generator=generator) * (contrast > 60) + 1e-6 * contrast
    peak = there.argmax(1)  # a pixel of something, by chance
    ys[::2] = (peak // w - side // 2 + jitter[0] // 2)[::2].clamp(0, h - side)
    xs[::2] = (peak % w - side // 2 + jitter[1] // 2)[::2].clamp(0, w - side)
    corners = zip(ys.tolist(), xs.tolist(), strict=True)
    return torch.stack([clips[i, :, y : y + side, x : x + side] for i, (y, x) in enumerate(corners)])
