"""The log of a bench: trials run one after the other, each written down, so that a killed bench resumes."""

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
    "metrics/tracking",
    "metrics/laws",
    "metrics/instructions",
    "metrics/validation",
    "generators/worlds",
)
"""Folders whose code the row of a trial depends on."""
_FILES: Final = ("metrics/expectation.py", "metrics/frame_blocks.py", "harness/core/colors.py")
"""Files beside them."""
T = TypeVar("T", bound="DataclassInstance")


def run_trials(
    planned: Sequence[T],
    run: Callable[[T], Mapping[str, Any] | None],
    path: Path,
    settings: Mapping[str, Json],
) -> list[dict[str, Any]]:
    """Run trials and give their rows in the order of the plan; those that had no room are left out.

    A row has the fields of its trial and what ``run`` found, plain JSON; ``run`` gives None for a scene that
    has no room for the trial. Rows are added to the file ``path`` as they come. What is there already is kept
    where it was made by the same settings and code, and thrown away otherwise.

    Args:
        planned: the trials, dataclasses with fields of plain JSON; one that comes twice is run once.
        run: tries one.
        path: of the log, JSON lines.
        settings: what the rows depend on beside the trial and the code: source, limits, weights.

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
        # Written anew, as the last line of a bench that was killed may be torn.
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
    """Hash the code that a trial runs through: rows of other code are not mixed with new ones."""
    package = Path(__file__).parents[2]
    files = [path for room in _ROOMS for path in sorted((package / room).rglob("*.py"))]
    files += [package / name for name in _FILES]
    return {"code": {path.relative_to(package).as_posix(): file_sha256(path)[:16] for path in files}}


def _read(path: Path, head: Mapping[str, Json], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read the rows of a bench with the same head; the last line of a killed one may be torn."""
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
        found[_key(row, names)] = row
    return found


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":"), allow_nan=False)


def _key(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return canonical_json({name: row[name] for name in names})
