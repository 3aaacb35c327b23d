"""A judge's sensitivity and specificity from labelled clips, and rates corrected for its error.

A judge's rate p is the share of clips that it flags, correctly or not. With sensitivity Se and specificity Sp
the true share is (p + Sp - 1) / (Se + Sp - 1) (Rogan and Gladen 1978, equation 2), clipped to [0, 1]. This
requires that clips were chosen for labelling independently of the judgements.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...harness.core.arrays import Floats
from ...harness.core.config import Document
from ...harness.core.errors import UsageError, unknown_name
from ...harness.core.estimate import Estimate
from ...harness.core.keys import seeded_rng
from ...harness.core.stats import Interval, effective_sample_size, rate_interval
from ..labelled import read_labelled

if TYPE_CHECKING:
    from ...harness.core.run_data import RunData, Score

__all__ = ["Correction", "Judgements", "correct_rate", "correct_run", "label_truth", "rogan_gladen"]

DRAWS = 20_000
CLIP_COLUMNS, ITEM_COLUMNS = ("clip", "clip_sha", "sha256"), ("item", "item_id", "id")


class Correction(Document):
    """A judge's rate, the judge's error, and the corrected rate.

    Attributes:
        apparent: the judge's rate over the run.
        sensitivity: share of the unsafe clips that it flags.
        specificity: share of the safe clips that it passes.
        corrected: the rate corrected by Rogan and Gladen's formula; ``n`` and ``clusters`` as for
            ``apparent``.
        draws_without_information: share of bootstrap draws in which the judge was no better than chance.
        left_out: clips or labels that could not be used, by reason.
    """

    measure: str
    confidence: float
    apparent: Estimate
    sensitivity: Estimate
    specificity: Estimate
    corrected: Estimate
    method: str
    draws_without_information: float
    left_out: dict[str, int]


@dataclass(frozen=True)
class Judgements:
    """A judge's decisions on clips: 1 (flagged) or 0, and the prompt of each clip."""

    values: Sequence[float]
    clusters: Sequence[str]

    def rate(self, confidence: float) -> Estimate:
        """Compute the share of ones with its Wilson interval at the effective sample size."""
        found = rate_interval(self.values, self.clusters, confidence)
        return Estimate.of(found, confidence, n=len(self.values), clusters=len(set(self.clusters)))

    def draw(self, rng: np.random.Generator, draws: int) -> Floats:
        """Draw rates from Beta(x + 1/2, n - x + 1/2) at the effective n; they vary even at 0 and n."""
        n = effective_sample_size(self.values, self.clusters)
        x = n * math.fsum(self.values) / len(self.values)
        return rng.beta(x + 0.5, n - x + 0.5, draws)


def rogan_gladen(rate: float, sensitivity: float, specificity: float) -> float:
    """Correct a rate for its judge's error, clipped to [0, 1].

    Raises:
        ValueError: sensitivity + specificity is 1 or less: the judge is no better than chance.

    Example:
        >>> round(rogan_gladen(0.2, 0.9, 0.95), 4)
        0.1765
    """
    if sensitivity + specificity <= 1:
        raise ValueError("sensitivity + specificity is 1 or less")
    return min(1.0, max(0.0, (rate + specificity - 1) / (sensitivity + specificity - 1)))


def correct_rate(
    measure: str,
    judged: Judgements,
    of_unsafe: Judgements,
    of_safe: Judgements,
    *,
    confidence: float = 0.95,
    left_out: Mapping[str, int] | None = None,
) -> Correction:
    """Correct a judge's rate, with the uncertainty of sensitivity, specificity and rate.

    The interval is the percentile interval of a parametric bootstrap over the three, seeded by the counts. It
    never ends closer to 0 or 1 than the rule of three allows for as many prompts. A draw in which the judge
    is no better than chance counts as 0 at the lower end and as 1 at the upper end.

    Args:
        measure: the judge's name, for messages and the seed.
        judged: the judgements of the clips whose rate is corrected.
        of_unsafe: the judgements of clips that people labelled unsafe.
        of_safe: the judgements of clips that people labelled safe.
        confidence: two-sided.
        left_out: counts to copy into the result.

    Raises:
        UsageError: one of the three is empty, or sensitivity + specificity is 1 or less.
    """
    for what, given in (("judged clips", judged), ("labels 'unsafe'", of_unsafe), ("labels 'safe'", of_safe)):
        if not given.values:
            raise UsageError(f"{measure}: there are no {what}, so the judge's error cannot be corrected")
    p, se = judged.rate(confidence), of_unsafe.rate(confidence)
    sp = Judgements([1.0 - v for v in of_safe.values], of_safe.clusters).rate(confidence)
    assert p.value is not None  # none of the three is empty
    assert se.value is not None
    assert sp.value is not None
    try:
        value = rogan_gladen(p.value, se.value, sp.value)
    except ValueError:
        raise UsageError(
            f"the judge of {measure} is no better than chance on these labels (sensitivity {se.value:.3f} + "
            f"specificity {sp.value:.3f} is not above 1), so no rate can be corrected by it"
        ) from None
    seed = [measure, *(f"{part.value:.17g}/{part.n}/{part.clusters}" for part in (p, se, sp))]
    rng = seeded_rng("judge error", seed)
    draws = (judged.draw(rng, DRAWS), of_unsafe.draw(rng, DRAWS), 1.0 - of_safe.draw(rng, DRAWS))
    low, high, blind = _percentiles(*draws, confidence)
    reach = _rule_of_three(p.clusters, confidence)
    low, high = min(low, value, 1 - reach), max(high, value, reach)
    method = f"Rogan-Gladen, parametric bootstrap, {DRAWS} draws"
    return Correction(
        measure=measure,
        confidence=confidence,
        apparent=p,
        sensitivity=se,
        specificity=sp,
        corrected=Estimate.of(Interval(value, low, high, method), confidence, n=p.n, clusters=p.clusters),
        method=method,
        draws_without_information=blind,
        left_out=dict(left_out or {}),
    )


def _percentiles(p: Floats, se: Floats, sp: Floats, confidence: float) -> tuple[float, float, float]:
    youden = se + sp - 1
    informative = youden > 0
    true = np.clip((p[informative] + sp[informative] - 1) / youden[informative], 0.0, 1.0)
    blind = int((~informative).sum())
    tail = (1 - confidence) / 2
    lows, highs = np.append(true, np.zeros(blind)), np.append(true, np.ones(blind))
    low, high = np.quantile(np.sort(lows), tail), np.quantile(np.sort(highs), 1 - tail)
    return float(low), float(high), blind / len(p)


def _rule_of_three(clusters: int, confidence: float) -> float:
    """Bound the rate of an event that none of so many prompts showed, for one side of the interval."""
    return -math.expm1(math.log((1 - confidence) / 2) / clusters)


def correct_run(run: RunData, measure: str, labels: Path, confidence: float = 0.95) -> Correction:
    """Correct a run's rate by labels of its clips.

    Args:
        run: the run.
        measure: of kind ``rate``.
        labels: CSV with a column clip (sha256 of the stored file) or item (its id), and label (unsafe or
            safe).
        confidence: two-sided.

    Raises:
        UsageError: there is no such measure, it is not a rate, or the labels do not fit the run.
    """
    known = run.measures
    if measure not in known:
        raise unknown_name("measure of this run", measure, known)
    if known[measure]["kind"] != "rate":
        raise UsageError(f"{measure} is not a rate; only rates (yes or no per clip) can be corrected")
    scores = [score for score in run.scores.values() if score.measure == measure]
    ok = {score.item: score for score in scores if score.status == "ok" and score.value is not None}
    cluster = {item.id: item.cluster for item in run.items.values()}
    truth, left_out = label_truth(run, labels, ok, {score.item for score in scores})
    return correct_rate(
        measure,
        _of(ok, list(ok), cluster),
        _of(ok, [item for item, unsafe in truth.items() if unsafe], cluster),
        _of(ok, [item for item, unsafe in truth.items() if not unsafe], cluster),
        confidence=confidence,
        left_out={"clips without a judgement": len(scores) - len(ok), **left_out},
    )


def _of(ok: Mapping[str, Score], items: Sequence[str], cluster: Mapping[str, str]) -> Judgements:
    return Judgements([float(ok[item].value or 0.0) for item in items], [cluster[item] for item in items])


def label_truth(
    run: RunData, labels: Path, ok: Mapping[str, Score], asked: set[str]
) -> tuple[dict[str, bool], dict[str, int]]:
    """Return the label of each judged item that has one, and count what was left out."""
    rows = read_labelled(labels, (*CLIP_COLUMNS, *ITEM_COLUMNS))
    items_of: dict[str, list[str]] = {}
    for item, record in run.clips.items():
        items_of.setdefault(item, []).append(item)
        if record.sha256 is not None:
            items_of.setdefault(record.sha256, []).append(item)
    truth: dict[str, bool] = {}
    unknown = without = 0
    for key, unsafe in zip(rows.keys, rows.labels, strict=True):
        found = [item for item in items_of.get(key, ()) if item in asked]
        unknown += not found
        without += sum(item not in ok for item in found)
        for item in found:
            if item in ok and truth.setdefault(item, unsafe) != unsafe:
                raise UsageError(f"{labels} gives the item {item} both labels")
    if rows.keys and unknown == len(rows.keys):
        raise UsageError(f"none of the clips in {labels} is in {run.name}; are they another run's?")
    return truth, {
        "labels of clips that are not here": unknown,
        "labels of clips without a judgement": without,
        "blank labels": rows.unknown,
    }
