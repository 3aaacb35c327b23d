"""Charts of a report: Altair specifications, rendered to inline SVG.

Inline SVG rather than the interactive bundle: a chart weighs about 3 kB where the bundle adds 1.5 MB to every
page, needs no script, prints, and its text is found and read out. Colours in the SVG are those of the light
scheme; `palette_css` maps each to its dark counterpart, so one rendering serves both.
"""

from __future__ import annotations

import functools
import html
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec

from ..harness.core.counts import counted

__all__ = [
    "ChartRow",
    "colours",
    "curve_chart",
    "difference_chart",
    "interval_chart",
    "light_colour",
    "palette_css",
    "run_letters",
    "run_mark",
    "run_style",
    "scatter_chart",
    "strip_chart",
]

_STYLES = "abcdef"
"""Colours of runs, over and over; the marks shift by one each time round, so that 36 runs differ."""
_MARKS = (
    "\N{BLACK CIRCLE}\N{BLACK SQUARE}\N{BLACK DIAMOND}"
    "\N{BLACK UP-POINTING TRIANGLE}\N{BLACK DOWN-POINTING TRIANGLE}\N{HEAVY GREEK CROSS}"
)
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


def run_letters(count: int) -> list[str]:
    """List the names of runs on a page: A to Z, then AA, AB ...

    Example:
        >>> run_letters(2), run_letters(28)[-2:]
        (['A', 'B'], ['AA', 'AB'])
    """
    letters = string.ascii_uppercase
    return [letters[n] if n < 26 else letters[n // 26 - 1] + letters[n % 26] for n in range(count)]


def _place(letter: str) -> int:
    place = 0
    for one in letter:
        place = 26 * place + string.ascii_uppercase.index(one) + 1
    return place - 1


def run_style(letter: str) -> str:
    """Name the colour of a run: ``run-a`` to ``run-f``."""
    return f"run-{_STYLES[_place(letter) % len(_STYLES)]}"


def _shape(letter: str) -> int:
    place = _place(letter)
    return (place + place // len(_STYLES)) % len(_SHAPES)


def run_mark(letter: str) -> str:
    """Return the mark of a run, in text as in charts."""
    return _MARKS[_shape(letter)]


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
    letters = [r.run for r in rows]
    base = alt.Chart(alt.InlineData(values=values)).encode(y=_run_axis(rows), color=_run_colour(letters))
    lines = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(strokeWidth=2.5)
    dots = base.mark_point(filled=True, size=62, opacity=1)
    shape = _run_shape(letters)
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
        .encode(x=_value_axis("value"), y=_run_axis(list(values)), color=_run_colour(list(values)))
    )
    said = "; ".join(
        f"{run}: {counted(len(v), 'clip')} from {min(v):.4g} to {max(v):.4g}"
        for run, v in values.items()
        if v
    )
    return _svg(chart, title, said, height=30 * len(values), width=_STRIP_WIDTH)


@_unvalidated
def curve_chart(title: str, points: Sequence[tuple[int, ChartRow]]) -> str:
    """Draw values over training steps, with their intervals, as an inline SVG element.

    Args:
        title: text for screen readers, before the values.
        points: the step and the value of each run.
    """
    import altair as alt

    ordered = sorted(points, key=lambda point: point[0])
    values = [
        {"step": step, "run": r.run, "value": r.value, "low": r.low, "high": r.high} for step, r in ordered
    ]
    letters = [r.run for _, r in ordered]
    axis = alt.Axis(title=None, tickCount=4, domain=False, tickSize=0, labelPadding=6)
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("step:Q", axis=axis, scale=alt.Scale(zero=False, nice=True, padding=8))
    )
    line = base.mark_line(color=light_colour("muted"), strokeWidth=1.5).encode(y=_height_axis("value"))
    spans = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(strokeWidth=2)
    spans = spans.encode(y=_height_axis("low"), y2="high:Q", color=_run_colour(letters))
    dots = base.mark_point(filled=True, size=62, opacity=1)
    dots = dots.encode(y=_height_axis("value"), color=_run_colour(letters), shape=_run_shape(letters))
    said = "; ".join(f"step {step}, {_said(row)}" for step, row in ordered)
    return _svg(line + spans + dots, title, said, height=130)


@_unvalidated
def scatter_chart(
    title: str, points: Sequence[tuple[str, float, float, bool]], names: tuple[str, str]
) -> str:
    """Draw runs by two measures; what lies on the front is filled.

    Args:
        title: text for screen readers, before the values.
        points: run, its value along and its value up, and whether no other run is better in both.
        names: of the measures along and up.
    """
    import altair as alt

    letters = [run for run, _, _, _ in points]
    values = [{"run": run, "along": x, "up": y, "front": front} for run, x, y, front in points]
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=_value_axis("along", names[0]), y=_height_axis("up", names[1]), color=_run_colour(letters)
    )
    shape = _run_shape(letters)
    front = base.transform_filter("datum.front").mark_point(filled=True, size=90, opacity=1)
    behind = base.transform_filter("!datum.front").mark_point(
        filled=False, size=90, opacity=1, strokeWidth=1.5
    )
    text = base.mark_text(dx=12, fontWeight="bold").encode(text="run:N")
    said = "; ".join(
        f"{run}: {x:.4g}, {y:.4g}, {'on the front' if at else 'behind'}" for run, x, y, at in points
    )
    return _svg(front.encode(shape=shape) + behind.encode(shape=shape) + text, title, said, height=190)


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


def _run_colour(letters: Sequence[str]) -> Any:
    import altair as alt

    taken = list(dict.fromkeys(letters))
    colours = [light_colour(run_style(letter)) for letter in taken]
    return alt.Color("run:N", legend=None, scale=alt.Scale(domain=taken, range=colours))


def _run_shape(letters: Sequence[str]) -> Any:
    import altair as alt

    taken = list(dict.fromkeys(letters))
    shapes = [_SHAPES[_shape(letter)] for letter in taken]
    return alt.Shape("run:N", legend=None, scale=alt.Scale(domain=taken, range=shapes))


def _height_axis(field: str, title: str | None = None) -> Any:
    import altair as alt

    axis = alt.Axis(title=title, tickCount=4, domain=False, tickSize=0, labelPadding=6, grid=True)
    return alt.Y(f"{field}:Q", axis=axis, scale=alt.Scale(zero=False, nice=True, padding=8))


def _value_axis(field: str, title: str | None = None) -> Any:
    import altair as alt

    axis = alt.Axis(title=title, tickCount=4, domain=False, tickSize=0, labelPadding=6, labelFlush=False)
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
