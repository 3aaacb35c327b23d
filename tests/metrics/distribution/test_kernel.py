import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.metrics import KernelVideoDistance, polynomial_mmd
from screentest.metrics.distribution import kernel as module
from screentest.metrics.distribution.kernel import (
    cmmd,
    gaussian_mmd,
    jedi_distance,
    kernel_distance,
    mmd_leave_one_out,
    polynomial_kernel,
)
from torchmetrics.image.kid import poly_mmd


def sets(n: int, m: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((m, d)) * 1.2 + 0.3


def by_pairs(x, y, kernel, unbiased: bool) -> float:
    """The definition, pair by pair."""

    def mean(a, b, same: bool) -> float:
        values = [
            kernel(p, q)
            for i, p in enumerate(a)
            for j, q in enumerate(b)
            if not (same and unbiased and i == j)
        ]
        return math.fsum(values) / len(values)

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)


@pytest.mark.parametrize("unbiased", [True, False])
def test_they_are_their_definitions(unbiased: bool):
    x, y = sets(9, 7, 4)

    def cubic(p, q):
        return (p @ q / 4 + 1) ** 3

    def gaussian(p, q):
        return math.exp(-np.square(p - q).sum() / (2 * 1.5**2))

    assert polynomial_mmd(x, y, unbiased=unbiased) == pytest.approx(by_pairs(x, y, cubic, unbiased))
    found = gaussian_mmd(x, y, sigma=1.5, unbiased=unbiased)
    assert found == pytest.approx(by_pairs(x, y, gaussian, unbiased))


def test_the_kernel_distance_is_that_of_torchmetrics():
    x, y = sets(80, 80, 12)
    for settings_ in ({}, {"degree": 2, "gamma": 0.3, "coef": 0.5}):
        expected = float(poly_mmd(torch.from_numpy(x), torch.from_numpy(y), **settings_))
        assert polynomial_mmd(x, y, **settings_) == pytest.approx(expected, rel=1e-10)


def test_blocks_do_not_change_the_value(monkeypatch):
    x, y = sets(50, 37, 5)
    whole = [polynomial_mmd(x, y), gaussian_mmd(x, y)]
    left_out = mmd_leave_one_out(x, y, [str(i % 6) for i in range(50)], polynomial_kernel())
    monkeypatch.setattr(module, "BLOCK", 8)
    assert [polynomial_mmd(x, y), gaussian_mmd(x, y)] == pytest.approx(whole, rel=1e-9)
    again = mmd_leave_one_out(x, y, [str(i % 6) for i in range(50)], polynomial_kernel())
    assert again == pytest.approx(left_out, rel=1e-9)


def test_the_jedi_estimator_of_uniform_features():
    # Two sets of 5,000 uniform features in 1,280 dimensions: published 0.0019 to 0.0020. By the moments of a
    # uniform variable the biased estimator of n like rows is 100 * 2 / n * (E k(x, x) - E k(x, x')).
    d, n = 1280, 400
    same, other = 1 / 9 + 4 / 45 / d, (1 / 16) + (1 / 9 - 1 / 16) / d
    assert 100 * 2 / 5000 * (same - other) == pytest.approx(0.00195, abs=5e-5)
    rng = np.random.default_rng(0)
    values = [jedi_distance(*rng.random((2, n, d))) for _ in range(5)]
    assert np.mean(values) == pytest.approx(100 * 2 / n * (same - other), rel=0.02)


def test_cmmd_by_hand():
    # Orthogonal directions are sqrt(2) apart: 1000 * 2 * (1 - exp(-2 / 200)), whatever the lengths.
    x, y = np.array([[3.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 2.0], [0.0, 9.0]])
    assert cmmd(x, y) == pytest.approx(2000 * (1 - math.exp(-0.01)))
    assert cmmd(x, 5 * x) == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(UsageError, match="no direction"):
        cmmd(x, np.zeros((2, 2)))


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 6), st.integers(0, 10**6))
def test_they_know_no_order_and_are_symmetric(n: int, m: int, d: int, seed: int):
    x, y = sets(n, m, d, seed)
    rng = np.random.default_rng(seed)
    for measure in (polynomial_mmd, gaussian_mmd, jedi_distance, cmmd):
        value = measure(x, y)
        assert measure(y, x) == pytest.approx(value, rel=1e-9, abs=1e-9)
        assert measure(rng.permutation(x), rng.permutation(y)) == pytest.approx(value, rel=1e-9, abs=1e-9)
        if measure is not polynomial_mmd:
            assert value >= 0.0
            assert measure(x, x) == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(-1e6, 1e6))
def test_the_gaussian_kernel_knows_no_origin(seed: int, far: float):
    x, y = sets(10, 8, 3, seed)
    assert gaussian_mmd(x + far, y + far, sigma=1.0) == pytest.approx(gaussian_mmd(x, y, sigma=1.0), rel=1e-7)


def test_the_kernel_distance_is_unbiased_where_the_frechet_distance_is_not():
    rng = np.random.default_rng(0)
    values = [polynomial_mmd(*rng.standard_normal((2, 12, 30))) for _ in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((1, 3)), np.ones((5, 3)), "two clips in each set"),
        (np.ones((4, 3)), np.ones((5, 2)), "shapes"),
        (np.full((4, 3), np.nan), np.ones((5, 3)), "NaN"),
        (np.full((4, 3), 1e120), np.ones((5, 3)), "overflows"),
    ],
)
def test_bad_sets_are_refused_in_a_sentence(x, y, message):
    with pytest.raises(UsageError, match=message):
        polynomial_mmd(x, y)


@pytest.mark.parametrize("unbiased", [True, False])
def test_leaving_a_group_out_is_the_distance_without_it(unbiased: bool):
    x, y = sets(12, 9, 4)
    clusters = ["a", "b", "c", "a"] * 3
    found = mmd_leave_one_out(x, y, clusters, polynomial_kernel(), unbiased=unbiased)
    for name, value in found.items():
        kept = np.array(clusters) != name
        assert value == pytest.approx(polynomial_mmd(x[kept], y, unbiased=unbiased))
    assert set(found) == {"a", "b", "c"}
    assert mmd_leave_one_out(x, y, ["a"] * 12, polynomial_kernel()) == {}
    assert mmd_leave_one_out(x, y, ["a"] * 11 + ["b"], polynomial_kernel()) == {}


def test_subsets_are_of_the_sets_and_not_of_their_order():
    x, y = sets(40, 30, 3)
    mean, deviation = kernel_distance(x, y, rng=np.random.default_rng(0), subsets=20, subset_size=15)
    again = kernel_distance(x[::-1], y[::-1], rng=np.random.default_rng(0), subsets=20, subset_size=15)
    assert (mean, deviation) == again
    assert abs(mean - polynomial_mmd(x, y)) < 3 * deviation
    whole, none = kernel_distance(x[:30], y, rng=np.random.default_rng(0), subsets=3, subset_size=30)
    assert whole == pytest.approx(polynomial_mmd(x[:30], y))
    assert none == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(UsageError, match="subsets of 31 clips cannot be drawn from sets of 40 and 30"):
        kernel_distance(x, y, rng=np.random.default_rng(0), subset_size=31)


def test_the_metric_is_the_function_whatever_the_batches_and_shards():
    x, y = (torch.from_numpy(z) for z in sets(40, 30, 3))
    shards = [KernelVideoDistance(3, subsets=10, subset_size=12) for _ in range(2)]
    for shard, part in zip(shards, (x.split(25), y.split(10)), strict=True):
        for batch in part:
            shard.update(batch, real=shard is shards[0])
    with pytest.raises(UsageError, match="got 40 and 0"):
        copy.deepcopy(shards[0]).compute()
    whole = KernelVideoDistance(3, subsets=10, subset_size=12)
    whole.update(x.flip(0), real=True)
    whole.update(y, real=False)
    expected = tuple(float(value) for value in whole.compute())
    shards[0].merge_state(shards[1])
    assert tuple(float(value) for value in shards[0].compute()) == expected
    with pytest.raises(UsageError, match="at the end"):
        whole(x, real=True)
    assert tuple(float(value) for value in whole.compute()) == expected
    other = KernelVideoDistance(3, subsets=10, subset_size=12, seed=1)
    other.update(x, real=True)
    other.update(y, real=False)
    assert float(other.compute()[0]) != expected[0]
    other.reset()
    assert other.real == []


def test_the_metric_merges_processes():
    x, y = (torch.from_numpy(z) for z in sets(40, 30, 3))
    rest = iter([x[20:], y[9:]])
    metric = KernelVideoDistance(
        3,
        subsets=10,
        subset_size=12,
        dist_sync_fn=lambda state, group: [state, next(rest)],
        distributed_available_fn=lambda: True,
    )
    metric.update(x[:20], real=True)
    metric.update(y[:9], real=False)
    whole = KernelVideoDistance(3, subsets=10, subset_size=12)
    whole.update(x, real=True)
    whole.update(y, real=False)
    assert metric.compute() == whole.compute()


def test_bad_features_are_refused_by_the_metric():
    metric = KernelVideoDistance(6)
    with pytest.raises(UsageError, match=r"expected \(n, 6\)"):
        metric.update(torch.zeros(4, 5), real=True)
    with pytest.raises(UsageError, match="NaN"):
        metric.update(torch.full((4, 6), torch.nan), real=True)
