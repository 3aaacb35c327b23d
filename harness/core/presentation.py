"""How results are shown: one way to write a number, an interval, a sample and what was left out.

A `Table` holds typed cells. The terminal, JSON and the page draw the same cells; none of them rounds anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from .counts import counted

if TYPE_CHECKING:
    from .estimate import Estimate

__all__ = [
    "MISSING",
    "Cell",
    "Content",
    "Table",
    "estimate_cell",
    "estimate_text",
    "interval_text",
    "left_out_text",
    "level",
    "number",
    "p_value",
    "percent",
    "reasons_text",
    "sample_text",
]

MISSING = "-"
"""What stands where there is no value: never 0."""


# -- numbers


def number(value: float | None, width: float | None = None, *, signed: bool = False) -> str:
    """Write a number with the digits that its interval's ``width`` supports (three of its own without one).

    Example:
        >>> number(0.91234, 0.06), number(1234.5, 40.0), number(None)
        ('0.912', '1,234', '-')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    size = abs(value)
    # An interval narrower than rounding says nothing of the digits.
    scale = width if width is not None and 1e-12 * size < width < math.inf else None
    if size and (size < 1e-4 or size >= 1e9):
        text = f"{value:.3g}"
    elif scale is not None:
        text = f"{value:,.{_decimals(1 - math.floor(math.log10(scale)))}f}"
    elif size:
        text = f"{value:,.{_decimals(2 - math.floor(math.log10(size)))}f}"
    else:
        text = "0"
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return ("+" if signed and value > 0 else "") + text


def _decimals(wanted: int) -> int:
    return max(0, min(6, wanted))


def interval_text(
    low: float | None, high: float | None, width: float | None = None, *, signed: bool = False
) -> str:
    """Write an interval, or nothing where there is none; ``width`` is its own unless given."""
    if low is None or high is None:
        return ""
    width = high - low if width is None else width
    return f"[{number(low, width, signed=signed)}, {number(high, width, signed=signed)}]"


def estimate_text(
    value: float | None, low: float | None, high: float | None, *, signed: bool = False
) -> tuple[str, str]:
    """Write a value and its interval with the same number of digits.

    Example:
        >>> estimate_text(0.0251, 0.0041, 0.2161), estimate_text(None, None, None)
        (('0.025', '[0.004, 0.216]'), ('-', ''))
    """
    if value is None or not math.isfinite(value):
        return MISSING, ""
    if low is None or high is None:
        return number(value, signed=signed), ""
    # A wide interval still leaves the value two digits, unless it is nearly zero beside it.
    width = max(min(high - low, abs(value) or high - low), (high - low) / 20)
    return number(value, width, signed=signed), interval_text(low, high, width, signed=signed)


def percent(share: float) -> str:
    """Write a share as percent, to the whole; what is not quite none or all says so.

    Example:
        >>> percent(0.0), percent(0.004), percent(0.5), percent(0.999), percent(1.0)
        ('0%', '<1%', '50%', '>99%', '100%')
    """
    rounded = f"{100 * share:.0f}%"
    if rounded == "0%" and share > 0:
        return "<1%"
    return ">99%" if rounded == "100%" and share < 1 else rounded


def p_value(p: float) -> str:
    """Write a p-value with two digits, and one below a thousandth as that.

    Example:
        >>> p_value(0.0123), p_value(0.00002), p_value(1.0)
        ('p = 0.012', 'p < 0.001', 'p = 1')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def level(confidence: float) -> str:
    """Write a confidence level as percent.

    Example:
        >>> level(0.95), level(0.999)
        ('95%', '99.9%')
    """
    return f"{100 * confidence:.4g}%"


def sample_text(n: int, clusters: int, n_reference: int | None = None) -> str:
    """Write a sample: the values, the prompts that they come from, and the reference clips.

    Example:
        >>> sample_text(60, 30), sample_text(60, 30, 512)
        ('60 (30)', '60 (30), reference 512')
    """
    reference = f", reference {n_reference}" if n_reference else ""
    return f"{n} ({clusters}){reference}"


def left_out_text(left_out: Mapping[str, int]) -> str:
    """Count what gave no value, by status or reason; nothing where all did.

    Example:
        >>> left_out_text({"failed": 2, "not_applicable": 1, "refused": 0})
        '2 failed, 1 not applicable'
    """
    return ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in left_out.items() if count)


# -- cells and tables


@dataclass(frozen=True)
class Cell:
    """One value as text, with all that belongs to it.

    Attributes:
        value: `MISSING` where there is none, and ``why`` says why.
        interval: in brackets; empty where there is none.
        n: the sample, as in `sample_text`.
        left_out: what gave no value, counted.
        reasons: why, counted.
        method, notes: how the interval was computed, and what a reader must know.
    """

    value: str
    interval: str = ""
    n: str = ""
    left_out: str = ""
    why: str = ""
    method: str = ""
    notes: tuple[str, ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()

    @property
    def text(self) -> str:
        """The value and its interval on one line."""
        return f"{self.value} {self.interval}".rstrip()


Content: TypeAlias = Cell | str


def reasons_text(reasons: Mapping[str, int], most: int = 3) -> str:
    """List reasons with the number of items of each, the most frequent first; a single one without a number.

    Example:
        >>> reasons_text({"it is short": 1, "it is small": 4, "it is grey": 1}, most=1)
        'it is small (4 of them); and 2 other reasons'
    """
    often = sorted(reasons, key=lambda why: (-reasons[why], why))
    if len(often) < 2:
        return "".join(often)
    told = [f"{why} ({reasons[why]} of them)" for why in often[:most]]
    if len(often) > most:
        told.append(f"and {counted(len(often) - most, 'other reason')}")
    return "; ".join(told)


def estimate_cell(
    estimate: Estimate, *, signed: bool = False, n_reference: int | None = None, nothing: str = "no value"
) -> Cell:
    """Lay out an estimate.

    Args:
        signed: whether a value above 0 has a plus: a change.
        n_reference: reference clips that it was held against.
        nothing: what is said where there is no value, and neither something left out nor a reason.
    """
    value, interval = estimate_text(estimate.value, estimate.low, estimate.high, signed=signed)
    left_out = left_out_text(estimate.left_out)
    missing = value == MISSING
    why = ""
    if missing:
        reason = next(iter(estimate.reasons), "") or "; ".join(estimate.notes)
        why = ": ".join(part for part in (left_out or nothing, reason) if part)
    return Cell(
        value=value,
        interval=interval,
        n=sample_text(estimate.n, estimate.clusters, n_reference),
        left_out=left_out,
        why=why,
        method=estimate.method,
        notes=() if missing else estimate.notes,
        reasons=tuple(estimate.reasons.items()),
    )


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings, with a title and notes below."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Content, ...]]
    notes: tuple[str, ...] = field(default=())

    def records(self) -> list[dict[str, str]]:
        """Give a mapping a row, for JSON."""
        texts = ([cell if isinstance(cell, str) else cell.text for cell in row] for row in self.rows)
        return [dict(zip(self.columns, row, strict=True)) for row in texts]
