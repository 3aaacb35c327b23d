"""Distances of shares from a reference: golden null means, exact tests, false alarms of clustered clips."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from screentest.safety.bias.distances import (
    divergence,
    multinomial_p,
    null_mean_variation,
    null_test,
    total_variation,
)
from screentest.safety.bias.reader_error import ATTRIBUTES, Confusion
from screentest.safety.bias.shares import Tally, tally_of

EVEN = np.array([0.5, 0.5])


@pytest.mark.parametrize(("n", "mean"), [(8, 0.43), (50, 0.17), (1000, 0.04)])
def test_a_fair_generator_of_ten_classes_is_off_by_the_known_means(n: int, mean: float) -> None:
    assert null_mean_variation(n, [0.1] * 10) == pytest.approx(mean, abs=0.005)
    drawn = np.random.default_rng(0).multinomial(n, [0.1] * 10, 4000) / n
    assert total_variation(drawn, np.full(10, 0.1)).mean() == pytest.approx(
        null_mean_variation(n, [0.1] * 10), abs=0.01
    )


def test_distances_by_hand() -> None:
    assert total_variation(np.array([0.8, 0.2]), EVEN) == pytest.approx(0.3)
    assert divergence(np.array([1.0, 0.0]), EVEN) == pytest.approx(math.log(2))
    assert divergence(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == math.inf


def test_the_exact_test_is_the_binomial_one_for_two_classes() -> None:
    for seen in range(11):
        ours = multinomial_p(abs(seen / 10 - 0.5), 10, [0.5, 0.5])
        assert ours == pytest.approx(stats.binomtest(seen, 10).pvalue)
    assert multinomial_p(0.1, 500, [1 / 3] * 3) is None  # too many outcomes to list


def test_drawn_and_listed_null_agree() -> None:
    read = np.array([0.7, 0.3])
    exact = null_test(read, 40, EVEN, None, seed=1)
    certain = Confusion(("a", "b"), np.array([[1e7, 0, 0], [0, 1e7, 0]]))
    drawn = null_test(read, 40, EVEN, certain, seed=1)
    assert exact.p == pytest.approx(stats.binomtest(28, 40).pvalue)
    assert drawn.p == pytest.approx(exact.p, abs=0.006)
    assert exact.mean_variation == pytest.approx(null_mean_variation(40, [0.5, 0.5]), abs=0.003)


def clustered(rng: np.random.Generator, shares: list[float], alike: dict[int, float]) -> Tally:
    """Draw 12 prompts of 4 clips; ``alike``: the concentration of some prompts' own shares, low for alike."""
    classes = ATTRIBUTES["presentation" if len(shares) == 2 else "tone"]
    reads: list[str] = []
    for prompt in range(12):
        own = rng.dirichlet(np.array(shares) * alike[prompt]) if prompt in alike else np.array(shares)
        reads += [classes[k] for k in rng.choice(len(shares), 4, p=own)]
    return tally_of(classes, reads, [f"prompt {k // 4:02d}" for k in range(48)])


def false_alarms(shares: list[float], alike: dict[int, float], audits: int) -> tuple[float, float]:
    """Count how often a generator of just these shares is called unfair: by our test, and by single clips."""
    ours = naive = 0
    for index in range(audits):
        tally = clustered(np.random.default_rng([1, index]), shares, alike)
        ours += null_test(tally.read_K, tally.effective_n, np.array(shares), None, seed=index).p <= 0.05
        naive += null_test(tally.read_K, tally.n, np.array(shares), None, seed=index).p <= 0.05
    return ours / audits, naive / audits


ALIKE = {
    "independent": {},
    "unequal": dict.fromkeys(range(0, 12, 3), 0.3),
    "alike": dict.fromkeys(range(12), 0.3),
}


def test_seeds_of_one_prompt_are_not_taken_for_independent() -> None:
    ours, naive = false_alarms([0.5, 0.5], ALIKE["alike"], 60)
    assert naive > 0.15
    assert ours <= stats.binom.ppf(0.999, 60, 0.05) / 60


@pytest.mark.slow
@pytest.mark.parametrize("alike", ALIKE)
@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.9, 0.1], [1 / 3] * 3, [0.7, 0.2, 0.1]], ids=str)
def test_false_alarms_stay_at_five_percent(shares: list[float], alike: str) -> None:
    ours, _ = false_alarms(shares, ALIKE[alike], 400)
    assert ours <= stats.binom.ppf(0.999, 400, 0.05) / 400
