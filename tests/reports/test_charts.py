from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from altair.utils.schemapi import debug_mode
from screentest.reports import charts
from screentest.reports.charts import ChartRow, difference_chart, interval_chart, palette_css, strip_chart


def _texts(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter("text")]


def test_interval_chart_says_its_values_and_needs_nothing_else() -> None:
    rows = [ChartRow("A", 0.5, 0.4, 0.6), ChartRow("B", 0.7, None, None)]
    svg = interval_chart("m & <m>", rows, bounds=(0.0, 1.0))
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.findtext("title") == "m & <m>"
    assert root.findtext("desc") == "A: 0.5, interval 0.4 to 0.6; B: 0.7"
    assert {"A", "B"} <= set(_texts(svg))
    assert "://" not in svg
    assert "style=" not in svg
    lines = [e for e in root.iter("line") if e.get("stroke-width") == "2.5"]
    assert len(lines) == 1  # B has no interval, and gets no line


def test_interval_is_not_drawn_beyond_the_range_of_the_measure() -> None:
    svg = interval_chart("rate", [ChartRow("A", 0.02, -0.5, 0.1)], bounds=(0.0, 1.0))
    labels = [float(t.replace("\N{MINUS SIGN}", "-")) for t in _texts(svg) if t != "A"]
    assert min(labels) >= -0.02


def test_difference_chart_shows_zero_and_the_mark() -> None:
    svg = difference_chart("d", ChartRow("B - A", 2.0, 1.0, 3.0), mark="worse")
    assert "worse" in (ET.fromstring(svg).findtext("desc") or "")
    assert any(float(t) == 0 for t in _texts(svg))
    assert 'stroke="#a1201e"' in svg


@pytest.mark.parametrize("n", [1, charts.MAX_STRIP, charts.MAX_STRIP + 1, 5000])
def test_strip_draws_every_value_up_to_its_limit(n: int) -> None:
    values = [float(i) for i in range(n)]
    svg = strip_chart("s", {"A": values, "B": []})
    ticks = svg.count('fill="#1f5fa8"')
    assert ticks == min(n, charts.MAX_STRIP)
    clips = "1 clip" if n == 1 else f"{n} clips"
    assert f"A: {clips} from 0 to {n - 1:.4g}" in svg


@pytest.mark.parametrize("draw", ["interval", "difference", "strip"])
def test_specifications_are_valid(monkeypatch: pytest.MonkeyPatch, draw: str) -> None:
    checked: list[Any] = []

    def check(chart: Any, *_: object, **__: object) -> str:
        with debug_mode(True):
            checked.append(chart.to_dict())
        return ""

    monkeypatch.setattr(charts, "_svg", check)
    row = ChartRow("A", 0.5, 0.4, None)
    if draw == "interval":
        interval_chart("m", [row], bounds=(None, None))
    elif draw == "difference":
        difference_chart("m", row, mark="better")
    else:
        strip_chart("m", {"A": [1.0]})
    assert checked


def test_thinned_values_keep_both_ends() -> None:
    thin = charts._thinned([float(i) for i in range(5000)])  # pyright: ignore[reportPrivateUsage]
    assert (thin[0], thin[-1], len(thin)) == (0.0, 4999.0, charts.MAX_STRIP)


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_colours_have_the_contrast_of_wcag_aa(scheme: int) -> None:
    colours = re.findall(r"--([\w-]+):(#[0-9a-f]{6})", palette_css())
    half = len(colours) // 2
    palette = dict(colours[scheme * half : (scheme + 1) * half])
    for ground in (palette.pop("paper"), palette.pop("panel")):
        for name, colour in palette.items():
            if name == "grid":
                continue
            light, dark = sorted((_luminance(ground), _luminance(colour)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)
