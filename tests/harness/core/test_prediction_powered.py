"""Prediction-powered means: the formula, its limits, and coverage in simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core.stats.prediction_powered import prediction_powered_mean


def sample(rng: np.random.Generator, *, prompts: int, labelled: int, seeds: int, noise: float, bias: float):
    """Draw items whose prediction is the label plus noise and a bias; the first prompts are labelled."""
    taste = rng.normal(0, 1, prompts)
    label = (taste[:, None] + rng.normal(0, 1, (prompts, seeds))).ravel()
    predicted = label + bias + noise * rng.normal(0, 1, label.size)
    clusters = [f"p{p:04d}" for p in range(prompts) for _ in range(seeds)]
    known = [y if k < labelled * seeds else None for k, y in enumerate(label)]
    return predicted.tolist(), known, clusters


def test_the_estimate_is_that_of_the_formula() -> None:
    f, y, clusters = sample(np.random.default_rng(1), prompts=200, labelled=30, seeds=1, noise=0.2, bias=3)
    found = prediction_powered_mean(f, y, clusters, 0.95)
    few_f, few_y = np.array(f[:30]), np.array(y[:30])
    w = found.weight
    assert found.mean.value == pytest.approx(w * np.mean(f) + np.mean(few_y - w * few_f))
    assert found.labels_alone.value == pytest.approx(few_y.mean())
    # Angelopoulos, Duchi and Zrnic (2023), "PPI++", section 6: the weight of least variance for a mean is
    # cov(y, f) / ((1 + n / N) var(f)), with N unlabelled items; here labelled ones are among the N.
    assert w == pytest.approx(np.cov(few_y, few_f)[0, 1] / few_f.var(ddof=1), rel=0.1)
    assert (found.n, found.labelled, found.clusters, found.labelled_clusters) == (200, 30, 200, 30)


def test_good_predictions_narrow_the_interval_and_bad_ones_do_not_move_it() -> None:
    rng = np.random.default_rng(2)
    good = prediction_powered_mean(*sample(rng, prompts=500, labelled=50, seeds=1, noise=0.1, bias=-2), 0.95)
    widths = [row.high - row.low for row in (good.mean, good.labels_alone)]
    assert widths[0] < 0.5 * widths[1]
    f, y, clusters = sample(rng, prompts=500, labelled=50, seeds=1, noise=0.1, bias=0)
    opposite = prediction_powered_mean([-value for value in f], y, clusters, 0.95)
    assert opposite.weight == 0  # a predictor that is against the labels is left out
    assert opposite.mean.value == opposite.labels_alone.value
    constant = prediction_powered_mean([1.0] * 500, y, clusters, 0.95)
    assert constant.mean.value == pytest.approx(constant.labels_alone.value)


def test_labels_of_everything_leave_nothing_to_predict() -> None:
    f, y, clusters = sample(np.random.default_rng(3), prompts=40, labelled=40, seeds=2, noise=1, bias=5)
    found = prediction_powered_mean(f, y, clusters, 0.95)
    assert found.mean.value == pytest.approx(found.labels_alone.value)


def test_too_few_labels_have_no_interval() -> None:
    none = prediction_powered_mean([1.0, 2.0], [None, None], ["a", "b"], 0.95)
    assert (none.mean.value, none.predicted) == (None, 1.5)
    two = prediction_powered_mean([1.0, 2.0, 3.0], [1.0, 2.0, None], ["a", "b", "c"], 0.95)
    assert (two.mean.value, two.mean.low) == (1.5, None)
    assert "fewer than three prompts" in two.mean.notes[0]
    equal = prediction_powered_mean([1.0] * 4, [1.0] * 4, list("abcd"), 0.95)
    assert (equal.mean.low, equal.mean.notes) == (None, ("all labels are equal: the sample shows no spread",))
    with pytest.raises(ValueError, match="finite"):
        prediction_powered_mean([float("nan")], [1.0], ["a"], 0.95)


@given(st.integers(0, 5), st.permutations(range(24)))
def test_the_order_of_items_does_not_matter(seed: int, order: list[int]) -> None:
    f, y, clusters = sample(np.random.default_rng(seed), prompts=12, labelled=6, seeds=2, noise=0.5, bias=1)
    one = prediction_powered_mean(f, y, clusters, 0.95)
    other = prediction_powered_mean(
        [f[k] for k in order], [y[k] for k in order], [clusters[k] for k in order], 0.95
    )
    assert one.mean.low == pytest.approx(other.mean.low)
    assert one.mean.value == pytest.approx(other.mean.value)


def test_an_interval_stays_in_the_range_of_labels() -> None:
    labels = [1.0, 1.0, 1.0, 1.0, 0.0, None, None]
    found = prediction_powered_mean([1, 1, 1, 1, 0, 1, 1], labels, list("abcdefg"), 0.95, bounds=(0.0, 1.0))
    assert found.mean.high == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labelled", "seeds", "noise", "bias"),
    [(10, 1, 0.3, 2.0), (20, 1, 0.3, 2.0), (20, 4, 1.0, -1.0), (50, 2, 0.3, 0.0), (50, 1, 3.0, 1.0)],
)
def test_the_interval_covers(labelled: int, seeds: int, noise: float, bias: float) -> None:
    rng = np.random.default_rng(4)
    hits = alone = 0
    for _ in range(2000):
        f, y, clusters = sample(
            rng, prompts=10 * labelled, labelled=labelled, seeds=seeds, noise=noise, bias=bias
        )
        found = prediction_powered_mean(f, y, clusters, 0.95)
        hits += found.mean.low <= 0 <= found.mean.high
        alone += found.labels_alone.low <= 0 <= found.labels_alone.high
    assert 0.93 <= hits / 2000 <= 0.97
    assert 0.93 <= alone / 2000 <= 0.97


@pytest.mark.slow
def test_the_interval_of_a_share_covers() -> None:
    # A judge that says yes to 90 % of what people say yes to, and to 30 % of what they do not.
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(2000):
        truth = rng.random(400) < 0.3
        judged = rng.random(400) < np.where(truth, 0.9, 0.3)
        labels = [float(y) if k < 60 else None for k, y in enumerate(truth)]
        names = [str(k) for k in range(400)]
        found = prediction_powered_mean(judged.astype(float).tolist(), labels, names, 0.95, bounds=(0, 1))
        hits += found.mean.low <= 0.3 <= found.mean.high
    assert 0.93 <= hits / 2000 <= 0.97
