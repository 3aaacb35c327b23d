"""Format numbers, intervals and counts for the page."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["DASH", "MINUS", "arrow", "estimate", "left_out_text", "number", "p_value", "percent", "span"]

DASH = "\N{EM DASH}"
MINUS = "\N{MINUS SIGN}"
_ARROWS = {
    "higher": ("\N{UPWARDS ARROW}", "higher is better"),
    "lower": ("\N{DOWNWARDS ARROW}", "lower is better"),
    "neither": ("", "neither end is better"),
}
_STATUS = {"refused": "refused", "failed": "failed", "not_applicable": "not applicable"}


def number(value: float | None, width: float | None = None, *, signed: bool = False) -> str:
    """Write a number with the digits that its interval's ``width`` supports (three of its own without one).

    Example:
        >>> number(0.91234, 0.06), number(1234.5, 40.0), number(None)
        ('0.912', '1,234', '—')
    """
    if value is None or not math.isfinite(value):
        return DASH
    size = abs(value)
    # An interval narrower than rounding error does not determine the digits.
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
    sign = "+" if signed and value > 0 else ""
    return sign + text.replace("-", MINUS)


def _decimals(wanted: int) -> int:
    return max(0, min(6, wanted))


def span(low: float | None, high: float | None, width: float | None = None, *, signed: bool = False) -> str:
    """Write an interval; empty without one. ``width`` is by default the interval's own."""
    if low is None or high is None:
        return ""
    width = high - low if width is None else width
    return f"[{number(low, width, signed=signed)}, {number(high, width, signed=signed)}]"


def estimate(
    value: float | None, low: float | None, high: float | None, *, signed: bool = False
) -> tuple[str, str]:
    """Write a value and its interval with the same number of digits.

    Example:
        >>> estimate(0.0251, 0.0041, 0.2161), estimate(None, None, None)
        (('0.025', '[0.004, 0.216]'), ('—', ''))
    """
    if value is None or not math.isfinite(value):
        return DASH, ""
    if low is None or high is None:
        return number(value, signed=signed), ""
    # With a wide interval the value still has two digits, unless it is nearly zero.
    width = max(min(high - low, abs(value) or high - low), (high - low) / 20)
    return number(value, width, signed=signed), span(low, high, width, signed=signed)


def percent(share: float) -> str:
    """Write a share as whole percent; ``<1%`` and ``>99%`` if it is not quite 0 or 1.

    Example:
        >>> percent(0.0), percent(0.004), percent(0.5), percent(0.999), percent(1.0)
        ('0%', '<1%', '50%', '>99%', '100%')
    """
    rounded = f"{100 * share:.0f}%"
    if rounded == "0%" and share > 0:
        return "<1%"
    return ">99%" if rounded == "100%" and share < 1 else rounded


def p_value(p: float) -> str:
    """Write a p-value with two digits; ``p < 0.001`` below a thousandth.

    Example:
        >>> p_value(0.0123), p_value(0.00002), p_value(1.0)
        ('p = 0.012', 'p < 0.001', 'p = 1')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def left_out_text(left_out: Mapping[str, int]) -> str:
    """Count the items without a value, by status; empty if there are none."""
    return ", ".join(f"{left_out[s]} {said}" for s, said in _STATUS.items() if left_out.get(s))


def arrow(better: str) -> tuple[str, str]:
    """Return the arrow of a measure's direction, and its meaning in words."""
    return _ARROWS.get(better, ("", ""))
