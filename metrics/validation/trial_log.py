"""Run trials one after the other and log each, so that a killed validation resumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ...harness.core.errors import UsageError
from ...harness.core.files import write_atomic
from ...harness.core.keys import Json, canonical_json, file_sha256
from ...harness.core.progress import note, track

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["code_digests", "run_trials"]

_HEAD: Final = "session"
_ROOM: Final = "had_room"
_ROOMS: Final = (
    "metrics/goals",
    "metrics/tracking",
    "metrics/hallucination",
    "metrics/laws",
    "metrics/signs",
    "metrics/instructions",
    "metrics/validation",
    "generators/worlds",
)
"""Folders with the code that the row of a trial depends on."""
_FILES: Final = ("metrics/expectation.py", "metrics/frame_blocks.py", "harness/core/colors.py")
"""Files beside them."""
T = TypeVar("T", bound="DataclassInstance")


def run_trials(
    planned: Sequence[T],
    run: Callable[[T], Mapping[str, Any] | None],
    path: Path,
    settings: Mapping[str, Json],
) -> list[dict[str, Any]]:
    """Run trials and return their rows in order, without trials that have no room in their scene.

    A row has the fields of its trial and the result of ``run``, as plain JSON; ``run`` returns None if the
    scene has no room for the trial. Rows are appended to the file ``path``. Existing rows are kept if they
    were made with the same settings and code, and discarded otherwise.

    Args:
        planned: the trials, dataclasses with fields of plain JSON; a repeated trial is run once.
        run: runs one trial.
        path: of the log, JSON lines.
        settings: what else the rows depend on: tracker, limits, weights.

    Raises:
        UsageError: the file cannot be written.
    """
    head: dict[str, Json] = {"settings": dict(settings), **code_digests()}
    trials = list(dict.fromkeys(planned))
    names = tuple(asdict(trials[0])) if trials else ()
    done = _read(path, head, names)
    todo = [trial for trial in trials if _key(asdict(trial), names) not in done]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written again, because the last line of a killed run may be incomplete.
        write_atomic(
            path, "".join(f"{line}\n" for line in (canonical_json({_HEAD: head}), *map(_line, done.values())))
        )
        with path.open("a", encoding="utf-8") as file, track("trials", len(todo)) as ticker:
            for trial in todo:
                found = run(trial)
                row = {**asdict(trial), **(found or {}), _ROOM: found is not None}
                file.write(_line(row) + "\n")
                file.flush()
                done[_key(row, names)] = row
                ticker.advance()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    rows = [done[_key(asdict(trial), names)] for trial in trials]
    return [{k: v for k, v in row.items() if k != _ROOM} for row in rows if row[_ROOM]]


def code_digests() -> dict[str, Json]:
    """Hash the code that a trial uses, so that rows of different code are not mixed."""
    package = Path(__file__).parents[2]
    files = [path for room in _ROOMS for path in sorted((package / room).rglob("*.py"))]
    files += [package / name for name in _FILES]
    return {"code": {path.relative_to(package).as_posix(): file_sha256(path)[:16] for path in files}}


def _read(path: Path, head: Mapping[str, Json], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read the rows of a log with the same head; the last line of a killed run may be incomplete."""
    if not path.exists():
        return {}
    lines = path.read_text("utf-8").splitlines()
    if not lines or lines[0] != canonical_json({_HEAD: dict(head)}):
        note(f"{path} is of other settings or other code; it is started again")
        return {}
    found: dict[str, dict[str, Any]] = {}
    for line in lines[1:]:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[_key(row, names)] = row
    return found


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":"), allow_nan=False)


def _key(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return canonical_json({name: row[name] for name in names})
