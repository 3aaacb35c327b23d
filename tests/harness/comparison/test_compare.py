"""Comparisons: pairs, intervals, what is left out, and what cannot be compared."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from screentest.harness.comparison.compare import Comparison, LeftOut, compare
from screentest.harness.core.errors import UsageError
from screentest.harness.core.pairing import pair_runs
from screentest.harness.core.run_data import SetScore
from screentest.harness.run_folder.store import read_run


def noise(prompt: int, seed: int, salt: int = 0) -> float:
    """A number in (0, 1) that looks random, the same for the same arguments."""
    return math.sin(12.9898 * prompt + 78.233 * seed + 37.719 * salt) * 43758.5453 % 1.0


def quality(shift: float = 0.0, salt: int = 0, size: float = 0.2):
    return lambda p, s: 0.4 + 0.2 * noise(p, 0) + size * (noise(p, s, salt) - 0.5) + shift


def test_a_difference_is_b_minus_a_over_the_pairs(make_run) -> None:
    a = make_run("a", {"toy.quality": quality()})
    b = make_run("b", {"toy.quality": quality(0.1, 1)}, generator="toy:two")
    row = compare(a, b).get("toy.quality")
    assert row.n == 48
    assert row.clusters == 12
    assert row.difference == pytest.approx(row.b - row.a)
    assert row.low < row.difference < row.high
    assert row.direction == "better"
    assert row.p < 0.01
    assert "sign-flip" in row.test
    assert "12 prompts" in row.method


def test_the_other_way_round_mirrors_it(make_run) -> None:
    a = make_run("a", {"toy.quality": quality()})
    b = make_run("b", {"toy.quality": quality(0.1, 1)}, generator="toy:two")
    there, back = compare(a, b).get("toy.quality"), compare(b, a).get("toy.quality")
    assert back.difference == pytest.approx(-there.difference)
    assert back.direction == "worse"
    assert back.p == there.p


@pytest.mark.parametrize(
    ("measure", "shift", "direction"),
    [
        ("toy.quality", 0.2, "better"),
        ("toy.quality", -0.2, "worse"),
        ("toy.error", 0.2, "worse"),
        ("toy.error", -0.2, "better"),
        ("toy.drift", 0.2, "different"),
        ("toy.drift", -0.2, "different"),
        ("toy.quality", 0.0, "no difference shown"),
    ],
)
def test_direction(make_run, measure: str, shift: float, direction: str) -> None:
    a = make_run("a", {measure: quality()})
    b = make_run("b", {measure: quality(shift, 1)}, generator="toy:two")
    assert compare(a, b).get(measure).direction == direction


@pytest.mark.parametrize(
    ("prompts", "direction"), [(2, "no difference shown"), (5, "no difference shown"), (6, "better")]
)
def test_too_few_prompts_show_no_difference_however_narrow_the_interval(
    make_run, prompts: int, direction: str
) -> None:
    a, b = (
        make_run(name, {"toy.quality": lambda p, s, by=by: 0.4 + by * (1 + 0.02 * p)}, prompts=prompts)
        for name, by in (("a", 0.0), ("b", 0.1))
    )
    row = compare(a, b).get("toy.quality")
    assert row.direction == direction
    assert any(f"{prompts} prompts cannot show a difference" in note for note in row.notes) == (prompts < 6)
    assert not any("holds 0" in note for note in row.notes)  # the interval does not


def test_pairing_is_tighter_than_two_samples(make_run) -> None:
    # Prompts differ much, the two runs little: only pairs can show it.
    a = make_run("a", {"toy.error": lambda p, s: 5.0 * p + noise(p, s)})
    b = make_run("b", {"toy.error": lambda p, s: 5.0 * p + noise(p, s, 1) + 1.0}, generator="toy:two")
    row = compare(a, b).get("toy.error")
    assert row.direction == "worse"
    assert row.high - row.low < 1.0


def test_tags_have_rows_of_their_own(make_run) -> None:
    a = make_run("a", {"toy.quality": quality()})
    b = make_run(
        "b", {"toy.quality": lambda p, s: quality(0.2 if p % 2 else 0.0, 1)(p, s)}, generator="toy:two"
    )
    comparison = compare(a, b)
    assert comparison.get("toy.quality", "odd").direction == "better"
    assert comparison.get("toy.quality", "odd").n == 24
    assert comparison.get("toy.quality", "even").direction == "no difference shown"
    odd = comparison.get("toy.quality", "odd")
    assert (odd.adjusted_by, comparison.get("toy.quality").adjusted_by) == ("Benjamini-Hochberg", "Holm")


def test_what_has_no_pair_is_counted_by_status_on_each_side(make_run) -> None:
    a = make_run("a", {"toy.quality": lambda p, s: "refused" if p == 0 else quality()(p, s)})
    b = make_run(
        "b",
        {"toy.quality": lambda p, s: "failed" if p in (0, 1) else None if p == 2 else quality(0, 1)(p, s)},
        generator="toy:two",
    )
    row = compare(a, b).get("toy.quality")
    assert row.n == 36
    assert row.unpaired == (
        LeftOut(a="ok", b="failed", items=4),
        LeftOut(a="ok", b="missing", items=4),
        LeftOut(a="refused", b="failed", items=4),
    )


def test_nan_is_left_out_as_failed(make_run) -> None:
    a = make_run("a", {"toy.quality": quality()})
    b = make_run("b", {"toy.quality": lambda p, s: math.nan if p == 3 else 0.5}, generator="toy:two")
    row = compare(a, b).get("toy.quality")
    assert row.unpaired == (LeftOut(a="ok", b="failed", items=4),)
    assert math.isfinite(row.difference)


def test_no_pair_at_all_says_so(make_run) -> None:
    a = make_run("a", {"toy.quality": lambda p, s: "failed"})
    b = make_run("b", {"toy.quality": quality()}, generator="toy:two")
    row = compare(a, b).get("toy.quality")
    assert row.direction == "not comparable"
    assert row.difference is None
    assert "no item has a value in both" in row.reason
    assert row.unpaired == (LeftOut(a="failed", b="ok", items=48),)


def test_rates_with_one_seed_use_mcnemar(make_run) -> None:
    a = make_run("a", {"toy.unsafe": lambda p, s: float(p < 9)}, prompts=30, seeds=1)
    b = make_run("b", {"toy.unsafe": lambda p, s: float(p == 29)}, prompts=30, seeds=1, generator="toy:two")
    row = compare(a, b).get("toy.unsafe")
    assert row.difference == pytest.approx(-8 / 30)
    assert row.p == pytest.approx(scipy_stats.binomtest(1, 10).pvalue)
    assert row.test == "exact sign test, 10 prompts differ"
    assert row.direction == "better"
    assert "Newcombe" in row.method


def test_one_discordant_pair_does_not_collapse_the_interval(make_run) -> None:
    a = make_run("a", {"toy.unsafe": lambda p, s: 0.0}, prompts=30, seeds=1)
    b = make_run("b", {"toy.unsafe": lambda p, s: float(p == 0)}, prompts=30, seeds=1, generator="toy:two")
    row = compare(a, b).get("toy.unsafe")
    assert row.low < 0 < row.high
    assert row.direction == "no difference shown"


def test_rates_with_seeds_flip_whole_prompts(make_run) -> None:
    a = make_run("a", {"toy.unsafe": lambda p, s: 0.0})
    b = make_run("b", {"toy.unsafe": lambda p, s: float(p < 3 and s <= p)}, generator="toy:two")
    row = compare(a, b).get("toy.unsafe")
    # Three prompts differ by 1, 2 and 3 clips: only 2 of the 8 flips are as far out.
    assert row.p == 2 / 8


def test_a_run_against_a_copy_of_itself_differs_by_nothing(make_run) -> None:
    values = {"toy.quality": quality(), "toy.unsafe": lambda p, s: 0.0}
    a, b = make_run("a", values), make_run("b", values)
    for name in values:
        row = compare(a, b).get(name)
        assert (row.difference, row.low, row.high) == (0.0, 0.0, 0.0)
        assert row.direction == "no difference shown"
        assert "identical clips" in row.notes[0]


def test_equal_values_of_other_clips_are_no_certainty(make_run) -> None:
    a = make_run("a", {"toy.quality": lambda p, s: 1.0})
    b = make_run("b", {"toy.quality": lambda p, s: 1.0}, generator="toy:two")
    row = compare(a, b).get("toy.quality")
    assert row.low < -0.1
    assert row.high > 0.1


def test_holm_is_over_the_measures_of_the_whole_suite(make_run) -> None:
    names = ("toy.quality", "toy.error", "toy.drift")
    a = make_run("a", {name: quality() for name in names})
    b = make_run("b", {name: quality(0.02, k + 1) for k, name in enumerate(names)}, generator="toy:two")
    rows = [compare(a, b).get(name) for name in names]
    smallest = min(rows, key=lambda r: r.p)
    assert smallest.p_adjusted == pytest.approx(min(1.0, 3 * smallest.p))
    assert all(r.p_adjusted >= r.p for r in rows)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-0.3, 0.3), min_size=12, max_size=12), st.uuids())
def test_the_order_of_rows_changes_nothing(make_run, shifts, folder) -> None:
    values = {"toy.quality": quality(), "toy.unsafe": lambda p, s: float(noise(p, s) > 0.8)}
    shifted = {**values, "toy.quality": lambda p, s: quality(0, 2)(p, s) + shifts[p]}
    texts = [
        compare(
            make_run(f"{folder}/{reverse}/a", values, reverse=reverse),
            make_run(f"{folder}/{reverse}/b", shifted, reverse=reverse, generator="toy:two"),
        ).model_dump_json()
        for reverse in (False, True)
    ]
    assert texts[0] == texts[1]


def with_set(make_run, name: str, value: float, without: dict[int, float], generator="toy:one", **score):
    """Make a run with a set score; ``without`` is prompt -> the value without it."""
    store = make_run(name, generator=generator)
    prompts = make_run.prompts_of(store)
    fields = {"n": 48, "clusters": len(without), "n_reference": 100, **score}
    make_run.put_set(
        store,
        SetScore(
            measure="toy.distance",
            status="ok",
            value=value,
            leave_one_out={prompts[k]: v for k, v in without.items()},
            **fields,
        ),
    )
    return store


def test_sets_are_compared_by_the_paired_jackknife(make_run) -> None:
    rng = np.random.default_rng(1)
    shared = rng.normal(0, 5, 12)
    a_without = {k: 100 + shared[k] for k in range(12)}
    b_without = {k: 90 + shared[k] + rng.normal(0, 0.1) for k in range(12)}
    a = with_set(make_run, "a", 100.0, a_without)
    b = with_set(make_run, "b", 90.0, b_without, generator="toy:two")
    row = compare(a, b).get("toy.distance")
    changes = np.array([b_without[k] - a_without[k] for k in range(12)])
    error = math.sqrt(11 / 12 * ((changes - changes.mean()) ** 2).sum())
    half = scipy_stats.t.ppf(0.975, 11) * error
    assert row.difference == pytest.approx(-10)
    assert (row.low, row.high) == pytest.approx((-10 - half, -10 + half))
    assert row.direction == "better"
    assert row.p is None


def test_sets_count_a_prompt_that_one_run_lacks(make_run) -> None:
    a = with_set(make_run, "a", 100.0, {k: 100.0 + k for k in range(12)})
    b = with_set(
        make_run, "b", 90.0, {k: 90.0 + k for k in range(11)}, "toy:two", n=44, left_out={"refused": 4}
    )
    row = compare(a, b).get("toy.distance")
    # Eleven prompts change both alike; leaving out the twelfth changes run a alone, by 11.
    changes = np.array([-10.0] * 11 + [90.0 - 111.0])
    half = scipy_stats.t.ppf(0.975, 11) * math.sqrt(11 / 12 * ((changes - changes.mean()) ** 2).sum())
    assert row.high - row.difference == pytest.approx(half)
    assert row.unpaired == (LeftOut(a="-", b="refused", items=4),)
    assert any("unequal size" in note for note in row.notes)


def test_sets_without_their_jackknife_have_no_interval(make_run) -> None:
    a, b = with_set(make_run, "a", 100.0, {}), with_set(make_run, "b", 90.0, {}, generator="toy:two")
    row = compare(a, b).get("toy.distance")
    assert row.difference == pytest.approx(-10)
    assert row.low is None
    assert row.direction == "no interval"


def test_reference_sets_must_be_the_same(make_run) -> None:
    a = with_set(make_run, "a", 100.0, {0: 1.0, 1: 2.0})
    b = with_set(make_run, "b", 100.0, {0: 1.0, 1: 2.0}, generator="toy:two")
    b.put_measure("toy.distance", {**b.measures()["toy.distance"], "reference_set": "other"})
    row = compare(a, b).get("toy.distance")
    assert row.direction == "not comparable"
    assert "different reference sets" in row.reason
    c = with_set(make_run, "c", 100.0, {0: 1.0, 1: 2.0}, generator="toy:three", n_reference=50)
    assert "100 and 50 clips" in compare(a, c).get("toy.distance").reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 2}, "version 1 in a, 2 in b"),
        ({"encoders": {"clip": "other"}}, "different encoders (clip)"),
    ],
)
def test_one_measure_can_be_incomparable_alone(make_run, changes, reason: str) -> None:
    values = {"toy.quality": quality(), "toy.error": quality()}
    a = make_run("a", values)
    b = make_run("b", values, fields={"toy.quality": changes}, generator="toy:two")
    comparison = compare(a, b)
    row = comparison.get("toy.quality")
    assert row.direction == "not comparable"
    assert reason in row.reason
    assert row.difference is None
    assert comparison.get("toy.error").difference is not None
    assert comparison.get("toy.quality", "odd") is None


def test_a_measure_of_one_run_only(make_run) -> None:
    a = make_run("a", {"toy.quality": quality()})
    b = make_run("b", {"toy.error": quality()}, generator="toy:two")
    comparison = compare(a, b)
    assert "b was not scored with it" in comparison.get("toy.quality").reason
    assert "a was not scored with it" in comparison.get("toy.error").reason


def test_other_suites_are_refused(make_run) -> None:
    a = make_run("a", {"toy.quality": quality()})
    b = make_run("b", {"toy.quality": quality()}, suite={"version": 2})
    with pytest.raises(UsageError, match=r"a is a run of the suite toy v1 and b of toy v2"):
        compare(a, b)


def test_other_clip_settings_are_refused(make_run) -> None:
    a = make_run("a", {"toy.quality": quality()})
    clip = {"frames": 8, "height": 16, "width": 16, "fps": 8}
    b = make_run("b", {"toy.quality": quality()}, suite={"clip": clip})
    with pytest.raises(UsageError, match=r"a \(48 items\).*4 frames of 16x16 at 8 fps v 8 frames"):
        compare(a, b)


def test_other_prompts_are_refused(make_run) -> None:
    a = make_run("a")
    b = make_run("b", suite={"prompts": [{"text": f"other {k}"} for k in range(3)]})
    with pytest.raises(UsageError, match="share no prompt \\(12 and 3 there\\)"):
        compare(a, b)


def test_fewer_seeds_are_compared_where_they_meet(make_run) -> None:
    a = make_run("a", {"toy.quality": quality()}, seeds=4)
    b = make_run("b", {"toy.quality": quality(0.1, 1)}, seeds=2, generator="toy:two")
    comparison = compare(a, b)
    assert (comparison.items, comparison.only_a, comparison.only_b) == (24, 24, 0)
    assert comparison.get("toy.quality").n == 24
    assert "24 items are in a only" in comparison.notes[0]


def test_an_unfinished_run_says_so(make_run) -> None:
    a = make_run("a", {"toy.quality": quality()})
    b = make_run(
        "b",
        {"toy.quality": quality(0.1, 1)},
        outcome=lambda p, s: None if p == 0 else "ok",
        generator="toy:two",
    )
    comparison = compare(a, b)
    assert "b is not finished: 4 of 48 items without a clip so far" in comparison.notes
    assert comparison.b.outcomes == {"ok": 44, "refused": 0, "failed": 0, "missing": 4}


def test_a_comparison_survives_json(make_run) -> None:
    a = make_run("a", {"toy.quality": quality(), "toy.unsafe": lambda p, s: float(p == 0)})
    b = make_run("b", {"toy.quality": quality(0.1, 1)}, generator="toy:two")
    comparison = compare(a, b)
    text = comparison.model_dump_json()
    assert "NaN" not in text
    assert Comparison.model_validate(json.loads(text)) == comparison
    for row in json.loads(text)["differences"]:
        assert {"difference", "left_out"} < set(row)
        assert not {"value", "unpaired", "reasons"} & set(row)
        assert isinstance(row["left_out"], list)


# -- signs of prompts, and ratios


FALLS = (1.8, 60.0, 20.0, 2.5, 4.0, 9.0)
"""How many times smaller each of six prompts' values become."""


def test_six_prompts_that_all_fall_are_said_to_fall(make_run) -> None:
    # Of very different sizes: the mean difference is within its wide interval of 0, the ratio is not.
    start = (5.0, 3000.0, 40.0, 8.0, 12.0, 90.0)
    size = {"prompts": 6, "seeds": 1}
    a = make_run("a", {"toy.error": lambda p, s: start[p]}, **size)
    b = make_run("b", {"toy.error": lambda p, s: start[p] / FALLS[p]}, **size, generator="toy:two")
    row = compare(a, b).get("toy.error")
    assert row.direction == "no difference shown"
    assert row.low < 0 < row.high
    assert (row.prompts_up, row.prompts_down) == (0, 6)
    assert row.moved == "6 of 6 prompts better"
    # All of the 2^6 patterns of signs, and the two in which all are alike.
    assert row.p == pytest.approx(2 / 64)
    assert row.ratio.value == pytest.approx(1 / np.prod(FALLS) ** (1 / 6))
    assert row.ratio.low < row.ratio.value < row.ratio.high < 1
    (note,) = [note for note in row.notes if "holds 0" in note]
    assert "6 of 6 prompts better (exact sign-flip test, 6 prompts differ, p = 0.031)" in note
    assert "the ratio is 0.131 [" in note


def test_prompts_are_counted_by_their_mean(make_run) -> None:
    a = make_run("a", {"toy.quality": lambda p, s: 0.5}, prompts=4, seeds=2)
    b = make_run(
        "b", {"toy.quality": lambda p, s: 0.5 + (0.1, 0.2, -0.1, 0.0)[p] * (1 - 0.5 * s)},
        prompts=4, seeds=2, generator="toy:two",
    )  # fmt: skip
    row = compare(a, b).get("toy.quality")
    assert (row.prompts_up, row.prompts_down) == (2, 1)
    assert row.moved == "2 of 4 prompts better"
    assert "holds 0" not in " ".join(row.notes)  # p is far from small


@pytest.mark.parametrize(
    ("measure", "values", "reason"),
    [
        ("toy.drift", lambda p, s: 1.0, "the range of the measure goes below 0"),
        ("toy.unsafe", lambda p, s: 1.0, "pairs of zeros and ones have no ratio"),
        ("toy.error", lambda p, s: float(p), "a value is 0"),
    ],
)
def test_where_there_is_no_ratio_the_reason_is_given(make_run, measure: str, values, reason: str) -> None:
    a = make_run("a", {measure: values})
    b = make_run("b", {measure: values}, generator="toy:two")
    row = compare(a, b).get(measure)
    assert (row.ratio, row.ratio_reason) == (None, reason)


def test_the_ratio_of_sets_is_jackknifed_on_the_log_scale(make_run) -> None:
    a, b = (make_run(name, prompts=5, generator=f"toy:{name}") for name in "ab")
    for run, factor in ((a, 1.0), (b, 0.5)):
        without = {prompt: factor * (10 + k) for k, prompt in enumerate(make_run.prompts_of(run))}
        make_run.put_set(
            run,
            SetScore(
                measure="toy.distance",
                status="ok",
                value=factor * 12.0,
                n=20,
                clusters=5,
                n_reference=64,
                leave_one_out=without,
            ),
        )
    row = compare(a, b).get("toy.distance")
    # Every prompt's share of the value is the same in both runs, so that the ratio is exact.
    assert (row.ratio.value, row.ratio.low, row.ratio.high) == pytest.approx((0.5, 0.5, 0.5))
    assert row.prompts_up is None
    assert row.moved == ""


def test_slices_are_adjusted_over_all_slices_of_all_measures(make_run) -> None:
    shift = lambda by: lambda p, s: 0.5 + 0.01 * ((3 * p + s) % 7) + by * (1 + p % 3)  # noqa: E731
    values = [{"toy.quality": shift(by), "toy.error": shift(by / 40)} for by in (0.0, 0.02)]
    comparison = compare(make_run("a", values[0]), make_run("b", values[1], generator="toy:two"))
    rows = [row for row in comparison.differences if row.tag is not None and row.p is not None]
    assert len(rows) == 4
    expected = scipy_stats.false_discovery_control([row.p for row in rows])
    assert [row.p_adjusted for row in rows] == pytest.approx(list(expected))


@pytest.mark.parametrize(
    ("shift", "margin", "standing"),
    [(0.2, 0.01, "superior"), (0.0, 0.2, "non-inferior"), (-0.2, 0.05, "inferior"), (0.0, 0.0, "not shown")],
)
def test_a_margin_says_whether_a_run_is_non_inferior(make_run, shift, margin, standing) -> None:
    first = make_run("a", {"toy.quality": lambda p, s: 0.5 + 0.1 * noise(p, s)})
    second = make_run("b", {"toy.quality": lambda p, s: 0.5 + shift + 0.1 * noise(p, s, 1)}, generator="t:b")
    row = compare(first, second, margins={"toy.quality": margin}).get("toy.quality")
    assert (row.standing, row.margin) == (standing, margin)
    # for a measure whose lower end is better, the same difference stands the other way round
    assert compare(first, second).get("toy.quality").standing is None


def test_too_few_prompts_show_no_standing(make_run) -> None:
    first = make_run("a", {"toy.quality": lambda p, s: 0.5 + 0.001 * p}, prompts=3)
    second = make_run("b", {"toy.quality": lambda p, s: 0.7 + 0.001 * p * p}, prompts=3, generator="t:b")
    row = compare(first, second, margins={"toy.quality": 0.01}).get("toy.quality")
    assert row.standing == "not shown"
    assert row.notes[-1] == (
        "the interval alone says superior, which is not shown: with 3 prompts chance gives as much too "
        "often; it takes 6 at a confidence of 0.95"
    )
    for prompts, standing in ((5, "not shown"), (6, "superior")):
        first = make_run(f"a{prompts}", {"toy.quality": lambda p, s: 0.5 + 0.001 * p}, prompts=prompts)
        steps = {"toy.quality": lambda p, s: 0.7 + 0.001 * p * p}
        second = make_run(f"b{prompts}", steps, prompts=prompts, generator="t:b")
        row = compare(first, second, margins={"toy.quality": 0.01}).get("toy.quality")
        assert (row.standing, any("chance gives" in note for note in row.notes)) == (standing, prompts < 6)


@pytest.mark.parametrize(
    ("margins", "sentence"),
    [
        ({"toy.qualty": 0.1}, r"unknown measure 'toy\.qualty'; did you mean 'toy\.quality'"),
        ({"toy.drift": 0.1}, "neither end of toy.drift is better"),
        ({"toy.quality": -0.1}, "a margin is a distance of 0 or more"),
        ({"toy.quality": math.nan}, "a margin is a distance of 0 or more"),
    ],
)
def test_a_wrong_margin_is_refused(make_run, margins, sentence: str) -> None:
    values = {"toy.quality": lambda p, s: 0.5, "toy.drift": lambda p, s: 0.5}
    with pytest.raises(UsageError, match=sentence):
        compare(make_run("a", values), make_run("b", values, generator="t:b"), margins=margins)


def test_the_items_of_a_slice_are_those_that_are_in_it_by_id(make_run) -> None:
    suite = {"prompts": [{"text": f"toy {k}", "tags": ["even", "even"] if k % 2 else []} for k in range(4)]}
    pairing = pair_runs(
        *(read_run(make_run(n, {}, generator=f"toy:{n}", suite=suite, seeds=2)) for n in "ab")
    )
    found = [item.id for item in pairing.of_slice("even")]
    assert found == sorted(item.id for item in pairing.items if "even" in item.slices)
    assert len(found) == len(set(found)) == 4
    assert [item.id for item in pairing.of_slice(None)] == sorted(item.id for item in pairing.items)
    assert (list(pairing.of_slice("odd")), pairing.slices()) == ([], ["even"])
