"""Shares of matched pairs and the area under the curve: definitions, ties and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.metrics.surprise.pairwise import area_under_curve, pairwise_accuracy

scores = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=25)
own = [f"{i:04}" for i in range(2000)]


def split(pairs: list[tuple[int, int]]) -> tuple[list[float], list[float], list[str]]:
    return [float(a) for a, _ in pairs], [float(b) for _, b in pairs], own[: len(pairs)]


def wins(a: float, b: float) -> float:
    return 1.0 if b > a else 0.5 if a == b else 0.0


@settings(max_examples=40, deadline=None)
@given(scores)
def test_both_count_wins_and_half_of_the_ties(pairs):
    low, high, clusters = split(pairs)
    matched = pairwise_accuracy(low, high, clusters, 0.95)
    assert matched.value == pytest.approx(np.mean([wins(a, b) for a, b in pairs]))
    every = area_under_curve(low, high, clusters, 0.95)
    assert every.value == pytest.approx(np.mean([wins(a, b) for a in low for b in high]))


@settings(max_examples=40, deadline=None)
@given(scores)
def test_swapping_the_two_turns_the_share_around(pairs):
    low, high, clusters = split(pairs)
    for share in (pairwise_accuracy, area_under_curve):
        there, back = share(low, high, clusters, 0.95), share(high, low, clusters, 0.95)
        assert there.value == pytest.approx(1 - back.value)  # type: ignore[operator]
        if there.low is not None and share is area_under_curve:
            assert (there.low, there.high) == pytest.approx((1 - back.high, 1 - back.low))  # type: ignore[operator]


def test_matched_pairs_can_be_told_apart_where_one_threshold_cannot():
    """Scenes of very different levels, each impossible clip a little above its twin."""
    low = [float(10 * k) for k in range(30)]
    high = [value + 1 for value in low]
    assert pairwise_accuracy(low, high, own[:30], 0.95).value == 1.0
    area = area_under_curve(low, high, own[:30], 0.95)
    assert area.value == pytest.approx(0.5, abs=0.02)


def test_the_interval_of_few_pairs_is_that_of_a_rate():
    low, high = [1.0] * 12, [2.0] * 9 + [0.0] * 3
    found = pairwise_accuracy(low, high, own[:12], 0.95)
    assert (found.low, found.high) == (pytest.approx(0.468, abs=0.001), pytest.approx(0.911, abs=0.001))


def test_a_sample_without_an_error_still_allows_some():
    low, high = [0.0] * 40, [1.0] * 40
    matched = pairwise_accuracy(low, high, own[:40], 0.95)
    area = area_under_curve(low, high, own[:40], 0.95)
    assert (matched.value, matched.high, area.value, area.high) == (1.0, 1.0, 1.0, 1.0)
    assert matched.low == pytest.approx(0.025 ** (1 / 40))
    assert area.low == pytest.approx(0.025 ** (2 / 40))  # a possible and an impossible clip must both be good
    assert area_under_curve(high, low, own[:40], 0.95).high == pytest.approx(1 - area.low)  # type: ignore[operator]


def test_pairs_of_one_scene_are_one_scene():
    low, high = [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]
    apart = pairwise_accuracy(low * 5, high * 5, own[:20], 0.95)
    together = pairwise_accuracy(low * 5, high * 5, ["a", "a", "b", "b"] * 5, 0.95)
    assert apart.value == together.value == 0.5
    assert together.high - together.low > apart.high - apart.low  # type: ignore[operator]
    assert pairwise_accuracy(low, high, ["a"] * 4, 0.95).low is None
    assert area_under_curve(low, high, ["a"] * 4, 0.95).low is None


@pytest.mark.parametrize(
    ("low", "high", "scenes", "value"),
    [
        ([0, 0, 0, 4, 0, 1], [1, 0, 3, 2, 4, 0], "aabbcc", 2 / 3),  # 2/3 also without any one scene
        ([1, 3], [0, 2], "ab", 0.25),
    ],
)
def test_a_sample_that_shows_no_spread_gives_no_interval(
    low: list[float], high: list[float], scenes: str, value: float
):
    note = "the sample shows no spread: no interval can be given"
    found = area_under_curve(low, high, list(scenes), 0.95)
    assert found.value == pytest.approx(value)
    assert (found.low, found.high, found.notes) == (None, None, (note,))


@pytest.mark.parametrize(
    ("low", "high", "scenes"),
    [
        ([3] * 12, [3] * 12, "abcdefghijkl"),
        (list(range(12)), list(range(12)), "abcdefghijkl"),
        ([1, 2] * 6, [2, 1] * 6, "aabbccddeeff"),  # each scene has the same two scores on either side
    ],
)
def test_scenes_whose_scores_do_not_differ_may_hide_a_share_that_do(
    low: list[float], high: list[float], scenes: str
):
    found = area_under_curve(low, high, list(scenes), 0.95)
    kept = 0.025 ** (2 / len(set(scenes)))  # pairs of two scenes like those that were seen
    assert (found.value, found.low, found.high) == pytest.approx((0.5, kept / 2, 1 - kept / 2))
    assert found.notes[0] == "no scene's scores differ: the sample shows no spread"
    turned = area_under_curve([-x for x in high], [-x for x in low], list(scenes), 0.95)
    assert (turned.low, turned.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_scenes_of_equal_shares_with_ties_are_bounded_by_the_rule_of_three():
    low, high = [0.0, 1.0, 1.0] * 2, [1.0, 0.0, 1.0] * 2  # in each scene one right, one wrong, one tie
    found = pairwise_accuracy(low, high, list("aaabbb"), 0.95)
    other = 1 - 0.025 ** (1 / 2)  # the share of scenes that may do otherwise
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5 - other / 2, 0.5 + other / 2))


@pytest.mark.slow
def test_the_jackknife_covers_the_area():
    """Normal scores one standard deviation apart, truth 0.7602; 400 samples of 40 pairs of one scene each."""
    rng, held = np.random.default_rng(3), 0
    for _ in range(400):
        scene = rng.normal(0, 0.6, 40)
        low = scene + rng.normal(0, 0.8, 40)
        high = scene + rng.normal(0, 0.8, 40) + 1
        interval = area_under_curve(list(low), list(high), own[:40], 0.95)
        held += interval.low <= 0.76025 <= interval.high  # type: ignore[operator]
    assert 0.92 <= held / 400 <= 0.98


def test_what_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="leave its pair out"):
        pairwise_accuracy([0.0], [float("nan")], ["a"], 0.95)
    assert area_under_curve([], [], [], 0.95).value is None
    assert pairwise_accuracy([], [], [], 0.95).value is None
