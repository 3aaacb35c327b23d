"""A mean over many items, of which all have predictions and few have labels: prediction-powered inference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .interval import FEW, NO_VALUES, ROUGH, Bounds, Interval, check_confidence, cut

__all__ = ["Corrected", "prediction_powered_mean"]


@dataclass(frozen=True)
class Corrected:
    """A mean corrected by labels.

    Attributes:
        mean: the corrected mean with its interval.
        labels_alone: the mean of the labels, with an interval of the same kind that uses no prediction.
        predicted: the mean of all predictions, uncorrected; None without any.
        weight: of the predictions, in [0, 1]: 0 is the mean of the labels alone.
        n, labelled: number of items, and of those with a label.
        clusters, labelled_clusters: the prompts of either.
    """

    mean: Interval
    labels_alone: Interval
    predicted: float | None
    weight: float
    n: int
    labelled: int
    clusters: int
    labelled_clusters: int


def prediction_powered_mean(
    predictions: Sequence[float],
    labels: Sequence[float | None],
    clusters: Sequence[str],
    confidence: float,
    *,
    bounds: Bounds = (None, None),
) -> Corrected:
    """Estimate the mean label over all items, of which only some have one.

    w mean(f) + mean over labelled items of (y - w f), with f the predictions and y the labels (Angelopoulos
    et al. 2023, "Prediction-powered inference", with the weight w of "PPI++", 2023). The variance is that of
    the delete-one-prompt jackknife; w is where it is smallest, within [0, 1], and its estimation costs a
    degree of freedom. It holds if items were chosen for labelling independently of predictions and labels.

    Args:
        predictions: f of each item, finite.
        labels: y of each item, or None.
        clusters: the prompt of each.
        confidence: two-sided, in (0, 1).
        bounds: the range of a label; the interval is cut to it.

    Raises:
        ValueError: a value is not finite, or the confidence is not in (0, 1).
    """
    check_confidence(confidence)
    known = [label for label in labels if label is not None]
    if not all(math.isfinite(value) for value in (*predictions, *known)):
        raise ValueError("a correction needs finite values")
    names = sorted(set(clusters))
    place = {name: k for k, name in enumerate(names)}
    # By prompt: items, sum of predictions, labels, sum of labels, sum of predictions of labelled items.
    table = np.zeros((len(names), 5))
    for f, y, name in zip(predictions, labels, clusters, strict=True):
        table[place[name]] += (1.0, f, y is not None, y or 0.0, 0.0 if y is None else f)
    total = table.sum(axis=0)
    groups = int((table[:, 2] > 0).sum())
    predicted = float(total[1] / total[0]) if len(predictions) else None

    def found(mean: Interval, alone: Interval, weight: float) -> Corrected:
        sizes = (len(predictions), len(known), len(names), groups)
        return Corrected(mean, alone, predicted, weight, *sizes)

    if not known:
        return found(NO_VALUES, NO_VALUES, 0.0)
    value = float(total[3] / total[2])
    if groups < 3:
        why = "labels of fewer than three prompts: no interval can be given"
        alone = Interval(value, None, None, "none", (why,))
        return found(alone, alone, 0.0)
    rest = total - table
    by_label = rest[:, 3] / rest[:, 2]
    by_prediction = rest[:, 1] / rest[:, 0] - rest[:, 4] / rest[:, 2] if len(names) > 1 else by_label * 0
    label_change = by_label - by_label.mean()
    prediction_change = by_prediction - by_prediction.mean()
    spread = float((prediction_change**2).sum())
    weight = 0.0
    if spread > 0:
        weight = min(1.0, max(0.0, -float((label_change * prediction_change).sum()) / spread))
    corrected = value + weight * float(total[1] / total[0] - total[4] / total[2])
    method = f"prediction-powered, {groups} of {len(names)} prompts labelled"
    changes = label_change + weight * prediction_change
    if float((changes**2).sum()) == 0:
        why = "all labels are equal: the sample shows no spread"
        return found(Interval(corrected, None, None, "none", (why,)), _alone(value, why), weight)
    mean = _interval(corrected, changes, groups - 2, confidence, bounds, method)
    alone_method = f"delete-one-prompt jackknife, {groups} prompts"
    alone = _interval(value, label_change, groups - 1, confidence, bounds, alone_method)
    return found(mean, alone, weight)


def _alone(value: float, why: str) -> Interval:
    return Interval(value, None, None, "none", (why,))


def _interval(
    value: float,
    changes: np.ndarray[tuple[int], np.dtype[np.float64]],
    freedom: int,
    confidence: float,
    bounds: Bounds,
    method: str,
) -> Interval:
    from scipy import stats

    groups = len(changes)
    error = math.sqrt((groups - 1) / groups * float((changes**2).sum()))
    half = float(stats.t.ppf(1 - (1 - confidence) / 2, freedom)) * error
    low, high = cut(value, value - half, value + half, bounds)
    return Interval(value, low, high, method, (ROUGH,) if freedom + 1 < FEW else ())
