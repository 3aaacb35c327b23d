"""Identity: the sha256 of canonical JSON of named fields, and of files.

A key lists the fields that change an output and nothing else. Batch size, device and paths stay out of it;
a change in the meaning of a field is a new ``KEY_VERSION``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "KEY_VERSION",
    "Digester",
    "Identified",
    "Json",
    "canonical_json",
    "digest",
    "file_sha256",
    "folder_digest",
    "row_sha256",
    "rows_sha256",
    "seeded_rng",
    "slug",
]

KEY_VERSION = 1
_LONGEST = 60
"""Characters of a slug."""

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


def canonical_json(value: Json) -> str:
    """Write ``value`` as JSON with sorted keys, no spaces and no NaN: equal values give equal text.

    Raises:
        ValueError: a float is NaN or infinite, or a key is not text: JSON would write 1 and "1" alike.
    """
    if type(value) is str:
        return json.encoder.encode_basestring(value)  # as the encoder does, without its detours
    if type(value) is int:
        return repr(value)
    if type(value) not in _PLAIN:
        _refuse_ambiguous(value)
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_BARE_TEXT = json.encoder.encode_basestring
_PLAIN = frozenset({str, int, bool, type(None)})


def _refuse_ambiguous(value: Json) -> None:
    children: Iterable[Json]
    if type(value) is list or type(value) is tuple:  # before the slower questions to classes
        children = value
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be part of an identity")
        return
    elif type(value) is dict or isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]  (of untyped callers)
                raise ValueError(f"the keys of an identity are text, not {key!r}")
        children = value.values()
    elif isinstance(value, Sequence) and not isinstance(value, str):
        children = value
    else:
        return
    for child in children:
        if type(child) not in _PLAIN:  # most are, and a run has millions of them
            _refuse_ambiguous(child)


def digest(kind: str, fields: Mapping[str, Json]) -> str:
    """Hash the ``fields`` of an object of this ``kind``: 64 hex digits.

    Example:
        >>> digest("item", {"prompt": "a", "seed": 1}) == digest("item", {"seed": 1, "prompt": "a"})
        True
    """
    body = canonical_json({"kind": kind, "key_version": KEY_VERSION, "fields": dict(fields)})
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


class Digester:
    """Hash many objects of one kind that share most of their fields; the digests are those of `digest`.

    The text of the shared fields is written once, which takes most of the time of a digest.

    Example:
        >>> scores = Digester("score", {"measure": "a", "version": 1}, ("clip", "reason"))
        >>> fields = {"measure": "a", "version": 1, "clip": "b", "reason": ""}
        >>> scores({"clip": "b", "reason": ""}) == digest("score", fields)
        True
    """

    def __init__(self, kind: str, shared: Mapping[str, Json], varying: Sequence[str]) -> None:
        self._names = sorted(varying)
        # A mark that no shared text holds: it is made of the digest of all of them.
        mark = digest(kind, {"shared": dict(shared), "varying": list(varying)})
        fields = {**shared, **dict.fromkeys(self._names, mark)}
        whole = canonical_json({"kind": kind, "key_version": KEY_VERSION, "fields": fields})
        self._parts = whole.split(f'"{mark}"')

    def __call__(self, values: Mapping[str, Json]) -> str:
        """Hash an object by the values of its varying fields."""
        body = [self._parts[0]]
        for name, part in zip(self._names, self._parts[1:], strict=True):
            value = values[name]  # most are text or None: as `canonical_json` does, without a call
            if type(value) is str:
                body += (_BARE_TEXT(value), part)
            else:
                body += ("null" if value is None else canonical_json(value), part)
        return hashlib.sha256("".join(body).encode("utf-8", "surrogatepass")).hexdigest()


class Identified(ABC):
    """What has an identity: the listed fields that change what it gives."""

    @abstractmethod
    def identity(self) -> Mapping[str, Json]:
        """List what changes the output (version, weights digest, preprocessing), without loading weights.

        Raises:
            MissingWeightsError: the weights are not on this machine.
        """


def file_sha256(path: Path) -> str:
    """Hash a file's bytes in blocks: 64 hex digits."""
    with path.open("rb", buffering=0) as file:
        total = hashlib.sha256(file.read(_SMALL))
        if more := file.read(_SMALL):
            total.update(more)
            # In large blocks, into memory that is cleared first: that takes longer than hashing a small file.
            hashlib.file_digest(file, lambda: total)
        return total.hexdigest()


_SMALL = 2**16
_ROWS = json.JSONEncoder(default=repr)
_TEXT = json.encoder.encode_basestring_ascii


def rows_sha256(rows: Iterable[Sequence[object]]) -> str:
    """Hash the rows of a table, in the order given, cell by cell as they are stored: 64 hex digits."""
    total = hashlib.sha256()
    for row in rows:
        total.update(_row_text(row).encode() + b"\n")
    return total.hexdigest()


def row_sha256(row: Sequence[object]) -> str:
    """Hash one row, as `rows_sha256` does a table of it alone."""
    return hashlib.sha256(_row_text(row).encode() + b"\n").hexdigest()


def _row_text(row: Sequence[object]) -> str:
    """Write a row as the JSON encoder does; in rows of text and numbers, which most are, faster."""
    cells: list[str] = []
    for cell in row:
        if type(cell) is str:
            cells.append(_TEXT(cell))
        elif cell is None:
            cells.append("null")
        elif type(cell) is int or (type(cell) is float and math.isfinite(cell)):
            cells.append(repr(cell))
        else:
            return _ROWS.encode(row)
    return f"[{', '.join(cells)}]"


def folder_digest(folder: Path, names: Sequence[str]) -> str:
    """Hash the named files of a folder (weights and their configuration), by name and content."""
    return digest("folder", {name: file_sha256(folder / name) for name in sorted(names)})


def seeded_rng(*parts: Json) -> np.random.Generator:
    """Make a NumPy generator whose seed is derived from ``parts`` alone (suite, item, measure ...)."""
    seed = hashlib.sha256(canonical_json(list(parts)).encode("utf-8", "surrogatepass")).digest()
    import numpy as np  # here, so that commands that draw nothing start fast

    return np.random.default_rng(int.from_bytes(seed[:16], "little"))


def slug(text: str) -> str:
    """Make the name of a folder from a spec or a name; a long one is cut and ends in a digest of the whole.

    Example:
        >>> slug("reference:base?steps=13")
        'reference-base-steps-13'
    """
    kept = re.sub(r"[^\w.]+", "-", text).strip("-.")
    if len(kept) <= _LONGEST:
        return kept or "run"
    return f"{kept[: _LONGEST - 9].rstrip('-.')}-{digest('slug', {'text': text})[:8]}"
