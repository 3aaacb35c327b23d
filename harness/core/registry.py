"""Registries of measures, encoders, generators and judges by name.

Built-in entries live in *rooms*: modules, or packages of modules, that register their entries when imported.
Rooms are imported when a name is first looked up, so a new entry is one new file in its room.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

from .errors import UsageError, unknown_name

__all__ = ["Registry", "Rooms"]

T = TypeVar("T")


class Rooms:
    """Modules and packages that add entries when they are imported; each is imported once, on demand."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    def add(self, *names: str) -> None:
        """Add rooms by their full module names; nothing is imported yet."""
        self._waiting += names

    def load(self) -> None:
        """Import the rooms that were added; of a package, all its modules."""
        while self._waiting:
            room = importlib.import_module(self._waiting.pop(0))
            for module in pkgutil.iter_modules(getattr(room, "__path__", ())):
                if not module.ispkg:
                    importlib.import_module(f"{room.__name__}.{module.name}")


class Registry(Generic[T]):
    """Names to objects of one type.

    Args:
        kind: what an entry is called in messages.
        base: the type of the entries.
        rooms: where the built-in entries are; None if the module of the registry adds them all.
    """

    def __init__(self, kind: str, base: type[T], rooms: Rooms | None = None) -> None:
        self.kind = kind
        self._base = base
        self._rooms = rooms or Rooms()
        self._entries: dict[str, T] = {}

    def load(self) -> None:
        """Import all built-in entries; done before plug-ins load, so that they cannot take the names."""
        self._rooms.load()

    def add(self, name: str, entry: T, *, again: bool = False) -> None:
        """Add an entry.

        Args:
            again: whether it takes the place of an entry of this name.

        Raises:
            UsageError: the name is taken by another entry, or the entry is of another type.
        """
        if not isinstance(entry, self._base):
            raise UsageError(f"{self.kind} {name!r} is a {type(entry).__name__}, not a {self._base.__name__}")
        if name in self._entries and not again:
            raise UsageError(f"there is a {self.kind} named {name!r} already; give the new one another name")
        self._entries[name] = entry

    def get(self, name: str) -> T:
        """Return the entry, importing the rooms of the built-in ones if need be.

        Raises:
            UsageError: no such name; the nearest ones are in the message.
        """
        if name not in self._entries:
            self.load()
        if name not in self._entries:
            raise unknown_name(self.kind, name, self)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        self.load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self.load()
        return iter(sorted(self._entries))
