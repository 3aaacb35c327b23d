"""Typography of the page: the numbers of `core.presentation` with a printed dash and minus sign."""

from __future__ import annotations

from dataclasses import replace

from ..harness.core import presentation
from ..harness.core.presentation import MISSING, Cell, left_out_text, p_value, percent

__all__ = [
    "DASH",
    "MINUS",
    "arrow",
    "left_out_text",
    "number",
    "p_value",
    "page_cell",
    "percent",
    "typeset",
]

DASH = "\N{EM DASH}"
MINUS = "\N{MINUS SIGN}"
_ARROWS = {
    "higher": ("\N{UPWARDS ARROW}", "higher is better"),
    "lower": ("\N{DOWNWARDS ARROW}", "lower is better"),
    "neither": ("", "neither end is better"),
}


def typeset(numbers: str) -> str:
    """Replace the hyphens of numbers by minus signs, and that of a missing one by a dash."""
    return DASH if numbers == MISSING else numbers.replace("-", MINUS)


def page_cell(cell: Cell) -> Cell:
    """Typeset the value and the interval of a cell."""
    return replace(cell, value=typeset(cell.value), interval=typeset(cell.interval))


def number(value: float | None, width: float | None = None, *, signed: bool = False) -> str:
    """Write a number with the digits that its interval's ``width`` supports (three of its own without one).

    Example:
        >>> number(-0.91234, 0.06), number(1234.5, 40.0), number(None)
        ('−0.912', '1,234', '—')
    """
    return typeset(presentation.number(value, width, signed=signed))


def arrow(better: str) -> tuple[str, str]:
    """Return the arrow of a measure's direction, and its meaning in words."""
    return _ARROWS.get(better, ("", ""))
