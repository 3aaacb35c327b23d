"""Many trials, one after the other, written down as they are made: a session that is killed goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from ...harness.core.errors import UsageError
from ...harness.core.files import write_atomic
from ...harness.core.keys import Json, canonical_json, file_sha256
from ...harness.core.progress import note, track
from ..tracking.tracks import TrackSource
from . import law_trials as trials
from .trial_clips import Reconstruct

__all__ = ["code_digests", "hold"]

_HEAD: Final = "session"
_ROOMS: Final = ("metrics/tracking", "metrics/laws", "metrics/validation", "generators/worlds/plane")
"""Folders whose code the row of a trial depends on."""
_FIELDS: Final = tuple(trials.Trial.__dataclass_fields__)


def hold(
    planned: Sequence[trials.Trial],
    source: TrackSource,
    path: Path,
    settings: Mapping[str, Json],
    reconstruct: Reconstruct | None = None,
) -> list[dict[str, Any]]:
    """Run trials and give their rows in the order of the plan; those that had no room are left out.

    Rows are added to the file ``path`` as they come. What is there already is kept where it was made by the
    same settings, source and code, and thrown away otherwise.

    Raises:
        UsageError: the file cannot be written.
    """
    head: dict[str, Json] = {"settings": dict(settings), "source": dict(source.identity()), **code_digests()}
    done = _read(path, head)
    todo = [trial for trial in dict.fromkeys(planned) if _key(asdict(trial)) not in done]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written anew, as the last line of a session that was killed may be torn.
        write_atomic(
            path, "".join(f"{line}\n" for line in (canonical_json({_HEAD: head}), *map(_line, done.values())))
        )
        with path.open("a", encoding="utf-8") as file, track("trials", len(todo)) as ticker:
            for trial in todo:
                row = trials.run(trial, source, reconstruct) or {**asdict(trial), "found": None}
                file.write(_line(row) + "\n")
                file.flush()
                done[_key(row)] = row
                ticker.advance()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    rows = [done[_key(asdict(trial))] for trial in dict.fromkeys(planned)]
    return [row for row in rows if row["found"] is not None]


def code_digests() -> dict[str, Json]:
    """Hash the code that a trial runs through: rows of other code are not mixed with new ones."""
    package = Path(__file__).parents[2]
    files = [path for room in _ROOMS for path in sorted((package / room).glob("*.py"))]
    files.append(package / "metrics" / "expectation.py")
    return {"code": {path.relative_to(package).as_posix(): file_sha256(path)[:16] for path in files}}


def _read(path: Path, head: Mapping[str, Json]) -> dict[str, dict[str, Any]]:
    """Read the rows of a session with the same head; the last line of a killed one may be torn."""
    if not path.exists():
        return {}
    lines = path.read_text("utf-8").splitlines()
    if not lines or lines[0] != canonical_json({_HEAD: dict(head)}):
        note(f"{path} is of other settings or other code: it is made anew")
        return {}
    found: dict[str, dict[str, Any]] = {}
    for line in lines[1:]:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[_key(row)] = row
    return found


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":"), allow_nan=False)


def _key(row: Mapping[str, Any]) -> str:
    return canonical_json({name: row[name] for name in _FIELDS})
