"""Named files in one place: a folder, or a prefix of an object store that fsspec reaches.

Clips and features are stored through this seam, so nothing above it knows which of the two it is. Both write
a file whole or not at all: a folder renames it, and an object store shows no upload before its end.

FFmpeg and other readers need a file on this machine. So an object is fetched into a temporary folder for as
long as it is read, and held to its sha256 there; `opened` does this, and gives a local file as it is.
"""

from __future__ import annotations

import atexit
import posixpath
import re
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit

from .errors import UsageError
from .files import user_cache
from .folder_files import Folder
from .object_store import File, Listed, ObjectStore, StoredObject, damaged_clip

__all__ = [
    "File",
    "Folder",
    "Listed",
    "ObjectStore",
    "Place",
    "Storage",
    "StoredObject",
    "damaged_clip",
    "is_address",
    "local_folder",
    "on_this_machine",
    "opened",
    "size_of",
    "storage_at",
]

Place: TypeAlias = "str | Path"
"""A folder, or the address of a prefix of an object store, such as ``s3://bucket/prefix``."""

Storage: TypeAlias = Folder | ObjectStore

_NO_SLASHES: Final = re.compile(
    r"[a-z][a-z0-9]+:/(?!/)|(s3|s3a|gs|gcs|az|abfs|file|memory):(?!/)", re.IGNORECASE
)


@contextmanager
def opened(file: File) -> Generator[Path]:
    """Give the path of a file on this machine for the time of the block; a local file is given as it is.

    Raises:
        UsageError: an object has another sha256 than what was stored.
        ServiceDown: its store does not answer.
    """
    if isinstance(file, Path):
        yield file
    else:
        with file.fetched() as path:
            yield path


def on_this_machine(storage: Storage) -> Callable[[str], Path]:
    """Give a function from names to paths that stay valid: objects are fetched until the process ends."""
    if isinstance(storage, Folder):
        return storage.file
    folder = Path(tempfile.mkdtemp(prefix="screentest-clips-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    def fetched(name: str) -> Path:
        if not (folder / name).exists():
            storage.fetch(name, folder / name)
        return folder / name

    return fetched


def size_of(file: File) -> int | None:
    """Give the number of bytes of a file; None where it is gone."""
    if isinstance(file, StoredObject):
        return file.size()
    return file.stat().st_size if file.is_file() else None


def is_address(place: Place) -> bool:
    """Say whether a place is an address, such as ``s3://bucket/prefix``, and not a folder's path.

    Example:
        >>> is_address("s3://bucket/clips"), is_address("runs/clips"), is_address("file:///data/clips")
        (True, False, True)
    """
    return isinstance(place, str) and "://" in place


def storage_at(place: Place) -> Storage:
    """Find the files of a folder, or of an address that fsspec knows; nothing is asked of a store yet.

    A ``~`` at the start of a path is the home folder; the kind of an address may be in upper case.

    Raises:
        UsageError: no address of a store: credentials or options are in it, its kind is unknown, a segment of
            it is empty, ``.`` or ``..``, or it needs a package that is not installed.
    """
    if not is_address(place):
        return _folder(place)
    kind, _, rest = str(place).partition("://")
    address = f"{kind.lower()}://{rest.rstrip('/')}"
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise UsageError(f"{place!r} is no address of a store: {error}") from None
    if "@" in parts.netloc or parts.query or parts.fragment or "::" in address:
        raise UsageError(
            f"an address of a store is KIND://BUCKET/PREFIX, and one in {parts.scheme}:// has more; "
            "credentials and an endpoint come from the environment (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL ...)"
        )
    if parts.scheme in ("http", "https"):
        raise UsageError(
            f"{place} is the address of a server; give the place as s3://BUCKET/PREFIX, and the server by "
            f"AWS_ENDPOINT_URL={parts.scheme}://{parts.netloc or 'HOST:PORT'}"
        )
    if parts.scheme in ("file", "local"):
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise UsageError(f"{place} names no folder of this machine; give file:///PATH")
        return Folder(Path(unquote(parts.path)))
    if parts.netloc in ("", ".", ".."):
        raise UsageError(
            f"{address!r} names no bucket; an address is {parts.scheme or 'KIND'}://BUCKET/PREFIX"
        )
    if {"", ".", ".."} & set(parts.path.split("/")[1:]):
        meant = posixpath.normpath(f"/{parts.path.lstrip('/')}").rstrip("/")
        raise UsageError(
            f"{address!r} has a segment that is empty, '.' or '..', which a store takes for a name; give "
            f"{parts.scheme}://{parts.netloc}{meant}"
        )
    return _object_store(address)


def _folder(place: Place) -> Folder:
    text = str(place)
    if isinstance(place, str) and _NO_SLASHES.match(text):
        raise UsageError(
            f"{text!r} lacks a slash; an address is {text.partition(':')[0].lower()}://BUCKET/PREFIX"
        )
    if not text.strip():
        raise UsageError("the name of a folder or store is empty; give a folder, or KIND://BUCKET/PREFIX")
    try:
        return Folder(Path(place).expanduser())
    except RuntimeError:
        raise UsageError(
            f"the home folder of {text!r} is not known; give the whole path, or ./{text} for a folder here"
        ) from None


def local_folder(place: Place) -> Path:
    """Give the folder for what must be a file on this machine; for a store, one of the user's cache."""
    storage = storage_at(place)
    if isinstance(storage, Folder):
        return storage.folder
    return user_cache() / "stores" / "".join(c if c.isalnum() else "-" for c in storage.address)


@lru_cache(maxsize=64)
def _object_store(address: str) -> ObjectStore:
    return ObjectStore(address)
