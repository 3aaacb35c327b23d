"""How well the scores of a detector separate generated clips from real ones, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...harness.core.arrays import Bools, Floats
from ...harness.core.estimate import Estimate
from ...harness.core.stats import rate_interval
from ..calibration import sigmoid
from ..filter_quality import Scores, quality

__all__ = ["Separation", "clusters_of", "separation"]


@dataclass(frozen=True)
class Separation:
    """Ranking of two classes by a score, and what a threshold that was fixed elsewhere flags of them.

    Attributes:
        real, generated: number of segments.
        auc: area under the ROC curve; 0.5 is chance.
        average_precision: for this share of generated clips.
        recall_at_1_percent: share of generated clips above the score that 1 % of these real ones exceed
            (with fewer than 100: none).
        recall, false_alarms: share of generated and of real clips above the fixed threshold.
    """

    real: int
    generated: int
    auc: Estimate
    average_precision: Estimate
    recall_at_1_percent: Estimate
    recall: Estimate
    false_alarms: Estimate


def clusters_of(sources: Sequence[str], scenes: Sequence[str]) -> list[str]:
    """Choose what intervals of one class are clustered by: its sources, or its scenes with one source."""
    return list(sources if len(set(sources)) > 1 else scenes)


def separation(
    scores: Floats,
    flagged: Bools,
    generated: Bools,
    clusters: Sequence[str],
    confidence: float = 0.95,
) -> Separation | None:
    """Measure how scores separate the classes; None where one of them is missing.

    Args:
        scores: (n,), higher for generated; only their order counts.
        flagged: (n,), whether each is above its fixed threshold.
        generated: (n,), the class.
        clusters: (n,), what is drawn as a whole by the bootstrap.
        confidence: of the intervals.
    """
    names = np.array(clusters, dtype=np.str_)
    # Squashed, since a quality is of probabilities; the order stays, as far as float64 goes.
    squashed = sigmoid(scores / max(1.0, float(np.abs(scores).max()) / 30.0))
    made, real = (Scores(squashed[of], names[of].tolist()) for of in (generated, ~generated))
    found = quality(made, real, 0.5, confidence)
    if found is None:
        return None
    shares = [
        Estimate.of(
            rate_interval(flagged[of].astype(float).tolist(), names[of].tolist(), confidence),
            confidence,
            n=int(of.sum()),
            clusters=len(set(names[of].tolist())),
        )
        for of in (generated, ~generated)
    ]
    return Separation(
        found.harmless,
        found.harmful,
        found.auroc,
        found.average_precision,
        found.recall_at_1_percent_fpr,
        *shares,
    )
