"""Separation of classes by scores: known areas, fixed thresholds, and clustered intervals."""

import numpy as np
import pytest
from screentest.safety.detectors.separation import clusters_of, separation


def test_ranking_and_flags_are_those_of_the_scores() -> None:
    scores = np.array([3.0, 1.0, -1.0, 2.0, 0.0, -2.0])
    generated = np.array([True, True, True, False, False, False])
    found = separation(scores, scores >= 1.5, generated, list("abcdef"))
    assert found is not None
    assert found.auc.value == pytest.approx(6 / 9)
    assert (found.recall.value, found.false_alarms.value) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (found.real, found.generated) == (3, 3)
    assert found.recall_at_1_percent.value == pytest.approx(1 / 3)


def test_the_scale_of_scores_does_not_count() -> None:
    rng = np.random.default_rng(4)
    scores, generated = rng.normal(size=40) + np.repeat([1.0, 0.0], 20), np.repeat([True, False], 20)
    names = [str(k) for k in range(40)]
    one = separation(scores, scores > 0, generated, names)
    other = separation(1000 * scores, scores > 0, generated, names)
    assert one is not None
    assert other is not None
    assert one.auc.value == pytest.approx(other.auc.value)


def test_few_sources_give_wide_intervals() -> None:
    rng = np.random.default_rng(1)
    shift = np.repeat(rng.normal(0, 1.5, 4), 10)
    scores = np.concatenate([1 + shift, shift]) + rng.normal(0, 0.3, 80)
    generated = np.repeat([True, False], 40)
    single = separation(scores, scores > 1, generated, [str(k) for k in range(80)])
    by_source = separation(scores, scores > 1, generated, [f"s{k // 10}" for k in range(80)])
    assert single is not None
    assert by_source is not None
    width = [(one.auc.high or 0) - (one.auc.low or 0) for one in (single, by_source)]
    assert width[1] > 1.5 * width[0]


def test_a_missing_class_has_no_separation() -> None:
    assert separation(np.zeros(3), np.zeros(3, bool), np.ones(3, bool), list("abc")) is None


def test_clusters_are_sources_or_scenes_of_one_source() -> None:
    assert clusters_of(["a", "b"], ["1", "1"]) == ["a", "b"]
    assert clusters_of(["a", "a"], ["1", "2"]) == ["1", "2"]
