"""Looks at a growing sample: the boundaries by other computations, and the error of all looks together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from screentest.harness.core.stats import look_confidences, spent


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        # Equally spaced looks, 0.025 on one side. Computed for this test in two ways, alike to four digits:
        # scipy's multivariate normal distribution function, and convolution on a grid of 8,001 points.
        (2, [2.9626, 1.9686]),
        (3, [3.7103, 2.5114, 1.9930]),
        (4, [4.3326, 2.9631, 2.3590, 2.0141]),
        (5, [4.8769, 3.3570, 2.6803, 2.2898, 2.0310]),
    ],
)
def test_the_boundaries_are_those_of_other_computations(looks: int, expected: list[float]) -> None:
    found = look_confidences([k / looks for k in range(1, looks + 1)], 0.975)
    # of sf, not of ppf, which loses the digits of a confidence near 1
    assert scipy_stats.norm.isf([1 - c for c in found]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("taken", [[0.25, 1.0], [0.2, 0.5, 1.0], [0.4, 0.7, 0.8]])
def test_each_look_spends_its_share_of_the_error(taken: list[float]) -> None:
    confidence = 0.95
    reaches = scipy_stats.norm.ppf(look_confidences(taken, confidence))
    shares = np.array(taken)
    alike = np.sqrt(np.minimum.outer(shares, shares) / np.maximum.outer(shares, shares))
    # The probability that the first k looks all stay below their boundaries, by scipy's own integration.
    within = [
        float(
            scipy_stats.multivariate_normal.cdf(
                reaches[:k], np.zeros(k), alike[:k, :k], maxpts=500_000, abseps=1e-7, releps=1e-7
            )
        )
        for k in range(1, len(taken) + 1)
    ]
    assert within == pytest.approx([1 - spent(share, confidence) for share in taken], abs=1e-6)


def test_one_look_takes_the_whole_confidence() -> None:
    assert look_confidences([1.0], 0.95) == pytest.approx([0.95], abs=1e-12)


def test_the_spending_function_by_hand() -> None:
    assert spent(1.0, 0.95) == pytest.approx(0.05)
    assert spent(0.25, 0.95) == pytest.approx(2 * scipy_stats.norm.sf(2 * 1.959964), rel=1e-5)


shares = st.lists(st.integers(1, 20), min_size=1, max_size=5, unique=True).map(
    lambda ks: [k / max(ks) for k in sorted(ks)]
)


@settings(max_examples=15, deadline=None)
@example([1 / 13, 1.0], 0.99)  # the first look may spend less than 1e-19
@given(shares, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_no_look_takes_less_than_the_whole_confidence(taken, confidence: float) -> None:
    found = look_confidences(taken, confidence)
    assert all(confidence - 1e-8 <= c < 1 for c in found)


def test_all_looks_together_err_as_told() -> None:
    taken = [0.2, 0.4, 0.7, 1.0]
    reaches = scipy_stats.norm.ppf(look_confidences(taken, 0.95))
    rng = np.random.default_rng(5)
    steps = rng.normal(size=(400_000, 4)) * np.sqrt(np.diff([0.0, *taken]))
    crossed = (np.cumsum(steps, axis=1) / np.sqrt(taken) > reaches).any(axis=1)
    assert crossed.mean() == pytest.approx(0.05, abs=3 * (0.05 * 0.95 / 400_000) ** 0.5)
    # judged at 95 % at each of the looks, more than twice as many would pass
    assert (np.cumsum(steps, axis=1) / np.sqrt(taken) > 1.6449).any(axis=1).mean() > 0.1


def test_looks_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="do not rise"):
        look_confidences([0.5, 0.5], 0.95)
    with pytest.raises(ValueError, match="not in"):
        look_confidences([0.5, 1.5], 0.95)
