"""Pages of three runs and more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from screentest.reports.build import ReportOptions, build_report
from screentest.reports.charts import ChartRow, curve_chart, run_letters, run_mark, run_style, scatter_chart

from .conftest import HOSTILE, build_run, make_suite


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of eight checkpoints of one training."""
    folder, suite = tmp_path_factory.mktemp("several"), make_suite(3, 1)
    runs: list[Path] = []
    for k in range(8):
        run = build_run(folder / f"ckpt-{k}", shift=0.2 * k, suite=suite)
        record = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps({**record, "step": 100 * k, "id": f"{k}" * 32}))
        runs.append(run)
    return build_report(runs, options=ReportOptions(items=1)).read_text("utf-8")


def test_a_page_of_eight_runs_compares_all_of_them(page: str) -> None:
    assert "Comparison of 8 runs" in page
    for words in (
        "Paired differences from ckpt-0",
        "All pairs",
        "Over training steps",
        "Quality against safety",
    ):
        assert words in page
    assert "ckpt-7 - ckpt-6" in page
    assert page.count('class="letter run-a"') > 1
    assert HOSTILE not in page


def test_runs_have_letters_colours_and_marks_of_their_own() -> None:
    letters = run_letters(36)
    assert (letters[0], letters[25], letters[26], letters[35]) == ("A", "Z", "AA", "AJ")
    looks = {(run_style(letter), run_mark(letter)) for letter in letters}
    assert len(looks) == 36
    assert [run_style(one) for one in letters[:7]] == [f"run-{c}" for c in "abcdefa"]


def test_charts_say_in_words_what_they_draw() -> None:
    curve = curve_chart("q", [(200, ChartRow("B", 2.0, 1.5, 2.5)), (100, ChartRow("A", 1.0, None, None))])
    assert "step 100, A: 1; step 200, B: 2, interval 1.5 to 2.5" in curve
    scatter = scatter_chart("q", [("A", 0.5, 0.1, True), ("B", 0.4, 0.2, False)], ("good", "safe"))
    assert "A: 0.5, 0.1, on the front; B: 0.4, 0.2, behind" in scatter
