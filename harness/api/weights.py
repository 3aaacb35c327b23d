"""Which weights of a model that trains are evaluated, and how: averaged, in eval mode, leaving no trace."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn

from ..core.errors import UsageError

__all__ = ["Averages", "MovingAverage", "evaluated", "weights_digest"]

Averages: TypeAlias = (
    "float | nn.Module | Mapping[str, Tensor] | Callable[[], nn.Module | Mapping[str, Tensor]]"
)
"""A decay; or a model, parameters by name, or a function that gives either."""


class MovingAverage:
    """A running average of the parameters of a model, with a short memory at the start.

    Args:
        decay: in [0, 1).

    Raises:
        UsageError: the decay is outside of its range.
    """

    def __init__(self, decay: float) -> None:
        if not 0 <= decay < 1:
            raise UsageError(
                f"the decay of the averaged weights is {decay:g} and should be from 0 to below 1"
            )
        self._decay = decay
        self._steps = 0
        self.values: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take the parameters after a step in."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for name, p in model.named_parameters():
            if name not in self.values:
                self.values[name] = p.detach().clone()
            else:
                self.values[name].lerp_(p.detach(), 1.0 - decay)


@contextmanager
def evaluated(model: nn.Module, averages: Any) -> Generator[nn.Module]:
    """Give the model with the weights to evaluate, in eval mode and without gradients.

    Afterwards weights, modes and the state of PyTorch's random numbers are what they were, so that training
    goes on as it would have without.

    Args:
        averages: a model, parameters by name, a function that gives either, or None for the model as it is.

    Raises:
        UsageError: parameters by name lack one of the model's, or have another shape.
    """
    given = averages() if callable(averages) and not isinstance(averages, nn.Module) else averages
    if isinstance(given, nn.Module):
        model, given = getattr(given, "module", given), None
    source = cast("Mapping[str, Tensor] | None", given)
    modes = {module: module.training for module in model.modules()}
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    kept: dict[str, Tensor] = {}
    with torch.random.fork_rng(devices), torch.no_grad():
        try:
            if source is not None:
                _refuse_others(model, source)
                for name, p in model.named_parameters():
                    kept[name] = p.detach().clone()
                    p.copy_(source[name])
            model.eval()
            yield model
        finally:
            for name, p in model.named_parameters():
                if name in kept:
                    p.copy_(kept[name])
            for module, training in modes.items():
                module.training = training


def _refuse_others(model: nn.Module, source: Mapping[str, Tensor]) -> None:
    for name, p in model.named_parameters():
        if name not in source:
            raise UsageError(f"the averaged weights lack {name!r} of the model; give all parameters by name")
        if source[name].shape != p.shape:
            shapes = f"{tuple(source[name].shape)}, and {tuple(p.shape)} in the model"
            raise UsageError(f"the averaged weights have {name!r} in the shape {shapes}")


def weights_digest(model: nn.Module) -> str:
    """Hash the names, types and bytes of a model's state: 64 hex digits."""
    total = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if isinstance(value, Tensor):
            total.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            total.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
