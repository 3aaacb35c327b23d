from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core.presentation import estimate_text, interval_text
from screentest.reports.text import DASH, left_out_text, number, typeset


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [
        (0.91234, 0.06, "0.912"),
        (0.91234, 0.6, "0.91"),
        (1234.5, 40.0, "1,234"),
        (63.2, 3.0, "63.2"),
        (0.5, None, "0.500"),
        (0.0, None, "0"),
        (-0.0, 1.0, "0.0"),
        (-0.51, 0.4, "\N{MINUS SIGN}0.51"),
        (0.25, 0.0, "0.250"),
        (0.06, 1e-17, "0.0600"),
        (3e-7, None, "3e\N{MINUS SIGN}07"),
    ],
)
def test_number_has_the_digits_its_interval_supports(value: float, width: float | None, text: str) -> None:
    assert number(value, width) == text


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_missing_number_is_a_dash(value: float | None) -> None:
    assert number(value, 0.1) == DASH
    assert number(value, signed=True) == DASH


@given(st.floats(-1e8, 1e8), st.floats(1e-3, 1e6))
def test_number_is_within_a_tenth_of_its_interval(value: float, width: float) -> None:
    text = number(value, width).replace(",", "").replace("\N{MINUS SIGN}", "-")
    assert abs(float(text) - value) <= max(0.1 * width, 1e-6, 0.006 * min(1e-4, abs(value)))


def test_interval_is_empty_without_both_ends() -> None:
    assert interval_text(0.1, 0.2) == "[0.10, 0.20]"
    assert typeset(interval_text(-0.1, 0.2, signed=True)) == "[\N{MINUS SIGN}0.10, +0.20]"
    assert interval_text(None, 0.2) == interval_text(0.1, None) == ""


def test_left_out_names_statuses_that_occur() -> None:
    assert left_out_text({"refused": 0, "failed": 2, "not_applicable": 1}) == "2 failed, 1 not applicable"
    assert left_out_text({}) == ""


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.0251, 0.0041, 0.2161, ("0.025", "[0.004, 0.216]")),
        (63.2, 55.1, 70.9, ("63", "[55, 71]")),
        (2.37, 0.0, 9.81, ("2.4", "[0.0, 9.8]")),
        (0.0001, -0.31, 0.3, ("0.000", "[\N{MINUS SIGN}0.310, 0.300]")),
        (0.0, 0.0, 0.22, ("0.00", "[0.00, 0.22]")),
        (0.5, None, None, ("0.500", "")),
        (None, None, None, (DASH, "")),
        (math.nan, 0.0, 1.0, (DASH, "")),
    ],
)
def test_estimate_and_interval_have_the_same_digits(
    value: float | None, low: float | None, high: float | None, text: tuple[str, str]
) -> None:
    assert tuple(map(typeset, estimate_text(value, low, high))) == text
