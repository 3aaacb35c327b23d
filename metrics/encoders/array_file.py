"""Named arrays in one file: a line of JSON that says where each one lies, then their bytes.

A file of a small clip is read and written in a tenth of the time of NumPy's archives, and one array of many
is read without the others. Nothing in such a file is executed.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...harness.core.storage import Folder, Storage

__all__ = ["DAMAGED", "MOST_DIMENSIONS", "ArrayFile", "arrays_sha256", "store_arrays", "write_arrays"]

DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    OverflowError,
    RecursionError,
)
"""What reading a file that was damaged or changed may raise."""

MOST_DIMENSIONS = 32
"""Of an array in such a file; NumPy has had no more in all its versions."""
_HEAD = json.JSONEncoder(separators=(",", ":"))
_PLAIN = re.compile(r"[<>|][bifucSU][0-9]{1,6}")
"""Types of numbers and text, as ``dtype.str`` writes them."""


class ArrayFile:
    """The arrays of one open file, read one at a time.

    Attributes:
        told: what was stored beside them.

    Raises:
        OSError: there is no such file. A file of something else raises one of `DAMAGED`, here or later.
    """

    def __init__(self, file: IO[bytes]) -> None:
        head = file.readline()
        index = json.loads(head)
        self.told: Any = index["told"]
        self._file = file
        self._places: dict[str, Any] = index["arrays"]
        size = file.getbuffer().nbytes if isinstance(file, io.BytesIO) else os.fstat(file.fileno()).st_size
        self._start, self._size = len(head), size

    @property
    def names(self) -> list[str]:
        """The names of the arrays."""
        return list(self._places)

    def read(self, name: str) -> NDArray[Any]:
        """Read an array, which can be written to.

        Raises:
            KeyError: there is no array of that name. A damaged file raises another of `DAMAGED`.
        """
        kind, shape, offset = self._places[name]
        if len(shape) > MOST_DIMENSIONS:
            raise ValueError(f"an array has at most {MOST_DIMENSIONS} dimensions")
        if not _PLAIN.fullmatch(kind) or not all(type(n) is int and n >= 0 for n in (*shape, offset)):
            raise ValueError("not an array of numbers or text")
        dtype = np.dtype(kind)
        size = math.prod(shape) * dtype.itemsize
        if self._start + offset + size > self._size:
            raise EOFError(name)
        memory = bytearray(size)
        self._file.seek(self._start + offset)
        if self._file.readinto(memory) != size:  # pyright: ignore[reportAttributeAccessIssue]
            raise EOFError(name)
        return np.ndarray(tuple(shape), dtype, memory)


def write_arrays(path: Path, told: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays into a local file; see `store_arrays`."""
    store_arrays(Folder(path.parent), path.name, told, arrays)


def store_arrays(storage: Storage, name: str, told: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays of numbers or text, and plain JSON beside them; the folder is made if need be.

    A local file is written beside and renamed, and not forced to the disk, which takes longer than encoding a
    small clip: a file that a loss of power tears counts as absent where its digests are looked at.

    Raises:
        ValueError: an array holds something else, or has more than `MOST_DIMENSIONS` dimensions.
    """
    places: dict[str, Any] = {}
    parts: list[NDArray[Any]] = []
    offset = 0
    for key, array in arrays.items():
        part = np.ascontiguousarray(array).reshape(np.shape(array))
        if part.ndim > MOST_DIMENSIONS:
            raise ValueError(f"the array {key!r} has {part.ndim} dimensions, more than {MOST_DIMENSIONS}")
        if not _PLAIN.fullmatch(part.dtype.str):
            raise ValueError(f"the array {key!r} of {part.dtype} is neither of numbers nor of text")
        places[key] = (part.dtype.str, part.shape, offset)
        parts.append(part)
        offset += part.nbytes
    head = _HEAD.encode({"told": told, "arrays": places})

    def fill(file: IO[bytes]) -> None:
        file.write(head.encode("utf-8") + b"\n")
        for part in parts:
            file.write(part.data if part.size else b"")

    storage.write(name, fill)


def arrays_sha256(whose: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Hash arrays by name, kind, shape and bytes, with what names their owner."""
    total = hashlib.sha256(whose.encode())
    for name, array in sorted(arrays.items()):
        total.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
