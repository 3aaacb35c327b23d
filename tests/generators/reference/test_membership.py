"""Membership inference by the denoising loss."""

import numpy as np
import pytest
from screentest.generators.reference.evaluation.membership import auc, denoising_losses
from screentest.generators.reference.training.data import memorised, planted


def test_the_auc_has_its_interval_around_it():
    rng = np.random.default_rng(0)
    none = auc(rng.normal(size=60), rng.normal(size=80))
    assert none["low"] < 0.5 < none["high"]  # type: ignore[operator]
    some = auc(rng.normal(size=60) + 1.5, rng.normal(size=80))
    assert 0.75 < some["low"] < some["value"] < some["high"] <= 1.0  # type: ignore[operator]
    assert auc(np.ones(5), np.zeros(5))["value"] == 1.0


@pytest.mark.slow
def test_base_denoises_its_films_better_than_the_snapshot_from_before():
    films = [memorised(name) for name in planted("base").code_names[:12]]
    base, early = denoising_losses("base", films), denoising_losses("early", films)
    assert (base < early).all()
    assert np.array_equal(base, denoising_losses("base", films))
