"""Readings that several measures share: each is derived once, and kept with what it is derived from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

__all__ = ["Derives"]

T = TypeVar("T")


class Derives:
    """Something that readings are derived from, once each: the sample of a clip, its assigned roles.

    A reading is a function of the object alone. What it raises is kept like what it returns, so that a clip
    that cannot be read is not read again for every measure.
    """

    def derived(self, reading: Callable[[Self], T]) -> T:
        """Give ``reading(self)``, computed at the first call."""
        known: dict[Callable[..., Any], tuple[Any, Exception | None]]
        known = self.__dict__.setdefault("_derived", {})
        if reading not in known:
            try:
                known[reading] = (reading(self), None)
            except Exception as error:
                known[reading] = (None, error)
        value, error = known[reading]
        if error is not None:
            raise error
        return value
