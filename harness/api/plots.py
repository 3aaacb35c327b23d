"""Altair charts of runs and comparisons, for notebooks; the page has charts of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...reports.charts import light_colour
from ..comparison.result import Difference
from ..core.errors import UsageError
from ..core.estimate import Estimate
from ..results.summary import Aggregate

if TYPE_CHECKING:
    import altair as alt

__all__ = ["difference_rows", "interval_rows"]

_WIDTH = 320
_COLOURS = {"better": "good", "worse": "bad"}


def interval_rows(aggregates: Sequence[Aggregate], title: str) -> alt.VConcatChart:
    """Draw aggregates with their intervals, one row a measure, each on its own scale.

    Raises:
        UsageError: none of them has a value.
    """
    rows = [_row(a.measure, a.unit, a, "run-a") for a in aggregates if a.value is not None]
    return _stack(rows, title, "no measure of this run has a value; summary() says why")


def difference_rows(differences: Sequence[Difference], title: str) -> alt.VConcatChart:
    """Draw differences with their intervals and a line at zero, one row a measure.

    Raises:
        UsageError: none of them has a value.
    """
    rows = [
        _row(d.measure, d.unit, d, _COLOURS.get(d.direction, "unclear"), zero=True)
        for d in differences
        if d.value is not None
    ]
    return _stack(rows, title, "no measure has a difference; frame() says why")


def _row(measure: str, unit: str, one: Estimate, colour: str, *, zero: bool = False) -> Any:
    import altair as alt

    fields = {"measure": measure, "value": one.value, "low": one.low, "high": one.high, "n": one.n, "zero": 0}
    axis = alt.Axis(title=unit or None, tickCount=5)
    x = alt.X("value:Q", axis=axis, scale=alt.Scale(zero=False, nice=True, padding=8))
    base = alt.Chart(alt.InlineData(values=[fields])).encode(y=alt.Y("measure:N", title=None))
    drawn = light_colour(colour)
    line = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(
        strokeWidth=2.5, color=drawn
    )
    tooltip = ["measure:N", "value:Q", "low:Q", "high:Q", "n:Q"]
    dot = base.mark_point(filled=True, size=62, opacity=1, color=drawn).encode(x=x, tooltip=tooltip)
    shown = line.encode(x=alt.X("low:Q"), x2="high:Q") + dot
    if zero:
        shown = base.mark_rule(strokeDash=[3, 3], color=light_colour("ink")).encode(x="zero:Q") + shown
    return shown.properties(width=_WIDTH, height=26)


def _stack(rows: Sequence[Any], title: str, nothing: str) -> alt.VConcatChart:
    import altair as alt

    if not rows:
        raise UsageError(nothing)
    return alt.vconcat(*rows, title=title).resolve_scale(x="independent")
