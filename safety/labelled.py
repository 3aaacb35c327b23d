"""Read human labels from a CSV file, to fit stacks and to measure a judge's error."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..harness.core.errors import UsageError, unknown_name

__all__ = ["LabelledRows", "read_labelled"]

_TRUE = frozenset({"1", "true", "yes", "unsafe", "harmful", "positive"})
_FALSE = frozenset({"0", "false", "no", "safe", "benign", "harmless", "negative"})
_LABEL_COLUMNS = ("label", "truth", "unsafe", "label_gold")


@dataclass(frozen=True)
class LabelledRows:
    """Rows with a label.

    Attributes:
        keys: the labelled prompt, item or clip of each row (n,).
        labels: whether it is unsafe (n,).
        unknown: number of rows with a blank label, which are left out.
    """

    keys: tuple[str, ...]
    labels: tuple[bool, ...]
    unknown: int


def read_labelled(file: Path, key_columns: Sequence[str]) -> LabelledRows:
    """Read a CSV with one of ``key_columns`` and a column ``label`` (or truth, unsafe, label_gold).

    A label is 1, true, yes, unsafe, harmful or positive; or 0, false, no, safe, benign, harmless or
    negative; a blank label is unknown. A repeated key must have the same label.

    Raises:
        UsageError: the file cannot be read, lacks a column, or has another or a contradictory label.
    """
    found: dict[str, bool] = {}
    unknown = 0
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            names = list(rows.fieldnames or ())
            key, label = _one_of(file, names, key_columns), _one_of(file, names, _LABEL_COLUMNS)
            for row in rows:
                said = (row[label] or "").strip().lower()
                if not said:
                    unknown += 1
                    continue
                if said not in _TRUE | _FALSE:
                    near = unknown_name("label", said[:40], _TRUE | _FALSE)
                    raise UsageError(f"{file}, line {rows.line_num}: {near}")
                value = said in _TRUE
                if found.setdefault(row[key] or "", value) != value:
                    raise UsageError(
                        f"{file}, line {rows.line_num}: this {key} had the other label before; remove one row"
                    )
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8; save it as UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{file} is not a table: {error}") from None
    found.pop("", None)
    return LabelledRows(tuple(found), tuple(found.values()), unknown)


def _one_of(file: Path, names: Sequence[str], wanted: Sequence[str]) -> str:
    found = next((name for name in wanted if name in names), None)
    if found is None:
        have = ", ".join(repr(name) for name in names[:12]) or "none"
        raise UsageError(f"{file} has none of the columns {', '.join(wanted)}; its columns: {have}")
    return found
