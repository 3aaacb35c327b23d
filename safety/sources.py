"""Read prompts and their labels from public and own data files.

A category is True, False, or None if the file does not say: a missing label is never a 0. Each source has the
digest and licence of its file, so that results and models can name their data.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TextIO

from pydantic import Field

from ..harness.core.config import Config
from ..harness.core.errors import UsageError
from ..harness.core.keys import file_sha256
from ..harness.core.text import is_blank, well_formed
from .taxonomy import carry_over, crosswalk, load_taxonomy

__all__ = [
    "CC_BY_4",
    "ColumnMap",
    "PromptRecord",
    "PromptSource",
    "Row",
    "ailuminate",
    "all_categories",
    "csv_prompts",
    "hatecheck",
    "json_fault",
    "json_objects",
    "openai_samples",
    "prompt_lines",
    "t2vsafetybench",
    "table_rows",
    "xstest",
]

MAX_ROWS = 1_000_000
"""Prompts of one file."""
CC_BY_4 = "CC-BY-4.0"
UNKNOWN_LICENCE = "unknown"


@dataclass(frozen=True)
class PromptRecord:
    """One prompt of a source.

    Attributes:
        id: of the row within its source.
        text: the prompt.
        categories: every category of the taxonomy: True, False, or None where it is unknown.
        unsafe: whether any category holds, as far as the source says; None where it is unknown.
        source: name of the data set.
        licence: of the data set, an SPDX identifier where there is one, or "unknown".
        labels: the source's own labels.
    """

    id: str
    text: str
    categories: Mapping[str, bool | None]
    unsafe: bool | None
    source: str
    licence: str
    labels: Mapping[str, str]


Row = Mapping[str, Any]
_Rows = Callable[[Path], Iterator[tuple[int, Row]]]


@dataclass(frozen=True)
class PromptSource:
    """A data file as a stream of prompts; it can be iterated again, and holds one row at a time."""

    name: str
    path: Path
    licence: str
    rows: _Rows
    read: Callable[[int, Row], PromptRecord]

    @cached_property
    def sha256(self) -> str:
        """The digest of the file as it lies there, compressed or not: 64 hex digits."""
        return file_sha256(self.path)

    def __iter__(self) -> Iterator[PromptRecord]:
        """Give the prompts in the order of the file, as `well_formed` text; a blank one has an empty text.

        Raises:
            UsageError: the file is missing, empty or not of its format.
        """
        empty = True
        for count, (number, row) in enumerate(self.rows(self.path), start=1):
            empty = False
            if count > MAX_ROWS:
                raise UsageError(
                    f"{self.path} holds more than {MAX_ROWS:,} prompts, and no more are read; cut it up"
                )
            record = self.read(number, row)
            text = "" if is_blank(record.text) else well_formed(record.text)
            yield record if text == record.text else replace(record, text=text)
        if empty:
            raise UsageError(f"{self.path} holds no prompts")


class ColumnMap(Config):
    """The columns of a table, and the scheme of its labels."""

    text: str = Field(description="column of the prompt")
    id: str | None = Field(default=None, description="column of the id; by default the number of the row")
    label: str | None = Field(default=None, description="column of one label a row")
    scheme: str | None = Field(default=None, description="scheme of the labels, see `taxonomy.schemes`")
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    source: str | None = Field(default=None, description="name of the data set; by default of the file")
    licence: str = UNKNOWN_LICENCE


# -- sources


def ailuminate(path: Path) -> PromptSource:
    """Read a CSV of MLCommons AILuminate: one hazard a prompt, nothing said of the others."""

    def read(number: int, row: Row) -> PromptRecord:
        del number
        hazard = _value(row, "hazard")
        categories = _carried(path, "ailuminate", {hazard: True})
        return _record(row, "release_prompt_id", "prompt_text", categories, True, ("ailuminate", CC_BY_4))

    columns = ("release_prompt_id", "prompt_text", "hazard")
    return PromptSource("ailuminate", path, CC_BY_4, table_rows(columns), read)


def xstest(path: Path) -> PromptSource:
    """Read the CSV of XSTest (Roettger et al. 2024): safe prompts hold no category."""

    def read(number: int, row: Row) -> PromptRecord:
        label = _one_of(path, number, row, "label", ("safe", "unsafe"))
        categories = all_categories(False if label == "safe" else None)
        return _record(row, "id", "prompt", categories, label == "unsafe", ("xstest", CC_BY_4))

    return PromptSource("xstest", path, CC_BY_4, table_rows(("id", "prompt", "type", "label")), read)


def hatecheck(path: Path) -> PromptSource:
    """Read the CSV of HateCheck (Roettger et al. 2021): hate or none; of other categories nothing is said."""

    def read(number: int, row: Row) -> PromptRecord:
        label = _one_of(path, number, row, "label_gold", ("hateful", "non-hateful"))
        hateful = label == "hateful"
        categories = {**all_categories(None), "hte": hateful}
        return _record(
            row, "case_id", "test_case", categories, True if hateful else None, ("hatecheck", CC_BY_4)
        )

    columns = ("case_id", "test_case", "functionality", "label_gold")
    return PromptSource("hatecheck", path, CC_BY_4, table_rows(columns), read)


def openai_samples(path: Path) -> PromptSource:
    """Read the moderation samples of OpenAI (JSON lines, may be gzipped): a missing label is unknown."""
    known = [row.label for row in crosswalk("openai-samples").labels]

    def read(number: int, row: Row) -> PromptRecord:
        labels: dict[str, bool | None] = {}
        for label in known:
            value = row.get(label)
            if value not in (0, 1, None):
                raise UsageError(
                    f"{path}, row {number}: the label {label!r} is {value!r}; it should be 0 or 1"
                )
            labels[label] = None if value is None else bool(value)
        text = row.get("prompt")
        if not isinstance(text, str):
            raise UsageError(f"{path}, row {number}: there is no text under 'prompt'")
        values = labels.values()
        unsafe = True if any(values) else None if None in values else False
        said = {name: str(int(value)) for name, value in labels.items() if value is not None}
        categories = carry_over("openai-samples", labels)
        return PromptRecord(str(number), text, categories, unsafe, "openai-samples", "MIT", said)

    return PromptSource("openai-samples", path, "MIT", json_objects, read)


def prompt_lines(
    path: Path, scheme: str | None = None, label: str | None = None, licence: str = UNKNOWN_LICENCE
) -> PromptSource:
    """Read a text file of one prompt a line, all with one label of a scheme, or without any.

    Raises:
        UsageError: no such scheme or label.
    """
    if (scheme is None) != (label is None):
        raise UsageError("a label needs its scheme, and a scheme its label")
    categories = (
        all_categories(None) if scheme is None or label is None else carry_over(scheme, {label: True})
    )
    labels = {} if scheme is None or label is None else {scheme: label}
    name = scheme or path.stem

    def read(number: int, row: Row) -> PromptRecord:
        return PromptRecord(
            f"{path.stem}-{number}", row["text"], categories, True if labels else None, name, licence, labels
        )

    return PromptSource(name, path, licence, _lines, read)


def t2vsafetybench(path: Path) -> PromptSource:
    """Read a prompt file of T2VSafetyBench, whose name is the number of its aspect: 1.txt to 14.txt."""
    return prompt_lines(path, "t2vsafetybench", path.stem)


def csv_prompts(path: Path, columns: ColumnMap) -> PromptSource:
    """Read any table by a map of its columns.

    Raises:
        UsageError: a label column without a scheme, or an unknown scheme.
    """
    if (columns.label is None) != (columns.scheme is None):
        raise UsageError("a label column needs the scheme of its labels, and a scheme its column")
    if columns.scheme is not None:
        crosswalk(columns.scheme)
    source = columns.source or path.stem

    def read(number: int, row: Row) -> PromptRecord:
        categories = all_categories(None)
        unsafe = None
        if columns.label is not None and columns.scheme is not None and _value(row, columns.label):
            categories = _carried(path, columns.scheme, {_value(row, columns.label): True})
            unsafe = True
        numbered = row if columns.id is not None else {**row, "": str(number)}
        return _record(
            numbered, columns.id or "", columns.text, categories, unsafe, (source, columns.licence)
        )

    wanted = [name for name in (columns.text, columns.id, columns.label) if name is not None]
    return PromptSource(source, path, columns.licence, table_rows(wanted, columns.delimiter), read)


# -- rows


def _open(path: Path) -> TextIO:
    try:
        if path.suffix == ".gz":
            return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")
        return path.open(encoding="utf-8-sig", newline="")
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None


LONGEST_LINE: Final = 16 << 20
"""In characters; a file without line ends, as a small one may unpack to, would have to be held whole."""


def _bounded(path: Path, file: TextIO) -> Iterator[str]:
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise UsageError(
                f"{path} has a line of more than {LONGEST_LINE:,} characters, which is the limit"
            )
        yield line


def _numbered(path: Path, file: TextIO, rows: Iterator[Any]) -> Iterator[Any]:
    """Pass rows on, and turn what can go wrong as they are read into one sentence."""
    number = 0
    while True:
        number += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            raise UsageError(
                f"{path}, near row {number}: not UTF-8 (byte 0x{byte:02x}); save it as UTF-8"
            ) from None
        except (csv.Error, OSError, EOFError, zlib.error) as error:  # the last three are of broken gzip files
            raise UsageError(f"{path}, near row {number}: {error}") from None
        yield row


def table_rows(columns: Any, delimiter: str = ",") -> _Rows:
    """Read a table whose first row names its columns, among them ``columns``."""

    def rows(path: Path) -> Iterator[tuple[int, Row]]:
        with _open(path) as file:
            table = _numbered(path, file, csv.reader(_bounded(path, file), delimiter=delimiter, strict=True))
            header = next(table, None)
            if header is None:
                raise UsageError(f"{path} is empty")
            for column in columns:
                if column not in header:
                    raise _missing(path, column, header)
            for number, cells in enumerate(table, start=1):
                if not cells:
                    continue  # a blank line
                if len(cells) != len(header):
                    raise UsageError(
                        f"{path}, row {number}: {len(cells)} cells under {len(header)} column names"
                    )
                yield number, dict(zip(header, cells, strict=True))

    return rows


def _missing(path: Path, column: str, header: list[str]) -> UsageError:
    near = difflib.get_close_matches(column, header, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "."
    return UsageError(f"{path} has no column {column!r}{hint} Its columns: {', '.join(header)}")


def _lines(path: Path) -> Iterator[tuple[int, Row]]:
    with _open(path) as file:
        for number, line in enumerate(_numbered(path, file, _bounded(path, file)), start=1):
            if line.strip():
                yield number, {"text": line.strip()}


def json_objects(path: Path) -> Iterator[tuple[int, Row]]:
    """Read the JSON objects of a file of one a line, plain or gzipped, with their line numbers from 1.

    Raises:
        UsageError: the file is missing or not UTF-8, or a line is no JSON object.
    """
    with _open(path) as file:
        for number, line in enumerate(_numbered(path, file, _bounded(path, file)), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UsageError(f"{path}, line {number} is not JSON: {json_fault(error)}") from None
            if not isinstance(row, dict):
                raise UsageError(f"{path}, line {number} is not a JSON object")
            yield number, row


def json_fault(error: ValueError | RecursionError) -> str:
    """Say in a few words why a line cannot be read as JSON."""
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else "a number of thousands of digits"


# -- what the sources share


def all_categories(value: bool | None) -> dict[str, bool | None]:
    """Say the same of every category of the taxonomy."""
    return dict.fromkeys(load_taxonomy().ids, value)


def _value(row: Row, column: str) -> str:
    return str(row[column]).strip()


def _one_of(path: Path, number: int, row: Row, column: str, values: tuple[str, ...]) -> str:
    value = _value(row, column)
    if value not in values:
        raise UsageError(f"{path}, row {number}: {column} is {value!r}; it should be {' or '.join(values)}")
    return value


def _carried(path: Path, scheme: str, labels: Mapping[str, bool | None]) -> dict[str, bool | None]:
    try:
        return carry_over(scheme, labels)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _record(
    row: Row,
    id_column: str,
    text_column: str,
    categories: Mapping[str, bool | None],
    unsafe: bool | None,
    origin: tuple[str, str],
) -> PromptRecord:
    labels = {k: str(v) for k, v in row.items() if k and k not in (id_column, text_column)}
    return PromptRecord(_value(row, id_column), str(row[text_column]), categories, unsafe, *origin, labels)
