from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from screentest.reports.charts import colours
from screentest.reports.heatmap import STEPS, HeatCell, heat_css, heat_map, heat_shades, heat_step

# Machado, Oliveira and Fernandes 2009, severity 1.0: linear RGB as seen without L, M or S cones.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    "achromatopsia": [[0.2126, 0.7152, 0.0722]] * 3,
}
NOTICEABLE = 2.3
"""The just noticeable difference in CIELAB (Mahy, Van Eycken and Oosterlinck 1994)."""


def linear(colour: str) -> NDArray[np.float64]:
    parts = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def luminance(colour: str, seen: object = None) -> float:
    """Relative luminance, WCAG 2.2, as it is seen."""
    rgb = np.clip((np.eye(3) if seen is None else np.asarray(seen)) @ linear(colour), 0, 1)
    return float(rgb @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", [0, 1])
def test_ink_reads_on_every_shade(scheme: int) -> None:
    ink = luminance(colours("ink")[scheme])
    for shade in heat_shades()[scheme]:
        dark, light = sorted((ink, luminance(shade)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("seen", BLINDNESS.values(), ids=BLINDNESS)
@pytest.mark.parametrize("scheme", [0, 1])
def test_lightness_alone_tells_the_shades_apart(scheme: int, seen: object) -> None:
    lightness = np.array([116 * np.cbrt(luminance(shade, seen)) - 16 for shade in heat_shades()[scheme]])
    assert heat_shades()[scheme][0] == colours("paper")[scheme]
    steps = np.diff(lightness) * (-1 if scheme == 0 else 1)  # darker on light paper, lighter on dark
    assert (steps > NOTICEABLE).all(), steps


def test_the_style_has_a_class_for_every_shade_in_both_schemes() -> None:
    found = re.findall(r"\.heat-(\d+)\{background:(#[0-9a-f]{6})\}", heat_css())
    assert [(int(step), shade) for step, shade in found] == [
        (step, shade) for shades in heat_shades() for step, shade in enumerate(shades)
    ]
    assert "screen and (prefers-color-scheme:dark)" in heat_css()  # print is on white paper


@given(st.floats(0, 1), st.floats(0, 1))
def test_steps_rise_with_the_rate_and_only_none_is_bare(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= heat_step(low) <= heat_step(high) <= STEPS
    assert (heat_step(low) == 0) == (low == 0)


def test_a_map_has_a_cell_for_every_row_and_column() -> None:
    cell, empty = HeatCell("50%", "[1%, 99%]", "n 2 (1)", "", 5), HeatCell("-", "", "", "not asked", None)
    laid = heat_map("t", {"a": "A (a)", "b": "B"}, ["x", "y"], {("a", "y"): cell}, empty=empty)
    assert laid.columns == ("x", "y")
    assert laid.rows == (("A (a)", (empty, cell)), ("B", (empty, empty)))
