"""The manifest of a folder of clips: which file is for which prompt and seed."""

from __future__ import annotations

import difflib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ..harness.core.csv_rows import csv_rows
from ..harness.core.errors import UsageError
from ..harness.core.files import is_unicode, safe_name
from ..harness.core.labels import Labels, merge_labels, read_labels
from ..metrics.expectation import check_expectation

__all__ = ["MANIFESTS", "Entry", "read_manifest"]

MANIFESTS = ("manifest.csv", "manifest.jsonl")

_REQUIRED = ("file", "prompt", "seed")
_OPTIONAL = ("expect", "tags", "labels", "group")
_MAX_SEED = 2**63


@dataclass(frozen=True)
class Entry:
    """One clip of a folder: its name relative to the folder, prompt, seed, tags and labels."""

    file: str
    prompt: str | None
    seed: int
    tags: tuple[str, ...] = ()
    expect: Mapping[str, Any] | None = None
    labels: Labels = field(default_factory=dict[str, tuple[str, ...]])


def read_manifest(
    place: str, read: Callable[[str], bytes | None]
) -> tuple[tuple[Entry, ...], tuple[str, ...]] | None:
    """Read the manifest of a folder: its entries, and a warning for each column that is not read.

    Args:
        place: the folder, for messages.
        read: gives the content of a file of the folder; None where there is no such file.

    Returns:
        None if the folder has no manifest.

    Raises:
        UsageError: there are two manifests, or one that is wrong; the line is in the message.
    """
    there: dict[str, bytes] = {}
    for name in MANIFESTS:
        try:
            content = read(name)
        except OSError as error:
            raise UsageError(f"{place}/{name} cannot be read: {error.strerror}") from None
        if content is not None:
            there[name] = content
    if not there:
        return None
    if len(there) > 1:
        raise UsageError(f"{place} has both manifest.csv and manifest.jsonl; keep one")
    ((name, content),) = there.items()
    path = f"{place}/{name}"
    try:
        text = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig").read()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from None
    rows = _csv_rows(path, text) if name == "manifest.csv" else _json_rows(path, text)
    entries: dict[tuple[str | None, int, str], tuple[int, Entry]] = {}
    unknown: dict[str, None] = {}
    for line, row in rows:
        entry = _entry(path, line, row)
        unknown.update(dict.fromkeys(key for key in row if key not in (*_REQUIRED, *_OPTIONAL)))
        key = (entry.prompt, entry.seed, entry.file if entry.prompt is None else "")
        if key in entries:
            first, other = entries[key]
            raise UsageError(
                f"{path}: lines {first} ({other.file}) and {line} ({entry.file}) are both for "
                f"{'no prompt' if entry.prompt is None else repr(entry.prompt)} with seed {entry.seed}"
            )
        entries[key] = (line, entry)
    if not entries:
        raise UsageError(f"{path} lists no clip")
    warnings = tuple(f"{name}: the column {column!r} is not known and not read" for column in unknown)
    return tuple(entry for _, entry in entries.values()), warnings


def _csv_rows(path: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    def check(names: Sequence[str]) -> None:
        if not names:
            raise UsageError(f"{path} is empty; its first line names the columns file, prompt, seed")
        if len(set(names)) < len(names):
            raise UsageError(f"{path} names a column twice: {', '.join(names)}")
        _need(path, 1, names)

    for line, row in csv_rows(path, text, check):
        yield line, {key: value for key, value in row.items() if value}


def _json_rows(path: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        row = _json(path, line, content)
        if not isinstance(row, dict):
            _wrong(path, line, "is not a JSON object")
        if not is_unicode(json.dumps(row, ensure_ascii=False)):
            _wrong(path, line, "has half of a surrogate pair in it, which is not a character")
        _need(path, line, list(row))
        yield line, {key: value for key, value in row.items() if value is not None}


def _json(path: str, line: int, text: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        _wrong(path, line, f"is not JSON: {error}")


def _entry(path: str, line: int, row: Mapping[str, Any]) -> Entry:
    file, prompt, group = row.get("file"), row.get("prompt"), row.get("group")
    if not isinstance(file, str):
        _wrong(path, line, "names no file")
    if not isinstance(prompt, str | None) or not isinstance(group, str | None):
        _wrong(path, line, "has a prompt or a group that is not text")
    try:
        name = safe_name(path.rpartition("/")[0], file.strip(), links=False)
    except UsageError as error:
        _wrong(path, line, str(error))
    return Entry(
        file=name,
        prompt=prompt.strip() or None if prompt else None,
        seed=_seed(path, line, row.get("seed")),
        tags=_tags(path, line, row.get("tags")),
        expect=_expect(path, line, row.get("expect")),
        labels=_labels(path, line, row.get("labels"), group.strip() if group else ""),
    )


def _seed(path: str, line: int, value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,19}\s*", value) and path.endswith(".csv"):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -_MAX_SEED <= value < _MAX_SEED:
        _wrong(path, line, f"has the seed {value!r}, which is not a whole number")
    return value


def _tags(path: str, line: int, value: object) -> tuple[str, ...]:
    if isinstance(value, str) and path.endswith(".csv"):
        value = re.split(r"[;|]", value)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(tag, str) and len(tag) <= 80 for tag in value):
        _wrong(path, line, "has tags that are not a list of short texts")
    return tuple(dict.fromkeys(tag.strip() for tag in value if tag.strip()))


def _labels(path: str, line: int, value: object, group: str) -> Labels:
    if isinstance(value, str) and path.endswith(".csv"):
        value = _json(path, line, value)
    try:
        return merge_labels(read_labels(value), read_labels({"group": group} if group else None))
    except ValueError as error:
        _wrong(path, line, f"is wrong: {error}")


def _expect(path: str, line: int, value: object) -> Mapping[str, Any] | None:
    if isinstance(value, str) and path.endswith(".csv"):
        value = _json(path, line, value)
    if value is not None and not isinstance(value, dict):
        _wrong(path, line, "has an 'expect' that is not a JSON object")
    try:
        check_expectation(value or {})
    except UsageError as error:
        _wrong(path, line, f"is wrong: {error}")
    return value


def _need(path: str, line: int, names: Sequence[str]) -> None:
    for column in _REQUIRED:
        if column not in names:
            near = difflib.get_close_matches(column, names, n=1, cutoff=0.5)
            hint = f"; is {near[0]!r} meant to be it?" if near else ""
            _wrong(path, line, f"has no column {column!r}{hint}")


def _wrong(path: str, line: int, what: str) -> NoReturn:
    raise UsageError(f"{path}, line {line}, {what}")
