"""Calibration keeps the order and hits the rates; the rates are those of their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.safety.calibration import (
    Calibration,
    auroc,
    average_precision,
    bootstrap,
    brier,
    expected_calibration_error,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    fpr_at_recall,
    logit,
    recall_at_fpr,
    sigmoid,
    threshold_at_fpr,
)

scores = st.lists(st.floats(-20, 20, allow_subnormal=False), min_size=1, max_size=60).map(np.array)
quick = settings(max_examples=60, deadline=None)


@quick
@given(scores, scores)
def test_auroc_is_the_share_of_pairs_in_order(pos, neg):
    pairs = (pos[:, None] > neg).mean() + 0.5 * (pos[:, None] == neg).mean()
    assert auroc(pos, neg) == pytest.approx(pairs)
    assert auroc(neg, pos) == pytest.approx(1 - pairs)


@quick
@given(scores, st.floats(0, 0.5))
def test_the_threshold_lets_no_more_than_the_rate_through_and_cannot_be_lower(neg, rate):
    t = threshold_at_fpr(neg, rate)
    assert (neg >= t).mean() <= rate + 1e-9
    assert (neg >= np.nextafter(t, -np.inf)).mean() > rate - 1e-9


@quick
@given(scores, scores, st.floats(0.1, 10), st.floats(-5, 5))
def test_calibration_keeps_the_order(pos, neg, slope, intercept):
    both = np.sort(np.concatenate([pos, neg]))
    moved = Calibration(slope, intercept)(both)
    assert (np.diff(moved) >= 0).all()
    assert ((moved >= 0) & (moved <= 1)).all()


@quick
@given(scores, scores)
def test_platt_gives_a_rising_finite_map_for_any_scores_of_both_classes(pos, neg):
    x = np.concatenate([pos, neg])
    y = np.arange(len(x)) < len(pos)
    line = fit_platt(x, y)
    assert line.slope > 0
    assert np.isfinite([line.slope, line.intercept]).all()
    if np.ptp(x) > 1e-3 and auroc(pos, neg) >= 0.5:  # the mean probability is that of the smoothed targets
        smoothed = np.where(y, (len(pos) + 1) / (len(pos) + 2), 1 / (len(neg) + 2))
        assert line(x).mean() == pytest.approx(smoothed.mean(), abs=0.02)


def test_platt_finds_the_sigmoid_that_the_labels_were_drawn_from():
    rng = np.random.default_rng(3)
    x = rng.normal(0, 2, 20000)
    y = rng.random(20000) < sigmoid(1.7 * x - 0.8)
    line = fit_platt(x, y)
    assert line.slope == pytest.approx(1.7, abs=0.08)
    assert line.intercept == pytest.approx(-0.8, abs=0.08)
    assert expected_calibration_error(line(x), y) < 0.015


def test_platt_needs_both_classes():
    with pytest.raises(ValueError, match="both classes"):
        fit_platt(np.array([0.0, 1.0]), np.array([True, True]))


def test_golden_values():
    pos, neg = np.array([0.9, 0.8, 0.3]), np.array([0.7, 0.2, 0.1, 0.0])
    # precision at the three positives: 1/1, 2/2, 3/4
    assert average_precision(pos, neg) == pytest.approx((1 + 1 + 0.75) / 3)
    assert auroc(pos, neg) == pytest.approx(11 / 12)
    assert recall_at_fpr(pos, neg, 0.0) == pytest.approx(2 / 3)
    assert recall_at_fpr(pos, neg, 0.25) == 1.0
    assert fpr_at_recall(pos, neg, 0.95) == 0.25
    p, y = np.array([0.05, 0.05, 0.95, 0.95]), np.array([False, False, True, False])
    # two bins of two: |0.1 - 0| and |1.9 - 1|, over four rows (Guo et al. 2017, equation 3)
    assert expected_calibration_error(p, y) == pytest.approx((0.1 + 0.9) / 4)
    assert brier(p, y) == pytest.approx((2 * 0.0025 + 0.0025 + 0.9025) / 4)
    assert logit(sigmoid(np.array([-3.0, 0.0, 2.0]))) == pytest.approx([-3.0, 0.0, 2.0])


def test_average_precision_agrees_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    pos, neg = rng.integers(0, 9, 40) / 8, rng.integers(0, 7, 60) / 8
    y = np.repeat([1, 0], [40, 60])
    x = np.concatenate([pos, neg])
    assert average_precision(pos, neg) == pytest.approx(metrics.average_precision_score(y, x))
    assert auroc(pos, neg) == pytest.approx(metrics.roc_auc_score(y, x))


def test_the_bootstrap_is_wider_when_rows_come_in_groups_and_is_the_same_twice():
    rng = np.random.default_rng(1)
    pos, neg = np.repeat(rng.normal(1, 1, 20), 10), rng.normal(0, 1, 300)

    def statistic(p, n):
        return np.array([auroc(p, n)])

    alone = (np.arange(200), np.arange(300))
    together = (np.repeat(np.arange(20), 10), np.arange(300))
    narrow, wide = (bootstrap(statistic, pos, neg, groups) for groups in (alone, together))
    assert wide.shape == (200, 1)
    assert wide.std() > 1.5 * narrow.std()
    assert abs(wide.mean() - auroc(pos, neg)) < wide.std()
    assert (bootstrap(statistic, pos, neg, together) == wide).all()


@quick
@given(scores, scores)
def test_isotonic_never_falls_and_never_claims_certainty(pos, neg):
    x = np.concatenate([pos, neg])
    y = np.arange(len(x)) < len(pos)
    line = fit_isotonic(x, y)
    p = line(np.sort(np.concatenate([x, [-1e9, 1e9]])))
    assert (np.diff(p) >= 0).all()
    assert ((p > 0) & (p < 1)).all()


def test_isotonic_pools_what_falls_and_smooths_what_is_left():
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True])
    # 2 and 3 fall and are pooled: one of two; alone: (0 + 1/2) / 2 and (1 + 1/2) / 2
    line = fit_isotonic(x, y)
    assert line(x).tolist() == [0.25, 0.5, 0.5, 0.75]
    assert line(np.array([1.5]))[0] == pytest.approx(0.375)


def test_isotonic_agrees_with_scikit_learn_on_large_blocks():
    isotonic = pytest.importorskip("sklearn.isotonic")
    rng = np.random.default_rng(4)
    x = rng.normal(0, 2, 20000)
    y = rng.random(20000) < sigmoid(x / 2)
    theirs = isotonic.IsotonicRegression(out_of_bounds="clip").fit(x, y).predict(x)
    assert np.abs(fit_isotonic(x, y)(x) - theirs).mean() < 0.002


def test_temperature_finds_how_much_too_sure_logits_are():
    rng = np.random.default_rng(5)
    z = rng.normal(0, 2, 50000)
    y = rng.random(50000) < sigmoid(z)
    found = fit_temperature(3.0 * z, y)
    assert 1 / found.slope == pytest.approx(3.0, abs=0.1)
    assert found.intercept == 0.0


@pytest.mark.parametrize("fit", [fit_isotonic, fit_temperature])
def test_every_calibration_needs_both_classes(fit):
    with pytest.raises(ValueError, match="both classes"):
        fit(np.array([0.0, 1.0]), np.array([True, True]))
