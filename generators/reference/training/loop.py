"""A seeded training loop that can be killed at any moment and resumes to the same weights.

The random numbers of a step come from (seed, step) alone, so a run that was interrupted and resumed takes the
same steps as one that was not. While the learning rate is held, a run may be given another end. The state on
disk is one safetensors file: weights, their running average, the optimiser's moments and, in its header, the
step and the configuration.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ....harness.core.config import Config
from ....harness.core.errors import ScreentestError, UsageError
from ....harness.core.files import write_atomic
from ....harness.core.keys import seeded_rng
from ..model.checkpoint import write_beside
from .log import TrainingLog, say

__all__ = [
    "Loss",
    "TrainConfig",
    "TrainReader",
    "Watch",
    "fit",
    "say",
    "step_generator",
    "stopped_at",
    "torch_device",
]

_STOPPED = "stopped.json"

Loss = Callable[[int, torch.Generator], Tensor]
"""The loss of step n (from 0): draws its batch and noise from the generator, and returns a scalar."""


Watch = Callable[[int, nn.Module, Mapping[str, Tensor]], tuple[Mapping[str, float], bool] | None]
"""What is called after each step with model and averaged weights: gives values to log and whether to stop."""


class TrainConfig(Config):
    """How any of the models is trained."""

    steps: int = Field(ge=1, description="updates of the weights")
    batch: int = Field(ge=1, description="samples a step")
    lr: float = Field(gt=0, description="learning rate of AdamW, while it is held")
    seed: int = Field(default=0, description="of the first weights, the batches and the noise")
    weight_decay: float = Field(default=0.01, ge=0, description="of matrices")
    warmup: int = Field(default=100, ge=0, description="steps of linear warm-up")
    hold: float = Field(
        default=0.0, ge=0, le=1, description="part of the steps at full rate, then a cosine to 2 %"
    )
    ema: float = Field(default=0.999, ge=0, lt=1, description="decay of the running average of the weights")
    device: str = Field(default="auto", description="auto, cpu or cuda")
    dtype: str = Field(default="float32", description="of the arithmetic; weights stay float32")
    checkpoint_minutes: float = Field(default=3.0, ge=0, description="minutes between resumable checkpoints")
    tracking: str = Field(
        default="", description="MLflow store; empty: MLFLOW_TRACKING_URI or OUT/mlflow.db; none: no store"
    )

    def rate(self, step: int) -> float:
        """Give the part of the learning rate at a step: a linear warm-up, a hold, and a cosine to 2 %."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        start = max(self.warmup, round(self.hold * self.steps))
        done = max(0.0, step - start) / max(1, self.steps - start)
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))

    def identity(self) -> dict[str, Any]:
        """List what changes the weights: all but where it runs and how often it saves."""
        return self.model_dump(mode="json", exclude={"device", "checkpoint_minutes", "tracking"})


class TrainReader(TrainConfig):
    """How a model that reads clips or their captions is trained."""

    steps: int = Field(default=900, ge=1)
    batch: int = Field(default=64, ge=2)
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    ema: float = Field(default=0.99, ge=0, lt=1)
    clips: int = Field(default=4000, ge=1, description="clips of the world that are rendered to train on")


def torch_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu`` or ``cuda`` into a device.

    Raises:
        UsageError: the device is not on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"unknown device {name!r}; use auto, cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is available here; use --device cpu")
    return device


def step_generator(*parts: int | str) -> torch.Generator:
    """Make a CPU generator whose seed is derived from ``parts`` alone."""
    seed = int(seeded_rng("reference-training", *parts).integers(2**62))
    return torch.Generator().manual_seed(seed)


def fit(
    model: nn.Module,
    loss: Loss,
    config: TrainConfig,
    folder: Path,
    *,
    snapshots: Collection[int] = (),
    watch: Watch | None = None,
) -> dict[str, Tensor]:
    """Train ``model`` and return the running average of its weights, on the CPU.

    ``folder`` gets ``state.safetensors``, from which an interrupted run of the same configuration resumes,
    and ``step-N.safetensors`` (averaged weights) for each N of ``snapshots``. Training ends early where
    ``watch`` says so; it stays ended (see `stopped_at`) while there is a ``watch``.

    Raises:
        UsageError: the folder holds the state of another configuration, or a damaged one.
        ScreentestError: the loss is not a finite number any more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    device = torch_device(config.device)
    model.to(device).train()
    state = _State(model, config, folder / "state.safetensors")
    log = TrainingLog(folder, config.identity(), config.tracking)
    first = state.step
    mark = folder / _STOPPED
    if first and watch is not None and stopped_at(folder) == first:
        say(f"training was ended early after step {first} of {config.steps}; to train on, delete {mark}")
        return state.averages()
    mark.unlink(missing_ok=True)
    if first:
        say(f"resuming after step {first} of {config.steps}")
    started = saved = spoken = time.monotonic()
    recent: list[float] = []
    autocast = torch.autocast(device.type, getattr(torch, config.dtype), enabled=config.dtype != "float32")
    while state.step < config.steps:
        with autocast:
            value = loss(state.step, step_generator(config.seed, state.step))
        recent.append(value.item())
        if not math.isfinite(recent[-1]):
            raise ScreentestError(
                f"the loss is {recent[-1]} at step {state.step + 1}; train elsewhere with a smaller lr"
            )
        state.update(value)
        watched = None if watch is None else watch(state.step, model, state.average)
        if watched is not None:
            log.note(state.step, watched[0])
        now = time.monotonic()
        last = state.step == config.steps or (watched is not None and watched[1])
        if now - spoken > 15 or last:
            rate = (state.step - first) / (now - started)
            left = (config.steps - state.step) / rate
            mean = math.fsum(recent) / len(recent)
            say(
                f"step {state.step}/{config.steps}  loss {mean:.4f}  {rate * config.batch:.1f} samples/s  "
                f"{left / 60:.1f} min left"
            )
            log.note(state.step, {"loss": mean, "samples_per_second": rate * config.batch})
            spoken, recent = now, []
        if state.step in snapshots:
            path = folder / f"step-{state.step}.safetensors"
            write_beside(path, lambda beside: save_file(state.averages(), beside))
        if now - saved > 60 * config.checkpoint_minutes or last:
            state.save()
            log.send(finished=last)
            saved = now
        if last:
            if state.step < config.steps:
                write_atomic(mark, json.dumps({"step": state.step}))
            break
    return state.averages()


def stopped_at(folder: Path) -> int | None:
    """Read after which step the training in a folder was ended early; None where it was not."""
    try:
        return int(json.loads((folder / _STOPPED).read_text("utf-8"))["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class _State:
    """Weights, optimisers and running average, as one thing that steps, saves and loads."""

    def __init__(self, model: nn.Module, config: TrainConfig, path: Path) -> None:
        self.config, self.path, self.step = config, path, 0
        self.weights = dict(model.named_parameters())
        # Vectors (biases, norms) and embeddings of few rows are not decayed: only matrices are.
        groups = [
            {
                "params": [p for p in self.weights.values() if p.ndim >= 2],
                "weight_decay": config.weight_decay,
            },
            {"params": [p for p in self.weights.values() if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            [g for g in groups if g["params"]], lr=config.lr, betas=(0.9, 0.99)
        )
        self.average = {name: p.detach().clone() for name, p in self.weights.items()}
        if path.exists():
            self._load()

    def update(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights.values(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr * self.config.rate(self.step)
        self.optimizer.step()
        self.step += 1
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))  # short memory at the start
        with torch.no_grad():
            for name, p in self.weights.items():
                self.average[name].lerp_(p, 1.0 - decay)

    def averages(self) -> dict[str, Tensor]:
        return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in self.average.items()}

    def save(self) -> None:
        tensors: dict[str, Tensor] = {}
        for name, p in self.weights.items():
            tensors[f"weight/{name}"] = p.detach().contiguous()
            tensors[f"average/{name}"] = self.average[name].contiguous()
            # A parameter that no loss reaches (a mask token) has no moments.
            for key, value in self.optimizer.state.get(p, {}).items():
                tensors[f"{key}/{name}"] = torch.as_tensor(value).contiguous()
        header = {"step": str(self.step), "config": json.dumps(self.config.identity(), sort_keys=True)}
        write_beside(self.path, lambda beside: save_file(tensors, beside, metadata=header))

    def _load(self) -> None:
        try:
            with safe_open(self.path, framework="pt") as file:
                header = file.metadata() or {}
                self._require_same(json.loads(header.get("config", "{}")), int(header["step"]))
                self.step = int(header["step"])
                keys = list(file.keys())
                for name, p in self.weights.items():
                    p.data.copy_(file.get_tensor(f"weight/{name}"))
                    self.average[name].copy_(file.get_tensor(f"average/{name}"))
                    kept = [key.removesuffix(f"/{name}") for key in keys if key.endswith(f"/{name}")]
                    moments = {
                        k: file.get_tensor(f"{k}/{name}") for k in kept if k not in ("weight", "average")
                    }
                    # Counts of steps stay on the CPU, as the optimiser made them.
                    self.optimizer.state[p] = {k: v if v.ndim == 0 else v.to(p) for k, v in moments.items()}
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise UsageError(f"the training state {self.path} is damaged ({error}); remove it") from None

    def _require_same(self, before: Mapping[str, Any], step: int) -> None:
        """Refuse the state of other settings; only the end may move, and only while the rate is held."""
        now = json.loads(json.dumps(self.config.identity()))  # as it was written
        changed = sorted(key for key in {*now, *before} if now.get(key) != before.get(key))
        if set(changed) <= {"steps", "hold"}:
            then = self.config.model_copy(update={key: before[key] for key in changed})
            if not changed or self.config.rate(step) == then.rate(step) == 1.0:
                return
        raise UsageError(
            f"{self.path.parent} holds a training run with other settings ({', '.join(changed)}); train into "
            "another folder, or remove that one"
        )
