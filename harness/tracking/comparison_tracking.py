"""Send comparisons of runs to MLflow: one run a comparison, below that of its baseline."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..comparison.result import Comparison
from ..comparison.result_many import ManyComparison
from ..core.mlflow_store import mlflow_client, shown, uri_option
from ..run_folder.store import open_run
from .comparison_projection import ProjectedComparison, project_comparison
from .mlflow_run import (
    StepValue,
    changed_tags,
    description_tags,
    find_experiment,
    find_run,
    names_listed,
    one_sender,
    page_url,
    send_files,
    send_values,
    tracking_address,
)
from .tracking import sync

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["SyncedComparison", "sync_comparison"]

_TAG = "screentest.comparison"


@dataclass(frozen=True)
class SyncedComparison:
    """Where a comparison is in MLflow, and how much of it had to be sent this time.

    Attributes:
        run_id: of the comparison; ``runs`` are those of the runs that it compares, the baseline first.
        uri: of the store, without credentials.
        created: whether the MLflow run is new.
        url: of its page, if the store is a server.
    """

    experiment: str
    run_id: str
    runs: tuple[str, ...]
    uri: str
    created: bool
    metrics: int
    tags: int
    artifacts: int
    url: str | None


def sync_comparison(
    folders: Sequence[Path],
    found: Comparison | ManyComparison,
    uri: str | None = None,
    *,
    margins: Mapping[str, float] | None = None,
    timeout: int = 10,
) -> SyncedComparison:
    """Send a comparison, and what MLflow lacks of its runs; sending it again changes nothing.

    Args:
        folders: of the runs: the baseline, then the others in the order of the comparison.
        found: the comparison of these runs.
        uri: of the MLflow store; by default ``MLFLOW_TRACKING_URI``, else the SQLite store beside the
            baseline.
        margins: that the comparison was asked with.
        timeout: seconds per request, unless ``MLFLOW_HTTP_REQUEST_TIMEOUT`` says otherwise.

    Raises:
        UsageError: a run is gone or damaged.
        TrackingError: the store cannot be reached or refuses a request.
    """
    base = folders[0].resolve()
    uri = tracking_address(uri, base.parent, _sent_later(folders, None))
    later = _sent_later(folders, uri)
    runs = tuple(sync(folder, uri, timeout=timeout, later=later).run_id for folder in folders)
    stores = [open_run(folder) for folder in folders]
    try:
        view = project_comparison(stores, found, margins)
    finally:
        for store in stores:
            store.close()
    with (
        one_sender(view.identity, "this comparison"),
        mlflow_client(uri, base, timeout, later=later) as client,
    ):
        return _send(client, view, runs, uri)


def _sent_later(folders: Sequence[Path], uri: str | None) -> str:
    """Say how a comparison is sent that could not be sent now."""
    option = uri_option(folders[0], uri) or " --mlflow"
    command = f"screentest compare {' '.join(map(str, folders))}{option}"
    return f"'{command}', with the options of this comparison, sends it later"


def _send(
    client: MlflowClient, view: ProjectedComparison, runs: tuple[str, ...], uri: str
) -> SyncedComparison:
    experiment_id = find_experiment(client, view.experiment, uri, "give the same command again")
    run = find_run(client, experiment_id, _TAG, view.identity)
    created = run is None
    if run is None:
        run = client.create_run(experiment_id, tags={_TAG: view.identity}, run_name=view.name)
    run_id = run.info.run_id
    values, gone = _changed(client, run, view.values)
    tags = {
        **view.tags,
        "screentest.baseline_run": runs[0],
        "screentest.compared_runs": ", ".join(runs[1:]),
        "mlflow.parentRunId": runs[0],
        "screentest.withdrawn": names_listed(gone),
    }
    tags |= description_tags(run, view.description)
    new_tags = changed_tags(run, tags)
    params = {name: value for name, value in view.params.items() if name not in run.data.params}
    send_values(client, run, values, params, new_tags)
    files = send_files(client, run, view.files)
    if run.info.run_name != view.name:
        client.update_run(run_id, name=view.name)
    if run.info.status != "FINISHED":
        client.set_terminated(run_id, "FINISHED", int(time.time() * 1000))
    return SyncedComparison(
        experiment=view.experiment,
        run_id=run_id,
        runs=runs,
        uri=shown(uri),
        created=created,
        metrics=len(values),
        tags=len(new_tags),
        artifacts=files,
        url=page_url(uri, experiment_id, run_id),
    )


def _changed(
    client: MlflowClient, run: Run, values: Sequence[StepValue]
) -> tuple[list[StepValue], tuple[str, ...]]:
    """Choose the values that MLflow does not show, and name those there that are no more."""
    there: dict[tuple[str, int], tuple[int, float]] = {}
    for name in run.data.metrics:
        for one in client.get_metric_history(run.info.run_id, name):
            key, seen = (name, one.step), (one.timestamp, one.value)
            there[key] = max(there.get(key, seen), seen)
    given = {(one.name, one.step) for one in values}
    new = [one for one in values if there.get((one.name, one.step), (0, None))[1] != one.value]
    gone = sorted(f"{name} at step {step}" for name, step in there.keys() - given)
    return new, tuple(gone)
