"""The callback in the reference generator's own training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .callback import Callback, StopRule

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ...generators.reference.training.dit import TrainDit
    from ...generators.reference.training.loop import Watch

__all__ = ["watch_dit"]


def watch_dit(config: TrainDit, out: Path) -> Watch | None:
    """Make what runs a suite on the averaged weights every so many steps; None where none is asked for.

    Raises:
        UsageError: there is no such suite or policy.
    """
    if not config.evaluate_every:
        return None
    name = f"{config.name}-evaluated"
    done = 0

    def generator(model: nn.Module) -> Any:
        from ...generators.reference.generator import ReferenceGenerator
        from ...generators.reference.training.dit import write_dit

        weights = {key: p.detach().cpu().contiguous() for key, p in model.named_parameters()}
        folder = write_dit(config, out, weights, step=done, name=name)
        return ReferenceGenerator(str(folder), device=config.device)

    callback = Callback(
        config.evaluate_suite,
        generator,
        every=config.evaluate_every,
        out=out / f"{config.name}-evaluations",
        budget_s=config.evaluate_seconds or None,
        stop=StopRule(config.evaluate_policy) if config.evaluate_policy else None,
        log=lambda metrics, step: None,  # the training logs them into its own run
        device=config.device,
        cache=out / "cache",
    )

    def watch(
        step: int, model: nn.Module, averages: Mapping[str, Tensor]
    ) -> tuple[Mapping[str, float], bool] | None:
        nonlocal done
        done = step
        found = callback.step(step, model, averages)
        return None if found is None else (found.metrics, found.stop)

    return watch
