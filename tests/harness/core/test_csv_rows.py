"""Tables for spreadsheets: no cell is a formula, numbers stay numbers, and reading undoes writing."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from screentest.harness.core.csv_rows import csv_rows, csv_text, unguarded, write_csv

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "'=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_is_a_formula_is_guarded_and_comes_back(text: str, tmp_path: Path) -> None:
    written = csv_text(["a", "b"], [[text, -0.5], ["plain", None]])
    (_, first, second) = csv.reader(io.StringIO(written))
    assert first == ["'" + text, "-0.5"]
    assert second == ["plain", ""]
    assert unguarded(first[0]) == text
    write_csv(tmp_path / "deep" / "t.csv", ["a", "b"], [[text, -0.5]])
    ((_, row),) = csv_rows(tmp_path / "t.csv", (tmp_path / "deep" / "t.csv").read_text(), lambda names: None)
    assert unguarded(row["a"]) == text


def test_numbers_keep_all_their_digits() -> None:
    written = csv_text(["x"], [[0.1 + 0.2], [-1e-300], [3]])
    assert [float(line) for line in written.splitlines()[1:]] == [0.1 + 0.2, -1e-300, 3.0]
