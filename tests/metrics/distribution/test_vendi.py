import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.metrics import vendi_score
from screentest.metrics.distribution.vendi import vendi_leave_one_out


def test_it_is_that_of_the_authors():
    # vendi_score 0.0.3: `vendi.score_dual(features, normalize=True)`
    rng = np.random.default_rng(0)
    rng.standard_normal((60, 4))
    assert vendi_score(rng.standard_normal((50, 4)) * 0.7 + 0.4) == pytest.approx(3.795739400430814)


def test_two_clips_at_an_angle_by_hand():
    # The eigenvalues of K / 2 are (1 + cos) / 2 and (1 - cos) / 2.
    cosine = 0.6
    values = [(1 + cosine) / 2, (1 - cosine) / 2]
    expected = math.exp(-sum(value * math.log(value) for value in values))
    assert vendi_score(np.array([[5.0, 0.0], [0.6, 0.8]])) == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 10**6))
def test_its_laws(n: int, d: int, seed: int):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) + 0.3
    score = vendi_score(x)
    assert 1 <= score <= min(n, d)
    assert vendi_score(rng.permutation(x)) == pytest.approx(score)
    assert vendi_score(x * rng.uniform(0.1, 10, (n, 1))) == pytest.approx(score)
    assert vendi_score(np.tile(x, (3, 1))) == pytest.approx(score)
    assert vendi_score(np.hstack([x, np.zeros((n, 9))])) == pytest.approx(score)


@pytest.mark.parametrize("n", [2, 7, 40])
def test_its_ends(n: int):
    assert vendi_score(np.eye(n)) == pytest.approx(n)
    assert vendi_score(np.ones((n, 5))) == pytest.approx(1.0)
    assert vendi_score(np.full((n, 5), 1e-300)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((1, 3)), "two clips"),
        (np.ones(3), "shape"),
        (np.full((3, 3), np.inf), "infinite"),
        (np.zeros((3, 3)), "no direction"),
    ],
)
def test_bad_sets_are_refused_in_a_sentence(x, message):
    with pytest.raises(UsageError, match=message):
        vendi_score(x)


def test_leaving_a_group_out_is_the_score_without_it():
    x = np.random.default_rng(0).standard_normal((12, 4))
    clusters = list("abc" * 4)
    found = vendi_leave_one_out(x, clusters)
    assert set(found) == {"a", "b", "c"}
    for name, value in found.items():
        assert value == pytest.approx(vendi_score(x[np.array(clusters) != name]))
    assert vendi_leave_one_out(x, ["a"] * 12) == {}
