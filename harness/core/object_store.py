"""Objects below a prefix of an object store that fsspec reaches, by their name, as `storage` has them.

An object store shows no upload before its end. Several objects are read at once, a request that is not
answered is given up after a stated time, and what goes wrong is a sentence of `store_errors`.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from .errors import MediaError, ScreentestError, UsageError
from .folder_files import ID
from .keys import file_sha256
from .store_errors import lacks_bucket, no_bucket, store_error

__all__ = ["File", "Listed", "ObjectStore", "StoredObject", "damaged_clip"]

T = TypeVar("T")

_AT_ONCE: Final = 16
"""Objects that are fetched at the same time where many are read."""
_S3_OPTIONS: Final = {
    # Objects are fetched whole, and several at once; so a large one need not be fetched in parts.
    "max_concurrency": 1,
    # fsspec tries again itself, `_TRIES` times.
    "config_kwargs": {"connect_timeout": 10, "read_timeout": 20, "retries": {"total_max_attempts": 1}},
}
_TRIES: Final = 8
"""Of a request that S3 does not answer or asks to slow down, over some ten seconds if it answers at once."""
_FIRST_WAIT_S: Final = 0.08
"""Before the second try to connect; each further wait is twice as long, all of them ten seconds."""
_NO_CONNECTION: Final = frozenset({"EndpointConnectionError", "ConnectTimeoutError"})
_LONGEST_S: Final = 120.0
"""Time for a small request, all its tries together, in seconds; fsspec's own tries are nested, up to 64."""
_LONGEST_CLIP_S: Final = 1200.0
"""Time to store or fetch one clip, in seconds."""
_ARCHIVED: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes of S3 whose objects are restored, in hours, before they can be read."""


@dataclass(frozen=True)
class StoredObject:
    """One object of a store; see `storage.opened`.

    Attributes:
        sha256: of its bytes, to which what is fetched is held; None for none.
    """

    store: ObjectStore
    name: str
    sha256: str | None = None

    def __str__(self) -> str:
        return f"{self.store}/{self.name}"

    def is_file(self) -> bool:
        """Say whether the store has it."""
        return self.store.has(self.name)

    def size(self) -> int | None:
        """Give its number of bytes; None where the store does not have it."""
        return self.store.size(self.name)

    def read_bytes(self) -> bytes:
        """Read it whole; FileNotFoundError where the store does not have it."""
        with self.store.open(self.name) as file:
            return file.read()

    @contextmanager
    def fetched(self) -> Generator[Path]:
        """Fetch it into a temporary folder for the time of the block; there is no file if it is gone.

        Raises:
            UsageError: its bytes have another sha256.
            MediaError: as of the block, with the object's address in place of the path.
        """
        with tempfile.TemporaryDirectory(prefix="screentest-clip-") as folder:
            path = Path(folder) / self.name
            self.store.fetch(self.name, path)
            if self.sha256 is not None and path.is_file() and file_sha256(path) != self.sha256:
                raise damaged_clip(self, "has changed")
            try:
                yield path
            except MediaError as error:
                raise type(error)(str(error).replace(str(path), str(self))) from None


@dataclass(frozen=True)
class Listed:
    """What the listing of a store tells of an object.

    Attributes:
        size: in bytes; None where it is not told.
        archived: the storage class of an object that has to be restored before it can be read; else empty.
    """

    size: int | None
    archived: str = ""


class ObjectStore:
    """Objects below a prefix of a store, by their name; make one with `storage.storage_at`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._seen: set[str] = set()
        with self._reached():
            from fsspec.core import url_to_fs

            options: dict[str, Any] = _S3_OPTIONS if urlsplit(address).scheme in ("s3", "s3a") else {}
            self._system, root = url_to_fs(address, **options)
            self._root = str(root).rstrip("/")
            if options:
                self._system.retries = _TRIES

    def __str__(self) -> str:
        return self.address

    def absolute(self) -> str:
        """Give the address."""
        return self.address

    def overlaps(self, other: object) -> bool:
        """Say whether one of two places lies inside the other."""
        if not isinstance(other, ObjectStore):
            return False
        here, there = f"{self.address}/", f"{other.address}/"
        return here.startswith(there) or there.startswith(here)

    def file(self, name: str, sha256: str | None = None) -> StoredObject:
        """Name an object, whether it is there or not; what is fetched of it is held to ``sha256``."""
        return StoredObject(self, name, sha256)

    def open(self, name: str) -> IO[bytes]:
        """Read an object whole; FileNotFoundError where it is not there."""
        with self._reached():
            return io.BytesIO(self._ask("cat_file", self._path(name)))

    def write(self, name: str, fill: Callable[[IO[bytes]], object]) -> None:
        """Write an object by ``fill``."""
        held = io.BytesIO()
        fill(held)
        with self._written():
            self._ask("pipe_file", self._path(name), held.getvalue())

    def take(self, beside: Path, name: str) -> None:
        """Upload a file, and delete it here."""
        self.add(beside, name)
        beside.unlink()

    def add(self, source: Path, name: str) -> None:
        """Upload a file."""
        with self._written():
            self._ask("put_file", str(source), self._path(name), longest=_LONGEST_CLIP_S)

    def fetch(self, name: str, path: Path) -> None:
        """Fetch an object into a file; no file is made where there is no such object."""
        try:
            with self._reached():
                self._ask("get_file", self._path(name), str(path), longest=_LONGEST_CLIP_S)
        except FileNotFoundError:
            path.unlink(missing_ok=True)

    def has(self, name: str) -> bool:
        """Say whether there is such an object; one that was seen once is not looked for again."""
        if name not in self._seen and self._info(name) is not None:
            self._seen.add(name)
        return name in self._seen

    def size(self, name: str) -> int | None:
        """Give the number of bytes of an object, read to be counted if need be; None where there is none."""
        info = self._info(name)
        if info is None:
            return None
        told = info.get("size")
        if told is not None:
            return int(told)
        try:
            return len(self.file(name).read_bytes())
        except FileNotFoundError:
            return None

    def listing(self) -> dict[str, Listed]:
        """List the objects below the prefix, anew at each call, sorted by name."""
        try:
            with self._reached():
                self._system.invalidate_cache()
                told: Mapping[str, Mapping[str, Any]] = self._ask("find", self._root, detail=True)
                self._system.invalidate_cache()  # later questions are about what is there then
        except FileNotFoundError:
            return {}
        return {
            name.removeprefix(f"{self._root}/"): _listed(told[name])
            for name in sorted(told)
            if name.startswith(f"{self._root}/") and told[name].get("type", "file") == "file"
        }

    def absent(self, names: Iterable[str]) -> list[str]:
        """List the names of which there is no object, by a listing of all of them."""
        there = self.listing()
        return [name for name in names if name not in there]

    def starts(self, names: Iterable[str], size: int) -> Iterator[tuple[str, bytes]]:
        """Read the first bytes of objects, several at once; nothing of one that is gone."""

        def start(name: str) -> tuple[str, bytes]:
            try:
                with self._reached():
                    return name, bytes(self._ask("cat_file", self._path(name), start=0, end=size))
            except FileNotFoundError:
                return name, b""

        yield from self._at_once(start, names)

    def hashed(self, names: Iterable[str]) -> Iterator[tuple[str, str | None]]:
        """Fetch and hash objects, several at once: each name with its sha256, or None where it is gone."""
        yield from self._at_once(self._hashed, names)

    def fetch_all(self, paths: Mapping[str, Path]) -> None:
        """Fetch objects into files, several at once: name -> file; none is made where there is no object."""
        for _ in self._at_once(lambda name: self.fetch(name, paths[name]), paths):
            pass

    def identify(self) -> str:
        """Give the id by which the prefix is known on other machines; it is made once.

        Raises:
            UsageError: nothing can be written there.
            ServiceDown: the store does not answer.
        """
        try:
            return self._id()
        except FileNotFoundError:
            made = uuid4().hex
            self.write(ID, lambda file: file.write(made.encode()))
            return made

    def is_known_as(self, name: str) -> bool:
        """Say whether this machine reaches the prefix whose id this is."""
        try:
            return bool(name) and self._id() == name
        except (ScreentestError, FileNotFoundError):
            return False

    def _at_once(self, work: Callable[[str], T], names: Iterable[str]) -> Iterator[T]:
        left = iter(names)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while group := list(islice(left, 16 * _AT_ONCE)):
                yield from pool.map(work, group)

    def _info(self, name: str) -> Mapping[str, Any] | None:
        try:
            with self._reached():
                return self._ask("info", self._path(name))
        except FileNotFoundError:
            return None

    def _id(self) -> str:
        return self.file(ID).read_bytes().decode("utf-8", "replace")

    def _hashed(self, name: str) -> tuple[str, str | None]:
        with tempfile.TemporaryDirectory(prefix="screentest-clip-") as folder:
            path = Path(folder) / "object"
            self.fetch(name, path)
            return name, file_sha256(path) if path.is_file() else None

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _ask(self, method: str, *args: Any, longest: float | None = None, **options: Any) -> Any:
        """Call a method of the file system, which gives up after ``longest`` seconds where it can.

        A server that takes no connection is asked again here, as s3fs does so only where one breaks.
        """
        call = getattr(self._system, method)
        seconds = longest or _LONGEST_S
        if self._system.async_impl:
            options["timeout"] = seconds
        until = monotonic() + seconds
        for number in range(_TRIES):
            try:
                return call(*args, **options)
            except Exception as error:
                wait = _FIRST_WAIT_S * 2**number
                last = number + 1 == _TRIES or monotonic() + wait > until
                if last or type(error).__name__ not in _NO_CONNECTION:
                    raise
                sleep(wait)
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def _written(self) -> Generator[None]:
        try:
            with self._reached():
                yield
        except FileNotFoundError as error:
            raise no_bucket(self.address, error) from None

    @contextmanager
    def _reached(self) -> Generator[None]:
        """Turn what the store and its library raise into a sentence, as `store_error` does.

        Raises:
            FileNotFoundError: there is no such object.
        """
        try:
            yield
        except ScreentestError:
            raise
        except FileNotFoundError as error:
            if lacks_bucket(error):
                raise no_bucket(self.address, error) from None
            raise
        except Exception as error:
            raise store_error(self.address, error) from None


File: TypeAlias = Path | StoredObject
"""A file that can be `storage.opened`."""


def damaged_clip(file: File, how: str) -> UsageError:
    """Build the error for a run that lost a clip, which is not a failure of the generator."""
    return UsageError(
        f"the stored clip {file} {how}; restore it, or delete it and let 'screentest run --retry-failed' "
        "make it again. No score was changed"
    )


def _listed(told: Mapping[str, Any]) -> Listed:
    size, kind = told.get("size"), str(told.get("StorageClass") or "")
    return Listed(None if size is None else int(size), kind if kind in _ARCHIVED else "")
