"""The network of one hidden layer: it fits what a line cannot, and the same settings give the same."""

import numpy as np
import pytest
import torch
from screentest.safety.calibration import auroc
from screentest.safety.prompts.network import Network, NetworkSettings, fit_network, mean_network
from screentest.safety.training.linear import balanced_weights

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(1500, 4)) * [1, 3, 0.1, 1] + 5).astype(np.float32)
CROSSED = (X[:, 0] > 5) ^ (X[:, 1] > 5)
LABELS = np.where(RNG.random((1500, 2)) < 0.2, np.nan, np.stack([CROSSED, X[:, 0] > 5], 1).astype(float))
ONE_SOURCE = np.array(["a"] * 1500)
SETTINGS = NetworkSettings(width=24, epochs=20, rate=1e-2, batch=64)


@pytest.fixture(scope="module")
def fitted() -> Network:
    return fit_network(X, LABELS, balanced_weights(LABELS, ONE_SOURCE), SETTINGS)


def test_a_network_learns_what_no_line_separates(fitted):
    scores = fitted.logits(X)
    assert scores.shape == (1500, 2)
    assert auroc(scores[CROSSED, 0], scores[~CROSSED, 0]) > 0.95
    assert auroc(scores[X[:, 0] > 5, 1], scores[X[:, 0] <= 5, 1]) > 0.95


def test_the_same_settings_give_the_same_weights_whatever_was_drawn_before(fitted):
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    again = fit_network(X, LABELS, balanced_weights(LABELS, ONE_SOURCE), SETTINGS)
    assert (again.inward == fitted.inward).all()
    assert (again.logits(X) == fitted.logits(X)).all()


def test_rows_of_unknown_label_have_no_say():
    known = ~np.isnan(LABELS[:, 0])
    turned = LABELS[:, :1].copy()
    weights = balanced_weights(turned, ONE_SOURCE)
    a = fit_network(X, turned, weights, NetworkSettings(width=4, epochs=1))
    turned[~known] = 1.0
    b = fit_network(X, turned, weights, NetworkSettings(width=4, epochs=1))
    assert (a.inward == b.inward).all()


def test_networks_side_by_side_give_the_mean_of_their_scores(fitted):
    other = Network(fitted.inward[:, :5] * 2, fitted.inward_bias[:5], fitted.outward[:5], fitted.bias + 3)
    mean = (fitted.logits(X) + other.logits(X)) / 2
    assert mean_network([fitted, other]).logits(X) == pytest.approx(mean, rel=1e-4, abs=1e-4)
