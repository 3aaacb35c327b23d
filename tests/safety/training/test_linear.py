"""Logistic regression over blocks of features, with labels that may be unknown."""

import numpy as np
import pytest
from screentest.safety.calibration import sigmoid
from screentest.safety.prompts.ngram import features
from screentest.safety.training.linear import FeatureBlock, balanced_weights, fit_linear


def test_both_classes_count_alike_and_unknown_labels_not_at_all():
    labels = np.array([[1.0, np.nan], [0.0, 1.0], [0.0, 1.0], [np.nan, 0.0]])
    weights = balanced_weights(labels, np.array(["a"] * 4))
    assert weights.tolist() == [[0.5, 0.0], [0.25, 0.25], [0.25, 0.25], [0.0, 0.5]]
    assert weights.sum(0).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("power", "share"), [(1.0, 0.1), (0.5, 0.25), (0.0, 0.5)])
def test_a_large_source_does_not_speak_for_all(power: float, share: float):
    sources = np.array(["small", *["large"] * 9])
    weights = balanced_weights(np.ones((10, 1)), sources, power)
    assert weights[0, 0] == pytest.approx(0.5 * share)
    assert weights.sum() == pytest.approx(0.5)


def test_words_are_told_apart_and_unknown_labels_left_out():
    many = [f"the {w} sits {p}" for w in ("kite", "dog") for p in ("here", "there", "inside", "outside")]
    labels = np.repeat([[1.0, np.nan], [0.0, 1.0]], 4, axis=0)
    labels[:2, 1] = 0.0
    (coef,), bias = fit_linear(
        [FeatureBlock(features(many, 1 << 12), 1e-4)], labels, balanced_weights(labels, np.array(["a"] * 8))
    )
    scores = features(["a kite flies", "a dog runs"], 1 << 12) @ coef + bias
    assert scores[0, 0] > scores[1, 0]
    assert scores[0, 1] < scores[1, 1]


def test_the_fit_is_where_the_slope_of_the_penalised_loss_is_zero():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5)).astype(np.float32)
    labels = (rng.random((300, 2)) < sigmoid(2 * x[:, :2].astype(np.float64))).astype(float)
    weights = balanced_weights(labels, np.array(["a"] * 300))
    blocks = [FeatureBlock(x[:, :2], 1e-3), FeatureBlock(x[:, 2:], 1e-1)]
    coef, bias = fit_linear(blocks, labels, weights)
    assert [part.shape for part in coef] == [(2, 2), (3, 2)]
    slope = weights * (sigmoid(x @ np.concatenate(coef) + bias) - labels)
    for block, part in zip(blocks, coef, strict=True):
        assert np.abs(block.design.T @ slope + block.l2 * part).max() < 2e-4
    assert slope.sum(0) == pytest.approx([0.0, 0.0], abs=2e-4)
