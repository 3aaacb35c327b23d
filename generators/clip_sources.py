"""Where the clips of ``folder:`` lie: a folder of this machine, or a prefix of an object store.

`FolderGenerator` knows neither. Objects are fetched when their turn comes, under names that this module
chooses, and the files of one call of `generate` are deleted at the next.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ..harness.core.errors import MediaError, UsageError
from ..harness.core.files import (
    HEAD,
    NO_TEXT,
    STILL,
    VIDEO_SUFFIXES,
    Survey,
    is_animated_webp,
    is_still,
    is_unicode,
    survey_videos,
    why_left_out,
)
from ..harness.core.keys import digest, file_sha256, folder_digest
from ..harness.core.storage import Folder, Listed, ObjectStore, Place, storage_at
from .frame_folders import (
    check_frames_of,
    find_frame_folders,
    frames_among,
    has_transparency,
    read_frames,
)

__all__ = ["ClipSource", "LocalClips", "StoredClips", "source_at"]

_MAY_BE_STILL = (".avif", ".webp")


class ClipSource(ABC):
    """Clips by their names, relative to the place where they lie.

    Attributes:
        place: the place, a path or an address.
        kind: the word for the place in messages.
    """

    place: Place
    kind = "folder"

    def __str__(self) -> str:
        return str(self.place)

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """Read a small file; None if there is none."""

    @abstractmethod
    def survey(self) -> Survey:
        """Find the videos by file name, and list what is left out; see `survey_videos`.

        Raises:
            UsageError: there is no such place.
        """

    @abstractmethod
    def frame_folders(self) -> dict[str, tuple[str, ...]]:
        """Find the folders of numbered pictures: name -> its pictures, in order."""

    @abstractmethod
    def why_left_out(self, name: str) -> str | None:
        """Say why a file is not read as a video, to follow "it is ..."; None if it is read."""

    @abstractmethod
    def digest(self, names: Iterable[str]) -> str:
        """Hash the files of these names that are there, by name and content."""

    @abstractmethod
    def file(self, name: str) -> Path:
        """Give the path of a video, which is valid until `release`.

        Raises:
            MediaError: it is gone, or not what its digest was taken of.
        """

    @abstractmethod
    def frames(self, name: str, pictures: Sequence[str]) -> NDArray[np.uint8]:
        """Read the numbered pictures of a folder; see `read_frames`.

        Raises:
            MediaError: they make no clip; the message names the folder as ``name``.
        """

    @abstractmethod
    def is_transparent(self, name: str) -> bool:
        """Say whether a picture declares transparent parts."""

    def release(self) -> None:
        """Delete the files that were fetched; of a folder there are none."""
        return


def source_at(place: Place) -> ClipSource:
    """Find the clips of a folder or of an address; nothing is asked of a store yet.

    Raises:
        UsageError: it is no address of a store; see `storage_at`.
    """
    storage = storage_at(place)
    return LocalClips(storage.folder) if isinstance(storage, Folder) else StoredClips(storage)


class LocalClips(ClipSource):
    """Clips in a folder."""

    def __init__(self, folder: Path) -> None:
        self.place = self._folder = folder

    def read(self, name: str) -> bytes | None:
        """Read a small file; None if there is none."""
        path = self._folder / name
        return path.read_bytes() if path.is_file() else None

    def survey(self) -> Survey:
        """Find the videos by file name, and list what is left out."""
        if not self._folder.is_dir():
            raise UsageError(f"there is no folder {self._folder}")
        return survey_videos(self._folder)

    def frame_folders(self) -> dict[str, tuple[str, ...]]:
        """Find the folders of numbered pictures."""
        return find_frame_folders(self._folder)

    def why_left_out(self, name: str) -> str | None:
        """Say why a file is not read as a video."""
        return why_left_out(self._folder, name)

    def digest(self, names: Iterable[str]) -> str:
        """Hash the files of these names that are there."""
        return folder_digest(self._folder, [name for name in names if (self._folder / name).is_file()])

    def file(self, name: str) -> Path:
        """Give the path of a video."""
        return self._folder / name

    def frames(self, name: str, pictures: Sequence[str]) -> NDArray[np.uint8]:
        """Read the numbered pictures of a folder."""
        return _renamed(self._folder / name, name, pictures)

    def is_transparent(self, name: str) -> bool:
        """Say whether a picture declares transparent parts."""
        return has_transparency(self._folder / name)


class StoredClips(ClipSource):
    """Clips below a prefix of an object store, as they are listed at the first question."""

    kind = "prefix"

    def __init__(self, store: ObjectStore) -> None:
        self.place = store.address
        self._store = store
        self._sha256: dict[str, str] = {}
        self._fetched = ""
        self._delete: Callable[[], object] | None = None

    def read(self, name: str) -> bytes | None:
        """Read a small object; None if there is none."""
        try:
            return self._store.file(name).read_bytes()
        except FileNotFoundError:
            return None

    def survey(self) -> Survey:
        """Find the videos by name, and list what is left out."""
        videos: list[str] = []
        left_out: dict[str, str] = {}
        for name in self._visible:
            if _suffix(name) in VIDEO_SUFFIXES:
                reason = self.why_left_out(name)
                if reason is None:
                    videos.append(name)
                else:
                    left_out[name] = reason
        return Survey(tuple(videos), left_out)

    def frame_folders(self) -> dict[str, tuple[str, ...]]:
        """Find the folders of numbered pictures: what the names of objects have before their last slash."""
        inside: defaultdict[str, list[str]] = defaultdict(list)
        for name in self._visible:
            if not (_is_odd(name) or self._objects[name].archived):
                folder, _, last = name.rpartition("/")
                inside[folder or "."].append(last)
        found = {
            folder: frames_among(
                names, lambda some, folder=folder: self._animated([f"{folder}/{name}" for name in some])
            )
            for folder, names in sorted(inside.items())
            if folder not in self._objects  # a file and a folder of one name, which only a store can have
        }
        return {folder: pictures for folder, pictures in found.items() if pictures}

    def why_left_out(self, name: str) -> str | None:
        """Say why an object is not read as a video."""
        if not is_unicode(name):
            return NO_TEXT
        listed = self._objects.get(name)
        if listed is None:
            return "a folder" if name in self._folders else "missing"
        if _is_odd(name):
            return "named with an empty segment, '.' or '..'; rename it"
        if listed.archived:
            return f"an archived object ({listed.archived}), which has to be restored first"
        return STILL if is_still(name, self._heads.get(name, b"")) else None

    def digest(self, names: Iterable[str]) -> str:
        """Fetch and hash the objects of these names that are there, each once.

        What `file` and `frames` give is held to it.
        """
        there = sorted(name for name in names if name in self._objects and not self._objects[name].archived)
        new = self._store.hashed([name for name in there if name not in self._sha256])
        self._sha256.update({name: sha256 for name, sha256 in new if sha256 is not None})
        return digest("folder", {name: self._sha256[name] for name in there if name in self._sha256})

    def file(self, name: str) -> Path:
        """Fetch a video."""
        suffix = _suffix(name)
        plain = suffix[1:].isalnum() and suffix.isascii() and len(suffix) <= 6
        path = self._folder() / f"clip{suffix if plain else ''}"
        self._fetch({name: path})
        return path

    def frames(self, name: str, pictures: Sequence[str]) -> NDArray[np.uint8]:
        """Fetch the numbered pictures of a folder, the first one before the others, and read them."""
        folder = self._folder()
        paths = {f"{name}/{picture}": folder / picture for picture in pictures}
        try:
            self._fetch({f"{name}/{pictures[0]}": folder / pictures[0]})
            _ = check_frames_of(folder, pictures)
            self._fetch(paths)
        except OSError as error:  # a name that is too long for a file
            raise MediaError(f"{name} cannot be fetched: {error.strerror}") from None
        except MediaError as error:
            raise _named(error, folder, name) from None
        return _renamed(folder, name, pictures)

    def is_transparent(self, name: str) -> bool:
        """Fetch a picture, and say whether it declares transparent parts."""
        with tempfile.TemporaryDirectory(prefix="screentest-clip-") as folder:
            path = Path(folder) / f"picture{_suffix(name)}"
            self._store.fetch(name, path)
            return has_transparency(path)

    def release(self) -> None:
        """Delete the files that were fetched."""
        if self._delete is not None:
            self._delete()
            self._delete = None

    def _folder(self) -> Path:
        """Make a folder for one clip."""
        if self._delete is None:
            self._fetched = tempfile.mkdtemp(prefix="screentest-clips-")
            self._delete = weakref.finalize(self, shutil.rmtree, self._fetched, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=self._fetched))

    def _fetch(self, paths: Mapping[str, Path]) -> None:
        self._store.fetch_all(paths)
        for name, path in paths.items():
            if not path.is_file():
                raise MediaError(f"{name} is missing")
            if name in self._sha256 and file_sha256(path) != self._sha256[name]:
                raise MediaError(f"{name} has changed since its digest was taken; start the run again")

    @cached_property
    def _objects(self) -> Mapping[str, Listed]:
        return self._store.listing()

    @cached_property
    def _visible(self) -> tuple[str, ...]:
        """Names of files, without hidden ones and the marks of empty folders."""
        hidden = (name for name in self._objects if _is_hidden(name) or name.endswith("/"))
        return tuple(sorted(self._objects.keys() - set(hidden), key=lambda name: name.split("/")))

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(
            str(parent) for name in self._objects for parent in PurePosixPath(name).parents if parent.name
        )

    @cached_property
    def _heads(self) -> Mapping[str, bytes]:
        """The beginnings of the objects that may be still images."""
        names = [name for name in self._visible if _suffix(name) in _MAY_BE_STILL]
        return dict(self._store.starts([n for n in names if self._can_be_read(n)], HEAD))

    def _can_be_read(self, name: str) -> bool:
        return bool(self._objects[name].size) and not self._objects[name].archived and not _is_odd(name)

    def _animated(self, names: Iterable[str]) -> bool:
        return any(is_animated_webp(self._heads.get(name.removeprefix("./"), b"")) for name in names)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))


def _is_odd(name: str) -> bool:
    return bool({"", ".", ".."} & set(name.split("/")))


def _renamed(folder: Path, name: str, pictures: Sequence[str]) -> NDArray[np.uint8]:
    try:
        return read_frames(folder, pictures)
    except MediaError as error:
        raise _named(error, folder, name) from None


def _named(error: MediaError, folder: Path, name: str) -> MediaError:
    return MediaError(str(error).replace(str(folder), name))
