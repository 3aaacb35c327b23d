"""How results are written: numbers, intervals, samples and what was left out."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError
from screentest.harness.core.estimate import Estimate
from screentest.harness.core.presentation import (
    MISSING,
    Cell,
    Table,
    estimate_cell,
    left_out_text,
    number,
    sample_text,
)


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_missing_number_is_a_dash(value: float | None) -> None:
    assert number(value) == MISSING


def test_a_value_has_the_digits_of_its_interval() -> None:
    cell = estimate_cell(Estimate(value=0.97131, low=0.96178, high=0.98049, n=60, clusters=30))
    assert (cell.value, cell.interval, cell.n) == ("0.971", "[0.962, 0.980]", "60 (30)")
    assert cell.text == "0.971 [0.962, 0.980]"
    change = estimate_cell(Estimate(value=1.5, low=0.5, high=2.5, n=8, clusters=4), signed=True)
    assert change.text == "+1.5 [+0.5, +2.5]"


def test_what_has_no_value_says_why() -> None:
    left_out = {"failed": 2, "not_applicable": 1}
    none = Estimate(value=None, n=0, left_out=left_out, reasons={"too short": 2, "still": 1})
    cell = estimate_cell(none)
    assert (cell.value, cell.interval, cell.n) == (MISSING, "", "0 (0)")
    assert cell.why == "2 failed, 1 not applicable: too short"
    assert cell.reasons == (("too short", 2), ("still", 1))
    assert (
        estimate_cell(Estimate(value=None, n=0), nothing="no clip gave a value").why == "no clip gave a value"
    )


def test_an_estimate_has_its_sample() -> None:
    with pytest.raises(ValidationError, match="n\n"):
        Estimate(value=1.0)  # type: ignore[call-arg]


def test_samples_and_counts() -> None:
    assert sample_text(60, 30, 512) == "60 (30), reference 512"
    assert left_out_text({"missing": 3, "refused": 0}) == "3 missing"


def test_records_hold_the_text_of_cells() -> None:
    table = Table("t", ("name", "value"), [("a", Cell("1.0", "[0.9, 1.1]")), ("b", "x")])
    assert table.records() == [{"name": "a", "value": "1.0 [0.9, 1.1]"}, {"name": "b", "value": "x"}]
