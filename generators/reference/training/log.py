"""The log of a training run: lines on disk, which are also sent to MLflow.

``progress.jsonl`` is the source of truth. Whenever the run saves its state, MLflow gets the lines that it
does not have yet. If MLflow is down, training continues and nothing is lost.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....harness.core.errors import ScreentestError
from ....harness.core.mlflow_names import flat_params
from ..model.checkpoint import write_beside

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["TrainingLog", "say"]

_EXPERIMENT = "screentest-training"
_BATCH = 1000  # metrics that MLflow takes in one call


def say(line: str) -> None:
    """Write a progress line at once, to standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@dataclass
class TrainingLog:
    """The log of one training run, in its own folder.

    Attributes:
        folder: of the run's state; ``progress.jsonl`` and ``mlflow.json`` are written there.
        settings: of the run, sent as parameters.
        uri: of the MLflow store; empty for ``MLFLOW_TRACKING_URI`` or a SQLite file beside the folder,
            ``none`` for no store.
    """

    folder: Path
    settings: Mapping[str, Any]
    uri: str = ""

    def note(self, step: int, values: Mapping[str, float]) -> None:
        """Write a line: the step, the time in milliseconds, and values by name."""
        line = {"step": step, "ms": round(time.time() * 1000), **values}
        with (self.folder / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")

    def send(self, *, finished: bool = False) -> None:
        """Send new lines to MLflow. If it cannot be reached, say so and try again next time."""
        if self.uri == "none":
            return
        try:
            self._send(finished)
        except ScreentestError as error:
            reason = str(error).partition("; the run is whole")[0]
            say(f"not sent to MLflow: {reason}; the lines stay in {self.folder / 'progress.jsonl'}")

    def _send(self, finished: bool) -> None:
        from mlflow.entities import Metric, Param

        from ....harness.core.mlflow_store import default_uri, mlflow_client

        uri = self.uri or os.environ.get("MLFLOW_TRACKING_URI", "") or default_uri(self.folder.parent)
        path = self.folder / "mlflow.json"
        state: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        if state.get("uri") != uri:
            state = {"uri": uri, "run": "", "sent": 0}
        lines = (self.folder / "progress.jsonl").read_text("utf-8").splitlines()
        new = [json.loads(line) for line in lines[state["sent"] :]]
        with mlflow_client(uri, self.folder, timeout=10) as client:
            if not state["run"]:
                state["run"] = _start(client, uri, self.folder)
                params = [
                    Param(key, value)
                    for name, setting in self.settings.items()
                    for key, value in flat_params(name, setting).items()
                ]
                client.log_batch(state["run"], params=params)
            metrics = [
                Metric(name, value, line["ms"], line["step"])
                for line in new
                for name, value in line.items()
                if name not in ("step", "ms")
            ]
            for start in range(0, len(metrics), _BATCH):
                client.log_batch(state["run"], metrics=metrics[start : start + _BATCH])
            if finished:
                client.set_terminated(state["run"])
        state["sent"] = len(lines)
        write_beside(path, lambda beside: beside.write_text(json.dumps(state), "utf-8"))


def _start(client: MlflowClient, uri: str, folder: Path) -> str:
    from ....harness.core.mlflow_store import sqlite_file

    experiment = client.get_experiment_by_name(_EXPERIMENT)
    if experiment is None:
        database = sqlite_file(uri)
        beside = None if database is None else (database.parent / "mlartifacts").as_uri()
        number = client.create_experiment(_EXPERIMENT, artifact_location=beside)
    else:
        number = experiment.experiment_id
    name = folder.name.removesuffix("-state")
    return client.create_run(number, run_name=name, tags={"screentest.training": name}).info.run_id
