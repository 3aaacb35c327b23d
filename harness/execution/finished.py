"""Tell a finished run at once: what was hashed when it was scored to its end, and is hashed again.

``finished.json`` has the sha256 of the database and of the files beside it, and a digest of what the scores
were computed by. Where all of them are the same, no row needs to be read again to say that nothing is
missing and nothing was changed. The store removes the file before it writes anything. It is a shortcut and no
evidence: a gate reads every row.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ..core.clip_info import DECODING_VERSION
from ..core.files import write_atomic
from ..core.keys import KEY_VERSION, file_sha256
from ..run_folder.database import DIGESTS, FINISHED
from ..run_folder.digests import WITH_DIGESTS
from ..run_folder.store import RunStore
from ..scoring.clips import PROVISIONAL
from ..scoring.instruments import Instruments, measure_fields

__all__ = ["is_as_marked", "is_finished", "keep_finished", "may_be_finished", "scoring_digest"]

_FILES = ("run.sqlite", "run.json", DIGESTS)
_UNSETTLED = (
    "SELECT 1 FROM scores s JOIN clips c ON c.item = s.item WHERE "
    f"(s.status = 'failed' AND c.outcome <> 'failed') OR instr(s.evidence, '\"{PROVISIONAL}\"') LIMIT 1",
    "SELECT 1 FROM set_values WHERE key = '' LIMIT 1",
)
"""Scores that the next scoring takes anew, as their cause may have gone."""


class _Finished(BaseModel):
    """The content of ``finished.json``: the sha256 of each file, and what the run was scored by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[str, str]
    scoring: str


def scoring_digest(tools: Instruments, slices: Sequence[str]) -> str:
    """Hash what decides which scores a run should have: measures, encoders, settings, slices, our version."""
    fields = {
        "measures": {measure.name: measure_fields(measure, tools) for measure in tools.measures},
        "encoders": {name: encoder.digest for name, encoder in tools.encoders.items()},
        "slices": list(slices),
        "versions": [DECODING_VERSION, KEY_VERSION, importlib.metadata.version("screentest")],
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def may_be_finished(folder: Path, scoring: str) -> bool:
    """Say whether a run was once scored to its end by the same measures; a look at one small file."""
    told = _read(folder)
    return told is not None and told.scoring == scoring


def is_finished(store: RunStore, scoring: str) -> bool:
    """Say whether a run was scored to its end by the same measures, and none of its tables changed since.

    Its stored clips are not looked at.
    """
    told = _read(store.folder)
    return told is not None and told.scoring == scoring and told.files == _hashed(store.folder)


def keep_finished(store: RunStore, scoring: str) -> None:
    """Write ``finished.json`` beside a run that was just scored to its end.

    It is not written where scores are to be tried again.
    """
    if store.record["schema"] >= WITH_DIGESTS and not any(store.rows(query) for query in _UNSETTLED):
        told = _Finished(files=_hashed(store.folder), scoring=scoring)
        write_atomic(store.folder / FINISHED, told.model_dump_json(indent=1) + "\n")


def is_as_marked(folder: Path) -> bool:
    """Say whether the files of a run are those that were marked when it was scored to its end."""
    told = _read(folder)
    return told is not None and told.files == _hashed(folder)


def _read(folder: Path) -> _Finished | None:
    try:
        return _Finished.model_validate_json((folder / FINISHED).read_bytes())
    except (OSError, ValidationError):
        return None


def _hashed(folder: Path) -> dict[str, str]:
    """Hash the files; an unfinished transaction of a killed writer counts as a file."""
    paths = [*(folder / name for name in _FILES), *folder.glob("run.sqlite-*")]
    return {path.name: file_sha256(path) for path in paths if path.exists()}
