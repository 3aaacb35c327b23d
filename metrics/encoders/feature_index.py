"""An index of features on disk: the rows of many clips, appended clip by clip and read memory-mapped.

    <folder>/rows.bin      the rows of all clips, one after the other
    <folder>/clips.jsonl   a line a clip: its name, and how many rows it has
    <folder>/index.json    written last: number of rows and clips, and the digest of both files

So an index may be larger than memory, and one whose building was interrupted goes on after its last whole
clip. One that is not finished has no ``index.json`` and is never read as if it were whole.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from ...harness.core.files import only_one, write_atomic
from .base import Feature

__all__ = ["IndexWriter", "open_index", "writing"]

_VERSION = 1
_ROWS, _CLIPS, _INDEX, _LOCK = "rows.bin", "clips.jsonl", "index.json", ".lock"
_BLOCK = 1 << 24


class IndexWriter:
    """Append the features of clips to an index.

    Attributes:
        clips: names of the clips that the index has already, in order.
    """

    def __init__(self, folder: Path, whose: str) -> None:
        self._folder, self._whose = folder, whose
        self.clips: list[str] = []
        self._form: tuple[str, int] | None = None
        if (folder / _INDEX).is_file():  # finished, and not opened: a file of it has changed
            for name in (_INDEX, _CLIPS, _ROWS):
                (folder / name).unlink(missing_ok=True)
        self._rows = (folder / _ROWS).open("r+b" if (folder / _ROWS).is_file() else "w+b")
        kept: list[str] = []
        size = 0
        for line in _whole_lines(folder / _CLIPS):
            told = json.loads(line)
            form = (str(told["dtype"]), int(told["width"]))
            rows = self._rows.read(int(told["rows"]) * form[1] * np.dtype(form[0]).itemsize)
            if zlib.crc32(rows) != told["crc"]:
                break  # the rows did not reach the disk
            size += len(rows)
            kept.append(line)
            self.clips.append(str(told["clip"]))
            self._form = form
        (folder / _CLIPS).write_text("".join(f"{line}\n" for line in kept), "utf-8")
        self._rows.truncate(size)
        self._rows.seek(size)
        self._names = (folder / _CLIPS).open("a", encoding="utf-8")

    def add(self, clip: str, rows: Feature) -> None:
        """Append a clip's rows, (n, D), which may be none.

        Raises:
            UsageError: the rows have another width or kind than those before.
        """
        form = (rows.dtype.str, rows.shape[1])
        if self._form is not None and form != self._form:
            raise UsageError(
                f"{self._whose}: the features of a clip have the form {form} and those before {self._form}; "
                f"delete {self._folder} and build the index again"
            )
        self._form = form
        data = np.ascontiguousarray(rows).tobytes()
        self._rows.write(data)
        self._rows.flush()
        told = {"clip": clip, "rows": len(rows), "dtype": form[0], "width": form[1], "crc": zlib.crc32(data)}
        self._names.write(json.dumps(told) + "\n")
        self._names.flush()
        self.clips.append(clip)

    def finish(self) -> None:
        """Mark the index as whole."""
        self.close()
        if self._form is None:
            raise UsageError(f"{self._whose}: no clip has a feature")
        dtype, width = self._form
        size = (self._folder / _ROWS).stat().st_size
        told = {
            "version": _VERSION,
            "dtype": dtype,
            "width": width,
            "rows": size // (width * np.dtype(dtype).itemsize),
            "clips": len(self.clips),
            "digest": _digest(self._folder),
        }
        write_atomic(self._folder / _INDEX, json.dumps(told, indent=1))

    def close(self) -> None:
        """Close the files; the index can be gone on with."""
        self._rows.close()
        self._names.close()


@contextmanager
def writing(folder: Path, whose: str) -> Generator[IndexWriter]:
    """Build an index in ``folder``, or go on with one; one process at a time.

    Args:
        folder: of the index.
        whose: what it is of, for messages.

    Raises:
        UsageError: another process is writing it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with only_one(folder / _LOCK):
            writer = IndexWriter(folder, whose)
            try:
                yield writer
            finally:
                writer.close()
    except filelock.Timeout:
        raise UsageError(
            f"{whose}: the index {folder} is being written by another process; wait until it is done"
        ) from None


def open_index(folder: Path) -> tuple[Feature, list[str]] | None:
    """Open a finished index: the rows (M, D), memory-mapped, and the clip of each row.

    Returns:
        None where there is none, or it is not finished, or a file of it has changed.
    """
    try:
        told: dict[str, Any] = json.loads((folder / _INDEX).read_text("utf-8"))
        if told["version"] != _VERSION or told["digest"] != _digest(folder):
            return None
        shape = (int(told["rows"]), int(told["width"]))
        rows: NDArray[Any] = (
            np.memmap(folder / _ROWS, np.dtype(told["dtype"]), "r", shape=shape)
            if shape[0]
            else np.empty(shape, np.dtype(told["dtype"]))
        )
        names: list[str] = []
        for line in _whole_lines(folder / _CLIPS):
            one = json.loads(line)
            names += [str(one["clip"])] * int(one["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (rows, names) if len(names) == shape[0] else None


def _digest(folder: Path) -> str:
    total = hashlib.sha256(f"{folder.parent.name}/{folder.name}\n".encode())  # the set and the encoder
    for name in (_ROWS, _CLIPS):
        total.update(f"{name}\n".encode())
        with (folder / name).open("rb") as file:
            while block := file.read(_BLOCK):
                total.update(block)
    return total.hexdigest()


def _whole_lines(path: Path) -> list[str]:
    """Read the lines that are whole: the last one may have been cut off."""
    if not path.is_file():
        return []
    text = path.read_text("utf-8", errors="replace")
    found: list[str] = []
    for line in text.split("\n")[:-1]:
        try:
            json.loads(line)
        except ValueError:
            break
        found.append(line)
    return found
