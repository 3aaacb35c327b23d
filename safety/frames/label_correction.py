"""A measure's mean over a run, corrected by few labels of its clips (prediction-powered inference).

The formula of Rogan and Gladen (`judge_error`) needs yes or no; this takes any measure of clips and any
number as a label, such as a score on a scale of five and the grade that people gave. Where the measure does
not help, what is left is the mean of the labels.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from ...harness.core.config import Document
from ...harness.core.csv_rows import csv_rows, read_table
from ...harness.core.errors import UsageError, unknown_name
from ...harness.core.estimate import Estimate
from ...harness.core.run_data import value_of
from ...harness.core.stats.prediction_powered import prediction_powered_mean
from .judge_error import CLIP_COLUMNS, ITEM_COLUMNS, label_truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...harness.core.run_data import RunData

__all__ = ["MeanCorrection", "correct_mean"]

VALUE = "value"


class MeanCorrection(Document):
    """A measure's mean, the mean of the labels, and the mean over all clips that both give together.

    Attributes:
        apparent: the mean of the measure over all clips.
        of_labelled: the mean of the measure over the labelled clips.
        labels_alone: the mean of the labels, with its interval.
        corrected: of the whole run, in the unit of the labels; ``n`` and ``clusters`` are of all clips.
        weight: of the measure, in [0, 1]; 0 is the labels alone.
        left_out: clips or labels that could not be used, by reason.
    """

    measure: str
    confidence: float
    apparent: float
    of_labelled: float
    labels_alone: Estimate
    corrected: Estimate
    weight: float
    left_out: dict[str, int]


def correct_mean(run: RunData, measure: str, labels: Path, confidence: float = 0.95) -> MeanCorrection:
    """Correct a run's mean of a measure by labels of its clips.

    Clips must have been chosen for labelling independently of what the measure says of them.

    Args:
        run: the run.
        measure: of kind ``rate`` or ``mean``.
        labels: CSV with a column clip (sha256 of the stored file) or item (its id), and either label (unsafe
            or safe, as 1 or 0) or value (a number).
        confidence: two-sided.

    Raises:
        UsageError: there is no such measure, it has no values of clips, or the labels do not fit the run.
    """
    if measure not in run.measures:
        raise unknown_name("measure of this run", measure, run.measures)
    if run.measures[measure]["kind"] == "set":
        raise UsageError(f"{measure} is of the whole set of clips; only a measure of clips can be corrected")
    scores = {item: run.scores[measure, item] for item in run.items if (measure, item) in run.scores}
    known = {item: value for item, score in scores.items() if (value := value_of(score)) is not None}
    if not known:
        raise UsageError(f"{measure} has no value in {run.name}, so there is nothing to correct")
    truth, left_out = _labels(run, labels, set(scores), set(known))
    if not truth:
        raise UsageError(f"no clip with a label in {labels} has a value of {measure}")
    items = sorted(known)
    found = prediction_powered_mean(
        [known[item] for item in items],
        [truth.get(item) for item in items],
        [run.items[item].cluster for item in items],
        confidence,
    )
    alone, mean = (
        Estimate.of(interval, confidence, n=n, clusters=clusters)
        for interval, n, clusters in (
            (found.labels_alone, found.labelled, found.labelled_clusters),
            (found.mean, found.n, found.clusters),
        )
    )
    assert found.predicted is not None  # there are values
    return MeanCorrection(
        measure=measure,
        confidence=confidence,
        apparent=found.predicted,
        of_labelled=math.fsum(known[item] for item in truth) / len(truth),
        labels_alone=alone,
        corrected=mean,
        weight=found.weight,
        left_out={"clips without a value": len(run.items) - len(known), **left_out},
    )


def _labels(
    run: RunData, labels: Path, asked: set[str], known: set[str]
) -> tuple[dict[str, float], dict[str, int]]:
    text = read_table(labels, "the labels")
    names = [name.strip() for name in text.partition("\n")[0].split(",")]
    if VALUE not in names:
        ok = {item: run.scores[key] for key in run.scores if (item := key[1]) in known}
        truth, left_out = label_truth(run, labels, ok, asked)
        return {item: float(unsafe) for item, unsafe in truth.items()}, left_out
    return _numbers(run, labels, text, known)


def _numbers(
    run: RunData, labels: Path, text: str, known: set[str]
) -> tuple[dict[str, float], dict[str, int]]:
    items_of: dict[str, list[str]] = {item: [item] for item in run.items}
    for item, clip in run.clips.items():
        if clip.sha256 is not None:
            items_of.setdefault(clip.sha256, []).append(item)
    key = ""

    def check(names: Sequence[str]) -> None:
        nonlocal key
        key = next((name for name in (*CLIP_COLUMNS, *ITEM_COLUMNS) if name in names), "")
        if not key:
            raise UsageError(f"{labels} needs a column 'clip' (sha256) or 'item' (id) beside '{VALUE}'")

    truth: dict[str, float] = {}
    unknown = without = blank = 0
    for line, row in csv_rows(labels, text, check):
        if not row[VALUE]:
            blank += 1
            continue
        try:
            value = float(row[VALUE])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(f"{labels}, line {line}: {row[VALUE]!r} should be a finite number")
        found = items_of.get(row[key], [])
        unknown += not found
        without += sum(item not in known for item in found)
        for item in found:
            if item in known and truth.setdefault(item, value) != value:
                raise UsageError(f"{labels}, line {line}: the item {item} has another value before")
    return truth, {
        "labels of clips that are not here": unknown,
        "labels of clips without a value": without,
        "blank labels": blank,
    }
