"""A value with its interval, and helpers for every kind of interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

__all__ = [
    "FEW",
    "NO_VALUES",
    "ROUGH",
    "Bounds",
    "Interval",
    "check_confidence",
    "cut",
    "difference_bounds",
    "one_prompt",
]

FEW = 10
"""Clusters under which an interval is rough."""
ROUGH = "few prompts: a rough interval"

Bounds: TypeAlias = tuple[float | None, float | None]
"""The range of a measure, low and high; None for no end."""


@dataclass(frozen=True)
class Interval:
    """A value with its two-sided interval; each is None if the data do not give it."""

    value: float | None
    low: float | None
    high: float | None
    method: str
    notes: tuple[str, ...] = ()

    def over(self, unit: str) -> Interval:
        """Name what the values are grouped by, such as ``scene``, where the statistics say ``prompt``."""
        notes = tuple(note.replace("prompt", unit) for note in self.notes)
        return replace(self, method=self.method.replace("prompt", unit), notes=notes)


NO_VALUES = Interval(None, None, None, "none", ("no values",))


def one_prompt(value: float) -> Interval:
    """Return a value without an interval, because one prompt shows no spread."""
    return Interval(value, None, None, "none", ("one prompt only: no interval can be given",))


def check_confidence(confidence: float) -> None:
    """Refuse a confidence outside (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")


def cut(value: float, low: float, high: float, bounds: Bounds) -> tuple[float, float]:
    """Clip an interval to the measure's range, but never past the value, which rounding may put outside."""
    if bounds[0] is not None:
        low = max(low, bounds[0])
    if bounds[1] is not None:
        high = min(high, bounds[1])
    return min(low, value), max(high, value)


def difference_bounds(bounds: Sequence[float | None]) -> Bounds:
    """Return the range of the difference of two values of a measure with this range.

    Example:
        >>> difference_bounds((0.0, 1.0)), difference_bounds((0.0, None))
        ((-1.0, 1.0), (None, None))
    """
    low, high = bounds
    return (None, None) if low is None or high is None else (low - high, high - low)
