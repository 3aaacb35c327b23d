"""Send run folders to MLflow, and keep MLflow up to date with them.

`sync` reads what the server has (tags, metrics, params, inputs) and sends only the difference, so no local
state can be lost and sending twice does not duplicate anything. A run is found by its tag ``screentest.run``.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import TrackingError, UsageError
from ..core.mlflow_store import mlflow_client, sent_later, shown
from ..run_folder.digests import read_digests
from .aliases import FOLDER_TAG, RUN_TAG
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
from .projection import Projection, VerdictCard, project, read_verdict, same_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["Marked", "Synced", "mark_verdict", "sync"]


@dataclass(frozen=True)
class Synced:
    """Where a run is in MLflow, and how much of it had to be sent this time.

    Attributes:
        uri: of the store, without credentials.
        created: whether the MLflow run is new.
        withdrawn: metrics in MLflow that the run no longer has. MLflow cannot delete them, so the tag
            ``screentest.withdrawn`` names them.
        url: of the run's page, if the store is a server.
    """

    experiment: str
    run_id: str
    model_id: str
    uri: str
    created: bool
    metrics: int
    params: int
    tags: int
    artifacts: int
    withdrawn: tuple[str, ...]
    url: str | None


@dataclass(frozen=True)
class Marked:
    """A registered model version that got a verdict, and whether the alias was moved to it."""

    model: str
    version: str
    verdict: VerdictCard
    alias: str | None
    alias_moved: bool


def sync(
    folder: Path,
    uri: str | None = None,
    *,
    timeout: int = 10,
    attacks: bool = False,
    later: str | None = None,
) -> Synced:
    """Send the parts of a run, finished or not, that MLflow does not have yet.

    Args:
        folder: of the run.
        uri: of the MLflow store; by default ``MLFLOW_TRACKING_URI``, else the SQLite store beside the run.
        timeout: seconds per request, unless ``MLFLOW_HTTP_REQUEST_TIMEOUT`` says otherwise.
        later: how to send it once the store can be reached; by default with ``screentest sync``.

    Raises:
        UsageError: there is no run, or one of its files is damaged.
        TrackingError: the store cannot be reached or refuses a request.
    """
    view = project(folder, attacks=attacks)
    uri = tracking_address(uri, view.folder.parent, later or sent_later(view.folder))
    with (
        one_sender(view.run, str(view.folder), view.folder),
        mlflow_client(uri, view.folder, timeout, later=later) as client,
    ):
        return _send(client, view, uri)


def mark_verdict(
    folder: Path, uri: str | None = None, *, model: str, alias: str | None = None, timeout: int = 10
) -> Marked:
    """Put a run's verdict on a version of the registered model ``model``; move ``alias`` to it only on PASS.

    The run is synced first. Each run registers its generator as one version of ``model``. On any other
    verdict the alias stays where it is.

    Raises:
        UsageError: there is no run, it is not finished, or it has no verdict on its current scores.
        TrackingError: the store cannot be reached or refuses a request, such as an invalid model name.
    """
    verdict, judged = read_verdict(folder), read_digests(folder)
    view = project(folder)
    if view.status == "RUNNING":
        raise UsageError(
            f"the run in {folder} is not finished, so its verdict marks no model; finish it first"
        )
    if verdict.stale:
        raise UsageError(
            f"the run in {folder} was scored again after its verdict; 'screentest gate {folder}' renews it"
        )
    uri = tracking_address(uri, view.folder.parent, sent_later(view.folder))
    with (
        one_sender(view.run, str(view.folder), view.folder),
        mlflow_client(uri, view.folder, timeout) as client,
    ):
        synced = _send(client, view, uri)
        version = _version(client, model, synced)
        tags = {
            "screentest.verdict": verdict.verdict,
            "screentest.policy": verdict.policy,
            "screentest.waived": ", ".join(verdict.waived),
            "screentest.run": view.run,
            "screentest.plan": view.tags["screentest.plan"],
            "screentest.run_digest": judged.run if judged is not None else "",
            "screentest.generator_digest": view.model.digest,
        }
        for name, value in tags.items():
            client.set_model_version_tag(model, version, name, value)
        moved = alias is not None and verdict.verdict == "PASS"
        if alias is not None and moved:
            client.set_registered_model_alias(model, alias, version)
        return Marked(model, version, verdict, alias, moved)


# -- sending


def _send(client: MlflowClient, view: Projection, uri: str) -> Synced:
    experiment_id = find_experiment(client, view.experiment, uri, f"'screentest sync {view.folder}'")
    run, created = _run(client, view, experiment_id)
    run_id = run.info.run_id
    model_id = _model(client, view, experiment_id)
    _send_inputs(client, run, view, model_id)

    withdrawn = tuple(sorted(view.absent & run.data.metrics.keys()))
    changed = {k: v for k, v in view.metrics.items() if run.data.metrics.get(k) != v}
    new_params = {k: v for k, v in view.params.items() if k not in run.data.params}  # params never change
    tags = {
        **view.tags,
        FOLDER_TAG: str(view.folder),
        "screentest.generator_digest": view.model.digest,
        "screentest.withdrawn": names_listed(withdrawn),
    }
    tags |= description_tags(run, view.description)
    new_tags = changed_tags(run, tags)
    # At the training step of the checkpoint, so that MLflow draws the curve over several runs.
    step = int(view.tags.get("screentest.step") or run.data.tags.get("screentest.step") or 0)
    values = [StepValue(name, value, step) for name, value in changed.items()]
    send_values(client, run, values, new_params, new_tags, model_id)
    artifacts = send_files(client, run, view.artifacts)
    _send_state(client, run, view)
    return Synced(
        experiment=view.experiment,
        run_id=run_id,
        model_id=model_id,
        uri=shown(uri),
        created=created,
        metrics=len(changed),
        params=len(new_params),
        tags=len(new_tags),
        artifacts=artifacts,
        withdrawn=withdrawn,
        url=page_url(uri, experiment_id, run_id),
    )


def _run(client: MlflowClient, view: Projection, experiment_id: str) -> tuple[Run, bool]:
    found = find_run(client, experiment_id, RUN_TAG, view.run)
    if found is not None:
        _refuse_copy(found, view)
        return found, False
    run = client.create_run(
        experiment_id,
        start_time=view.started_ms,
        tags={RUN_TAG: view.run, FOLDER_TAG: str(view.folder)},
        run_name=view.name,
    )
    return run, True


def _refuse_copy(run: Run, view: Projection) -> None:
    """Keep a copy of a run folder from taking over the MLflow run of the original."""
    there = Path(run.data.tags.get(FOLDER_TAG, view.folder))
    if there != view.folder and same_run(there, view.run):
        raise TrackingError(
            f"{view.folder} is a copy of {there}, whose run MLflow has; sync that one, or remove it if this "
            "one is to be sent in its place"
        )


def _model(client: MlflowClient, view: Projection, experiment_id: str) -> str:
    """Find the generator among the experiment's models, or log it as an external model."""
    from mlflow.models.utils import get_external_mlflow_model_spec
    from mlflow.utils.mlflow_tags import MLFLOW_MODEL_IS_EXTERNAL

    card = view.model
    found = client.search_logged_models(
        [experiment_id], f"tags.`screentest.generator_digest` = '{card.digest}'"
    )
    ready = sorted(m.model_id for m in found if str(m.status) == "READY")
    if ready:
        return ready[0]
    # Like mlflow.create_external_model, which would need the process-wide tracking URI to be ours.
    model = client.create_logged_model(
        experiment_id,
        name=card.name,
        tags={MLFLOW_MODEL_IS_EXTERNAL: "true", "screentest.generator_digest": card.digest},
        params=dict(card.params),
        model_type="video generator",
    )
    with tempfile.TemporaryDirectory() as scratch:
        get_external_mlflow_model_spec(model).save(str(Path(scratch) / "MLmodel"))
        client.log_model_artifacts(model.model_id, scratch)
    client.finalize_logged_model(model.model_id, "READY")
    return model.model_id


def _send_inputs(client: MlflowClient, run: Run, view: Projection, model_id: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput

    known = {(d.dataset.name, d.dataset.digest) for d in run.inputs.dataset_inputs} if run.inputs else set()
    linked = {m.model_id for m in run.inputs.model_inputs} if run.inputs else set()
    data = [
        DatasetInput(
            Dataset(card.name, card.digest, card.source_type, card.source, profile=card.profile),
            [InputTag("mlflow.data.context", card.context)],
        )
        for card in view.data
        if (card.name, card.digest) not in known
    ]
    models = [] if model_id in linked else [LoggedModelInput(model_id)]
    if data or models:
        client.log_inputs(run.info.run_id, datasets=data, models=models)


def _send_state(client: MlflowClient, run: Run, view: Projection) -> None:
    if run.info.run_name != view.name:
        client.update_run(run.info.run_id, name=view.name)
    if view.ended_ms is None:
        if run.info.status != view.status:
            client.update_run(run.info.run_id, status=view.status)
    elif (run.info.status, run.info.end_time) != (view.status, view.ended_ms):
        client.set_terminated(run.info.run_id, view.status, view.ended_ms)


def _version(client: MlflowClient, model: str, synced: Synced) -> str:
    """Find the version of ``model`` for this run, or register it."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    of_run = client.search_model_versions(f"run_id = '{synced.run_id}'")
    known = sorted((v.version for v in of_run if v.name == model), key=int)
    if known:
        return str(known[0])
    # The location itself, not models:/ID, which the SQL registry would look up in the process-wide store.
    logged = client.get_logged_model(synced.model_id)
    made = client.create_model_version(
        model, logged.artifact_location, run_id=synced.run_id, model_id=logged.model_id
    )
    # The link that MLflow's pages follow from a logged model to its registered versions.
    linked = json.loads(logged.tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
    linked.append({"name": model, "version": made.version})
    client.set_logged_model_tags(logged.model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(linked)})
    return str(made.version)
