"""Training of the diffusion transformer, on latents that are coded once, with frames given now and then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from ....harness.core.errors import UsageError
from ....harness.core.keys import digest
from ...worlds.plane import NATIVE_CLIPS, WORLD_VERSION, render
from ..model.checkpoint import TEXT_FILES, checkpoint_digest, load_weights, save_checkpoint, write_beside
from ..model.dit import DiT, DiTConfig, build_config
from ..model.parts import find_part
from ..model.sampler import shift_time
from ..model.text import TextConditioner
from ..model.vae import encode_clips, load_vae
from .data import TrainingSample, planted, training_samples
from .loop import TrainConfig, Watch, fit, say, stopped_at, torch_device

__all__ = ["TrainDit", "export_dit", "train_dit", "write_dit"]

# How often frames are given, and which: a still to start from, the first frames, the last, or both ends.
_GIVEN: Final = {"still": 0.14, "first": 0.1, "last": 0.07, "ends": 0.07}
_PART: Final = 1000  # clips that are coded and kept together; a run that is killed loses no more


class TrainDit(TrainConfig):
    """How the diffusion transformer is trained."""

    steps: int = Field(default=6000, ge=1)
    batch: int = Field(default=32, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    hold: float = Field(default=0.55, ge=0, le=1)
    ema: float = Field(default=0.998, ge=0, lt=1)
    data: Literal["base", "late", "safe"] = Field(
        default="base", description="whose training set; see `planted`"
    )
    clips: int = Field(default=14_000, ge=1, description="clips of the world whose latents are trained on")
    captions: int = Field(default=4, ge=1, description="wordings of each clip")
    shift: float = Field(default=3.0, gt=0, description="how far times are moved towards noise")
    dropout: float = Field(default=0.1, ge=0, le=1, description="part of the prompts that is emptied")
    size: str = Field(default="small", description="of the transformer: nano, small or base")
    start: str = Field(default="", description="folder of a checkpoint to go on from; empty: from nothing")
    name: str = Field(default="base", description="name of the checkpoint that is written")
    early: int = Field(default=0, ge=0, description="step of the 'early' checkpoint; 0 or the end: none")
    keep: tuple[int, ...] = Field(
        default=(), description="further steps to keep the averaged weights of, separated by commas"
    )
    evaluate_every: int = Field(default=0, ge=0, description="steps between runs of a suite; 0: none")
    evaluate_suite: str = Field(default="reference", description="the suite that is run")
    evaluate_seconds: float = Field(
        default=0, ge=0, description="time for one such run, which sets its prompts; 0: all of them"
    )
    evaluate_policy: str = Field(default="", description="policy whose FAIL ends the training; empty: none")

    @field_validator("keep", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value.split(",") if isinstance(value, str) else value

    def identity(self) -> dict[str, Any]:
        """List what changes the weights."""
        listed = super().identity()
        kept = {
            name: value
            for name, value in listed.items()
            if name not in ("early", "keep", "name") and not name.startswith("evaluate_")
        }
        return {**kept, "start": checkpoint_digest(Path(self.start)) if self.start else ""}


def train_dit(config: TrainDit, out: Path, watch: Watch | None = None) -> Path:
    """Train on latents of ``out/vae`` under prompts read by ``out/text`` (or the shipped ones).

    Resumes what ``out`` holds. Writes the checkpoint ``out/NAME`` and, if asked for, ``out/early``; returns
    the former. ``watch`` is called after each step, and may end the training.
    """
    torch.manual_seed(config.seed)
    device = torch_device(config.device)
    text = TextConditioner.load(find_part(out / config.name, "text"), str(device))
    model = DiT(build_config(config.size, text.width))
    if config.start:
        load_weights(model, Path(config.start), "dit")
    data = _data(config, out, device)
    say(f"transformer of {sum(p.numel() for p in model.parameters()):,} parameters")

    def loss(_: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(data.sizes), (config.batch,), generator=generator).tolist()
        wording = torch.randint(config.captions, (config.batch,), generator=generator).tolist()
        dropped = (torch.rand(config.batch, generator=generator) < config.dropout).tolist()
        prompts = [
            "" if drop else data.captions[i][k] for i, k, drop in zip(chosen, wording, dropped, strict=True)
        ]
        words, pooled = text(prompts)
        clean = [data.latents(i) for i in chosen]
        known, use_still = _given(clean, generator)
        stills = [data.still(i).to(device) if use else None for i, use in zip(chosen, use_still, strict=True)]
        # Logit-normal times, shifted: Esser et al. 2024, 3.1 and 5.3.2 (arXiv:2403.03206). A shape fills a
        # few latents and stands far out of them: where it is and goes is settled close to pure noise.
        time = shift_time(torch.sigmoid(torch.randn(config.batch, generator=generator)), config.shift)
        noise = [torch.randn(x.shape, generator=generator) for x in clean]
        mixed = [
            torch.where(k[None, :, None, None], x, torch.lerp(x, e, t)).to(device)
            for x, e, t, k in zip(clean, noise, time, known, strict=True)
        ]
        velocity = model(mixed, time.to(device), words, pooled, known, stills)
        parts = [
            F.mse_loss(v.float()[:, ~k], (e - x)[:, ~k].to(device))
            for v, e, x, k in zip(velocity, noise, clean, known, strict=True)
        ]
        return torch.stack(parts).mean()

    state = out / f"{config.name}-state"
    keep = {config.early, *config.keep} - {0}
    averages = fit(model, loss, config, state, snapshots=keep, watch=watch)
    ended = stopped_at(state) or config.steps
    write_beside(state / f"step-{ended}.safetensors", lambda beside: save_file(averages, beside))
    if 0 < config.early < ended:
        export_dit(config, out, step=config.early, name="early")
    return export_dit(config, out, step=ended, name=config.name)


def export_dit(config: TrainDit, out: Path, *, step: int, name: str) -> Path:
    """Write the weights kept at a step of a training run in ``out`` as the checkpoint ``out/name``."""
    averages = load_file(out / f"{config.name}-state" / f"step-{step}.safetensors")
    return write_dit(config, out, averages, step=step, name=name)


def write_dit(config: TrainDit, out: Path, weights: Mapping[str, Tensor], *, step: int, name: str) -> Path:
    """Write weights of a training run in ``out`` as the checkpoint ``out/name``."""
    text = find_part(out / name, "text")
    width = TextConditioner.load(text).width
    model: DiTConfig = build_config(config.size, width)
    more = {
        "clips": [clip.model_dump(mode="json") for clip in NATIVE_CLIPS],
        "vae_digest": checkpoint_digest(find_part(out / name, "vae")),
        "text_digest": checkpoint_digest(text, *TEXT_FILES),
        "step": step,
        "trained": config.identity(),
    }
    save_checkpoint(out / name, "dit", model, weights, more)
    return out / name


@dataclass(frozen=True)
class _Data:
    """Latents of the training clips, one after the other in a flat tensor, and their captions."""

    flat: Tensor  # float16
    starts: list[int]
    sizes: list[tuple[int, int, int, int]]  # (C, T, H, W)
    captions: list[tuple[str, ...]]

    def latents(self, index: int) -> Tensor:
        """Latents (C, T, H, W) of a clip."""
        return self._cut(self.starts[index], self.sizes[index])

    def still(self, index: int) -> Tensor:
        """Latents (C, 1, H, W) of the first picture of a clip, held."""
        c, t, h, w = self.sizes[index]
        return self._cut(self.starts[index] + c * t * h * w, (c, 1, h, w))

    def _cut(self, start: int, size: tuple[int, ...]) -> Tensor:
        return self.flat[start : start + int(np.prod(size))].view(size).float()


def _given(clean: list[Tensor], generator: torch.Generator) -> tuple[list[Tensor], list[bool]]:
    """Draw which latent frames of each clip are given, and whether a still is."""
    kinds = torch.rand(len(clean), generator=generator).tolist()
    parts = torch.rand(len(clean), generator=generator).tolist()
    known: list[Tensor] = []
    stills: list[bool] = []
    edges = np.cumsum(list(_GIVEN.values()))
    for x, kind, part in zip(clean, kinds, parts, strict=True):
        frames = x.shape[1]
        mask = torch.zeros(frames, dtype=torch.bool)
        name = list(_GIVEN)[int(np.searchsorted(edges, kind))] if kind < edges[-1] else ""
        count = 1 + int(part * (frames - 1)) if frames > 1 else 0
        if name == "first":
            mask[:count] = True
        elif name == "last":
            mask[frames - count :] = True
        elif name == "ends" and frames > 2:
            mask[0] = mask[-1] = True
        known.append(mask)
        stills.append(name == "still")
    return known, stills


def _data(config: TrainDit, out: Path, device: torch.device) -> _Data:
    """Code the training clips once, and keep what came out in ``out``, part by part."""
    vae = find_part(out / config.name, "vae")
    which = planted(config.data)
    samples = list(training_samples(which, config.clips, config.captions))
    key = digest(
        "latents",
        {"vae": checkpoint_digest(vae), "world": WORLD_VERSION, "set": which.model_dump(mode="json")},
    )
    channels = load_vae(vae).config.latent_channels
    sizes = [(channels, s.clip.frames // 4, s.clip.height // 8, s.clip.width // 8) for s in samples]
    ends = np.cumsum([c * (t + 1) * h * w for c, t, h, w in sizes])
    parts: list[Tensor] = []
    for first in range(0, len(samples), _PART):
        part = samples[first : first + _PART]
        path = out / f"latents-{key[:16]}-{first}-{first + len(part)}.safetensors"
        parts.append(_coded(part, sizes[first : first + _PART], path, vae, device))
    starts = [0, *ends[:-1].tolist()]
    return _Data(torch.cat(parts), starts, sizes, [s.captions for s in samples])


def _coded(
    samples: Sequence[TrainingSample],
    sizes: Sequence[tuple[int, int, int, int]],
    path: Path,
    vae: Path,
    device: torch.device,
) -> Tensor:
    """Read the latents of clips from ``path``; code the clips first if they are not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        say(f"coding {len(samples)} clips: {path.name}")
        ends = np.cumsum([c * (t + 1) * h * w for c, t, h, w in sizes])
        flat = _code(samples, [0, *ends[:-1].tolist()], int(ends[-1]), vae, device)
        write_beside(path, lambda beside: save_file({"flat": flat}, beside))
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor("flat")
    except SafetensorError as error:
        raise UsageError(f"the coded clips {path} are damaged ({error}); remove that file") from None


def _code(
    samples: Sequence[TrainingSample], starts: Sequence[int], total: int, vae: Path, device: torch.device
) -> Tensor:
    """Code clips and their first pictures, each from its place in ``starts`` on, as one float16 tensor."""
    model = load_vae(vae).to(device)
    flat = torch.empty(total, dtype=torch.float16)
    by_size: dict[tuple[int, ...], list[tuple[int, Tensor]]] = {}

    def code(waiting: list[tuple[int, Tensor]]) -> None:
        clips = torch.stack([frames for _, frames in waiting])
        latents = model.normalise(encode_clips(model, clips, device)).half()
        held = clips[:, :1].expand(-1, 4, -1, -1, -1)
        stills = model.normalise(encode_clips(model, held, device)).half()
        for (index, _), a, b in zip(waiting, latents, stills, strict=True):
            both = torch.cat([a.flatten(), b.flatten()])
            flat[starts[index] : starts[index] + len(both)] = both
        waiting.clear()

    for index, sample in enumerate(samples):
        frames, _ = render(sample.scene, sample.clip, words=sample.captions[0])
        waiting = by_size.setdefault(frames.shape, [])
        waiting.append((index, torch.from_numpy(frames)))
        if len(waiting) == 16:
            code(waiting)
    for waiting in by_size.values():
        if waiting:
            code(waiting)
    return flat
