import copy

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import UsageError
from screentest.metrics import FrechetVideoDistance
from screentest.metrics.distribution.frechet import SmallSetWarning, frechet_distance


def features(n: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, 6)) + shift)


@pytest.mark.parametrize("ddof", [0, 1])
def test_it_equals_the_pure_function_whatever_the_batches(ddof):
    x, y = features(50, 0), features(40, 1, shift=2.0)
    metric = FrechetVideoDistance(6, ddof=ddof)
    for batch in x.split(7):
        metric.update(batch, real=True)
    for batch in y.split(13):
        metric.update(batch, real=False)
    expected = frechet_distance(x.numpy(), y.numpy(), ddof=ddof)
    assert metric.compute().item() == pytest.approx(expected, rel=1e-9)
    assert metric.compute().dtype == torch.float64


def test_identical_sets_are_at_distance_zero():
    metric = FrechetVideoDistance(6)
    for real in (True, False):
        metric.update(features(30, 0), real=real)
    assert metric.compute().item() == pytest.approx(0.0, abs=1e-9)


def test_shards_merge_to_the_whole():
    whole, shards = FrechetVideoDistance(6), [FrechetVideoDistance(6) for _ in range(3)]
    for seed, shard in enumerate(shards):
        for real in (True, False):
            batch = features(20, seed + 10 * real, shift=float(real))
            shard.update(batch, real=real)
            whole.update(batch, real=real)
    merged = copy.deepcopy(shards[0])
    for shard in shards[1:]:
        merged.merge_state(shard)
    assert merged.compute().item() == pytest.approx(whole.compute().item(), rel=1e-9)


def test_batches_of_any_size_merge_to_the_whole_in_any_order():
    x, y = features(40, 0), features(30, 1, shift=1.0)
    expected = frechet_distance(x.numpy(), y.numpy())
    for sizes in ([0, 1, 39], [40, 0], [1] * 40, [3, 30, 7]):
        metric = FrechetVideoDistance(6)
        for batch in x.flip(0).split(sizes):
            metric.update(batch, real=True)
        metric.update(y, real=False)
        assert metric.compute().item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("far", [1e2, 1e4, 1e6, 1e7, 1e8])
def test_means_far_from_zero_cost_no_more_digits_than_the_features_lost(far: float):
    # sums of raw products would lose digits as (mean / std)^2: all of them from 1e8 on
    x, y = features(200, 0) + far, features(150, 1, shift=2.0) + far
    metric = FrechetVideoDistance(6)
    for batch in x.split(17):
        metric.update(batch, real=True)
    for batch in y.split(17):
        metric.update(batch, real=False)
    near = frechet_distance((x - far).numpy(), (y - far).numpy())
    assert metric.compute().item() == pytest.approx(near, rel=1e-15 * far + 1e-12)


def test_processes_are_merged_when_it_computes():
    x, y = features(40, 0), features(30, 1, shift=1.0)
    other = FrechetVideoDistance(6)
    other.update(x[25:], real=True)
    other.update(y[:4], real=False)
    states = iter([other.real, other.fake])
    metric = FrechetVideoDistance(
        6,
        dist_sync_fn=lambda state, group: [state, next(states)],
        distributed_available_fn=lambda: True,
    )
    metric.update(x[:25], real=True)
    metric.update(y[4:], real=False)
    expected = frechet_distance(x.numpy(), y.numpy())
    assert metric.compute().item() == pytest.approx(expected, rel=1e-12)
    assert int(metric.real[0, 0]) == 25


def test_forward_is_refused_before_anything_changes():
    metric = FrechetVideoDistance(6)
    metric.update(features(20, 0), real=True)
    metric.update(features(20, 1, shift=1.0), real=False)
    before = metric.compute().item()
    with pytest.raises(UsageError, match="at the end"):
        metric(features(20, 2), real=True)
    metric.update(features(0, 0), real=True)
    assert metric.compute().item() == before


def test_fewer_clips_than_features_are_a_warning():
    metric = FrechetVideoDistance(6)
    for real in (True, False):
        metric.update(features(6, int(real)), real=real)
    with pytest.warns(SmallSetWarning, match="a set of 6 clips does not exceed the feature dimension 6"):
        metric.compute()


def test_float32_features_are_summed_in_float64():
    metric = FrechetVideoDistance(6)
    x = (features(2000, 0) * 1e-2 + 100.0).float()
    y = (features(2000, 1) * 1e-2 + 100.0).float()
    metric.update(x, real=True)
    metric.update(y, real=False)
    assert metric.compute().item() == pytest.approx(frechet_distance(x.numpy(), y.numpy()), rel=1e-3)


def test_reset_empties_it_and_too_few_clips_are_refused():
    metric = FrechetVideoDistance(6)
    metric.update(features(5, 0), real=True)
    metric.update(features(1, 1), real=False)
    with pytest.raises(UsageError, match="the fake set has 1"):
        metric.compute()
    metric.update(features(5, 1), real=False)
    metric.reset()
    assert int(metric.real[0, 0]) == 0


def test_bad_features_are_refused_in_a_sentence():
    metric = FrechetVideoDistance(6)
    with pytest.raises(UsageError, match=r"expected \(n, 6\)"):
        metric.update(torch.zeros(4, 5), real=True)
    with pytest.raises(UsageError, match="NaN"):
        metric.update(torch.full((4, 6), torch.nan), real=True)


def test_a_lower_distance_is_better():
    assert FrechetVideoDistance.higher_is_better is False
