"""Bradley-Terry and Krippendorff's alpha: published values, properties, and what has no value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core.stats.preferences import (
    alpha_interval,
    bradley_terry,
    krippendorff_alpha,
    nominal,
    strengths,
)

# American League baseball, 1987, eastern division (Agresti, Categorical Data Analysis, 2002, table 10.10):
# wins of Milwaukee, Detroit, Toronto, New York, Boston, Cleveland and Baltimore against each other.
BASEBALL = np.array(
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ],
    dtype=float,
)
ABILITIES = [1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0.0]
# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units.
OBSERVED = [
    [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
    [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [5, 5, 5], [1, 1], [3],
]  # fmt: skip


def test_strengths_are_those_of_agrestis_baseball_teams() -> None:
    fitted = strengths(BASEBALL)
    assert fitted is not None
    assert (fitted - fitted[-1]).tolist() == pytest.approx(ABILITIES, abs=0.005)


def test_alpha_is_that_of_krippendorffs_example() -> None:
    assert krippendorff_alpha(OBSERVED) == pytest.approx(0.743, abs=0.0005)
    assert krippendorff_alpha(OBSERVED, lambda a, b: (a - b) ** 2) == pytest.approx(0.849, abs=0.0005)


def test_two_runs_give_the_log_odds_of_the_wins() -> None:
    fitted = strengths(np.array([[0.0, 12.0], [36.0, 0.0]]))
    assert fitted is not None
    assert fitted[1] == pytest.approx(math.log(3))


@given(st.permutations(range(7)))
def test_the_order_of_runs_does_not_matter(order: list[int]) -> None:
    fitted = strengths(BASEBALL[np.ix_(order, order)])
    whole = strengths(BASEBALL)
    assert fitted is not None
    assert whole is not None
    expected = whole[order] - whole[order[0]]
    assert fitted.tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_who_wins_every_vote_has_no_end() -> None:
    assert strengths(np.array([[0.0, 5.0], [0.0, 0.0]])) is None
    # C beats both others every time, though A and B are even.
    assert strengths(np.array([[0.0, 2.0, 0.0], [2.0, 0.0, 0.0], [3.0, 3.0, 0.0]])) is None
    # Two groups that never met.
    apart = np.zeros((4, 4))
    apart[0, 1] = apart[1, 0] = apart[2, 3] = apart[3, 2] = 2
    assert strengths(apart) is None
    found = bradley_terry([(0, 1, 1.0)] * 4, list("abcd"), 2, 0.95)
    assert [row.value for row in found] == [None, None]
    assert "won, or lost, every vote" in found[1].notes[0]
    assert bradley_terry([], [], 2, 0.95)[1].notes == ("no votes",)


def test_a_single_prompt_that_keeps_the_fit_finite_leaves_no_interval() -> None:
    found = bradley_terry([(0, 1, 1.0)] * 4 + [(0, 1, 0.0)], list("abcde"), 2, 0.95)[1]
    assert found.value == pytest.approx(-math.log(4))
    assert (found.low, found.high) == (None, None)
    assert found.notes[0].startswith("without one of the prompts")


def test_raters_who_repeat_a_prompt_do_not_narrow_the_interval() -> None:
    votes = [(0, 1, float(k % 3 == 0)) for k in range(30)]
    names = [str(k) for k in range(30)]
    once = bradley_terry(votes, names, 2, 0.95)[1]
    often = bradley_terry(votes * 5, names * 5, 2, 0.95)[1]
    assert often.value == pytest.approx(once.value)
    assert (often.low, often.high) == (pytest.approx(once.low), pytest.approx(once.high))


def test_ties_are_half_a_win_for_both() -> None:
    tied = bradley_terry([(0, 1, 0.5)] * 6, list("abcdef"), 2, 0.95)[1]
    assert tied.value == pytest.approx(0)
    assert (tied.low, tied.high) == (None, None)  # six ties are no certainty


@pytest.mark.slow
def test_the_interval_of_a_strength_covers() -> None:
    # 40 prompts of 3 votes that share a prompt's own taste; the marginal odds are found from many prompts.
    rng = np.random.default_rng(5)

    def votes(prompts: int) -> tuple[list[tuple[int, int, float]], list[str]]:
        taste = rng.normal(0.5, 1.0, prompts)
        wins = rng.random((prompts, 3)) < 1 / (1 + np.exp(-taste[:, None]))
        ballots = [(0, 1, float(not won)) for row in wins for won in row]
        return ballots, [str(p) for p in range(prompts) for _ in range(3)]

    many, _ = votes(200_000)
    share = 1 - sum(ballot[2] for ballot in many) / len(many)
    truth = math.log(share / (1 - share))
    hits = 0
    for _ in range(1000):
        found = bradley_terry(*votes(40), 2, 0.95)[1]
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= truth <= found.high
    assert 0.93 <= hits / 1000 <= 0.97


def test_alpha_has_an_interval_and_says_where_it_has_none() -> None:
    found = alpha_interval(OBSERVED, [str(k) for k in range(12)], 0.95)
    assert found.value == pytest.approx(0.743, abs=0.0005)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.743 < found.high <= 1
    assert alpha_interval([[1, 1], [1, 1]], ["a", "b"], 0.95).notes == ("all votes are the same",)
    assert alpha_interval([[1], [0]], ["a", "b"], 0.95).notes == ("no pair has two raters",)
    assert alpha_interval([[1, 1], [0, 0]], ["a", "b"], 0.95).low is None
    full = alpha_interval([[k % 2] * 2 for k in range(20)], [str(k) for k in range(20)], 0.95)
    assert (full.value, full.low) == (1.0, None)


@given(st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=4), min_size=2, max_size=8))
def test_alpha_is_at_most_one_and_one_only_without_disagreement(units: list[list[int]]) -> None:
    found = krippendorff_alpha(units)
    if found is None:
        return
    assert found <= 1 + 1e-12
    assert (found > 1 - 1e-12) == all(len(set(unit)) == 1 for unit in units)
    assert nominal(1, 2) == 1
