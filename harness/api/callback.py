"""Evaluate a model while it trains: a suite every so many steps, in a time budget, with early stop."""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import Unpack

from ...generators.base import Generator, Output
from ...generators.functions import FunctionGenerator, is_generating
from ...generators.identity import identity_of
from ...generators.wrapper import Wrapper
from ..core.counts import counted
from ..core.errors import ScreentestError, UsageError
from ..core.files import write_atomic
from ..core.progress import note
from ..gates.gate import Verdict
from ..policies.policy import Policy
from ..suites.suite import Suite
from ..tracking.projection import metric_values
from .comparing import gate
from .options import RunOptions, check_options, chosen_suite, read_policy
from .runs import Run, run
from .weights import Averages, MovingAverage, evaluated, weights_digest

if TYPE_CHECKING:
    from torch import nn

    from ..core.items import Item
    from ..core.keys import Json

__all__ = ["Callback", "Evaluation", "StopRule"]

_PROBED = 2
"""Prompts that are run first, to see how many there is time for."""
_BUDGET = "budget.json"


@dataclass(frozen=True)
class StopRule:
    """When training stops early: the policy came out FAIL so many times, one after another.

    Attributes:
        policy: name, YAML file or `Policy`.
        baseline: run to compare with, for rules with ``versus: baseline``.
        patience: evaluations in a row.
    """

    policy: str | Path | Policy
    baseline: str | Path | Run | None = None
    patience: int = 1


@dataclass(frozen=True)
class Evaluation:
    """What came of one evaluation.

    Attributes:
        metrics: what was logged: values, bounds and n by name, such as ``motion/flicker.low``.
        seconds: that it took, generating and scoring.
        stop: whether training should stop now.
    """

    step: int
    run: Run
    metrics: Mapping[str, float]
    seconds: float
    verdict: Verdict | None
    stop: bool


class _AtStep(Wrapper):
    """The generator of a model at a step of its training: its weights are part of the identity."""

    def __init__(self, inner: Generator, step: int, weights: str) -> None:
        super().__init__(inner, f"{inner.spec}@{step}")
        self._weights = weights

    def identity(self) -> Mapping[str, Json]:
        """List the generator's identity and the digest of the model's weights."""
        return {"kind": "training", "weights": self._weights, "inner": dict(identity_of(self.inner))}

    def after(self, item: Item, output: Output, folder: Path) -> Output:
        """Give the output as it is."""
        del item, folder
        return output


class Callback:
    """Run a suite every ``every`` steps of a training, on averaged weights.

    In a loop of your own, call `step` after each step. `lightning` and `transformers` give what the trainers
    of these libraries take. Every evaluation is a run of its own, ``out/step-0001000``, to compare and to
    report; values with their bounds go to the active MLflow run, if there is one, or to ``log``.

    Args:
        suite: name, YAML file or `Suite`.
        generator: makes the generator from the model: a function of prompt, seed and clip, or a `Generator`.
        every: steps between evaluations.
        out: folder of the runs.
        budget_s: seconds that an evaluation may take. The first one sees how many prompts that is enough for;
            all later ones take the same, so that they can be compared. None takes the suite as it is.
        average: the weights that are evaluated: a decay, for a running average that the callback keeps; a
            model (such as ``torch.optim.swa_utils.AveragedModel``); parameters by name; or a function that
            gives one of these two. None evaluates the model as it is.
        stop: when training stops early.
        log: gets the values by name and the step, instead of MLflow.
        options: see `RunOptions`.

    Raises:
        UsageError: a name or option is wrong.
    """

    def __init__(
        self,
        suite: str | Path | Suite,
        generator: Callable[[Any], Any],
        *,
        every: int,
        out: str | Path = "runs/training",
        budget_s: float | None = None,
        average: Averages | None = None,
        stop: StopRule | None = None,
        log: Callable[[Mapping[str, float], int], object] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        if every < 1:
            raise UsageError(f"every is {every} and should be 1 step at least")
        if budget_s is not None and not budget_s > 0:
            raise UsageError(f"budget_s is {budget_s} and should be more than 0 seconds")
        self._options = check_options(options)
        self._suite = chosen_suite(suite, self._options)
        if self._suite.prompts_from_generator:
            raise UsageError(
                f"the suite {self._suite.name!r} has no prompts of its own to evaluate a model on"
            )
        for name in ("measures", "encoders", "reference_set", "limit", "seeds", "tag"):
            self._options.pop(name, None)  # they are in the suite now
        self._make, self._every, self._out = generator, every, Path(out)
        self._budget_s, self._stop, self._log = budget_s, stop, log
        self._rules = None if stop is None else read_policy(stop.policy)
        self._own = MovingAverage(average) if isinstance(average, float | int) else None
        self._average = None if self._own is not None else average
        self._limit = self._known_limit()
        self._failed = 0
        self.evaluations: list[Evaluation] = []
        self.should_stop = False

    def step(self, step: int, model: nn.Module, average: Any = None) -> Evaluation | None:
        """Take note of a step that is done, and evaluate if it is due; `should_stop` says whether to stop.

        In a distributed training every process calls it; the first evaluates, and all learn whether to stop.

        Args:
            step: number of the steps that are done.
            model: that trains.
            average: the averaged weights at this step, where they are not given once for all.

        Raises:
            ScreentestError: the first evaluation is not possible. A later one that fails is told, and
                training goes on.
        """
        if self._own is not None:
            self._own.update(model)
        if step < 1 or step % self._every:
            return None
        import torch

        several = torch.distributed.is_available() and torch.distributed.is_initialized()
        found = None
        if not several or torch.distributed.get_rank() == 0:
            found = self._try(step, model, average)
        if several:
            flag = [self.should_stop]
            torch.distributed.broadcast_object_list(flag)
            self.should_stop = bool(flag[0])
        return found

    def _try(self, step: int, model: nn.Module, average: Any) -> Evaluation | None:
        try:
            return self._evaluate(step, model, average)
        except ScreentestError as error:
            if not self.evaluations:
                raise
            note(f"warning: the evaluation at step {step} failed, and training goes on: {error}")
            return None

    def _evaluate(self, step: int, model: nn.Module, average: Any) -> Evaluation:
        began = time.monotonic()
        weights = average or self._average or (self._own.values if self._own is not None else None)
        with evaluated(model, weights) as chosen:
            generator = _AtStep(self._generator(chosen), step, weights_digest(chosen))
            run = self._run(generator, step)
        verdict = None
        if self._stop is not None and self._rules is not None:
            verdict = gate(run, self._rules, self._stop.baseline)
            self._failed = self._failed + 1 if verdict.verdict == "FAIL" else 0
            self.should_stop = self.should_stop or self._failed >= self._stop.patience
        metrics = metric_values(run.aggregates().aggregates)[0]
        seconds = time.monotonic() - began
        if self._budget_s is not None and seconds > 1.2 * self._budget_s:
            note(f"warning: the evaluation at step {step} took {seconds:.0f} s of {self._budget_s:g} s")
        found = Evaluation(step, run, metrics, seconds, verdict, self.should_stop)
        self.evaluations.append(found)
        _tell(self._log or _to_active_run, {**metrics, "screentest.seconds": seconds}, step)
        if self.should_stop:
            note(f"training should stop at step {step}: {verdict.sentence if verdict else ''}")
        return found

    def _generator(self, model: nn.Module) -> Generator:
        made: Any = self._make(model)
        if isinstance(made, Generator):
            return made
        if callable(made) and is_generating(made):
            return FunctionGenerator(made, getattr(made, "__name__", "training"), None)
        raise UsageError(
            f"the callback's generator made a {type(made).__name__} of the model; return a function of "
            "prompt, seed and clip, or a Generator"
        )

    def _run(self, generator: Generator, step: int) -> Run:
        out = self._out / f"step-{step:07d}"
        notes = {**self._options.get("notes", {}), "step": step}
        options: RunOptions = {**self._options, "notes": notes}
        if self._budget_s is None or self._limit is not None:
            more: RunOptions = {} if self._limit is None else {"limit": self._limit}
            return run(self._suite, generator, out, **{**options, **more})
        with tempfile.TemporaryDirectory(prefix="screentest-budget-") as place:
            probed = min(_PROBED, len(self._suite.prompts))
            began = time.monotonic()
            run(self._suite, generator, f"{place}/probe", **{**options, "limit": probed})
            each = (time.monotonic() - began) / probed
            self._limit = self._enough(each)
            return run(
                self._suite, generator, out, **{**options, "limit": self._limit, "reuse": f"{place}/probe"}
            )

    def _enough(self, each: float) -> int:
        """Choose how many prompts there is time for, and keep that for all evaluations of this folder."""
        budget, prompts = self._budget_s or math.inf, len(self._suite.prompts)
        limit = min(prompts, max(1, math.floor(budget / each)))
        if each > budget:
            note(f"warning: one prompt takes {each:.1f} s, more than the budget of {budget:g} s")
        note(
            f"evaluations take {limit} of {counted(prompts, 'prompt')}, at {each:.2g} s a prompt in "
            f"{budget:g} s"
        )
        self._out.mkdir(parents=True, exist_ok=True)
        told = {"suite": self._suite.name, "budget_s": budget, "limit": limit}
        write_atomic(self._out / _BUDGET, json.dumps(told) + "\n")
        return limit

    def _known_limit(self) -> int | None:
        """Read how many prompts earlier evaluations in this folder took: one that goes on takes as many."""
        try:
            told = json.loads((self._out / _BUDGET).read_text("utf-8"))
            same = (told["suite"], told["budget_s"]) == (self._suite.name, self._budget_s)
            return int(told["limit"]) if same else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def lightning(self) -> Any:
        """Return a callback for Lightning's ``Trainer(callbacks=[...])``.

        Raises:
            UsageError: Lightning is not installed.
        """
        from .trainers import lightning_callback

        return lightning_callback(self)

    def transformers(self) -> Any:
        """Return a callback for transformers' ``Trainer(callbacks=[...])``."""
        from .trainers import transformers_callback

        return transformers_callback(self)


def _tell(log: Callable[[Mapping[str, float], int], object], metrics: Mapping[str, float], step: int) -> None:
    try:
        log(metrics, step)
    except Exception as error:  # a tracker that is down must not end a training
        note(f"warning: the values of step {step} could not be logged: {type(error).__name__}: {error}")


def _to_active_run(metrics: Mapping[str, float], step: int) -> None:
    """Log to the caller's MLflow run; without one nothing is logged, and the run folder has it all."""
    mlflow = sys.modules.get("mlflow")
    if mlflow is not None and mlflow.active_run() is not None:
        mlflow.log_metrics(dict(metrics), step=step)
