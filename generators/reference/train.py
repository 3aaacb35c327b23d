"""Training of the reference generator: the autoencoder, then the diffusion transformer on its latents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from ...harness.keys import digest, seeded_rng
from .checkpoint import checkpoint_digest, save_checkpoint, write_beside
from .dit import TextToVideo, build_config
from .generator import WEIGHTS
from .loop import TrainConfig, fit, say, torch_device
from .sampler import shift_time
from .text import TextConfig, build_tokenizer, tokenize
from .vae import VAE, VAEConfig, load_vae, to_unit
from .words import caption, vocabulary
from .world import NATIVE_CLIP, world_clips

__all__ = ["TrainDit", "TrainVae", "export_dit", "train_dit", "train_vae"]


class TrainVae(TrainConfig):
    """How the autoencoder is trained: on crops first, which are cheaper, and at the end on whole clips."""

    steps: int = Field(default=1200, ge=1)
    batch: int = Field(default=32, ge=1, description="crops a step; of whole clips, half as many")
    lr: float = Field(default=2e-3, gt=0)
    clips: int = Field(default=6000, ge=1, description="clips of the world that are rendered to train on")
    crop: int = Field(default=32, ge=8, multiple_of=8, description="side of the training crops, in pixels")
    whole_from: float = Field(
        default=0.9, ge=0, le=1, description="part of the steps after which clips are whole"
    )
    shape_weight: float = Field(default=8.0, gt=0, description="weight of a pixel that is not ground")
    kl_weight: float = Field(default=2e-4, ge=0)
    model: VAEConfig = VAEConfig()


def train_vae(config: TrainVae, out: Path) -> Path:
    """Train the autoencoder, resuming what ``out`` holds, and write the checkpoint ``out/vae``."""
    torch.manual_seed(config.seed)
    clips_NTHWC = render_many(config.clips, "vae-train")
    model = VAE(config.model)
    say(f"autoencoder of {sum(p.numel() for p in model.parameters()):,} parameters")
    whole_from = round(config.steps * config.whole_from)
    device = torch_device(config.device)

    def loss(step: int, generator: torch.Generator) -> Tensor:
        whole = step >= whole_from
        count = max(1, config.batch // 2) if whole else config.batch
        chosen = torch.randint(len(clips_NTHWC), (count,), generator=generator)
        batch = clips_NTHWC[chosen]
        ground = batch[:, 0, 0, 0]  # the corner is never covered at the first frame: (B, 3)
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


class TrainDit(TrainConfig):
    """How the diffusion transformer and its text conditioner are trained, on latents coded beforehand."""

    steps: int = Field(default=4400, ge=1)
    batch: int = Field(default=32, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    hold: float = Field(default=0.5, ge=0, le=1)
    ema: float = Field(default=0.998, ge=0, lt=1)
    clips: int = Field(default=10_000, ge=1, description="clips of the world whose latents are trained on")
    captions: int = Field(default=4, ge=1, description="wordings of each clip")
    shift: float = Field(default=4.0, gt=0, description="how far times are moved towards noise")
    dropout: float = Field(default=0.1, ge=0, le=1, description="part of the prompts that is emptied")
    size: str = "small"
    early: int = Field(default=1600, ge=0, description="step of the 'early' checkpoint; 0 or the end: none")
    keep: tuple[int, ...] = Field(default=(), description="further steps to keep the averaged weights of")

    def identity(self) -> dict[str, Any]:
        """List what changes the weights."""
        listed = super().identity()
        return {name: value for name, value in listed.items() if name not in ("early", "keep")}


def train_dit(config: TrainDit, out: Path) -> Path:
    """Train on the latents of ``out/vae`` (or of the shipped autoencoder), resuming what ``out`` holds.

    Writes the checkpoints ``out/early`` and ``out/late``; returns the latter.
    """
    torch.manual_seed(config.seed)
    device = torch_device(config.device)
    vae = vae_folder(out)
    latents, ids, empty = _latents(config, vae, out, device)
    model = TextToVideo(build_config(config.size, _text_config()))
    say(f"transformer of {sum(p.numel() for p in model.parameters()):,} parameters")

    def loss(_: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(latents), (config.batch,), generator=generator)
        wording = torch.randint(config.captions, (config.batch,), generator=generator)
        prompts = ids[chosen, wording]  # (B, L)
        dropped = torch.rand(config.batch, generator=generator) < config.dropout
        prompts = torch.where(dropped[:, None], empty, prompts)
        data = latents[chosen].float()
        noise = torch.randn(data.shape, generator=generator)
        # Logit-normal times, shifted: Esser et al. 2024, 3.1 and 5.3.2 (arXiv:2403.03206). A shape fills a
        # few latents and stands far out of them: where it is and goes is settled close to pure noise.
        time = shift_time(torch.sigmoid(torch.randn(config.batch, generator=generator)), config.shift)
        mixed = torch.lerp(data, noise, time[:, None, None, None, None])
        velocity = model(mixed.to(device), time.to(device), prompts.to(device))
        return F.mse_loss(velocity.float(), (noise - data).to(device))

    state = out / "dit-state"
    keep = {config.early, *config.keep} - {0}
    averages = fit(model, loss, config, state, snapshots=keep)
    write_beside(state / f"step-{config.steps}.safetensors", lambda beside: save_file(averages, beside))
    if 0 < config.early < config.steps:
        export_dit(config, out, step=config.early, name="early")
    return export_dit(config, out, step=config.steps, name="late")


def export_dit(config: TrainDit, out: Path, *, step: int, name: str) -> Path:
    """Write the weights kept at a step of a training run in ``out`` as the checkpoint ``out/name``."""
    averages = load_file(out / "dit-state" / f"step-{step}.safetensors")
    model = build_config(config.size, _text_config())
    more = {
        "clip": NATIVE_CLIP.model_dump(mode="json"),
        "vae_digest": checkpoint_digest(vae_folder(out)),
        "step": step,
        "trained": config.identity(),
    }
    save_checkpoint(out / name, "dit", model, averages, more)
    build_tokenizer(vocabulary(), model.text.length).save_pretrained(out / name)
    return out / name


def vae_folder(out: Path) -> Path:
    """Find the autoencoder of a training folder: its own, or else the shipped one."""
    return out / "vae" if (out / "vae").is_dir() else WEIGHTS / "vae"


def _text_config() -> TextConfig:
    return TextConfig(vocabulary=len(vocabulary()) + 4)


def _latents(config: TrainDit, vae: Path, out: Path, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Code the training clips once: latents (N, C, T, H, W) float16, prompts (N, K, L), no prompt (L)."""
    key = digest(
        "latents", {"vae": checkpoint_digest(vae), "clips": config.clips, "captions": config.captions}
    )
    path = out / f"latents-{key[:16]}.safetensors"
    if not path.exists():
        model = load_vae(vae)
        tokenizer = build_tokenizer(vocabulary(), _text_config().length)
        latents: list[Tensor] = []
        words: list[str] = []
        pending: list[Tensor] = []
        say(f"coding {config.clips} clips")
        for index, (frames, truth) in enumerate(world_clips(config.clips, "dit-train")):
            pending.append(torch.from_numpy(frames))
            rng = seeded_rng("dit-captions", index)
            words += [caption(truth.scene, rng) for _ in range(config.captions)]
            if len(pending) == 64 or index + 1 == config.clips:
                coded = encode_clips(model, torch.stack(pending), device)
                latents.append(model.normalise(coded).half().contiguous())
                pending = []
        ids = tokenize(tokenizer, words).view(config.clips, config.captions, -1)
        tensors = {"latents": torch.cat(latents), "ids": ids, "empty": tokenize(tokenizer, [""])[0]}
        write_beside(path, lambda beside: save_file(tensors, beside))
    tensors = load_file(path)
    return tensors["latents"], tensors["ids"], tensors["empty"]


def render_many(n: int, seed: str) -> Tensor:
    """Render ``n`` random clips of the world: uint8 (N, T, H, W, 3)."""
    say(f"rendering {n} clips")
    clips = np.empty((n, NATIVE_CLIP.frames, NATIVE_CLIP.height, NATIVE_CLIP.width, 3), np.uint8)
    for index, (frames, _) in enumerate(world_clips(n, seed)):
        clips[index] = frames
    return torch.from_numpy(clips)


@torch.no_grad()
def encode_clips(model: VAE, clips_NTHWC: Tensor, device: torch.device, batch: int = 16) -> Tensor:
    """Code uint8 clips (N, T, H, W, 3) as posterior means (N, z, T/4, H/8, W/8), on the CPU."""
    model.to(device)
    return torch.cat([model.encode(to_unit(part.to(device))).mean.cpu() for part in clips_NTHWC.split(batch)])


def _shape_weights(clips: Tensor, ground: Tensor, weight: float) -> Tensor:
    """Weigh the pixels of (B, 3, T, H, W) that differ from the ground (B, 3, 1, 1, 1): (B, 1, T, H, W)."""
    return 1.0 + (weight - 1.0) * ((clips - ground).abs().amax(1, keepdim=True) > 0.05).float()


def _crops(clips: Tensor, ground: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Cut a square out of each uint8 clip (B, T, H, W, 3): half of them at the shape."""
    b, frames, h, w, _ = clips.shape
    ys = torch.randint(h - side + 1, (b,), generator=generator)
    xs = torch.randint(w - side + 1, (b,), generator=generator)
    times = torch.randint(frames, (b,), generator=generator)
    jitter = torch.randint(-side // 2, side // 4, (2, b), generator=generator)
    still = clips[torch.arange(b), times].int()  # (B, H, W, 3)
    peak = (still - ground[:, None, None].int()).abs().sum(-1).flatten(1).argmax(1)
    ys[::2] = (peak // w - side // 4 + jitter[0])[::2].clamp(0, h - side)
    xs[::2] = (peak % w - side // 4 + jitter[1])[::2].clamp(0, w - side)
    corners = zip(ys.tolist(), xs.tolist(), strict=True)
    return torch.stack([clips[i, :, y : y + side, x : x + side] for i, (y, x) in enumerate(corners)])
