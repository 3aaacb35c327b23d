"""Heads: classes and known directions, features that are refused, and deviation from real clips."""

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.safety.detectors.head import Head, fit_deviation, fit_head


def classes(n: int = 60, apart: float = 3.0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(5)
    generated = np.arange(n) < n // 2
    vectors = rng.normal(size=(n, 4)) * (1, 100, 1, 1) + 7
    vectors[generated, 1] += apart * 100
    return vectors, generated, ["g" if one else "r" for one in generated]


def test_a_difference_of_any_scale_is_learned() -> None:
    vectors, generated, sources = classes()
    head = fit_head(vectors, generated, sources)
    odds = head.log_odds(vectors)
    assert ((odds > 0) == generated).mean() > 0.9
    assert int(np.argmax(np.abs(head.weight))) == 1


def test_a_number_that_never_changes_has_no_weight() -> None:
    vectors, generated, sources = classes()
    vectors[:, 0] = 3
    head = fit_head(vectors, generated, sources)
    assert head.weight[0] == 0
    assert np.isfinite(head.log_odds(vectors + 1)).all()


@pytest.mark.parametrize("falling", [True, False])
def test_a_known_direction_is_not_learned(falling: bool) -> None:
    vectors, generated, sources = classes()
    head = fit_head(vectors[:, 1:2], generated, sources, falling)
    higher = head.log_odds(np.array([[1000.0]]))[0] > head.log_odds(np.array([[0.0]]))[0]
    assert higher != falling
    assert head.centre[0] == pytest.approx(vectors[~generated, 1].mean())


def test_one_odd_number_does_not_decide_alone() -> None:
    vectors, generated, sources = classes()
    head = fit_head(vectors, generated, sources)
    far, farther = vectors[:1].copy(), vectors[:1].copy()
    far[0, 1], farther[0, 1] = 1e5, 1e9
    assert head.log_odds(far) == pytest.approx(head.log_odds(farther))
    assert head.distance(farther)[0] > head.distance(far)[0] > head.distance(vectors).max()


def test_sources_of_a_class_count_alike() -> None:
    rng = np.random.default_rng(2)
    many, few, real = rng.normal(0, 1, (90, 2)), rng.normal(0, 1, (6, 2)), rng.normal(0, 1, (60, 2))
    many[:, 0] += 4
    few[:, 1] += 4
    vectors = np.concatenate([many, few, real])
    generated = np.arange(len(vectors)) < 96
    head = fit_head(vectors, generated, ["many"] * 90 + ["few"] * 6 + ["r"] * 60)
    assert head.weight[1] > 0.5 * head.weight[0]


def test_features_of_another_length_are_refused() -> None:
    vectors, generated, sources = classes()
    head = fit_head(vectors, generated, sources)
    with pytest.raises(UsageError, match="5 numbers a clip, and the detector was fit on 4"):
        head.log_odds(np.zeros((1, 5)))


def test_a_missing_class_or_number_is_refused() -> None:
    vectors, generated, sources = classes()
    with pytest.raises(UsageError, match="one of the two is missing"):
        fit_head(vectors, np.ones(len(vectors), bool), sources)
    vectors[0, 0] = np.nan
    with pytest.raises(UsageError, match="not a finite number"):
        fit_head(vectors, generated, sources)


def test_a_trace_that_no_generator_of_the_fit_left_is_found_by_the_deviation() -> None:
    vectors, generated, sources = classes(400, apart=8.0)
    learned = fit_head(vectors, generated, sources)
    real = vectors[~generated]
    deviation = fit_deviation(real[:100], (2, 2)).matched(real[100:], learned.log_odds(real[100:]))
    head = Head(learned=learned, deviation=deviation)
    odd = real[:1].copy()
    odd[0, 3] += 12.0  # a number in which no generated clip of the fit differs
    assert learned.log_odds(odd)[0] < learned.log_odds(vectors[generated]).min()
    assert (head.log_odds(real) < head.log_odds(odd)[0]).mean() >= 0.95
    assert (head.log_odds(vectors) >= learned.log_odds(vectors)).all()
    assert head.log_odds(vectors[generated]).min() >= learned.log_odds(vectors[generated]).min()


def test_the_deviation_is_the_distance_in_units_of_correlated_numbers() -> None:
    rng = np.random.default_rng(3)
    first = rng.normal(size=4000)
    real = np.stack([first, first + 0.1 * rng.normal(size=4000)], 1)
    deviation = fit_deviation(real, (2,))
    along, across = deviation.values(np.array([[2.0, 2.0], [2.0, -2.0]]))
    assert across > along + 3  # both lie as far from the centre, number by number
    # Of normal numbers the squared distance over their count has mean 1.
    assert np.exp(deviation.values(real)).mean() == pytest.approx(1.0, abs=0.05)


def test_real_clips_have_the_same_scale_by_both_parts() -> None:
    rng = np.random.default_rng(4)
    real, odds = rng.normal(size=(50, 3)), rng.normal(-4, 2, 50)
    found = fit_deviation(rng.normal(size=(80, 3)), (1, 2)).matched(real, odds).log_odds(real)
    assert (found.mean(), found.std()) == pytest.approx((odds.mean(), odds.std()))
