"""Measures against votes: which of them predict what people choose, and what votes make of their values."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from ..core.estimate import Estimate
from ..core.keys import Json
from ..core.pairing import same_measure
from ..core.run_data import value_of
from ..core.stats import Interval, cluster_bootstrap_mean, holm, rate_interval, sign_flip_test
from ..core.stats.prediction_powered import prediction_powered_mean
from .votes import Vote, VotedRun

__all__ = [
    "CorrectedPreference",
    "MeasureAgreement",
    "agreements",
    "chosen_share",
    "corrections",
    "mean_share",
]

SIGNIFICANT = 0.05
Conclusion: TypeAlias = Literal["predicts", "predicts the opposite", "not shown"]


class MeasureAgreement(BaseModel):
    """How often the clip that a measure calls better is the one that people chose.

    Attributes:
        better: what the measure's record says; with ``neither``, higher counts as better.
        agreement: share of votes, ties and pairs of one value left out; 0.5 is chance.
        p: of the sign-flip test by prompt against chance, adjusted for the number of measures (Holm).
    """

    model_config = ConfigDict(frozen=True)

    measure: str
    better: str
    agreement: Estimate
    p: float | None
    conclusion: Conclusion


class CorrectedPreference(BaseModel):
    """The share of all items on which people would prefer a run to the first, from few votes and a measure.

    Attributes:
        votes_alone: the share by the votes alone.
        by_measure: the share of items on which the measure calls the run better.
        corrected: by prediction-powered inference.
        weight: of the measure, in [0, 1].
    """

    model_config = ConfigDict(frozen=True)

    run: str
    measure: str
    votes_alone: Estimate
    by_measure: float | None
    corrected: Estimate
    weight: float


def chosen_share(question: str, share: float) -> float:
    """Give what a vote adds to a run's share: a tie is half a preference, but no choice of the unsafe one."""
    return float(share == 1) if question == "unsafe" else share


def mean_share(
    shares: Sequence[float], prompts: Sequence[str], confidence: float, seed: Sequence[Json]
) -> Interval:
    """Give the mean of shares; without a tie it is a rate, whose interval also holds near 0 and 1."""
    if shares and set(shares) <= {0.0, 1.0}:
        return rate_interval(shares, prompts, confidence)
    return cluster_bootstrap_mean(shares, prompts, confidence, seed=list(seed), bounds=(0.0, 1.0))


def _toward(question: str, better: str) -> int:
    """Say whether people who answer as the measure does choose the higher value (1) or the lower (-1)."""
    sign = -1 if better == "lower" else 1
    return -sign if question == "unsafe" and better != "neither" else sign


def _measures(runs: Sequence[VotedRun]) -> list[tuple[str, str]]:
    """List the measures of clips that all runs have alike, with the direction that is better."""
    first, *others = (run.data.measures for run in runs)
    return [
        (name, str(fields["better"]))
        for name, fields in sorted(first.items())
        if fields["kind"] != "set" and all(same_measure(fields, other.get(name)) for other in others)
    ]


def agreements(
    question: str,
    votes: Sequence[Vote],
    ballots: Sequence[tuple[int, int, float]],
    clusters: Sequence[str],
    runs: Sequence[VotedRun],
    confidence: float,
) -> tuple[MeasureAgreement, ...]:
    """Say of each measure how often the votes are for the clip that it calls better.

    Args:
        question: that the votes answer.
        votes, ballots, clusters: each vote, its runs by number with the left one's share, and its prompt.
        runs: that were voted on.
        confidence: two-sided.
    """
    rows: list[tuple[str, str, Estimate, float | None]] = []
    for name, better in _measures(runs):
        agree: list[float] = []
        prompts: list[str] = []
        left_out: Counter[str] = Counter()
        for vote, (left, right, share), cluster in zip(votes, ballots, clusters, strict=True):
            change = _change(name, vote.item, runs[left], runs[right])
            if share == 0.5:
                left_out["tied votes"] += 1
            elif change is None:
                left_out["no value"] += 1
            elif change == 0:
                left_out["one value for both clips"] += 1
            else:
                agree.append(float((change * _toward(question, better) > 0) == (share == 1)))
                prompts.append(cluster)
        seed = ["agreement", question, name, len(agree)]
        found = mean_share(agree, prompts, confidence, seed)
        tested = sign_flip_test([a - 0.5 for a in agree], prompts, seed=seed)
        of = Estimate.of(found, confidence, n=len(agree), clusters=len(set(prompts)), left_out=dict(left_out))
        rows.append((name, better, of, None if tested is None else tested[0]))
    adjusted = iter(holm([p for *_, p in rows if p is not None]))
    told: list[MeasureAgreement] = []
    for name, better, of, p in rows:
        shown = None if p is None else next(adjusted)
        conclusion: Conclusion = "not shown"
        if shown is not None and shown < SIGNIFICANT and of.value is not None:
            conclusion = "predicts" if of.value > 0.5 else "predicts the opposite"
        told.append(
            MeasureAgreement(measure=name, better=better, agreement=of, p=shown, conclusion=conclusion)
        )
    return tuple(told)


def _change(name: str, item: str, left: VotedRun, right: VotedRun) -> float | None:
    """Give the left clip's value less the right one's; None where one has none."""
    values = [value_of(run.data.scores.get((name, item))) for run in (left, right)]
    if values[0] is None or values[1] is None:
        return None
    return values[0] - values[1]


def corrections(
    question: str,
    which: int,
    votes: Sequence[Vote],
    ballots: Sequence[tuple[int, int, float]],
    runs: Sequence[VotedRun],
    confidence: float,
) -> list[CorrectedPreference]:
    """Correct what each measure says of a run and the first one, over all their items, by the votes."""
    shares: dict[str, list[float]] = defaultdict(list)
    for vote, (left, right, share) in zip(votes, ballots, strict=True):
        if {left, right} == {0, which}:
            shares[vote.item].append(chosen_share(question, share if left == which else 1 - share))
    if not shares:
        return []
    first, other = runs[0], runs[which]
    found: list[CorrectedPreference] = []
    for name, better in _measures((first, other)):
        items: list[str] = []
        predicted: list[float] = []
        for item in sorted(first.data.items.keys() & other.data.items.keys()):
            change = _change(name, item, other, first)
            if change is not None:
                toward = change * _toward(question, better)
                items.append(item)
                predicted.append(chosen_share(question, 0.5 if toward == 0 else float(toward > 0)))
        labels = [math.fsum(shares[i]) / len(shares[i]) if i in shares else None for i in items]
        clusters = [first.data.items[i].cluster for i in items]
        of = prediction_powered_mean(predicted, labels, clusters, confidence, bounds=(0.0, 1.0))
        if of.labelled == 0:
            continue
        found.append(
            CorrectedPreference(
                run=other.data.name,
                measure=name,
                votes_alone=_estimate(of.labels_alone, confidence, of.labelled, of.labelled_clusters),
                by_measure=of.predicted,
                corrected=_estimate(of.mean, confidence, of.n, of.clusters),
                weight=of.weight,
            )
        )
    return found


def _estimate(interval: Interval, confidence: float, n: int, clusters: int) -> Estimate:
    return Estimate.of(interval, confidence, n=n, clusters=clusters)
