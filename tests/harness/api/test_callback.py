"""The callback of trainings: what it evaluates, what it leaves as it was, and when it stops."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import screentest as st
import torch
from screentest.harness.api.weights import MovingAverage, evaluated, weights_digest
from screentest.harness.commands.main import run_cli
from screentest.harness.core.items import ClipSettings
from torch import nn

FAILS = st.Policy(name="strict", version=1, rules=[{"measure": "failure.rate", "max": 0.1}])


class Model(nn.Module):
    """One weight, with dropout, so that an evaluation in training mode would be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(x * self.weight).sum()


class Seen:
    """Makes generators of a model, and remembers which weights they had."""

    def __init__(self, broken: bool = False) -> None:
        self.weights: list[list[float]] = []
        self.modes: list[bool] = []
        self.prompts: list[str] = []
        self.broken = broken

    def __call__(self, model: Model) -> Any:
        self.weights.append(model.weight.tolist())
        self.modes.append(model.training)

        def draw(prompt: str, seed: int, clip: ClipSettings) -> Any:
            self.prompts.append(prompt)
            if self.broken:
                raise RuntimeError("out of paint")
            torch.rand(3)
            rng = np.random.default_rng(seed)
            return rng.random((clip.frames, 3, clip.height, clip.width))

        return draw


def train(callback: st.Callback | None, steps: int = 4) -> tuple[Model, list[list[float]]]:
    torch.manual_seed(3)
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    history: list[list[float]] = []
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        model(torch.rand(4)).backward()
        optimizer.step()
        history.append(model.weight.tolist())
        if callback is not None:
            callback.step(step, model)
            if callback.should_stop:
                break
    return model, history


@pytest.fixture
def make(tmp_path, make_suite):
    def made(generator: Any, **options: Any) -> st.Callback:
        given = {"every": 2, "out": tmp_path / "training", "cache": tmp_path / "cache", **options}
        suite = given.pop("suite", make_suite(seeds=1, measures=["motion.flicker", "failure.rate"]))
        return st.Callback(suite, generator, **given)

    return made


def test_training_goes_on_as_without_the_callback_and_every_evaluation_is_a_run(make, tmp_path):
    seen, logged = Seen(), []
    callback = make(seen, log=lambda metrics, step: logged.append((step, dict(metrics))))
    plain, history = train(None)
    watched, _ = train(callback)
    assert torch.equal(plain.weight, watched.weight)
    assert seen.weights == [history[1], history[3]]
    assert seen.modes == [False, False]
    assert watched.training
    assert [e.step for e in callback.evaluations] == [2, 4]
    run = st.open_run(tmp_path / "training" / "step-0000004")
    flicker = run["motion.flicker"]
    assert flicker.n == 4
    assert logged[1][0] == 4
    assert logged[1][1]["motion/flicker"] == flicker.value
    assert logged[1][1]["motion/flicker.low"] == flicker.low
    assert st.compare(callback.evaluations[0].run, run).document.items == 4
    assert run.frame("measures")["step"].unique().tolist() == [4]


def test_averaged_weights_are_evaluated_and_the_model_keeps_its_own(make):
    seen = Seen()
    model, history = train(make(seen, average=0.5))
    expected = MovingAverage(0.5)
    states: list[list[float]] = []
    for weights in history:
        step = Model()
        step.weight.data = torch.tensor(weights)
        expected.update(step)
        states.append(expected.values["weight"].tolist())
    assert seen.weights == [states[1], states[3]]
    assert model.weight.tolist() == history[3]
    assert seen.weights[1] != history[3]


def test_averages_are_a_model_or_parameters_or_a_function_of_either():
    model, other = Model(), Model()
    other.weight.data += 7
    averaged = torch.optim.swa_utils.AveragedModel(other)
    for averages in (
        averaged,
        dict(other.named_parameters()),
        lambda: averaged,
        lambda: {"weight": other.weight},
    ):
        with evaluated(model, averages) as chosen:
            assert chosen.weight.tolist() == [7, 7, 7, 7]
    assert model.weight.tolist() == [0, 0, 0, 0]
    assert weights_digest(model) != weights_digest(other)
    with pytest.raises(st.UsageError, match="lack 'weight' of the model"), evaluated(model, {}):
        pass
    wrong = {"weight": torch.zeros(3)}
    with pytest.raises(st.UsageError, match=r"'weight' in the shape \(3,\)"), evaluated(model, wrong):
        pass
    with pytest.raises(ZeroDivisionError), evaluated(model, {"weight": other.weight}):
        raise ZeroDivisionError
    assert model.weight.tolist() == [0, 0, 0, 0]
    assert model.training


def test_a_budget_sets_the_prompts_of_all_evaluations(make, tmp_path, capsys):
    seen = Seen()
    train(make(seen, budget_s=1e-6))
    assert "one prompt takes" in capsys.readouterr().err
    assert [
        len(st.open_run(tmp_path / f"training/step-000000{n}").frame()["item"].unique()) for n in (2, 4)
    ] == [1, 1]
    kept = json.loads((tmp_path / "training" / "budget.json").read_text())
    assert kept["limit"] == 1
    again = make(seen, budget_s=1e-6)
    assert again._limit == 1
    assert make(seen, budget_s=9.0)._limit is None
    before = len(seen.prompts)
    train(make(seen, budget_s=1e6, out=tmp_path / "long"), steps=2)
    assert len(seen.prompts) - before == 4  # the two clips of the first look are taken, not made again


def test_training_stops_when_the_policy_fails_so_many_times(make, tmp_path, capsys):
    callback = make(Seen(broken=True), every=1, stop=st.StopRule(FAILS, patience=2))
    _, history = train(callback, steps=5)
    assert len(history) == 2
    assert [e.stop for e in callback.evaluations] == [False, True]
    assert [e.verdict.verdict for e in callback.evaluations] == ["FAIL", "FAIL"]
    assert "training should stop at step 2: FAIL" in capsys.readouterr().err
    fine = make(
        Seen(), every=1, stop=st.StopRule(FAILS), out=callback.evaluations[0].run.path.parent / "fine"
    )
    train(fine, steps=2)
    assert not fine.should_stop


def test_the_first_evaluation_must_work_and_a_later_one_that_does_not_is_told(make, capsys):
    made = iter([Seen()(Model()), 3])
    train(make(lambda model: next(made)))
    assert "the evaluation at step 4 failed, and training goes on: the callback's generator made a int" in (
        capsys.readouterr().err
    )
    with pytest.raises(st.UsageError, match="made a int of the model"):
        train(make(lambda model: 3))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"every": 0}, "every is 0"),
        ({"budget_s": 0}, "budget_s is 0"),
        ({"average": 1.0}, "the decay of the averaged weights is 1"),
        ({"limits": 1}, "unknown option 'limits'; did you mean 'limit'"),
        ({"suite": "videos"}, "the suite 'videos' has no prompts of its own"),
        ({"stop": st.StopRule("smok")}, "unknown policy 'smok'"),
    ],
)
def test_mistakes_are_one_sentence(make, options, told):
    with pytest.raises(st.UsageError, match=told):
        make(Seen(), **options)


def test_lightning_gets_a_callback_of_its_own_class(make, monkeypatch):
    """With a stand-in for Lightning: its base class, and the hooks and fields of a trainer that are used."""
    for name in ("lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(st.UsageError, match="Lightning is not installed; install it with"):
        make(Seen()).lightning()
    package, inner = ModuleType("lightning"), ModuleType("lightning.pytorch")
    base = type("Callback", (), {})
    vars(inner)["Callback"] = base
    monkeypatch.setitem(sys.modules, "lightning", package)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", inner)
    callback = make(Seen(broken=True), stop=st.StopRule(FAILS))
    hooked = callback.lightning()
    assert isinstance(hooked, base)
    logged: list[Any] = []
    logger = SimpleNamespace(log_metrics=lambda metrics, step: logged.append((step, metrics)))
    trainer = SimpleNamespace(global_step=1, loggers=[logger], should_stop=False)
    for step in (1, 2, 2):  # two batches of accumulated gradients are one step
        trainer.global_step = step
        hooked.on_train_batch_end(trainer, Model(), None, None, 0)
    assert [step for step, _ in logged] == [2]
    assert logged[0][1]["failure/rate"] == 1.0
    assert trainer.should_stop


def test_transformers_own_handler_steps_it_and_is_asked_to_stop(make):
    from transformers import TrainerControl, TrainerState, TrainingArguments
    from transformers.trainer_callback import CallbackHandler

    callback = make(Seen(broken=True), stop=st.StopRule(FAILS))
    handler = CallbackHandler([callback.transformers()], Model(), None, None, None)
    args: Any = SimpleNamespace(spec=TrainingArguments)
    state, control = TrainerState(global_step=1), TrainerControl()
    control = handler.on_step_end(args, state, control)
    assert not control.should_training_stop
    state.global_step = 2
    assert handler.on_step_end(args, state, control).should_training_stop
    assert [e.step for e in callback.evaluations] == [2]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # of MLflow's own queries
def test_values_go_to_the_callers_mlflow_run(make, tmp_path):
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    with mlflow.start_run() as active:
        callback = make(Seen())
        train(callback)
    client = mlflow.MlflowClient()
    history = client.get_metric_history(active.info.run_id, "motion/flicker")
    assert [(m.step, m.value) for m in history] == [
        (e.step, e.run["motion.flicker"].value) for e in callback.evaluations
    ]


@pytest.mark.slow
def test_the_reference_generator_is_evaluated_while_it_trains(tmp_path, capsys):
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "{name: tiny, version: 1, prompts: [a red ball falls], measures: [motion.flicker, failure.rate]}"
    )
    words = ["train", "dit", "--out", str(tmp_path / "out"), "--size", "nano", "--steps", "4", "--batch", "2"]
    words += ["--clips", "4", "--captions", "1", "--tracking", "none", "--device", "cpu"]
    words += ["--evaluate-every", "2", "--evaluate-suite", str(suite)]
    assert run_cli(words) == 0
    for step in (2, 4):
        run = st.open_run(tmp_path / f"out/base-evaluations/step-000000{step}")
        assert run["motion.flicker"].n == 1
    lines = (tmp_path / "out" / "base-state" / "progress.jsonl").read_text().splitlines()
    logged = [json.loads(line) for line in lines]
    assert [line["step"] for line in logged if "motion/flicker" in line] == [2, 4]
