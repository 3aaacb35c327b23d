"""Typography of the page: the numbers of `core.presentation` with a printed dash and minus sign."""

from __future__ import annotations

from dataclasses import replace

from ..harness.core import presentation
from ..harness.core.presentation import MISSING, Cell, left_out_text, p_value, percent

__all__ = [
    "DASH",
    "MINUS",
    "arrow",
    "estimate",
    "left_out_text",
    "number",
    "p_value",
    "page_cell",
    "percent",
    "span",
]

DASH = "\N{EM DASH}"
MINUS = "\N{MINUS SIGN}"
_ARROWS = {
    "higher": ("\N{UPWARDS ARROW}", "higher is better"),
    "lower": ("\N{DOWNWARDS ARROW}", "lower is better"),
    "neither": ("", "neither end is better"),
}


def _typeset(numbers: str) -> str:
    return DASH if numbers == MISSING else numbers.replace("-", MINUS)


def page_cell(cell: Cell) -> Cell:
    """Typeset the value and the interval of a cell."""
    return replace(cell, value=_typeset(cell.value), interval=_typeset(cell.interval))


def number(value: float | None, width: float | None = None, *, signed: bool = False) -> str:
    """Write a number with the digits that its interval's ``width`` supports (three of its own without one).

    Example:
        >>> number(-0.91234, 0.06), number(1234.5, 40.0), number(None)
        ('−0.912', '1,234', '—')
    """
    return _typeset(presentation.number(value, width, signed=signed))


def span(low: float | None, high: float | None, width: float | None = None, *, signed: bool = False) -> str:
    """Write an interval, or nothing if there is none; ``width`` is its own unless given."""
    return _typeset(presentation.interval_text(low, high, width, signed=signed))


def estimate(
    value: float | None, low: float | None, high: float | None, *, signed: bool = False
) -> tuple[str, str]:
    """Write a value and its interval with the same number of digits.

    Example:
        >>> estimate(0.0251, 0.0041, 0.2161), estimate(None, None, None)
        (('0.025', '[0.004, 0.216]'), ('—', ''))
    """
    text, interval = presentation.estimate_text(value, low, high, signed=signed)
    return _typeset(text), _typeset(interval)


def arrow(better: str) -> tuple[str, str]:
    """Return the arrow of a measure's direction, and its meaning in words."""
    return _ARROWS.get(better, ("", ""))
