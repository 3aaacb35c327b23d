from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from screentest.generators.reference.training.loop import (
    TrainConfig,
    Watch,
    fit,
    step_generator,
    stopped_at,
    torch_device,
)
from screentest.harness.core.errors import ScreentestError, UsageError
from torch import Tensor, nn

CONFIG = TrainConfig(steps=8, batch=4, lr=0.1, warmup=2, checkpoint_minutes=0, tracking="none")


class Killed(Exception):
    pass


def train(
    folder: Path, config: TrainConfig = CONFIG, die_at: int | None = None, watch: Watch | None = None
) -> dict[str, Tensor]:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)

    def loss(step: int, generator: torch.Generator) -> Tensor:
        if step == die_at:
            raise Killed
        x = torch.randn(config.batch, 3, generator=generator)
        return (model(x) - x.sum(1, keepdim=True)).square().mean()

    return fit(model, loss, config, folder, snapshots=[4], watch=watch)


def test_a_run_that_was_killed_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    with pytest.raises(Killed):
        train(tmp_path / "cut", die_at=5)
    resumed = train(tmp_path / "cut")
    for name, tensor in whole.items():
        assert torch.equal(resumed[name], tensor)
    names = sorted(path.name for path in (tmp_path / "cut").iterdir())
    assert names == ["progress.jsonl", "state.safetensors", "step-4.safetensors"]


def test_a_finished_run_is_not_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = train(tmp_path)
    assert "step 8/8" in capsys.readouterr().err
    again = train(tmp_path, die_at=0)
    assert torch.equal(first["weight"], again["weight"])


def test_a_training_that_was_ended_early_stays_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[int] = []

    def watch(step: int, *_: object) -> tuple[dict[str, float], bool]:
        steps.append(step)
        return {}, step == 5

    ended = train(tmp_path, watch=watch)
    again = train(tmp_path, watch=watch)
    assert steps == [1, 2, 3, 4, 5]
    assert stopped_at(tmp_path) == 5
    assert torch.equal(ended["weight"], again["weight"])
    assert "was ended early after step 5 of 8; to train on, delete" in capsys.readouterr().err
    (tmp_path / "stopped.json").unlink()
    train(tmp_path, watch=watch)
    assert steps[5:] == [6, 7, 8]


def test_a_training_that_was_ended_early_goes_on_where_nothing_can_end_it(tmp_path: Path) -> None:
    train(tmp_path, watch=lambda step, *_: ({}, step == 5))
    train(tmp_path)
    assert stopped_at(tmp_path) is None
    assert torch.equal(train(tmp_path)["weight"], train(tmp_path / "whole")["weight"])


def test_it_learns(tmp_path: Path) -> None:
    weights = train(tmp_path, CONFIG.model_copy(update={"steps": 200, "checkpoint_minutes": 1.0, "ema": 0.9}))
    torch.testing.assert_close(weights["weight"], torch.ones(1, 3), atol=0.05, rtol=0)


def test_the_end_may_move_while_the_rate_is_held(tmp_path: Path) -> None:
    held = CONFIG.model_copy(update={"steps": 10, "hold": 0.8})
    with pytest.raises(Killed):
        train(tmp_path / "cut", held.model_copy(update={"steps": 100}), die_at=6)
    resumed = train(tmp_path / "cut", held)
    for name, tensor in train(tmp_path / "whole", held).items():
        assert torch.equal(resumed[name], tensor)
    with pytest.raises(UsageError, match=r"other settings \(steps\)"):  # its rate has come down
        train(tmp_path / "cut", held.model_copy(update={"steps": 20}))


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(UsageError, match=r"other settings \(batch, lr\)"):
        train(tmp_path, CONFIG.model_copy(update={"lr": 0.2, "batch": 5}))
    train(tmp_path, CONFIG.model_copy(update={"device": "cpu", "checkpoint_minutes": 5.0}))


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    train(tmp_path)
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-7])
    with pytest.raises(UsageError, match="damaged"):
        train(tmp_path)


def test_a_loss_that_blows_up_stops_the_run_and_is_not_saved(tmp_path: Path) -> None:
    model = nn.Linear(1, 1)

    def loss(step: int, generator: torch.Generator) -> Tensor:
        del generator
        return model(torch.ones(1, 1)).sum() * (float("nan") if step == 3 else 1.0)

    with pytest.raises(ScreentestError, match="the loss is nan at step 4"):
        fit(model, loss, CONFIG, tmp_path)
    assert all(torch.isfinite(tensor).all() for tensor in load_file(tmp_path / "state.safetensors").values())


def test_steps_have_random_numbers_of_their_own() -> None:
    first, second = (torch.rand(4, generator=step_generator(0, step)) for step in (1, 2))
    assert not torch.equal(first, second)
    assert torch.equal(first, torch.rand(4, generator=step_generator(0, 1)))


def test_a_device_that_is_not_there_is_refused() -> None:
    assert torch_device("cpu").type == "cpu"
    with pytest.raises(UsageError, match="unknown device"):
        torch_device("gpu7")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no CUDA device"):
            torch_device("cuda")
