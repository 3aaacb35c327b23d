"""One lazy registry for everything that has a name: measures, encoders, generators.

Built-in entries are placeholders (``module:attribute``) until they are asked for, so that listing names
imports nothing heavy.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Generic, TypeVar

from .errors import UsageError, unknown_name

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to objects of one type, some of them loaded only when asked for.

    A *declared* name points to the module whose import adds it; `get` imports that module.
    """

    def __init__(self, kind: str, base: type[T]) -> None:
        self.kind = kind
        self._base = base
        self._declared: dict[str, str] = {}
        self._entries: dict[str, T] = {}

    def declare(self, name: str, module: str) -> None:
        """Say that importing ``module`` adds ``name``."""
        self._declared[name] = module

    def add(self, name: str, entry: T) -> None:
        """Add an entry.

        Raises:
            UsageError: the name is taken by another entry, or the entry is of another type.
        """
        if not isinstance(entry, self._base):
            raise UsageError(f"{self.kind} {name!r} is a {type(entry).__name__}, not a {self._base.__name__}")
        module = self._declared.get(name)
        if module is not None and module not in sys.modules:
            importlib.import_module(module)  # a plugin must not take the name before its owner is imported
        if name in self._entries:
            raise UsageError(f"there is a {self.kind} named {name!r} already; give the new one another name")
        self._entries[name] = entry

    def get(self, name: str) -> T:
        """Return the entry, importing its module if need be.

        Raises:
            UsageError: no such name; the nearest ones are in the message.
        """
        if name not in self._entries and name in self._declared:
            importlib.import_module(self._declared[name])
        if name not in self._entries:
            raise unknown_name(self.kind, name, self)
        return self._entries[name]

    def module_of(self, name: str) -> str | None:
        """Name the module that a built-in entry comes from."""
        return self._declared.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._declared

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._declared, *self._entries}))
