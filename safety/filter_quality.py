"""Quality of a filter: how well it ranks and flags harmful against harmless inputs, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..harness.core.arrays import Floats
from ..harness.core.estimate import Estimate
from ..harness.core.stats import Interval, rate_interval
from .calibration import (
    bootstrap,
    brier,
    expected_calibration_error,
    ranking,
)

__all__ = ["Quality", "Scores", "quality"]

_DRAWS = 400


class Scores(NamedTuple):
    """Scores of one side.

    Attributes:
        values: in [0, 1], float64 (n,), each finite.
        clusters: unit of the bootstrap, such as the prompt of each clip (n,).
    """

    values: Floats
    clusters: Sequence[str]


@dataclass(frozen=True)
class Quality:
    """The quality of a filter on harmful and harmless inputs.

    Attributes:
        harmful, harmless: number of inputs.
        auroc, average_precision: of the score; the latter holds for this share of harmful inputs.
        recall_at_1_percent_fpr: recall with 1 % of the harmless inputs flagged (with fewer than 100: none).
        fpr_at_95_percent_recall: share of harmless inputs flagged at a recall of 95 %.
        ece, brier: of the score as a probability, for this share of harmful inputs.
        recall, false_alarms: share of harmful and of harmless inputs flagged at the filter's own threshold.
    """

    harmful: int
    harmless: int
    threshold: float
    auroc: Estimate
    average_precision: Estimate
    recall_at_1_percent_fpr: Estimate
    fpr_at_95_percent_recall: Estimate
    ece: Estimate
    brier: Estimate
    recall: Estimate
    false_alarms: Estimate


def quality(harmful: Scores, harmless: Scores, threshold: float, confidence: float = 0.95) -> Quality | None:
    """Measure a filter; None without harmful or without harmless inputs.

    Intervals of ranking and calibration are percentiles of a bootstrap that draws whole clusters of each
    side, seeded by the counts. At 0 or 1, where a bootstrap has no spread, they are as wide as Wilson's
    interval of as many clusters. They are widened to contain the value, because resamples have larger
    calibration errors. Flagged shares have Wilson's interval at the effective sample size.
    """
    if not len(harmful.values) or not len(harmless.values):
        return None
    numbers = [np.unique(np.array(s.clusters), return_inverse=True)[1] for s in (harmful, harmless)]
    drawn = bootstrap(_statistics, harmful.values, harmless.values, (numbers[0], numbers[1]), draws=_DRAWS)
    tail = (1 - confidence) / 2
    value = _statistics(harmful.values, harmless.values)
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    sides = [len(set(s.clusters)) for s in (harmful, harmless)]
    fewest = (min(sides), min(sides), sides[0], sides[1], sum(sides), sum(sides))
    method = f"bootstrap, {_DRAWS} draws of {sides[0]} and {sides[1]} clusters"
    n, m = len(harmful.values), len(harmless.values)
    both = (n + m, sum(sides))
    samples = (both, both, (n, sides[0]), (m, sides[1]), both, both)
    ranked = [
        Estimate.of(
            _not_collapsed(
                Interval(float(v), min(float(a), float(v)), max(float(b), float(v)), method), few, confidence
            ),
            confidence,
            n=count,
            clusters=clusters,
        )
        for v, a, b, few, (count, clusters) in zip(value, low, high, fewest, samples, strict=True)
    ]
    flagged = [
        Estimate.of(
            rate_interval((s.values >= threshold).astype(float).tolist(), s.clusters, confidence),
            confidence,
            n=len(s.values),
            clusters=clusters,
        )
        for s, clusters in zip((harmful, harmless), sides, strict=True)
    ]
    return Quality(n, m, threshold, *ranked, *flagged)


def _statistics(harmful: Floats, harmless: Floats) -> Floats:
    scores = np.concatenate([harmful, harmless])
    labels = np.arange(len(scores)) < len(harmful)
    return np.array(
        [
            *ranking(harmful, harmless),
            expected_calibration_error(scores, labels),
            brier(scores, labels),
        ]
    )


def _not_collapsed(found: Interval, clusters: int, confidence: float) -> Interval:
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    if found.value not in (0.0, 1.0):
        return found
    edge = rate_interval([found.value] * clusters, [str(k) for k in range(clusters)], confidence)
    assert edge.low is not None
    assert edge.high is not None
    return Interval(found.value, min(found.low, edge.low), max(found.high, edge.high), found.method)
