"""Classify the prompts of a file of any length, a result per line, in constant memory."""

from __future__ import annotations

import csv
import inspect
import io
import json
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO

from ...harness.core.errors import UsageError, unknown_name
from ...harness.core.text import well_formed
from ..sources import json_fault

if TYPE_CHECKING:
    from .classifier import Judged, PromptClassifier

__all__ = ["Counts", "PromptLine", "classify_file", "read_prompts"]

LONGEST_LINE = 16 << 20
"""In bytes; a file without line ends would have to be read whole."""
_BLOCK, _BLOCK_CHARACTERS = 1024, 1 << 20
_TEXT_COLUMNS = ("prompt", "text", "prompt_text", "caption")
_ID_COLUMNS = ("id", "prompt_id")


@dataclass(frozen=True)
class PromptLine:
    """One prompt of a file: its id (the row's own, else its line's number) and its text."""

    id: str
    text: str


@dataclass
class Counts:
    """Numbers of prompts: classified, flagged, without text, and failed."""

    judged: int = 0
    flagged: int = 0
    without_text: int = 0
    judge_failed: int = 0


def classify_file(
    file: Path, classifier: PromptClassifier, out: TextIO, *, column: str | None = None
) -> Counts:
    """Classify every prompt of ``file`` and write one JSON object per line to ``out``.

    A prompt without text, or one that failed, has no score: its line has null and the reason.

    Raises:
        UsageError: the file cannot be read as what its suffix says.
    """
    counts = Counts()
    for block in _blocks(read_prompts(file, column)):
        judged = classifier.classify([prompt.text for prompt in block])
        for row, prompt in enumerate(block):
            record = _record(prompt, judged, row, classifier)
            counts.judged += record["score"] is not None
            counts.judge_failed += row in judged.failed
            counts.without_text += record["score"] is None and row not in judged.failed
            counts.flagged += bool(record["flagged"])
            out.write(json.dumps(record) + "\n")  # ASCII, so that any text can be written anywhere
    return counts


def _record(prompt: PromptLine, judged: Judged, row: int, classifier: PromptClassifier) -> dict[str, Any]:
    score = float(judged.score[row])
    record: dict[str, Any] = {
        "id": prompt.id,
        "score": None,
        "categories": None,
        "flagged": None,
        "threshold": classifier.threshold,
        "classifier": classifier.digest,
    }
    if math.isnan(score):
        why = judged.failed.get(row)
        return {**record, "reason": "no text" if why is None else f"judge_failed: {why}"}
    each = zip(classifier.harms, judged.harms[row].tolist(), strict=True)
    categories = {harm: None if math.isnan(p) else round(p, 6) for harm, p in each}
    names = {"names": [name._asdict() for name in judged.found[row]]} if row in judged.found else {}
    return {
        **record,
        "score": round(score, 6),
        "categories": categories,
        "flagged": bool(judged.flagged[row]),
        **names,
    }


def _blocks(prompts: Iterator[PromptLine]) -> Iterator[list[PromptLine]]:
    block: list[PromptLine] = []
    size = 0
    for prompt in prompts:
        block.append(prompt)
        size += len(prompt.text)
        if len(block) >= _BLOCK or size >= _BLOCK_CHARACTERS:
            yield block
            block, size = [], 0
    if block:
        yield block


def read_prompts(file: Path, column: str | None = None) -> Iterator[PromptLine]:
    """Yield the prompts of a .jsonl, .csv, .tsv or .txt file (one per line), one at a time.

    Args:
        file: which.
        column: column or key of the prompt; by default the first of prompt, text, prompt_text and caption.

    Raises:
        UsageError: not UTF-8, not of its format, without the column, or an unknown suffix.
    """
    suffix = file.suffix.lower()
    readers = {".jsonl": _jsonl, ".csv": _csv, ".tsv": _csv, ".txt": _txt}
    if suffix not in readers:
        raise UsageError(f"{file} should be .jsonl, .csv, .tsv or .txt, which says how to read it")
    if suffix == ".txt" and column is not None:
        raise UsageError(f"{file} is plain text, a prompt a line, and has no column {column!r}")
    try:
        with file.open("rb") as stream:
            yield from readers[suffix](file, stream, column)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from None


def _lines(file: Path, stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise UsageError(f"{file}, line {number} is longer than {LONGEST_LINE >> 20} MiB")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            bad = error.object[error.start]
            raise UsageError(
                f"{file}, line {number} is not UTF-8 (byte 0x{bad:02x}); save the file as UTF-8"
            ) from None
        yield number, text


def _txt(file: Path, stream: IO[bytes], column: str | None) -> Iterator[PromptLine]:
    del column
    for number, line in _lines(file, stream):
        if text := line.rstrip("\r\n"):
            yield PromptLine(str(number), text)


def _jsonl(file: Path, stream: IO[bytes], column: str | None) -> Iterator[PromptLine]:
    for number, line in _lines(file, stream):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = json_fault(error)
            raise UsageError(f"{file}, line {number} is not JSON: {reason}") from None
        if not isinstance(row, dict):
            raise UsageError(f"{file}, line {number} is not a JSON object")
        fields: dict[str, Any] = {str(key): value for key, value in row.items()}
        where = f"{file}, line {number}"
        text = fields[_column(where, list(fields), column)]
        if text is not None and not isinstance(text, str):
            raise UsageError(f"{where}: the prompt is {json.dumps(text)[:40]}, not a text")
        yield PromptLine(_id(fields, number), well_formed(text or ""))


def _csv(file: Path, stream: IO[bytes], column: str | None) -> Iterator[PromptLine]:
    csv.field_size_limit(LONGEST_LINE)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    lines = _guarded(file, text)
    rows = csv.reader(lines, delimiter="\t" if file.suffix.lower() == ".tsv" else ",")
    try:
        header = next(rows, None)
        if header is None:
            raise UsageError(f"{file} is empty; its first row should name its columns")
        wanted = header.index(_column(str(file), header, column))
        for number, cells in enumerate(rows, start=1):
            if inspect.getgeneratorstate(lines) == inspect.GEN_CLOSED:  # the row asked for more than there is
                raise UsageError(f"{file}, row {number}: a quotation mark opens here and is never closed")
            if cells:
                fields = dict(zip(header, cells, strict=False))
                yield PromptLine(_id(fields, number), cells[wanted] if wanted < len(cells) else "")
    except csv.Error as error:
        raise UsageError(f"{file}, near line {rows.line_num}: {error}") from None
    finally:
        text.detach()  # the stream belongs to the caller


def _guarded(file: Path, text: TextIO) -> Generator[str]:
    number = 0
    try:
        while line := text.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise UsageError(f"{file}, line {number} is longer than {LONGEST_LINE >> 20} MiB")
            yield line
    except UnicodeDecodeError as error:
        bad = error.object[error.start]
        raise UsageError(
            f"{file}, near line {number + 1}: not UTF-8 (byte 0x{bad:02x}); save the file as UTF-8"
        ) from None


def _column(where: str, names: list[str], column: str | None) -> str:
    if column is not None:
        if column not in names:
            raise UsageError(f"{where}: {unknown_name('column', column, names)}")
        return column
    found = next((name for name in _TEXT_COLUMNS if name in names), None)
    if found is None:
        have = ", ".join(repr(name) for name in names[:12]) or "none"
        raise UsageError(f"{where}: which column holds the prompt? Say --column NAME; its columns: {have}")
    return found


def _id(fields: dict[str, Any], number: int) -> str:
    own = next((fields[name] for name in _ID_COLUMNS if fields.get(name) not in (None, "")), number)
    return str(own)
