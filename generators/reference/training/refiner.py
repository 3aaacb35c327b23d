"""Training of the cascade's second stage: from a reconstruction to the clip itself at twice the size."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from ...worlds.plane import NATIVE_CLIP, render
from ..model.checkpoint import checkpoint_digest, save_checkpoint
from ..model.parts import SCALE, find_part
from ..model.refiner import Refiner, RefinerConfig
from ..model.vae import VAE, encode_clips, load_vae, to_unit
from .data import planted, training_samples
from .loop import TrainConfig, fit, say, torch_device

__all__ = ["TrainRefiner", "refining_pairs", "train_refiner"]


class TrainRefiner(TrainConfig):
    """How the second stage is trained."""

    steps: int = Field(default=1200, ge=1)
    batch: int = Field(default=16, ge=1, description="crops a step")
    lr: float = Field(default=1e-3, gt=0)
    clips: int = Field(default=1500, ge=1, description="clips of the world that are coded, decoded and drawn")
    crop: int = Field(
        default=24, ge=8, description="side of the training crops, in pixels of the first stage"
    )
    frames: int = Field(default=4, ge=1, le=16, description="frames of a crop")
    shape_weight: float = Field(default=6.0, gt=0, description="weight of a pixel that is not ground")
    model: RefinerConfig = RefinerConfig()


def train_refiner(config: TrainRefiner, out: Path) -> Path:
    """Train on reconstructions of ``out/vae`` (or of the shipped autoencoder); write ``out/refiner``."""
    torch.manual_seed(config.seed)
    device = torch_device(config.device)
    folder = find_part(out / "refiner", "vae")
    say(f"drawing and coding {config.clips} clips")
    small, large = refining_pairs(load_vae(folder), config.clips, "base", device)
    model = Refiner(config.model)
    say(f"refiner of {sum(p.numel() for p in model.parameters()):,} parameters")

    def loss(_: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(small), (config.batch,), generator=generator)
        a, b = _crops(small[chosen], large[chosen], config, generator)
        clips, target = to_unit(a).to(device), to_unit(b).to(device)
        ground = target.flatten(2).median(2).values[:, :, None, None, None]
        weights = 1.0 + (config.shape_weight - 1.0) * ((target - ground).abs().amax(1, True) > 0.05).float()
        return (weights * (model(clips) - target).abs()).mean() / weights.mean()

    averages = fit(model, loss, config, out / "refiner-state")
    more = {"trained": config.identity(), "vae_digest": checkpoint_digest(folder)}
    save_checkpoint(out / "refiner", "refiner", config.model, averages, more)
    return out / "refiner"


def refining_pairs(vae: VAE, n: int, seed: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """Draw clips at both sizes: reconstructions (N, T, H, W, 3) and truths (N, T, 2 H, 2 W, 3), uint8.

    ``seed`` is ``base`` for the training set of that checkpoint, or ``test`` for scenes that nothing saw.
    """
    from ..model.vae import to_pixels

    double = NATIVE_CLIP.model_copy(
        update={"height": SCALE * NATIVE_CLIP.height, "width": SCALE * NATIVE_CLIP.width}
    )
    which = planted("base").model_copy(update={"clips": (1.0, 0.0, 0.0, 0.0, 0.0), "memorised": 0.0})
    first = 0 if seed == "base" else 1_000_000  # the training sets end far below
    small: list[Tensor] = []
    large: list[Tensor] = []
    for sample in training_samples(which, n, 1, first=first):
        frames, _ = render(sample.scene, sample.clip, words="")
        clip = torch.from_numpy(frames)[None]
        latents = encode_clips(vae, clip, device)
        with torch.no_grad():
            small.append(to_pixels(vae.decode(latents.to(device)).cpu())[0])
        large.append(torch.from_numpy(render(sample.scene, double, words="")[0]))
    return torch.stack(small), torch.stack(large)


def _crops(
    small: Tensor, large: Tensor, config: TrainRefiner, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Cut the same part out of both sizes of each clip: mostly where the most is shown."""
    _, t, h, w, _ = small.shape
    side, frames = config.crop, config.frames
    ones: list[Tensor] = []
    twos: list[Tensor] = []
    for a, b in zip(small, large, strict=True):
        start = int(torch.randint(t - frames + 1, (1,), generator=generator))
        places = torch.randint(h - side + 1, (6, 1), generator=generator)
        across = torch.randint(w - side + 1, (6, 1), generator=generator)
        # Of six places, the one with the most to see: an even draw would mostly see ground.
        spread = [
            float(a[start, y : y + side, x : x + side].float().std())
            for y, x in zip(places[:, 0].tolist(), across[:, 0].tolist(), strict=True)
        ]
        best = max(range(6), key=lambda i: spread[i])
        y, x = int(places[best]), int(across[best])
        ones.append(a[start : start + frames, y : y + side, x : x + side])
        big = slice(SCALE * y, SCALE * (y + side)), slice(SCALE * x, SCALE * (x + side))
        twos.append(b[start : start + frames, big[0], big[1]])
    return torch.stack(ones), torch.stack(twos)
