"""Values that several measures share: each is computed once, and kept with the object it is derived from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

__all__ = ["Derives"]

T = TypeVar("T")


class Derives:
    """An object (the sample of a clip, its assigned roles) that keeps the values derived from it.

    A derived value is a function of the object alone. Exceptions are kept like results, so that a failing
    function is not called again by every measure.
    """

    def derived(self, reading: Callable[[Self], T]) -> T:
        """Return ``reading(self)``, computed at the first call."""
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
