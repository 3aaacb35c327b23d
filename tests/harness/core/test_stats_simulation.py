"""The committed table of false passes and coverage: within its limits, and made by the code that is here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"
spec = importlib.util.spec_from_file_location(
    "statistics_simulation", Path(__file__).with_name("statistics_simulation.py")
)
assert spec is not None
assert spec.loader is not None
simulation = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = simulation
spec.loader.exec_module(simulation)


def rows() -> dict[tuple[str, ...], tuple[float, ...]]:
    """Read the tables: (kind, distribution, prompts, clips) to shares in %."""
    found: dict[tuple[str, ...], tuple[float, ...]] = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[2].isdigit():
            found[tuple(cells[:4])] = tuple(float(cell) for cell in cells[4:])
    return found


def key(row) -> tuple[str, ...]:
    return row.table, row.what, str(row.prompts), row.seeds


def test_the_page_has_every_row() -> None:
    asked = [key(row) for row in [*simulation.bound_rows(), *simulation.interval_rows()]]
    more = [*simulation.look_rows(), *simulation.plan_rows(), *simulation.rank_rows(), *simulation.set_rows()]
    asked += [key(row) for row in more]
    assert sorted(rows()) == sorted(asked)


@pytest.mark.parametrize("row", simulation.bound_rows(), ids=lambda row: "-".join(key(row)))
def test_no_rule_passes_at_its_limit_more_often_than_told(row) -> None:
    error = 100 * (0.05 * 0.95 / simulation.trials(row)) ** 0.5
    assert max(rows()[key(row)]) <= 5 + 3 * error


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [row for row in simulation.bound_rows() if row.prompts in (3, 10, 29)],
    ids=lambda row: "-".join(key(row)),
)
def test_a_row_of_false_passes_is_what_the_code_gives(row) -> None:
    error = 100 / simulation.trials(row)
    assert simulation.false_passes(row) == pytest.approx(rows()[key(row)], abs=error + 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [row for row in simulation.interval_rows() if row.prompts in (5, 10)],
    ids=lambda row: "-".join(key(row)),
)
def test_a_row_of_coverage_is_what_the_code_gives(row, monkeypatch: pytest.MonkeyPatch) -> None:
    from screentest.harness.core.stats import means

    monkeypatch.setattr(means, "RESAMPLES", 1999)
    assert simulation.covered(row) == pytest.approx(rows()[key(row)][0], abs=0.15)


@pytest.mark.parametrize("row", simulation.look_rows(), ids=lambda row: "-".join(key(row)))
def test_looks_pass_at_the_limit_no_more_often_than_one(row) -> None:
    spending, plain = rows()[key(row)]
    assert spending <= 5 + 3 * 0.7
    assert plain >= spending


@pytest.mark.parametrize("row", simulation.plan_rows(), ids=lambda row: "-".join(key(row)))
def test_a_run_of_the_planned_size_passes_about_as_often_as_planned(row) -> None:
    assert 70 <= rows()[key(row)][0] <= 95


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", [row for row in simulation.look_rows() if row.prompts == 120], ids=lambda row: "-".join(key(row))
)
def test_a_row_of_looks_is_what_the_code_gives(row) -> None:
    assert simulation.passes_of_looks(row) == pytest.approx(rows()[key(row)], abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("row", simulation.plan_rows(), ids=lambda row: "-".join(key(row)))
def test_a_row_of_plans_is_what_the_code_gives(row) -> None:
    assert simulation.passes_as_planned(row) == pytest.approx(rows()[key(row)][0], abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", [row for row in simulation.rank_rows() if row.prompts == 10], ids=lambda row: "-".join(key(row))
)
def test_a_row_of_ranks_is_what_the_code_gives(row) -> None:
    assert simulation.ranks_covered(row) == pytest.approx(rows()[key(row)][0], abs=0.4)


@pytest.mark.parametrize(
    "row",
    [
        row
        for row in [*simulation.interval_rows(), *simulation.set_rows()]
        if row.prompts >= 30 and "correlation" not in row.what and "rare" not in row.what
    ],
    ids=lambda row: "-".join(key(row)),
)
def test_intervals_of_thirty_prompts_or_more_cover_what_they_say(row) -> None:
    error = 100 * (0.05 * 0.95 / 1000) ** 0.5
    assert 93 - error <= rows()[key(row)][0] <= 97 + error


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", [row for row in simulation.set_rows() if row.prompts == 20], ids=lambda row: "-".join(key(row))
)
def test_a_row_of_two_sets_is_what_the_code_gives(row) -> None:
    assert simulation.set_covered(row) == pytest.approx(rows()[key(row)][0], abs=0.15)
