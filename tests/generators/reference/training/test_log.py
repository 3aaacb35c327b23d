from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from screentest.generators.reference.training.log import TrainingLog


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text("utf-8").splitlines()]


def test_without_a_store_the_lines_are_on_disk(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, {}, "none")
    log.note(10, {"loss": 0.5})
    log.note(20, {"loss": 0.25})
    log.send()
    assert [(line["step"], line["loss"]) for line in lines(tmp_path)] == [(10, 0.5), (20, 0.25)]
    assert not (tmp_path / "mlflow.json").exists()


@pytest.mark.slow
def test_mlflow_gets_every_line_once_whoever_sends(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    folder = tmp_path / "dit-state"
    folder.mkdir()
    for part in range(2):  # the second is a run that was resumed
        log = TrainingLog(folder, {"lr": 0.1, "model": {"width": 8}}, uri)
        log.note(10 * part + 10, {"loss": 1.0 / (part + 1)})
        log.send()
        log.send(finished=part == 1)
    client = MlflowClient(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "screentest-training"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params == {"lr": "0.1", "model.width": "8"}
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(metric.step, metric.value) for metric in history] == [(10, 1.0), (20, 0.5)]


def test_a_store_that_is_down_is_said_and_holds_nothing_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    log = TrainingLog(tmp_path, {}, f"http://127.0.0.1:{port}")
    log.note(10, {"loss": 0.5})
    log.send()
    assert "not sent to MLflow" in capsys.readouterr().err
    assert len(lines(tmp_path)) == 1
