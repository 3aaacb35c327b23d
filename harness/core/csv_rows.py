"""Strict CSV: every row has as many cells as the first line, and what is wrong is said by its line.

All tables that are written for spreadsheets are written here, or with `guarded` cells.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from .errors import UsageError
from .files import write_atomic

__all__ = ["csv_rows", "csv_text", "guarded", "read_table", "unguarded", "write_csv"]

_FORMULA = re.compile(r"['\s]*[=+\-@]")
"""How a cell begins that a spreadsheet would run as a formula, perhaps with apostrophes before it."""


def guarded(cell: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet would run as a formula.

    Example:
        >>> guarded("=1+1"), guarded("ada"), unguarded(guarded("'@x"))
        ("'=1+1", 'ada', "'@x")
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Take the apostrophe of `guarded` off."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def read_table(path: Path, what: str) -> str:
    """Read the text of a table, UTF-8 with or without a byte order mark.

    Raises:
        UsageError: it cannot be read; ``what`` it is comes first in the sentence.
    """
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{what} {path} cannot be read: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise UsageError(f"{what} {path} cannot be read: {error.strerror or error}") from None


def csv_rows(
    path: Path | str, text: str, check: Callable[[Sequence[str]], None]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a table as (line, column -> cell), spaces around names and cells removed.

    Args:
        path: for messages.
        text: the table.
        check: looks at the names of the columns, and raises where they are wrong.

    Raises:
        UsageError: while iterating; it is not CSV, or a row is of another length.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [(name or "").strip() for name in reader.fieldnames or ()]
        check(names)
        reader.fieldnames = names
        for row in reader:
            if None in row or None in row.values():
                raise UsageError(
                    f"{path}, line {reader.line_num}, should have {len(names)} cells, as the first line has"
                )
            yield reader.line_num, {key: value.strip() for key, value in row.items()}
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}, is not CSV: {error}") from None


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table as text: texts are `guarded`, None is an empty cell, numbers keep all their digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return out.getvalue()


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as `csv_text` does.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, csv_text(columns, rows))
