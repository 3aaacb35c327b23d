"""Rows of a benchmark's file: JSON, JSON lines, CSV or a prompt a line, with mistakes in one sentence."""

from __future__ import annotations

import gzip
import json
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, cast

from ...core.csv_rows import csv_rows, read_table
from ...core.errors import UsageError

__all__ = ["Row", "read_json", "read_rows", "script_of", "texts"]

Row: TypeAlias = Mapping[str, Any]
_LARGEST = 256 * 2**20


def read_json(path: Path) -> Any:
    """Read a JSON file, which may be gzipped.

    Raises:
        UsageError: it cannot be read, or is not JSON.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{path} has over {_LARGEST >> 20} MiB, and no file of a benchmark has")
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} cannot be read: not UTF-8 text (byte {error.start})") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if path.name.removesuffix(".gz").endswith(".jsonl"):
            return _lines(path, text)
        why = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise UsageError(f"{path} is not JSON: {why}") from None


def _lines(path: Path, text: str) -> list[Any]:
    found: list[Any] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except (ValueError, RecursionError):
                raise UsageError(f"{path}, line {number} is not JSON") from None
    return found


def read_rows(path: Path, needed: Sequence[str], title: str) -> list[Row]:
    """Read the rows of a JSON list, JSON lines or CSV file that all have the columns ``needed``.

    Raises:
        UsageError: the file is of another kind, or lacks a column, with those that it has.
    """
    name = path.name.removesuffix(".gz")
    if name.endswith(".csv"):

        def check(names: Sequence[str]) -> None:
            _need(path, title, needed, names, "")

        found: list[Row] = [row for _, row in csv_rows(path, read_table(path, "the table"), check)]
        return found or _refuse_empty(path, title)
    if not name.endswith((".json", ".jsonl")):
        raise UsageError(f"{path} is not a file of {title}, which are .json, .jsonl or .csv")
    given = read_json(path)
    if isinstance(given, Mapping) and len(cast("Mapping[str, Any]", given)) == 1:
        given = next(iter(cast("Mapping[str, Any]", given).values()))  # {"train": [...]}
    if given == []:
        _refuse_empty(path, title)
    if not isinstance(given, list):
        raise UsageError(f"{path} is not a file of {title}: it should be a list of rows")
    rows = cast("list[Any]", given)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise UsageError(f"{path}, row {number}, is not a mapping of columns to values")
        _need(path, title, needed, list(cast("Row", row)), f", row {number},")
    return cast("list[Row]", rows)


def _refuse_empty(path: Path, title: str) -> NoReturn:
    raise UsageError(f"{path} has no rows; a file of {title} has one for each prompt")


def _need(path: Path, title: str, needed: Sequence[str], names: Sequence[str], where: str) -> None:
    missing = [name for name in needed if name not in names]
    if missing:
        raise UsageError(
            f"{path}{where} is not of {title}: it has no {' and no '.join(map(repr, missing))}, and has "
            f"{', '.join(map(str, filter(None, names))) or 'no columns'}"
        )


def texts(value: object) -> tuple[str, ...]:
    """Read a text or a list of texts as labels: short, without empty ones."""
    many = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
    shown = [" ".join(str(one).split())[:80] for one in many if one not in (None, "")]
    return tuple(dict.fromkeys(one for one in shown if one))


def script_of(text: str) -> str:
    """Name the script that most letters of a text are in, such as latin, cjk or cyrillic; empty without any.

    Example:
        >>> script_of("a red ball"), script_of("красный мяч")
        ('latin', 'cyrillic')
    """
    counts: dict[str, int] = {}
    for character in text:
        if character.isalpha():
            name = unicodedata.name(character, "").split(" ")[0].lower()
            counts[name] = counts.get(name, 0) + 1
    return max(counts, key=lambda name: counts[name]) if counts else ""
