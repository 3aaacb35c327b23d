"""Files of a local folder by their name, as `storage` has them; each is written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from uuid import uuid4

from .files import write_atomic
from .keys import file_sha256

__all__ = ["ID", "Folder"]

ID: Final = "id"
"""The file by whose content a place is known on other machines."""


@dataclass(frozen=True)
class Folder:
    """Files of a local folder, by their name relative to it."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def absolute(self) -> str:
        """Name the folder for a process that works in another one."""
        return str(self.folder.absolute())

    def overlaps(self, other: object) -> bool:
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
        path = self.folder / ID
        if not path.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(path, uuid4().hex)
        return path.read_text("utf-8")

    def is_known_as(self, name: str) -> bool:
        """Say whether this machine sees the folder whose id this is."""
        try:
            return bool(name) and name in (self.folder / ID).read_text("utf-8", errors="replace")
        except OSError:
            return False
