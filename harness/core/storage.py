"""Named files in one place: a folder, or a prefix of an object store that fsspec reaches.

Clips and features are stored through this seam, so nothing above it knows which of the two it is. Both write
a file whole or not at all: a folder renames it, and an object store shows no upload before its end.

FFmpeg and other readers need a file on this machine. So an object is fetched into a temporary folder for as
long as it is read, and held to its sha256 there; `opened` does this, and gives a local file as it is.
"""

from __future__ import annotations

import atexit
import errno
import io
import os
import posixpath
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any, Final, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from .errors import MediaError, ScreentestError, ServiceDown, UsageError, describe
from .files import user_cache, write_atomic
from .keys import file_sha256

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

T = TypeVar("T")

_ID: Final = "id"
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
_REFUSED: Final = frozenset(
    {
        errno.EPERM,
        errno.EACCES,
        errno.EROFS,
        errno.EINVAL,
        errno.ENOSYS,
        getattr(errno, "EREMCHG", errno.EPERM),
    }
)
_NO_SLASHES: Final = re.compile(
    r"[a-z][a-z0-9]+:/(?!/)|(s3|s3a|gs|gcs|az|abfs|file|memory):(?!/)", re.IGNORECASE
)
_ARCHIVED: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes of S3 whose objects are restored, in hours, before they can be read."""
_USER: Final = re.compile(r"(?<=:)//[^/\s]*@")
"""The user name and password of an endpoint that is quoted in a message."""
_INSTALL: Final = {
    "s3": "pip install 'screentest[s3]'",
    "s3a": "pip install 'screentest[s3]'",
    "gs": "pip install gcsfs",
    "gcs": "pip install gcsfs",
    "az": "pip install adlfs",
    "abfs": "pip install adlfs",
}


@dataclass(frozen=True)
class Folder:
    """Files of a local folder, by their name relative to it."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def absolute(self) -> str:
        """Name the folder for a process that works in another one."""
        return str(self.folder.absolute())

    def overlaps(self, other: Storage) -> bool:
        """Say whether one of two places lies inside the other."""
        if not isinstance(other, Folder):
            return False
        here, there = self.folder.resolve(), other.folder.resolve()
        return here.is_relative_to(there) or there.is_relative_to(here)

    def file(self, name: str, sha256: str | None = None) -> Path:
        """Give the path of a file, whether it is there or not."""
        del sha256  # what reads a local file holds it to its digest
        return self.folder / name

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading; OSError where it is not there."""
        return open(os.path.join(self.folder, name), "rb")  # noqa: PTH118, PTH123 (paths take longer)

    def write(self, name: str, fill: Callable[[IO[bytes]], object]) -> None:
        """Write a file by ``fill``, beside its place first."""
        # Not forced to the disk, which takes longer than encoding a small clip: a torn file counts as absent.
        # By names, as paths take as long as the writing of a small file.
        path = os.path.join(self.folder, name)  # noqa: PTH118
        parent, last = os.path.split(path)
        beside = f"{parent}/.{last}.{secrets.token_hex(8)}.tmp"
        try:
            file = open(beside, "wb")  # noqa: PTH123, SIM115
        except FileNotFoundError:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103
            file = open(beside, "wb")  # noqa: PTH123, SIM115
        try:
            with file:
                fill(file)
            os.replace(beside, path)  # noqa: PTH105
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise

    def take(self, beside: Path, name: str) -> None:
        """Move a file to its place."""
        try:
            beside.replace(self.folder / name)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self.add(beside, name)
            beside.unlink()

    def add(self, source: Path, name: str) -> None:
        """Link a file into its place, or copy it where links are not possible."""
        target = self.folder / name
        # A name of its own: other runs and workers may add an equal clip at the same time.
        beside = target.with_name(f".{target.stem}.tmp.{secrets.token_hex(8)}")
        try:
            try:
                os.link(source, beside)
            except OSError:
                shutil.copyfile(source, beside)
            beside.replace(target)
        finally:  # where both are links to one file, a rename leaves the first
            beside.unlink(missing_ok=True)

    def hashed(self, names: Iterable[str]) -> Iterator[tuple[str, str | None]]:
        """Hash files one after another: each name with its sha256, or None where it cannot be read."""
        for name in names:
            try:
                yield name, file_sha256(self.folder / name)
            except OSError:
                yield name, None

    def absent(self, names: Iterable[str]) -> list[str]:
        """List the names of which there is no file."""
        return [name for name in names if not (self.folder / name).is_file()]

    def identify(self) -> str:
        """Give the id by which the folder is known on other machines; it is made once."""
        path = self.folder / _ID
        if not path.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(path, uuid4().hex)
        return path.read_text("utf-8")

    def is_known_as(self, name: str) -> bool:
        """Say whether this machine sees the folder whose id this is."""
        try:
            return bool(name) and name in (self.folder / _ID).read_text("utf-8", errors="replace")
        except OSError:
            return False


@dataclass(frozen=True)
class StoredObject:
    """One object of a store; see `opened`.

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
    """Objects below a prefix of a store, by their name; make one with `storage_at`."""

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

    def overlaps(self, other: Storage) -> bool:
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
            self.write(_ID, lambda file: file.write(made.encode()))
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
        return self.file(_ID).read_bytes().decode("utf-8", "replace")

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
            raise self._no_bucket(error) from None

    @contextmanager
    def _reached(self) -> Generator[None]:
        """Turn what the store and its library raise into a sentence; a missing object stays one.

        Raises:
            FileNotFoundError: there is no such object.
            UsageError: what the user can mend: the address, credentials, rights, an extra.
            ServiceDown: the store does not answer, or not as it should.
        """
        try:
            yield
        except ScreentestError:
            raise
        except FileNotFoundError as error:
            if _code(error) == "NoSuchBucket":
                raise self._no_bucket(error) from None
            raise
        except ImportError as error:
            how = _INSTALL.get(urlsplit(self.address).scheme)
            more = f"install it: {how}" if how else f"install what reads it ({_short(error)})"
            raise UsageError(f"{self.address} needs a package that is not installed; {more}") from None
        except Exception as error:
            raise self._sentence(error) from None

    def _sentence(self, error: Exception) -> ScreentestError:
        kind, why = type(error).__name__, _short(error)
        if "Credentials" in kind or "Token" in kind or "ProfileNotFound" in kind:
            return UsageError(
                f"there are no credentials for {self.address} ({why}); give them by the environment, such as "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in ~/.aws"
            )
        if isinstance(error, NotImplementedError) or kind == "ClientResponseError":
            return UsageError(f"{self.address} is no store that can be written ({why})")
        if isinstance(error, PermissionError):
            return UsageError(
                f"access to {self.address} is refused ({why}); it needs the rights to read, write and list, "
                "and credentials that are valid"
            )
        if isinstance(error, TimeoutError) and not str(error):
            why = "no answer in time"
        refused = isinstance(error, OSError) and error.errno in _REFUSED
        if refused or isinstance(error, ValueError) or kind in ("ParamValidationError", "NoRegionError"):
            return UsageError(f"{self.address} cannot be used: {why}")
        return ServiceDown(
            f"{self.address} does not answer as it should ({why}); nothing is lost, and once it does, the "
            "same command goes on from here"
        )

    def _no_bucket(self, error: Exception) -> UsageError:
        return UsageError(
            f"there is no bucket for {self.address} ({_short(error)}); create it, or name another"
        )


Storage: TypeAlias = Folder | ObjectStore
File: TypeAlias = Path | StoredObject
"""A file that can be `opened`."""


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


def damaged_clip(file: File, how: str) -> UsageError:
    """Build the error for a run that lost a clip, which is not a failure of the generator."""
    return UsageError(
        f"the stored clip {file} {how}; restore it, or delete it and let 'screentest run --retry-failed' "
        "make it again. No score was changed"
    )


@lru_cache(maxsize=64)
def _object_store(address: str) -> ObjectStore:
    return ObjectStore(address)


def _listed(told: Mapping[str, Any]) -> Listed:
    size, kind = told.get("size"), str(told.get("StorageClass") or "")
    return Listed(None if size is None else int(size), kind if kind in _ARCHIVED else "")


def _code(error: BaseException) -> str:
    """Give the code by which S3 names an error; empty where it is none of S3's."""
    told: Any = getattr(error.__cause__, "response", None)
    return str(told.get("Error", {}).get("Code", "")) if isinstance(told, dict) else ""


def _short(error: BaseException) -> str:
    text = _USER.sub("//", describe(error))
    return text if len(text) <= 300 else f"{text[:300]}..."
