"""One run of MLflow, brought up to date by what it does not have.

What it has is read from the server, so no local state can be lost, and sending twice doubles nothing.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from filelock import Timeout

from ..core.errors import TrackingError
from ..core.files import only_one
from ..core.keys import digest, file_sha256
from ..core.mlflow_store import default_uri, shown, sqlite_file, wrong_address
from ..core.storage import File, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = [
    "StepValue",
    "changed_tags",
    "description_tags",
    "find_experiment",
    "find_run",
    "names_listed",
    "one_sender",
    "page_url",
    "send_files",
    "send_values",
    "tracking_address",
]

T = TypeVar("T")

_METRICS, _PARAMS = 1000, 90  # a request may hold 1000 metrics, 100 params, 100 tags
_OF_MODELS = {"mlflow.experimentKind": "custom_model_development"}
"""Tag by which MLflow's pages open an experiment at its runs, if the reader chose nothing else."""
_DESCRIPTION, _DESCRIBED = "mlflow.note.content", "screentest.described"
_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class StepValue(NamedTuple):
    """A value of a metric, and the step at which MLflow draws it."""

    name: str
    value: float
    step: int


# -- where to send


def tracking_address(uri: str | None, runs: Path, later: str) -> str:
    """Choose the address of the store: ``uri``, else ``MLFLOW_TRACKING_URI``, else the database in ``runs``.

    Raises:
        TrackingError: no run can be kept at the address; ``later`` says how to send it then.
    """
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI") or default_uri(runs)
    wrong = wrong_address(chosen)
    if wrong is not None:
        raise TrackingError(f"{wrong}; {later}")
    return chosen


def find_experiment(client: MlflowClient, name: str, uri: str, again: str) -> str:
    """Find an experiment, or make it, and return its id.

    Args:
        client: of the store at ``uri``.
        name: of the experiment.
        uri: of the store.
        again: the command that sends the run once a deleted experiment was restored.

    Raises:
        TrackingError: it was deleted.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage != "active":
            raise TrackingError(f"the MLflow experiment {name!r} is deleted; restore it there, then {again}")
        return found.experiment_id
    database = sqlite_file(uri)
    # By default a SQLite store would put artifacts into the working folder.
    beside = None if database is None else (database.parent / "mlartifacts").as_uri()
    try:
        return client.create_experiment(name, artifact_location=beside, tags=dict(_OF_MODELS))
    except MlflowException as error:
        found = client.get_experiment_by_name(name)  # another run made it at the same moment
        if error.error_code != "RESOURCE_ALREADY_EXISTS" or found is None:
            raise
        return found.experiment_id


def find_run(client: MlflowClient, experiment_id: str, tag: str, value: str) -> Run | None:
    """Find the run that has a tag, the first one if there are several, with all that MLflow has of it."""
    found = client.search_runs([experiment_id], f"tags.`{tag}` = '{value}'", max_results=2)
    if not found:
        return None
    first = min(found, key=lambda run: (run.info.start_time or 0, run.info.run_id))
    return client.get_run(first.info.run_id)


def page_url(uri: str, experiment_id: str, run_id: str) -> str | None:
    """Give the address of a run's page, if the store is a server."""
    if not uri.startswith(("http://", "https://")):
        return None
    return f"{shown(uri).rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"


@contextmanager
def one_sender(identity: str, what: str, folder: Path | None = None) -> Generator[None]:
    """Keep two processes from each creating the MLflow run of one thing, such as a folder and its copies.

    Args:
        identity: of what is sent, in hexadecimal.
        what: is sent, for the message.
        folder: of a run, locked too where it can be written.

    Raises:
        TrackingError: another process is sending it.
    """
    # By the identity, as copies of a folder have it too; this lock does for a read-only folder.
    lock = Path(tempfile.gettempdir()) / f"screentest-{identity[:16]}.lock"
    with ExitStack() as held:
        try:
            held.enter_context(only_one(lock))
            try:
                if folder is not None:
                    held.enter_context(only_one(folder / "mlflow.lock"))
            except OSError as error:
                if isinstance(error, Timeout) or error.errno not in _READ_ONLY:
                    raise
        except Timeout:
            raise TrackingError(f"another process is sending {what} to MLflow; wait for it") from None
        except OSError as error:
            why = error.strerror or error
            raise TrackingError(f"no lock for sending {what} can be had: {why}") from None
        yield


# -- what to send


def changed_tags(run: Run, tags: Mapping[str, str]) -> dict[str, str]:
    """Choose the tags that MLflow does not have as they are."""
    return {name: value for name, value in tags.items() if run.data.tags.get(name, "") != value}


def description_tags(run: Run, text: str) -> dict[str, str]:
    """Give the tags of a run's description in Markdown; none if somebody has written another one there."""
    there, own = run.data.tags.get(_DESCRIPTION, ""), run.data.tags.get(_DESCRIBED, "")
    if there and digest("description", {"text": there}) != own:
        return {}
    return {_DESCRIPTION: text, _DESCRIBED: digest("description", {"text": text})}


def send_values(
    client: MlflowClient,
    run: Run,
    values: Sequence[StepValue],
    params: Mapping[str, str],
    tags: Mapping[str, str],
    model_id: str | None = None,
) -> None:
    """Send values, params and tags that are new or changed, in as few requests as MLflow allows."""
    from mlflow.entities import Metric, Param, RunTag

    run_id = run.info.run_id
    # Of two values at one step MLflow shows the later one. So a changed value needs a later time, even if
    # this machine's clock is behind the one that sent the first.
    now = max(int(time.time() * 1000), int(run.data.tags.get("screentest.sent_ms", "0")) + 1)
    sent = {"screentest.sent_ms": str(now)} if values else {}
    rows = [RunTag(k, v) for k, v in {**tags, **sent}.items()]
    pairs = [Param(k, v) for k, v in params.items()]
    if rows or pairs:
        client.log_batch(run_id, params=pairs[:_PARAMS], tags=rows, synchronous=True)
    for part in _chunks(pairs[_PARAMS:], _PARAMS):
        client.log_batch(run_id, params=part, synchronous=True)
    metrics = [Metric(one.name, one.value, now, one.step, model_id=model_id) for one in values]
    for part in _chunks(metrics, _METRICS):
        client.log_batch(run_id, metrics=part, synchronous=True)


def send_files(client: MlflowClient, run: Run, files: Mapping[str, File | str]) -> int:
    """Send the files that MLflow does not have yet, by the digests in a tag.

    Args:
        client: of the store.
        run: whose artifacts they are.
        files: path in MLflow -> a file, or the text to write there.

    Returns:
        how many were sent.
    """
    run_id = run.info.run_id
    tag = run.data.tags.get("screentest.artifacts")
    there = json.loads(tag) if tag else {}
    if there:
        listed = {f.path for path in (None, "clips", "verdicts") for f in client.list_artifacts(run_id, path)}
        there = {path: sha for path, sha in there.items() if path in listed}
    sent = 0
    with tempfile.TemporaryDirectory() as scratch:
        for path, content in files.items():
            with _local(content, path, Path(scratch)) as local:
                sha = file_sha256(local)[:16]
                if there.get(path) == sha:
                    continue
                parent = str(Path(path).parent)
                client.log_artifact(run_id, str(local), None if parent == "." else parent)
                there[path] = sha
                sent += 1
    if sent:
        client.set_tag(run_id, "screentest.artifacts", json.dumps(there))
    return sent


@contextmanager
def _local(content: File | str, path: str, scratch: Path) -> Generator[Path]:
    """Give a local file with the content, under the name that it gets in MLflow."""
    name = Path(path).name
    if isinstance(content, str):
        (scratch / name).write_text(content, "utf-8", errors="backslashreplace")
        yield scratch / name
        return
    with opened(content) as file:
        yield file if file.name == name else _renamed(file, scratch / path)


def _renamed(file: Path, link: Path) -> Path:
    """Link to a file under the name that it gets in MLflow, which takes the name of the local file."""
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(file)
    return link


def _chunks(rows: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def names_listed(names: Sequence[str]) -> str:
    """List names in a tag, as many as fit."""
    text = ", ".join(names)
    return text if len(text) <= 8000 else f"{text[:7900]} ... ({len(names)} in all)"
