import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.metrics import precision_recall_density_coverage
from screentest.metrics.distribution.neighbours import prdc_leave_one_out


# By `compute_prdc` of the authors' package prdc 0.2 on the same features.
@pytest.mark.parametrize(
    ("k", "golden"), [(1, (0.84, 0.4, 1.52, 0.4)), (5, (1.0, 0.7833333333, 1.352, 0.8166666667))]
)
def test_it_is_that_of_the_authors(k: int, golden):
    rng = np.random.default_rng(0)
    real, fake = rng.standard_normal((60, 4)), rng.standard_normal((50, 4)) * 0.7 + 0.4
    assert precision_recall_density_coverage(real, fake, nearest_k=k) == pytest.approx(golden)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 5), st.sampled_from([0.0, 1e3]))
def test_identical_sets_have_all_four_at_one(seed: int, k: int, d: int, far: float):
    x = np.random.default_rng(seed).standard_normal((15, d)) + far
    assert precision_recall_density_coverage(x, x.copy(), nearest_k=k) == (1.0, 1.0, 1.0, 1.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 5))
def test_it_knows_no_order_scale_and_axes(seed: int, k: int, d: int):
    rng = np.random.default_rng(seed)
    real, fake = rng.standard_normal((20, d)), rng.standard_normal((15, d)) + 0.5
    values = precision_recall_density_coverage(real, fake, nearest_k=k)
    shuffled = precision_recall_density_coverage(rng.permutation(real), rng.permutation(fake), nearest_k=k)
    assert shuffled == pytest.approx(values)
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    moved = precision_recall_density_coverage(7 * real @ turn + 3, 7 * fake @ turn + 3, nearest_k=k)
    assert moved == pytest.approx(values)
    assert all(0 <= value <= 1 for value in (values.precision, values.recall, values.coverage))
    assert values.density >= 0
    # precision and recall change places with the sets
    swapped = precision_recall_density_coverage(fake, real, nearest_k=k)
    assert (swapped.precision, swapped.recall) == (values.recall, values.precision)


def test_fidelity_and_diversity_are_told_apart():
    rng = np.random.default_rng(0)
    real = np.concatenate([rng.standard_normal((50, 4)), rng.standard_normal((50, 4)) + 10])
    one_mode = rng.standard_normal((100, 4))
    dropped = precision_recall_density_coverage(real, one_mode)
    assert dropped.precision > 0.8
    assert dropped.coverage < 0.55
    assert dropped.recall < 0.55
    noise = precision_recall_density_coverage(real, real + 3 * rng.standard_normal(real.shape))
    assert noise.precision < 0.5


def test_leaving_a_group_out_is_the_value_without_it():
    rng = np.random.default_rng(0)
    real, fake = rng.standard_normal((30, 3)), rng.standard_normal((20, 3)) + 0.3
    clusters = [str(i % 5) for i in range(20)]
    found = prdc_leave_one_out(real, fake, clusters, nearest_k=3)
    assert len(found) == 5
    for name, value in found.items():
        kept = np.array(clusters) != name
        assert value == precision_recall_density_coverage(real, fake[kept], nearest_k=3)
    assert prdc_leave_one_out(real, fake[:6], list("aaabbb"), nearest_k=3) == {}


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.ones((1, 3)), np.ones((9, 3)), "two clips in each set"),
        (np.ones((9, 3)), np.ones((9, 2)), "shapes"),
        (np.full((9, 3), np.nan), np.ones((9, 3)), "NaN"),
        (np.eye(9), np.eye(9)[:5], "needs more than 5 clips in each set"),
        (np.ones((9, 3)), np.eye(9)[:, :3], "9 of 9 real clips have 5 copies"),
    ],
)
def test_bad_sets_are_refused_in_a_sentence(real, fake, message):
    with pytest.raises(UsageError, match=message):
        precision_recall_density_coverage(real, fake)


def test_generated_copies_are_low_recall_and_no_error():
    real = np.random.default_rng(0).standard_normal((30, 3))
    assert precision_recall_density_coverage(real, np.tile(real[:1], (20, 1))).recall == 0.0
