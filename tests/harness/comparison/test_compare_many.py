"""Comparisons of several runs: pairs, ranks, seeds, steps, trade-offs and suites that overlap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from screentest.harness.comparison.compare import compare
from screentest.harness.comparison.compare_many import compare_many
from screentest.harness.comparison.result_many import ManyComparison
from screentest.harness.core.errors import UsageError
from screentest.harness.core.stats.ranks import rank_runs, ranks_of
from screentest.reports.many_tables import many_tables


def noise(prompt: int, seed: int, salt: int = 0) -> float:
    return math.sin(12.9898 * prompt + 78.233 * seed + 37.719 * salt) * 43758.5453 % 1.0


def quality(shift: float, salt: int = 0):
    return lambda p, s: 0.4 + 0.2 * noise(p, 0) + 0.1 * noise(p, s, salt) + shift


def values(shift: float, salt: int = 0):
    unsafe = lambda p, s: float(noise(p, s, 9) < 0.3 - shift)  # noqa: E731
    return {"toy.quality": quality(shift, salt), "toy.unsafe": unsafe, "toy.drift": quality(shift, salt)}


@pytest.fixture
def three(make_run):
    steps = (1000, 2000, 3000)
    return [
        make_run(f"r{k}", values(0.1 * k, k), generator=f"toy:{k}", record={"step": step})
        for k, step in enumerate(steps)
    ]


def test_each_run_is_compared_with_the_baseline_as_two_runs_are(three) -> None:
    found = compare_many(three)
    assert (found.baseline, [one.b.name for one in found.against]) == ("r0", ["r1", "r2"])
    alone = compare(three[0], three[2]).get("toy.quality")
    ours = found.against[1].get("toy.quality")
    assert (ours.value, ours.low, ours.high, ours.p) == (alone.value, alone.low, alone.high, alone.p)
    rows = [d for one in found.against for d in one.differences if d.tag is None and d.p is not None]
    assert len(rows) == 6
    smallest = min(rows, key=lambda row: row.p)
    assert smallest.p_adjusted == pytest.approx(min(1.0, 6 * smallest.p))
    slices = [d for one in found.against for d in one.differences if d.tag is not None and d.p is not None]
    expected = scipy_stats.false_discovery_control([row.p for row in slices])
    assert [row.p_adjusted for row in slices] == pytest.approx(list(expected))


def test_another_baseline_turns_the_differences_round(three) -> None:
    found = compare_many(three, baseline=2)
    assert [one.b.name for one in found.against] == ["r0", "r1"]
    assert found.against[0].get("toy.quality").value == pytest.approx(-0.2, abs=0.05)


def test_all_pairs_are_there(three) -> None:
    found = compare_many(three)
    pairs = [(row.a, row.b) for row in found.pairs if row.difference.measure == "toy.quality"]
    assert pairs == [("r0", "r1"), ("r0", "r2"), ("r1", "r2")]
    assert all(
        row.difference.direction == "better" for row in found.pairs if row.difference.measure == "toy.quality"
    )


def test_wins_losses_and_ties_are_of_items(three) -> None:
    found = compare_many(three)
    row = next(t for t in found.tallies if (t.b, t.measure, t.tag) == ("r2", "toy.quality", None))
    assert (row.wins, row.losses, row.ties) == (48, 0, 0)
    unsafe = next(t for t in found.tallies if (t.b, t.measure, t.tag) == ("r2", "toy.unsafe", None))
    assert unsafe.losses == 0
    assert unsafe.wins > 0
    assert unsafe.wins + unsafe.ties == 48


def test_runs_are_ranked_with_intervals(three) -> None:
    found = compare_many(three)
    by = {(row.measure, row.run): row for row in found.ranks}
    assert [by["toy.quality", f"r{k}"].rank for k in range(3)] == [3, 2, 1]
    assert by["toy.quality", "r2"].low == by["toy.quality", "r2"].high == 1
    assert by["toy.quality", "r2"].first == 1.0
    assert ("toy.drift", "r0") not in by  # neither end is better
    assert by[None, "r2"].rank == pytest.approx(
        (by["toy.quality", "r2"].rank + by["toy.unsafe", "r2"].rank) / 2
    )


def test_runs_that_are_alike_share_ranks_and_have_wide_intervals(make_run) -> None:
    runs = [make_run(f"r{k}", {"toy.quality": quality(0.0, k)}, generator=f"t:{k}") for k in range(3)]
    found = compare_many(runs)
    rows = [row for row in found.ranks if row.measure == "toy.quality"]
    assert any(row.high - row.low >= 1 for row in rows)
    assert sum(row.rank for row in rows) == 6


def test_values_are_means_over_seeds_with_their_spread(three) -> None:
    row = compare_many(three).value("r1", "toy.quality")
    cells = [[quality(0.1, 1)(p, s) for s in range(4)] for p in range(12)]
    assert row.value == pytest.approx(np.mean(cells))
    assert row.within == pytest.approx(math.sqrt(np.mean(np.var(cells, axis=1, ddof=1))))
    assert row.step == 2000
    assert row.value < np.mean(np.max(cells, axis=1))


def test_the_items_that_changed_most_come_first(three) -> None:
    rows = [row for row in compare_many(three).changed if (row.run, row.measure) == ("r2", "toy.quality")]
    changes = [quality(0.2, 2)(p, s) - quality(0.0, 0)(p, s) for p in range(12) for s in range(4)]
    assert [row.change for row in rows] == pytest.approx(sorted(changes, key=abs, reverse=True)[:5])
    assert rows[0].clip_b.endswith(".mp4")


def test_a_run_behind_in_both_is_not_on_the_front(three) -> None:
    pareto = compare_many(three, pareto=("toy.quality", "toy.unsafe")).pareto
    assert [point.front for point in pareto.points] == [False, False, True]
    assert pareto.points[0].dominated_by == ("r1", "r2")
    with pytest.raises(UsageError, match="unknown measure"):
        compare_many(three, pareto=("toy.qualty", "toy.unsafe"))
    with pytest.raises(UsageError, match=r"neither end of toy\.drift is better"):
        compare_many(three, pareto=("toy.drift", "toy.unsafe"))


def test_a_trade_off_keeps_both_runs_on_the_front(make_run) -> None:
    good = make_run("good", {"toy.quality": quality(0.2), "toy.unsafe": lambda p, s: float(p % 2)})
    safe = make_run("safe", {"toy.quality": quality(0.0), "toy.unsafe": lambda p, s: 0.0}, generator="t:s")
    points = compare_many([good, safe], pareto=("toy.quality", "toy.unsafe")).pareto.points
    assert [point.front for point in points] == [True, True]


# -- suites that overlap


def test_other_suites_are_compared_by_their_intersection_and_say_so(make_run) -> None:
    first = make_run("a", {"toy.quality": quality(0.0)}, prompts=12)
    other = {"name": "other", "version": 2}
    second = make_run("b", {"toy.quality": quality(0.1)}, prompts=9, suite=other, generator="t:b")
    with pytest.raises(UsageError, match="toy v1 and b of other v2"):
        compare_many([first, second])
    found = compare_many([first, second], intersection=True)
    assert (found.intersection, found.items, found.suites) == (True, 36, ("toy v1", "other v2"))
    assert "all numbers are of the 36 items that they share" in found.notes[0]
    assert found.value("a", "toy.quality").n == 36
    assert "the intersection of toy v1 and other v2" in many_tables(found)[0].title


def test_suites_without_a_shared_item_are_refused(make_run) -> None:
    first = make_run("a", {"toy.quality": quality(0.0)})
    words = [{"text": f"other {k}"} for k in range(4)]
    second = make_run(
        "b", {"toy.quality": quality(0.1)}, suite={"name": "o", "prompts": words}, generator="t:b"
    )
    with pytest.raises(UsageError, match="share no item"):
        compare_many([first, second], intersection=True)


def test_a_run_with_fewer_seeds_restricts_all(make_run) -> None:
    runs = [
        make_run(f"r{n}", {"toy.quality": quality(0.0, n)}, seeds=n, generator=f"t:{n}") for n in (4, 2, 3)
    ]
    found = compare_many(runs)
    assert found.items == 24
    assert {found.value(f"r{n}", "toy.quality").n for n in (4, 2, 3)} == {24}
    assert "24 items that all runs have" in found.notes[0]


# -- what is wrong


def test_too_few_prompts_are_said_once(make_run) -> None:
    moved = lambda k: lambda p, s: 0.4 + 0.1 * k * (1 + 0.02 * p)  # noqa: E731
    few = [
        make_run(f"r{k}", {"toy.quality": moved(k), "toy.drift": moved(k)}, prompts=4, generator=f"toy:{k}")
        for k in range(3)
    ]
    found = compare_many(few)
    assert found.against[0].get("toy.quality").low > 0
    notes = [note for table in many_tables(found) for note in table.notes]
    assert [note for note in notes if "cannot show" in note] == [
        "4 prompts cannot show a difference: p is 0.125 at the least"
    ]


def test_wrong_lists_of_runs_are_refused(three) -> None:
    with pytest.raises(UsageError, match="given twice"):
        compare_many([three[0], three[1], three[0]])
    with pytest.raises(UsageError, match="two runs or more"):
        compare_many(three[:1])


def test_nan_and_missing_measures_leave_a_reason(make_run) -> None:
    first = make_run("a", {"toy.quality": lambda p, s: math.nan if p == 0 else 0.5 + 0.01 * s})
    second = make_run("b", {"toy.quality": quality(0.0)}, generator="t:b")
    third = make_run("c", {"toy.error": quality(0.0)}, generator="t:c")
    found = compare_many([first, second, third])
    assert found.value("a", "toy.quality").left_out == {"failed": 4}
    assert "was not scored with it" in found.against[1].get("toy.quality").reason
    assert found.ranks == ()
    assert [table.title for table in many_tables(found)][1].startswith("paired differences from a")


def test_a_comparison_survives_json(three) -> None:
    found = compare_many(three)
    assert ManyComparison.model_validate_json(found.model_dump_json()) == found


# -- ranks


def test_ties_share_the_mean_of_their_ranks() -> None:
    assert ranks_of(np.array([1.0, 3.0, 3.0, 2.0]), "higher").tolist() == [4, 1.5, 1.5, 3]
    assert ranks_of(np.array([1.0, 3.0, 3.0, 2.0]), "lower").tolist() == [1, 3.5, 3.5, 2]
    rng = np.random.default_rng(0)
    table = rng.integers(0, 4, size=(50, 6)).astype(float)
    assert ranks_of(table, "lower").tolist() == scipy_stats.rankdata(table, axis=1).tolist()


def test_the_interval_of_a_rank_covers_the_true_rank() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for trial in range(60):
        prompts = rng.normal(size=(40, 1))
        rows = prompts + rng.normal(size=(40, 3)) + np.array([0.0, 0.15, 0.3])
        table = {"m": {f"{p:02}": [tuple(row)] for p, row in enumerate(rows.tolist())}}
        middle = rank_runs(table, {"m": "higher"}, 0.95, seed=trial).by_measure["m"][1]
        hits += middle.low <= 2 <= middle.high
    assert hits >= 54


def test_ranks_do_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(4)
    rows = [(f"{k % 12:02}", tuple(row)) for k, row in enumerate(rng.normal(size=(48, 3)).tolist())]
    found = []
    for order in (rows, rows[::-1]):
        table: dict[str, list[tuple[float, ...]]] = {}
        for prompt, row in order:
            table.setdefault(prompt, []).append(row)
        found.append(rank_runs({"m": table}, {"m": "lower"}, 0.95, seed=0))
    assert found[0] == found[1]
