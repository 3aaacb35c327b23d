"""Screened distances are those of differences: to the last bit, with ties, copies and values of any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from screentest.metrics.distribution.neighbours import (
    prdc_leave_one_out,
    precision_recall_density_coverage,
)
from screentest.metrics.distribution.squared_distances import SquaredDistances

KINDS = ("lattice", "noise", "far", "tiny", "huge", "copies")


def two_sets(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    m, n, d = rng.integers(3, 40), rng.integers(3, 40), rng.choice([1, 2, 7, 50])
    if kind == "lattice":
        return rng.integers(0, 4, (m, d)).astype(np.float32), rng.integers(0, 4, (n, d)).astype(np.float32)
    if kind == "copies":
        x = rng.standard_normal((m, d))
        return x, x[rng.integers(0, m, n)]
    scale, middle = {"noise": (1, 0), "far": (1, 1e9), "tiny": (1e-162, 0), "huge": (1e153, 0)}[kind]
    return middle + scale * rng.standard_normal((m, d)), middle + scale * rng.standard_normal((n, d))


@pytest.mark.filterwarnings("ignore:overflow")
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6))
def test_comparisons_and_neighbours_are_those_of_differences(kind: str, seed: int):
    x, y = two_sets(kind, seed)
    across = cdist(x.astype(np.float64), y.astype(np.float64), "sqeuclidean")
    rng = np.random.default_rng(seed)
    screened = SquaredDistances(x, y)
    by_row = np.array([rng.choice(row) for row in across])[:, None]  # each at a distance that there is
    assert np.array_equal(screened.below(by_row), across < by_row)
    columns = np.flatnonzero(rng.random(len(y)) < 0.5)
    by_column = np.array([rng.choice(across[:, one]) for one in columns])[None, :]
    assert np.array_equal(screened.below(by_column, columns), across[:, columns] < by_column)
    count = int(rng.integers(1, len(y) + 1))
    numbers, squared = screened.nearest(count)
    assert np.array_equal(squared, np.sort(across, axis=1)[:, :count])
    assert np.array_equal(np.take_along_axis(across, numbers, axis=1), squared)
    _, within = SquaredDistances(x).nearest(len(x))
    assert np.array_equal(within, np.sort(cdist(x.astype(np.float64), x.astype(np.float64), "sqeuclidean")))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 9))
def test_leaving_groups_out_of_sets_with_ties_is_the_value_without_them(seed: int, k: int, count: int):
    rng = np.random.default_rng(seed)
    real = rng.permutation(np.array(np.meshgrid(*[range(3)] * 3)).reshape(3, -1).T).astype(float)
    fake = rng.integers(0, 3, (25, 3)) + rng.choice([0.0, 0.5], (25, 1))
    clusters = [str(one) for one in rng.integers(0, count, len(fake))]
    for name, value in prdc_leave_one_out(real, fake, clusters, nearest_k=k).items():
        kept = np.array(clusters) != name
        assert value == precision_recall_density_coverage(real, fake[kept], nearest_k=k)
