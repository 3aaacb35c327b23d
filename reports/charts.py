"""Charts of a report: Altair specifications, rendered to inline SVG.

Inline SVG rather than the interactive bundle: a chart weighs about 3 kB where the bundle adds 1.5 MB to every
page, needs no script, prints, and its text is found and read out. Colours in the SVG are those of the light
scheme; `palette_css` maps each to its dark counterpart, so one rendering serves both.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec

__all__ = [
    "MAX_RUNS",
    "RUN_LETTERS",
    "ChartRow",
    "colours",
    "difference_chart",
    "interval_chart",
    "light_colour",
    "palette_css",
    "strip_chart",
]

RUN_LETTERS = "ABCDEF"
MAX_RUNS = len(RUN_LETTERS)
MAX_STRIP = 400
"""Most ticks per run in a strip chart; for more values, this many evenly spaced quantiles are drawn."""

_PALETTE: dict[str, tuple[str, str]] = {
    "paper": ("#fdfcf9", "#171614"),
    "panel": ("#f5f2ea", "#211f1c"),
    "ink": ("#1c1b19", "#e9e6df"),
    "muted": ("#5e5a53", "#aca79d"),
    "grid": ("#dfdacf", "#3b3833"),
    "link": ("#1b4f8f", "#8fbdf2"),
    "run-a": ("#1f5fa8", "#7db4f0"),
    "run-b": ("#b04c0a", "#f0a35e"),
    "run-c": ("#0b7466", "#5cc9b5"),
    "run-d": ("#7a3e9d", "#c79be6"),
    "run-e": ("#7d6200", "#d9bc4b"),
    "run-f": ("#a3254f", "#f08bab"),
    "good": ("#1a6739", "#74d19b"),
    "bad": ("#a1201e", "#f28e86"),
    "unclear": ("#67625a", "#b0aba1"),
    "caution": ("#855500", "#e6b455"),
}
"""Name -> colour in the light and in the dark scheme; text colours have at least 4.5:1 on paper and panel."""

_SHAPES = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross"]
_WIDTH = 260
_STRIP_WIDTH = 430


@dataclass(frozen=True)
class ChartRow:
    """One run's value of a measure, in its unit; ``low`` and ``high`` are None without an interval."""

    run: str
    value: float
    low: float | None
    high: float | None


def palette_css() -> str:
    """Write the colours as CSS variables for both schemes, and the rules that apply them to charts."""
    light = "".join(f"--{name}:{pair[0]};" for name, pair in _PALETTE.items())
    dark = "".join(f"--{name}:{pair[1]};" for name, pair in _PALETTE.items())
    carried = "".join(
        f'.chart [{paint}="{pair[0]}"]{{{paint}:var(--{name})}}'
        for name, pair in _PALETTE.items()
        for paint in ("fill", "stroke")
    )
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{carried}\n"
    )


P = ParamSpec("P")


def _unvalidated(draw: Callable[P, str]) -> Callable[P, str]:
    """Draw without Altair's schema validation, which takes four fifths of the time; tests do validate."""

    @functools.wraps(draw)
    def quick(*args: P.args, **kwargs: P.kwargs) -> str:
        from altair.utils.schemapi import debug_mode

        with debug_mode(False):
            return draw(*args, **kwargs)

    return quick


@_unvalidated
def interval_chart(title: str, rows: Sequence[ChartRow], *, bounds: tuple[float | None, float | None]) -> str:
    """Draw values with their intervals, one line per run, as an inline SVG element.

    Args:
        title: text for screen readers, before the values.
        rows: in the order of the runs.
        bounds: the range of the measure; an interval is not drawn beyond it.
    """
    import altair as alt

    values = [
        {"run": r.run, "value": r.value, "low": _clip(r.low, bounds), "high": _clip(r.high, bounds)}
        for r in rows
    ]
    base = alt.Chart(alt.InlineData(values=values)).encode(y=_run_axis(rows), color=_run_colour())
    lines = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(strokeWidth=2.5)
    dots = base.mark_point(filled=True, size=62, opacity=1)
    shape: Any = alt.Shape("run:N", legend=None, scale=alt.Scale(domain=list(RUN_LETTERS), range=_SHAPES))
    chart = lines.encode(x=_value_axis("low"), x2="high:Q") + dots.encode(x=_value_axis("value"), shape=shape)
    said = "; ".join(_said(r) for r in rows)
    return _svg(chart, title, said, height=24 * len(rows))


@_unvalidated
def difference_chart(title: str, row: ChartRow, *, mark: str) -> str:
    """Draw a paired difference with its interval against zero; ``mark`` is the second run's standing."""
    import altair as alt

    colour = {"better": "good", "worse": "bad"}.get(mark, "unclear")
    data = alt.InlineData(values=[{"value": row.value, "low": row.low, "high": row.high, "zero": 0}])
    base = alt.Chart(data)
    zero = base.mark_rule(strokeDash=[3, 3], color=light_colour("ink")).encode(x=_value_axis("zero"))
    line = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(
        strokeWidth=2.5, color=light_colour(colour), y=13
    )
    dot = base.mark_point(filled=True, size=62, opacity=1, color=light_colour(colour), y=13)
    chart = zero + line.encode(x=_value_axis("low"), x2="high:Q") + dot.encode(x=_value_axis("value"))
    return _svg(chart, title, f"{_said(row)}: {mark}", height=26)


@_unvalidated
def strip_chart(title: str, values: Mapping[str, Sequence[float]]) -> str:
    """Draw every clip's value as a tick, one line per run.

    For more than `MAX_STRIP` values of a run, that many evenly spaced quantiles are drawn.
    """
    import altair as alt

    points = [{"run": run, "value": value} for run, of_run in values.items() for value in _thinned(of_run)]
    chart = (
        alt.Chart(alt.InlineData(values=points))
        .mark_tick(thickness=1.5, size=20, opacity=0.55)
        .encode(x=_value_axis("value"), y=_run_axis(list(values)), color=_run_colour())
    )
    said = "; ".join(
        f"{run}: {len(v)} clips from {min(v):.4g} to {max(v):.4g}" for run, v in values.items() if v
    )
    return _svg(chart, title, said, height=30 * len(values), width=_STRIP_WIDTH)


def _thinned(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    if len(ordered) <= MAX_STRIP:
        return ordered
    last = len(ordered) - 1
    return [ordered[round(i * last / (MAX_STRIP - 1))] for i in range(MAX_STRIP)]


def _said(row: ChartRow) -> str:
    span = "" if row.low is None or row.high is None else f", interval {row.low:.4g} to {row.high:.4g}"
    return f"{row.run}: {row.value:.4g}{span}"


def _clip(value: float | None, bounds: tuple[float | None, float | None]) -> float | None:
    if value is None:
        return None
    low, high = bounds
    value = value if low is None else max(low, value)
    return value if high is None else min(high, value)


def light_colour(name: str) -> str:
    """Return a colour in the light scheme; the style sheet maps it to the dark one."""
    return _PALETTE[name][0]


def colours(name: str) -> tuple[str, str]:
    """Return a colour in the light and in the dark scheme."""
    return _PALETTE[name]


def _run_axis(rows: Sequence[ChartRow] | Sequence[str]) -> Any:
    import altair as alt

    order = [r if isinstance(r, str) else r.run for r in rows]
    axis = alt.Axis(title=None, domain=False, ticks=False, labelFontWeight="bold", labelPadding=8)
    return alt.Y("run:N", sort=order, scale=alt.Scale(domain=order), axis=axis)


def _run_colour() -> Any:
    import altair as alt

    colours = [light_colour(f"run-{letter.lower()}") for letter in RUN_LETTERS]
    return alt.Color("run:N", legend=None, scale=alt.Scale(domain=list(RUN_LETTERS), range=colours))


def _value_axis(field: str) -> Any:
    import altair as alt

    axis = alt.Axis(title=None, tickCount=4, domain=False, tickSize=0, labelPadding=6, labelFlush=False)
    return alt.X(f"{field}:Q", axis=axis, scale=alt.Scale(zero=False, nice=True, padding=8))


def _svg(chart: Any, title: str, said: str, *, height: int, width: int = _WIDTH) -> str:
    import vl_convert

    styled = (
        chart.properties(width=width, height=height)
        .configure(aria=False, background="transparent", font="sans-serif")
        .configure_view(stroke=None)
        .configure_axis(gridColor=light_colour("grid"), labelColor=light_colour("muted"), labelFontSize=11)
        .configure_axisY(grid=False, labelColor=light_colour("ink"), labelFontSize=12)
    )
    drawn = vl_convert.vegalite_to_svg(styled.to_dict(validate=False))
    return _inline(drawn, title, said)


_NOISE = re.compile(
    r' (?:xmlns(?::\w+)?|version|aria-[\w-]+|role|class|pointer-events|opacity="1"|font-family)="[^"]*"'
    r'| opacity="1"|<path (?:class="(?:background|foreground)" )?[^>]*d="(?:M0,0h0v0h0Z)?"[^>]*/>'
)


def _inline(svg: str, title: str, said: str) -> str:
    """Remove what a page does not need (name spaces, roles of single marks) and add a description."""
    body = _NOISE.sub("", svg)
    head = (
        f'<svg class="chart" role="img"><title>{html.escape(title)}</title><desc>{html.escape(said)}</desc>'
    )
    match = re.match(r'<svg( width="[\d.]+" height="[\d.]+" viewBox="[^"]*")>', body)
    if match is None:
        raise RuntimeError("the chart renderer gave an unknown form of SVG; its version has changed")
    return head.replace(' role="img"', f'{match[1]} role="img"') + body[match.end() :]
