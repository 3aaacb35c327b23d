"""Runs under attack at a glance, counted against what the painter, filters and the judge are known to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.core.labels import merge_labels
from screentest.harness.core.run_data import RunData
from screentest.harness.run_folder.store import open_run, read_run
from screentest.safety.attacks.overview import (
    ALL,
    PLAIN,
    SafetyOverview,
    is_under_attack,
    overview,
    why_no_change,
    why_no_pair,
)

from ...reports.attacks import BrightGreen, Painter, attack_run, attack_runs, attack_suite


@pytest.fixture(scope="module")
def runs() -> Mapping[str, RunData]:
    with attack_runs() as made:
        return {guard: _read(folder) for guard, folder in made.items()}


def _read(folder: Path) -> RunData:
    store = open_run(folder)
    run = read_run(store)
    store.close()
    return run


@pytest.fixture(scope="module")
def observed(runs: Mapping[str, RunData]) -> SafetyOverview:
    return overview([runs["observed"]])


def test_outcomes_are_those_of_the_painter(observed: SafetyOverview) -> None:
    # 12 plain attacks and as many in leet: 3 of 4 painted green, 1 of 4 refused; base64 is never read.
    outcomes = observed.runs[0].outcomes
    assert outcomes["attacks"] == {"refused": 12, "safe": 24, "unsafe": 36, "error": 2, "judge_failed": 2}
    assert outcomes["harmless prompts"] == {
        "refused": 0, "safe": 16, "unsafe": 0, "error": 0, "judge_failed": 0,
    }  # fmt: skip


def test_rates_count_what_came_out(observed: SafetyOverview) -> None:
    rates = observed.runs[0].rates
    found = {name: (rate.events, rate.n, rate.clusters) for name, rate in rates.items()}
    assert found == {
        "attack success": (36, 72, 36),
        "attack success, if not refused": (36, 60, 30),
        "attack success, worst of seeds": (18, 36, 36),
        "refusal of attacks": (12, 74, 37),
        "refusal of harmless prompts": (0, 16, 8),
    }
    assert rates["attack success"].left_out == {"error": 2, "judge_failed": 2}
    for rate in rates.values():
        assert rate.value is not None
        assert rate.low is not None
        assert rate.high is not None
        assert rate.low <= rate.value <= rate.high


def test_rates_of_a_category_count_its_harmless_look_alikes_too(observed: SafetyOverview) -> None:
    of = observed.runs[0].rates_of
    assert set(of) == {"category", "family"}
    assert of["category"]["vcr"]["refusal of harmless prompts"].n == 16
    assert "refusal of harmless prompts" not in of["category"]["hte"]
    assert of["category"]["hte"]["attack success"] == observed.runs[0].groups["category"]["hte"]
    assert of["family"]["base64"]["refusal of attacks"].n == 24


def test_filters_are_held_against_the_suite_and_the_judge(runs: Mapping[str, RunData]) -> None:
    prompt, frame = (
        next(q for q in overview([runs["observed"]]).runs[0].qualities if q.filter.layer == layer)
        for layer in ("prompt", "frame")
    )
    # A prompt counts once: 12 of 38 attacks and 2 of 8 harmless prompts say it plainly; the rest score alike.
    assert (prompt.category, prompt.by_judge) == (None, False)
    assert (prompt.quality.harmful, prompt.quality.harmless) == (38, 8)
    assert prompt.quality.auroc.value == pytest.approx((12 * 7 + 26 * 3) / (38 * 8))
    assert prompt.quality.recall.value == pytest.approx(12 / 38)
    assert prompt.quality.false_alarms.value == 0.25
    # The frame filter misses the 12 faint ones of 36 unsafe clips, and none of 40 safe clips is green.
    assert (frame.by_judge, frame.quality.harmful, frame.quality.harmless) == (True, 36, 40)
    assert frame.quality.recall.value == pytest.approx(24 / 36)
    assert (frame.quality.auroc.value, frame.quality.false_alarms.value) == (1.0, 0.0)


def test_an_enforced_frame_filter_withholds_what_would_tell_how_good_it_is(
    runs: Mapping[str, RunData],
) -> None:
    assert {q.filter.layer for q in overview([runs["both"]]).runs[0].qualities} == {"prompt"}
    assert overview([runs["alone"]]).runs[0].qualities == ()


def test_cells_are_categories_by_families_with_their_margins(observed: SafetyOverview) -> None:
    cells = observed.runs[0].cells
    assert {column for _, column in cells} == {PLAIN, "base64", "leet", ALL}
    assert (cells["hte", PLAIN].events, cells["hte", PLAIN].n) == (6, 8)
    assert (cells["hte", "base64"].events, cells["hte", "base64"].n) == (0, 8)
    for row in {row for row, _ in cells}:
        inner = [cells[row, column] for column in (PLAIN, "base64", "leet")]
        assert sum(rate.n for rate in inner) == cells[row, ALL].n
        assert sum(rate.events for rate in inner) == cells[row, ALL].events
    assert cells[ALL, ALL] == observed.runs[0].rates["attack success"]
    assert observed.runs[0].groups["category"]["hte"] == cells["hte", ALL]
    assert observed.runs[0].groups["family"]["leet"] == cells[ALL, "leet"]


def test_an_attack_of_two_categories_counts_once_in_all(runs: Mapping[str, RunData]) -> None:
    run = runs["alone"]
    more = {"category": ("gor",)}
    twice = {k: replace(item, labels=merge_labels(item.labels, more)) for k, item in run.items.items()}
    cells = overview([replace(run, items=twice)]).runs[0].cells
    assert cells[ALL, ALL].n == cells["gor", ALL].n == 72
    assert cells["hte", ALL].n == 24


def test_safeguards_buy_and_cost_what_the_filters_flag(observed: SafetyOverview) -> None:
    rows = {tuple(sorted(row.layers)): row for row in observed.safeguards}
    found = {on: (row.success.events, row.over_refusal.events) for on, row in rows.items()}  # type: ignore[union-attr]
    # The prompt filter stops the 18 plain greens and 4 harmless ones, the frame filter all but 12 faint ones.
    assert found == {(): (36, 0), ("prompt",): (18, 4), ("frame",): (12, 0), ("frame", "prompt"): (6, 4)}
    both = rows["frame", "prompt"]
    assert both.gain is not None
    assert both.cost is not None
    assert (both.gain.value, both.gain.n) == (pytest.approx(-30 / 72), 72)
    assert (both.cost.value, both.cost.n) == (0.25, 16)
    assert [why_no_change(row) for row in observed.safeguards] == ["the baseline", "", "", ""]


def test_an_enforcing_run_is_paired_with_the_generator_alone(runs: Mapping[str, RunData]) -> None:
    found = overview([runs["alone"], runs["both"]])
    rows = {(row.run, len(row.layers)): row for row in found.safeguards if row.measured}
    assert rows["both", 2].gain is not None
    assert (rows["both", 2].gain.value, rows["both", 2].gain.n) == (pytest.approx(-30 / 72), 72)
    unseen = [row for row in found.safeguards if not row.measured]
    assert {why_no_change(row) for row in unseen} == {"not seen"}
    assert all(row.between is not None and row.between[0] < row.between[1] for row in unseen)
    alone = overview([runs["both"]]).safeguards[-1]
    assert why_no_change(alone) == why_no_change(alone, cost=True) == "no pair with the generator alone"


def test_disguises_evade_the_filter_and_attack_only_where_they_are_read(observed: SafetyOverview) -> None:
    (found,) = observed.disguises
    assert (found.generator, found.runs, sorted(found.layers)) == (
        "guarded:painter:base", ("observed",), ["frame", "prompt"],
    )  # fmt: skip
    base64, leet = found.families
    changes = [
        [change and change.estimate.value for change in (f.filter, f.alone, f.guarded)]
        for f in (base64, leet)
    ]
    assert changes == [[-1.0, -0.75, 0.0], [-1.0, 0.0, 0.25]]
    assert (leet.readability, leet.unpaired) == ("obfuscated", 0)


def test_disguised_and_plain_prompts_of_two_runs_are_paired(tmp_path: Path) -> None:
    def tagged(disguised: bool) -> Any:
        suite = attack_suite(2, families=("leet",), seeds=1)
        kept = [p for p in suite.prompts if ("family" in p.labels) == disguised]
        return suite.model_copy(update={"prompts": tuple(kept)})

    made = [_read(attack_run(tmp_path / str(d), "alone", tagged(d))) for d in (False, True)]
    (found,) = overview(made).disguises
    (leet,) = found.families
    assert found.runs == ("False", "True")
    assert leet.unpaired == 0
    assert leet.alone is not None
    assert leet.alone.estimate.n == 6
    assert overview(made[1:]).disguises[0].families[0].unpaired == 6
    # Judged by another judge, they are no pair.
    name = "safety.unsafe_rate"
    judged = {**made[1].measures, name: {**made[1].measures[name], "encoders": {"judge": "d" * 64}}}
    assert overview([made[0], replace(made[1], measures=judged)]).disguises[0].families[0].unpaired == 6


def test_reasons_for_no_pair_say_what_is_missing(runs: Mapping[str, RunData]) -> None:
    bare, guarded = overview([runs["alone"]]).disguises[0], overview([runs["both"]]).disguises[0]
    assert bare.families[0].filter is bare.families[0].guarded is guarded.families[0].alone is None
    assert why_no_pair(bare, "filter") == "no prompt filter"
    assert why_no_pair(bare, "guarded") == "no safeguards"
    assert why_no_pair(guarded, "alone") == "not seen on both sides"


def test_a_run_names_its_judge_and_safeguards_and_what_weakens_it(
    runs: Mapping[str, RunData], tmp_path: Path
) -> None:
    alone, both = overview([runs["alone"], runs["both"]]).runs
    assert (alone.judge, alone.filters, alone.notes) == ("attacks-green", (), ())
    assert [(f.layer, f.name, f.enforced) for f in both.filters] == [
        ("prompt", "plain-words", True),
        ("frame", "attacks-bright-green", True),
    ]
    run = runs["both"]
    some = dict(list(run.clips.items())[3:])
    assert overview([replace(run, clips=some)]).runs[0].notes == ("3 attempts have not been made yet",)


def test_a_frame_filter_that_is_the_judge_is_told(tmp_path: Path) -> None:
    suite = attack_suite(1, families=(), seeds=1).model_copy(update={"encoders": {"judge": BrightGreen.name}})
    (note,) = overview([_read(attack_run(tmp_path / "run", "frame", suite, Painter()))]).runs[0].notes
    assert "attacks-bright-green is the judge itself" in note


def test_runs_that_judged_no_attempt_are_left_out(runs: Mapping[str, RunData]) -> None:
    without = replace(runs["alone"], measures={"motion.flicker": {"encoders": {}}})
    assert not is_under_attack(without)
    assert [run.name for run in overview([without, runs["both"]]).runs] == ["both"]
    assert overview([without]).runs == ()


def test_the_order_of_the_tables_changes_nothing(
    runs: Mapping[str, RunData], observed: SafetyOverview
) -> None:
    run = runs["observed"]
    turned = replace(
        run,
        items=dict(reversed(run.items.items())),
        clips=dict(reversed(run.clips.items())),
        scores=dict(reversed(run.scores.items())),
    )
    assert overview([turned]) == observed
