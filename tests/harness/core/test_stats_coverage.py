"""Coverage of intervals and level of tests, by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from screentest.harness.core.stats import (
    cluster_bootstrap_mean,
    means,
    paired_rate_interval,
    rate_bound,
    rate_interval,
    sign_flip_test,
)


@pytest.fixture
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(means, "RESAMPLES", 1999)


def covered_means(groups: int, correlation: float, skewed: bool, trials: int) -> float:
    rng = np.random.default_rng(groups)
    clusters = [f"p{i:03}" for i in range(groups) for _ in range(4)]
    hits = 0
    for trial in range(trials):
        draws = [
            rng.exponential(size=s) - 1 if skewed else rng.normal(size=s) for s in ((groups, 1), (groups, 4))
        ]
        x = math.sqrt(correlation) * draws[0] + math.sqrt(1 - correlation) * draws[1]
        interval = cluster_bootstrap_mean(x.ravel().tolist(), clusters, 0.95, seed=trial)
        hits += interval.low <= 0 <= interval.high
    return hits / trials


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("groups", [3, 8, 20, 60])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_coverage_of_means(groups: int, correlation: float) -> None:
    # 400 trials: a standard error of 1.1 points at 95 %.
    assert 0.91 <= covered_means(groups, correlation, skewed=False, trials=400) <= 0.99


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("groups", [8, 20, 60])
def test_coverage_of_means_of_skewed_values(groups: int) -> None:
    assert covered_means(groups, 0.5, skewed=True, trials=400) >= 0.90


def rate_samples(
    rng: np.random.Generator, shape: tuple[int, int], rate: float, correlation: float, trials: int
):
    """Draw beta-binomial samples: each prompt has a rate of its own around ``rate``."""
    scale = (1 - correlation) / correlation
    for _ in range(trials):
        of_prompt = rng.beta(rate * scale, (1 - rate) * scale, size=(shape[0], 1))
        yield (rng.random(shape) < of_prompt).astype(float).ravel().tolist()


@pytest.mark.slow
@pytest.mark.parametrize(("prompts", "seeds"), [(12, 4), (30, 2), (30, 8), (60, 4)])
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("correlation", [0.05, 0.3, 0.7])
def test_coverage_of_rates(prompts: int, seeds: int, rate: float, correlation: float) -> None:
    clusters = [f"p{i:03}" for i in range(prompts) for _ in range(seeds)]
    rng = np.random.default_rng(prompts)
    trials, wilson, upper, lower = 400, 0, 0, 0
    for values in rate_samples(rng, (prompts, seeds), rate, correlation, trials):
        interval = rate_interval(values, clusters, 0.95)
        wilson += interval.low <= rate <= interval.high
        upper += rate <= rate_bound(values, clusters, 0.95, "upper")
        lower += rate >= rate_bound(values, clusters, 0.95, "lower")
    # A gate rests on the one-sided bounds.
    assert upper / trials >= 0.92
    assert lower / trials >= 0.92
    assert wilson / trials >= 0.91


@pytest.mark.slow
@pytest.mark.parametrize(("prompts", "seeds"), [(12, 1), (12, 4), (30, 2), (60, 4)])
@pytest.mark.parametrize(("rate", "correlation"), [(0.05, 0.3), (0.3, 0.05), (0.3, 0.7)])
def test_coverage_of_paired_rates(prompts: int, seeds: int, rate: float, correlation: float) -> None:
    clusters = [f"p{i:03}" for i in range(prompts) for _ in range(seeds)]
    rng = np.random.default_rng(prompts)
    shape, trials, hits, above = (prompts, seeds), 400, 0, 0
    a, b = (rate_samples(rng, shape, rate, correlation, trials) for _ in range(2))
    for x, y in zip(a, b, strict=True):
        differences = [v - u for u, v in zip(x, y, strict=True)]
        interval = paired_rate_interval(differences, clusters, 0.95)
        hits += interval.low <= 0 <= interval.high
        above += paired_rate_interval(differences, clusters, 0.9).high >= 0
    assert hits / trials >= 0.93
    assert above / trials >= 0.92


@pytest.mark.slow
def test_sign_flips_hold_their_level() -> None:
    rng = np.random.default_rng(3)
    clusters = [f"p{i:03}" for i in range(12) for _ in range(4)]
    low = 0
    for trial in range(400):
        x = rng.normal(size=(12, 1)) + rng.normal(size=(12, 4))
        low += sign_flip_test(x.ravel().tolist(), clusters, seed=trial)[0] <= 0.05
    assert low / 400 <= 0.08
