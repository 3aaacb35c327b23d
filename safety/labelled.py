"""Labels that people gave, from a CSV file: for fitting stacks and for measuring a judge's own error."""

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
        keys: what the label is of: a prompt, an item, a clip (n,).
        labels: whether it is unsafe (n,).
        unknown: rows whose label is blank, which are left out.
    """

    keys: tuple[str, ...]
    labels: tuple[bool, ...]
    unknown: int


def read_labelled(file: Path, key_columns: Sequence[str]) -> LabelledRows:
    """Read a CSV with one of ``key_columns`` and a column ``label`` (or truth, unsafe, label_gold).

    A label is 1, true, yes, unsafe, harmful or positive; or 0, false, no, safe, benign, harmless or
    negative; a blank one is unknown. A key that is given twice should be given the same label.

    Raises:
        UsageError: the file cannot be read, lacks a column, or has another label.
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
                    raise UsageError(f"{file}, line {rows.line_num}: this {key} had the other label before")
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
