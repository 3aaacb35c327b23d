"""The run behind an alias of a model that is registered in MLflow, such as ``models:/video@production``."""

from __future__ import annotations

import re
from pathlib import Path

from ..core.errors import UsageError
from ..core.mlflow_store import mlflow_client, shown
from ..run_folder.digests import read_digests
from .projection import same_run

__all__ = ["FOLDER_TAG", "RUN_TAG", "alias_run", "is_alias"]

FOLDER_TAG = "screentest.folder"
"""Tag with the path from which a run was sent: another folder that holds the same run is a copy of it."""
RUN_TAG = "screentest.run"
"""Tag with the id of a run, by which it is found."""
_ALIAS = re.compile(r"models:/(?P<model>[^@/]+)@(?P<alias>[^@/]+)")
_GONE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def is_alias(text: str) -> bool:
    """Say whether a text names a registered model, not a folder."""
    return text.startswith("models:/")


def alias_run(text: str, uri: str, beside: Path, *, timeout: int = 10) -> Path:
    """Find the folder of the run that an alias points at.

    Args:
        text: ``models:/NAME@ALIAS``.
        uri: of the MLflow store.
        beside: the folder of the run that is judged, for messages of the store.

    Raises:
        UsageError: the text is malformed, there is no such alias, its run was not sent by screentest, or its
            folder is gone, holds another run, or was changed since the alias was set.
        TrackingError: the store cannot be reached.
    """
    match = _ALIAS.fullmatch(text)
    if match is None:
        raise UsageError(f"the baseline {text!r} should be a run folder, or models:/NAME@ALIAS")
    from mlflow.exceptions import MlflowException

    with mlflow_client(uri, beside, timeout) as client:
        try:
            version = client.get_model_version_by_alias(match["model"], match["alias"])
            tags = client.get_run(version.run_id).data.tags if version.run_id else {}
        except MlflowException as error:
            if error.error_code not in _GONE:
                raise
            raise UsageError(
                f"the baseline {text} is not in {shown(uri)}: it has no such model or alias; 'screentest "
                "gate RUN --policy POLICY --model NAME --alias ALIAS' sets one after a PASS"
            ) from None
    run, folder = tags.get(RUN_TAG), tags.get(FOLDER_TAG)
    if run is None or folder is None:
        raise UsageError(f"the baseline {text} is no run that screentest sent; give a run folder instead")
    if not same_run(Path(folder), run):
        raise UsageError(
            f"the baseline {text} is the run in {folder}, which is gone or another run now; restore it, or "
            "give a run folder"
        )
    marked, now = version.tags.get("screentest.run_digest"), read_digests(Path(folder))
    if marked and (now is None or now.run != marked):
        raise UsageError(
            f"the baseline {text} is the run in {folder}, which was changed since the alias was set; gate it "
            "again, or give another run"
        )
    return Path(folder)
