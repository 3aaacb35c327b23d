"""The callback as Lightning's and transformers' trainers take it."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from ..core.errors import UsageError

__all__ = ["Stepped", "lightning_callback", "transformers_callback"]


class Stepped(Protocol):
    """What is stepped while a model trains: `callback.Callback`."""

    should_stop: bool

    def step(self, step: int, model: Any) -> Any:
        """Take note of a step that is done."""
        ...


def lightning_callback(callback: Stepped) -> Any:
    """Make a Lightning callback that steps ``callback`` after each optimiser step.

    Values go to the trainer's loggers, too, and ``trainer.should_stop`` is set where training should stop.

    Raises:
        UsageError: Lightning is not installed.
    """
    base = _lightning().Callback

    class ScreentestCallback(base):
        """Evaluate while a Lightning trainer trains."""

        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any, **__: Any) -> None:
            """Evaluate if a step is done and due; a batch of accumulated gradients is not yet one."""
            step = int(trainer.global_step)
            if step == getattr(self, "_last", 0):
                return
            self._last = step
            found = callback.step(step, pl_module)
            if found is not None:
                for logger in trainer.loggers:
                    logger.log_metrics(dict(found.metrics), step=step)
            trainer.should_stop = trainer.should_stop or callback.should_stop

    return ScreentestCallback()


def _lightning() -> Any:
    for name in ("lightning.pytorch", "pytorch_lightning"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise UsageError("Lightning is not installed; install it with 'pip install lightning'")


def transformers_callback(callback: Stepped) -> Any:
    """Make a transformers callback that steps ``callback`` after each step of a ``Trainer``."""
    from transformers import TrainerCallback

    class ScreentestCallback(TrainerCallback):
        """Evaluate while a transformers trainer trains."""

        def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> Any:
            """Evaluate if it is due, and ask the trainer to stop where training should."""
            del args
            model = given["model"]
            callback.step(int(state.global_step), getattr(model, "module", model))
            control.should_training_stop = control.should_training_stop or callback.should_stop
            return control

    return ScreentestCallback()
