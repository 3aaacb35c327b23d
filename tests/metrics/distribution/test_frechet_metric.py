import copy

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import UsageError
from screentest.metrics import FrechetVideoDistance
from screentest.metrics.distribution.frechet import frechet_distance


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
    assert int(metric.real_n) == 0


def test_bad_features_are_refused_in_a_sentence():
    metric = FrechetVideoDistance(6)
    with pytest.raises(UsageError, match=r"expected \(n, 6\)"):
        metric.update(torch.zeros(4, 5), real=True)
    with pytest.raises(UsageError, match="NaN"):
        metric.update(torch.full((4, 6), torch.nan), real=True)


def test_a_lower_distance_is_better():
    assert FrechetVideoDistance.higher_is_better is False
