"""The power of a comparison."""

from __future__ import annotations

import math

import numpy as np
import pytest
from screentest.harness.comparison.compare import compare
from screentest.harness.comparison.power import power_of
from screentest.harness.core.errors import UsageError
from screentest.harness.core.pairing import pair_runs
from screentest.harness.core.stats import detectable_effect, prompts_for_effect
from screentest.harness.run_folder.store import read_run
from screentest.reports.plan_tables import power_table


def noise(prompt: int, seed: int, salt: int = 0) -> float:
    return math.sin(12.9898 * prompt + 78.233 * seed + 37.719 * salt) * 43758.5453 % 1.0


@pytest.fixture
def runs(make_run):
    error = lambda salt, shift: lambda p, s: 1 + noise(p, 0) + 0.3 * noise(p, s, salt) + shift  # noqa: E731
    first = make_run("a", {"toy.error": error(1, 0.0)}, prompts=30, generator="toy:a")
    second = make_run("b", {"toy.error": error(2, 0.05)}, prompts=30, generator="toy:b")
    return first, second


def test_the_least_effect_is_of_the_prompts_paired_differences(runs) -> None:
    pairing = pair_runs(*(read_run(run) for run in runs))
    found = power_of(compare(*runs), pairing, 0.8)
    (row,) = found.measures
    means = [np.mean([0.3 * (noise(p, s, 2) - noise(p, s, 1)) + 0.05 for s in range(4)]) for p in range(30)]
    assert row.spread == pytest.approx(np.std(means, ddof=1))
    assert row.detectable == pytest.approx(detectable_effect(row.spread, 30, 0.975, 0.8))
    assert row.effect == row.difference == pytest.approx(np.mean(means))
    assert row.prompts == prompts_for_effect(abs(row.effect), row.spread, 0.975, 0.8)
    assert row.of_value == pytest.approx(row.detectable / compare(*runs).get("toy.error").a)


def test_the_least_effect_takes_the_prompts_that_there_are(runs) -> None:
    pairing = pair_runs(*(read_run(run) for run in runs))
    least = power_of(compare(*runs), pairing, 0.8).measures[0].detectable
    asked = power_of(compare(*runs), pairing, 0.8, {"toy.error": -least * (1 + 1e-9)}).measures[0]
    assert asked.prompts == 30


def test_copies_have_no_spread(make_run) -> None:
    values = {"toy.error": lambda p, s: 1 + noise(p, s)}
    runs = make_run("a", values), make_run("b", values)
    (row,) = power_of(compare(*runs), pair_runs(*(read_run(run) for run in runs))).measures
    assert row.detectable is None
    assert row.reason == "both runs hold identical clips"


def test_an_effect_must_be_of_a_measure(runs) -> None:
    with pytest.raises(UsageError, match=r"unknown measure 'toy\.eror'; did you mean 'toy\.error'"):
        power_of(compare(*runs), pair_runs(*(read_run(run) for run in runs)), 0.8, {"toy.eror": 1.0})


@pytest.mark.parametrize(("measures", "floor"), [(("toy.error",), 6), (("toy.error", "toy.quality"), 7)])
def test_the_prompts_needed_are_those_with_which_p_can_show_it(make_run, measures, floor: int) -> None:
    moved = lambda by: lambda p, s: 0.4 + by * (1 + 0.02 * p)  # noqa: E731
    runs = [
        make_run(name, dict.fromkeys(measures, moved(by)), prompts=4, generator=f"toy:{name}")
        for name, by in (("a", 0.0), ("b", 0.1))
    ]
    found = power_of(compare(*runs), pair_runs(*(read_run(run) for run in runs)), 0.8)
    row = found.measures[0]
    assert prompts_for_effect(row.effect, row.spread, 0.975, 0.8) < 6
    assert (row.prompts, row.detectable) == (floor, None)
    notes = "; ".join(power_table(found).notes)
    assert f"with fewer than {floor} prompts p" in notes
    assert "4 prompts cannot show a difference: p is 0.125 at the least" in notes
    assert "rough: the runs have 4 prompts of it" in notes
