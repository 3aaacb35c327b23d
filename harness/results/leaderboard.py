"""A leaderboard: a file of runs and their values that is kept in a repository, a row a run.

``.md`` is a table to read; ``.csv`` and ``.json`` have the numbers, ``.json`` with null where one is missing.
A run is known by its id, so that it has one row however often it is added; another version of a measure, or
another encoder, is another column.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ..core.csv_rows import guarded, unguarded
from ..core.errors import UsageError
from ..core.files import write_atomic
from ..core.presentation import estimate_text
from ..run_folder.store import RunStore
from .summary import Aggregate, read_summary

__all__ = ["FORMATS", "add_to_leaderboard"]

FORMATS = (".md", ".json", ".csv")
_TEXTS = frozenset(("id", "run", "generator", "suite", "created"))
_HEAD = ("id", "run", "generator", "suite", "step", "items", "clips", "created")

Row = dict[str, str]


def add_to_leaderboard(path: Path, stores: Sequence[RunStore]) -> tuple[int, int]:
    """Add runs to a leaderboard, or bring their rows up to date; give the numbers added and replaced.

    Rows keep their place, and new ones stand at the end.

    Raises:
        UsageError: the file has another ending, is no leaderboard, or a run is not scored to its end.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"--leaderboard {path}: the file should end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        )
    rows = _read(path)
    added = replaced = 0
    for store in stores:
        row = _row(store, text=path.suffix.lower() == ".md")
        if row["id"] in rows:
            replaced += 1
        else:
            added += 1
        rows[row["id"]] = row
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    columns = [*(name for name in _HEAD if name in columns), *sorted(n for n in columns if n not in _HEAD)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, _written(path, columns, list(rows.values())))
    return added, replaced


def _row(store: RunStore, *, text: bool) -> Row:
    record, summary = store.record, read_summary(store.folder)
    step = record.get("step")
    row = {
        "id": str(record.get("id") or summary.plan),
        "run": store.folder.name,
        "generator": summary.generator,
        "suite": summary.suite,
        "step": "" if step is None else str(step),
        "items": str(summary.items),
        "clips": str(summary.outcomes.get("ok", 0)),
        "created": str(record.get("created", ""))[:10],
    }
    for aggregate in summary.aggregates:
        if aggregate.tag is None:
            row.update(_cells(aggregate, text=text))
    return row


def _cells(aggregate: Aggregate, *, text: bool) -> Row:
    """Write a value with its interval and n: as one cell to read, or as a cell each."""
    name = f"{aggregate.measure} v{aggregate.version}"
    name = f"{name} {aggregate.encoder}" if aggregate.encoder else name
    if text:
        value, interval = estimate_text(aggregate.value, aggregate.low, aggregate.high)
        return {name: f"{value} {interval} n={aggregate.n}".replace("  ", " ")}
    numbers = {"": aggregate.value, " low": aggregate.low, " high": aggregate.high}
    cells = {f"{name}{end}": "" if value is None else repr(value) for end, value in numbers.items()}
    return {**cells, f"{name} n": str(aggregate.n)}


def _read(path: Path) -> dict[str, Row]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise _no_leaderboard(path, "it is not text") from None
    if not text.strip():
        return {}
    ending = path.suffix.lower()
    rows = _read_json(path, text) if ending == ".json" else _read_rows(path, text, ending)
    for row in rows:
        if not row.get("id"):
            raise _no_leaderboard(path, "a row has no id")
    return {row["id"]: row for row in rows}


def _read_json(path: Path, text: str) -> list[Row]:
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise _no_leaderboard(path, str(error)) from None
    listed: Any = cast("Mapping[str, Any]", found).get("runs") if isinstance(found, Mapping) else None
    if not isinstance(listed, list) or not all(isinstance(row, Mapping) for row in cast("list[Any]", listed)):
        raise _no_leaderboard(path, "it has no list of runs")
    rows = cast("list[Mapping[str, Any]]", listed)
    return [{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in rows]


def _read_rows(path: Path, text: str, ending: str) -> list[Row]:
    if ending == ".csv":
        cells = [[unguarded(cell) for cell in row] for row in csv.reader(io.StringIO(text))]
    else:
        lines = [line.strip() for line in text.splitlines() if line.strip().startswith("|")]
        cells = [[_unescaped(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
        cells = [*cells[:1], *cells[2:]]  # without the line of dashes
    if not cells or "id" not in cells[0]:
        raise _no_leaderboard(path, "its first row has no 'id'")
    head, *rest = cells
    if any(len(row) != len(head) for row in rest):
        raise _no_leaderboard(path, "a row has more or fewer cells than the first")
    return [{n: c for n, c in zip(head, row, strict=True) if c or n in _HEAD} for row in rest]


def _written(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> str:
    ending = path.suffix.lower()
    if ending == ".json":
        listed = [{name: _json_cell(name, row.get(name, "")) for name in columns} for row in rows]
        return json.dumps({"runs": listed}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if ending == ".csv":
        # All cells are texts here; a number below 0 is no formula.
        cells = [[_csv_cell(name, row.get(name, "")) for name in columns] for row in rows]
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([columns, *cells])
        return out.getvalue()
    lines = [
        list(columns),
        ["---"] * len(columns),
        *([row.get(name, "") for name in columns] for row in rows),
    ]
    return "# Leaderboard\n\n" + "".join(f"| {' | '.join(map(_escaped, line))} |\n" for line in lines)


def _csv_cell(name: str, cell: str) -> str:
    return guarded(cell) if name in _TEXTS else cell


def _json_cell(name: str, cell: str) -> str | float | None:
    """Give a cell of a column of numbers as a number; None where it is missing, or no finite number."""
    if name in _TEXTS:
        return cell
    try:
        return int(cell)
    except ValueError:
        pass
    try:
        number = float(cell or "nan")
    except ValueError:
        return cell
    return number if math.isfinite(number) else None


def _escaped(cell: str) -> str:
    return " ".join(cell.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _unescaped(cell: str) -> str:
    return cell.strip().replace("&lt;", "<").replace("\\|", "|").replace("\\\\", "\\")


def _no_leaderboard(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is no leaderboard ({why}); move it away, and the command writes a new one")
