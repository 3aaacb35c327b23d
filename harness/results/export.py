"""Export score tables and aggregates as files for pandas, DuckDB and spreadsheets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.csv_rows import guarded
from ..core.errors import UsageError
from ..run_folder.score_rows import run_columns, score_columns, score_rows
from ..run_folder.store import RunStore, open_run
from .summary import read_summary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AGGREGATE_COLUMNS", "aggregate_frame", "export_aggregates", "export_scores", "score_frame"]

AGGREGATE_COLUMNS = (
    "run",
    "suite",
    "generator",
    "measure",
    "slice",
    "kind",
    "encoder",
    "reference_set",
    "value",
    "low",
    "high",
    "confidence",
    "method",
    "n",
    "clusters",
    "n_reference",
    "left_out",
    "reasons",
    "notes",
    "better",
    "unit",
    "version",
    "items",
    "frames",
    "width",
    "height",
    "fps",
    "seconds",
    "step",
    "plan",
)
"""Columns of the table of aggregates.

``slice`` is a tag or ``label:value``, missing for the whole run. ``left_out``, ``reasons`` and ``notes`` are
JSON. ``frames``, ``width``, ``height`` and ``fps`` are of the decoded clips, missing where these differ;
``seconds`` is the time that all clips of the run took to generate.
"""
_ROWS_AT_ONCE = 20_000
_FORMAT = ("frames", "width", "height", "fps")


def score_frame(stores: RunStore | Sequence[RunStore]) -> pd.DataFrame:
    """Build the score table of one or several runs: a row per item and measure, in the order of the plan.

    The columns are `score_rows.COLUMNS` and one for each label; ``value`` is missing unless status is ok.
    """
    import pandas as pd

    stores = [stores] if isinstance(stores, RunStore) else stores
    rows = [row for store in stores for row in score_rows(store)]
    return pd.DataFrame(rows, columns=pd.Index(score_columns(stores))).astype({"value": "float64"})


def aggregate_frame(stores: Sequence[RunStore]) -> pd.DataFrame:
    """Build the table of all aggregates of runs: measures of items and of sets, over the run and by slice.

    Raises:
        UsageError: a run is not scored to its end.
    """
    import pandas as pd

    rows = [row for store in stores for row in _aggregates(store)]
    numbers = dict.fromkeys(("value", "low", "high", "confidence", "fps", "seconds"), "float64")
    counts = dict.fromkeys(("n_reference", "step", "frames", "width", "height"), "Int64")
    return pd.DataFrame(rows, columns=pd.Index(AGGREGATE_COLUMNS)).astype({**numbers, **counts})


def _aggregates(store: RunStore) -> list[dict[str, Any]]:
    summary = read_summary(store.folder)
    clips = store.clips().values()
    infos = [record.info for record in clips if record.info is not None]
    common = {
        **run_columns(store),
        **{name: _shared([getattr(info, name) for info in infos]) for name in _FORMAT},
        "items": summary.items,
        "seconds": sum(record.seconds for record in clips),
        "step": store.record.get("step"),
        "plan": summary.plan,
    }
    return [
        {
            **common,
            **a.model_dump(include={*AGGREGATE_COLUMNS} - {"left_out", "reasons", "notes"}),
            "slice": a.tag,
            "left_out": json.dumps(a.left_out),
            "reasons": json.dumps(a.reasons),
            "notes": json.dumps(a.notes),
        }
        for a in summary.aggregates
    ]


def _shared(values: Sequence[float | None]) -> float | None:
    """Give the one value that all clips have; None where they differ or there is none."""
    return values[0] if len(set(values)) == 1 else None


def export_scores(folders: Path | Sequence[Path], out: Path) -> int:
    """Write the score tables of runs as Parquet or CSV, by the file's suffix; return the number of rows.

    Raises:
        UsageError: there is no run, the suffix is another, or the file cannot be written.
    """
    _refuse_suffix(out)
    stores = _opened(folders)
    columns = score_columns(stores)
    return _write(_score_parts(stores, columns), columns, out)


def _score_parts(stores: Sequence[RunStore], columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Give the score table part by part, so that a long one is never held whole; the first may be empty."""
    import pandas as pd

    rows = (row for store in stores for row in score_rows(store))
    first = True
    while (part := list(islice(rows, _ROWS_AT_ONCE))) or first:
        first = False
        yield pd.DataFrame(part, columns=pd.Index(columns)).astype({"value": "float64"})


def export_aggregates(folders: Path | Sequence[Path], out: Path) -> int:
    """Write the aggregates of runs as Parquet or CSV, by the file's suffix; return the number of rows.

    Raises:
        UsageError: there is no run, one is not scored to its end, the suffix is another, or the file cannot
            be written.
    """
    _refuse_suffix(out)
    return _write(iter([aggregate_frame(_opened(folders))]), None, out)


def _opened(folders: Path | Sequence[Path]) -> list[RunStore]:
    return [open_run(folder) for folder in ([folders] if isinstance(folders, Path) else folders)]


def _refuse_suffix(out: Path) -> None:
    if out.suffix not in (".parquet", ".csv"):
        raise UsageError(f"the export {out} should end in .parquet or .csv")


def _write(parts: Iterator[pd.DataFrame], columns: Sequence[str] | None, out: Path) -> int:
    """Write a table part by part; ``columns`` are those of the score table, None for other tables."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = 0
    beside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        if out.suffix == ".csv":
            with beside.open("w", encoding="utf-8", newline="") as file:
                for part in parts:
                    part.map(_guarded).to_csv(file, index=False, header=not rows)
                    rows += len(part)
        else:
            first = pa.Table.from_pandas(next(parts), _schema(columns), preserve_index=False)
            with parquet.ParquetWriter(beside, first.schema) as writer:
                for part in chain([first], (pa.Table.from_pandas(p, first.schema) for p in parts)):
                    writer.write_table(part)
                    rows += len(part)
        beside.replace(out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)
    return rows


def _guarded(cell: Any) -> Any:
    return guarded(cell) if isinstance(cell, str) else cell


def _schema(columns: Sequence[str] | None) -> Any:
    """Give the types of the score table, which its first part alone may not show."""
    import pyarrow as pa

    types = {"seed": pa.int64(), "value": pa.float64()}
    return columns and pa.schema([(name, types.get(name, pa.string())) for name in columns])
