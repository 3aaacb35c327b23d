"""Files: names that are safe, writing that is whole or not at all, and what a video file is called."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from .errors import UsageError

__all__ = ["VIDEO_SUFFIXES", "is_unicode", "safe_name", "write_atomic"]


def write_atomic(path: Path, text: str) -> None:
    """Write a file beside its place and rename it there: a reader sees the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with beside.open("w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def safe_name(folder: Path, name: str) -> str:
    """Return the name of a file in ``folder`` in its plain form.

    Raises:
        UsageError: the name leads out of the folder (absolute, ``..``, a link) or is not text.
    """
    plain = PurePosixPath(name)
    if "\0" in name or not is_unicode(name):
        raise UsageError(f"the file name {name!r} in {folder} has characters that are not text; rename it")
    if not plain.parts:
        raise UsageError(f"{name!r} is not the name of a file in {folder}")
    try:
        inside = (folder / plain).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:  # too long, or links that go in a circle
        raise UsageError(f"{name!r} cannot be a file of {folder}: {error}") from None
    if plain.is_absolute() or ".." in plain.parts or not inside:
        raise UsageError(f"{name!r} leads out of {folder}; a folder's clips lie inside it")
    return plain.as_posix()


def is_unicode(text: str) -> bool:
    """Say whether a text has no lone surrogates, so that it can be written as UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3g2", "3gp", "asf", "avi", "flv", "gif", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg"),
        *("mts", "mxf", "ogg", "ogv", "ts", "vob", "webm", "wmv", "y4m"),
    )
)
