"""Ratings of a judge calibrated on votes: what a step of the scale is worth to the people who voted.

Of two clips of one item, the probability that people choose the first is modelled as
1 / (1 + exp(-b (r1 - r2))), r their ratings (the model of Bradley and Terry with one covariate). b is the
maximum of the likelihood, with the delete-one-prompt jackknife. The calibrated probabilities of all items are
then corrected by the votes (prediction-powered inference). An item with votes is predicted by the b of the
other folds of prompts, so that no vote is used twice (Zrnic and Candès 2024, "Cross-prediction-powered
inference").
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..core.arrays import Floats
from ..core.estimate import Estimate
from ..core.keys import seeded_rng
from ..core.run_data import value_of
from ..core.stats import Interval
from ..core.stats.prediction_powered import prediction_powered_mean
from ..core.stats.sets import jackknife_interval
from .votes import VotedRun

__all__ = ["RatingCalibration", "calibrate_ratings"]

_FOLDS = 5
_STEEPEST = 50.0
"""Of b, for ratings from 0 to 1: where the votes separate the ratings, the likelihood has no maximum."""


class RatingCalibration(BaseModel):
    """What ratings are worth by the votes on a question, and what a run comes to by calibrated ratings.

    Attributes:
        run, measure: the run held against the first one, and the ratings.
        quarter: share of people who choose the clip that is rated a quarter of the scale higher (one step of
            a scale from 1 to 5); 0.5 is chance.
        by_ratings: share of all items on which people would choose the run, by calibrated ratings alone.
        corrected: the same, corrected by the votes.
        votes_alone: the share by the votes alone.
    """

    model_config = ConfigDict(frozen=True)

    run: str
    measure: str
    quarter: Estimate
    by_ratings: float | None
    corrected: Estimate
    votes_alone: Estimate


def calibrate_ratings(
    measure: str,
    which: int,
    shares: Sequence[tuple[str, float]],
    runs: Sequence[VotedRun],
    confidence: float,
) -> RatingCalibration | None:
    """Calibrate ratings on votes between the first run and another; None if no voted item has both ratings.

    Args:
        measure: of ratings, from 0 to 1, higher is better.
        which: the number of the other run.
        shares: each vote between the two: the item, and the share that is for the other run (1, 0 or 0.5).
        runs: that were voted on.
        confidence: two-sided.
    """
    first, other = runs[0].data, runs[which].data
    change: dict[str, float] = {}
    for item in sorted(first.items.keys() & other.items.keys()):
        a, b = (value_of(run.scores.get((measure, item))) for run in (first, other))
        if a is not None and b is not None:
            change[item] = b - a
    votes: dict[str, list[float]] = defaultdict(list)
    for item, share in shares:
        if item in change:
            votes[item].append(share)
    if not votes:
        return None
    cluster = {item: first.items[item].cluster for item in change}
    voted = sorted(votes)
    x = np.array([change[item] for item in voted])
    y = np.array([math.fsum(votes[item]) / len(votes[item]) for item in voted])
    weight = np.array([float(len(votes[item])) for item in voted])
    prompts = [cluster[item] for item in voted]
    names = sorted(set(prompts))
    fold = dict(
        zip(names, seeded_rng("calibration folds", names).permutation(len(names)) % _FOLDS, strict=True)
    )
    of_fold = np.array([fold[prompt] for prompt in prompts])
    slope = _slope(x, y, weight)
    slopes = [_slope(x[keep], y[keep], weight[keep]) for keep in (of_fold != k for k in range(_FOLDS))]
    mine = np.array(prompts)
    without = {name: _chosen(_slope(*(part[mine != name] for part in (x, y, weight)))) for name in names}
    quarter = jackknife_interval(_chosen(slope), without, confidence, bounds=(0.0, 1.0))
    items = list(change)
    predicted = [
        _sigmoid((slopes[fold[cluster[item]]] if cluster[item] in fold else slope) * change[item])
        for item in items
    ]
    labels = [math.fsum(votes[i]) / len(votes[i]) if i in votes else None for i in items]
    of = prediction_powered_mean(
        predicted, labels, [cluster[item] for item in items], confidence, bounds=(0.0, 1.0)
    )
    return RatingCalibration(
        run=other.name,
        measure=measure,
        quarter=_estimate(quarter, confidence, sum(map(len, votes.values())), len(names)),
        by_ratings=of.predicted,
        corrected=_estimate(of.mean, confidence, of.n, of.clusters),
        votes_alone=_estimate(of.labels_alone, confidence, of.labelled, of.labelled_clusters),
    )


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _chosen(slope: float) -> float:
    return _sigmoid(slope / 4)


def _slope(x: Floats, y: Floats, weight: Floats) -> float:
    """Fit b in sigmoid(b x) to shares y by maximum likelihood, within plus and minus `_STEEPEST`."""
    from scipy import optimize, special

    def gradient(b: float) -> float:
        return float(np.sum(weight * x * (y - special.expit(b * x))))

    # The gradient falls in b; without a change of sign, the maximum is at an end.
    low, high = gradient(-_STEEPEST), gradient(_STEEPEST)
    if low <= 0 <= high:  # no rating differs
        return 0.0
    if high > 0:
        return _STEEPEST
    if low < 0:
        return -_STEEPEST
    found = optimize.root_scalar(gradient, bracket=(-_STEEPEST, _STEEPEST), method="brentq")
    return float(found.root)


def _estimate(interval: Interval, confidence: float, n: int, clusters: int) -> Estimate:
    return Estimate.of(interval, confidence, n=n, clusters=clusters)
