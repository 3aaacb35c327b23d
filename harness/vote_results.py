"""What votes say: which run people prefer, whether raters agree, and which measures predict their votes."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from .core.config import Document
from .core.estimate import Estimate
from .core.keys import Json
from .core.run_data import value_of
from .core.stats import Interval, cluster_bootstrap_mean, holm, rate_interval, sign_flip_test
from .core.stats.prediction_powered import prediction_powered_mean
from .core.stats.preferences import alpha_interval, bradley_terry
from .votes import Cast, Vote, VotedRun

__all__ = [
    "ATTENTION",
    "FEWEST_GOLD",
    "CorrectedPreference",
    "MeasureAgreement",
    "QuestionResult",
    "RaterRow",
    "RunPreference",
    "VoteReport",
    "unsafe_labels",
    "vote_report",
]

FEWEST_GOLD = 4
"""Gold pairs under which a rater's attention is not judged."""
ATTENTION = 0.75
"""Share of right gold answers under which a rater is left out: halfway between guessing and no mistake."""
SIGNIFICANT = 0.05
Conclusion: TypeAlias = Literal["predicts", "predicts the opposite", "not shown"]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class RaterRow(_Row):
    """A rater: votes, skipped pairs, gold pairs and how many were right, and whether the votes count.

    Attributes:
        checked: whether there were gold pairs enough to judge attention.
        seconds: the median of a vote; None where no vote has it.
    """

    rater: str
    votes: int
    skipped: int
    gold: int
    gold_right: int
    checked: bool
    kept: bool
    seconds: float | None


class RunPreference(_Row):
    """How a run stands to the first one, by the votes on a question.

    Attributes:
        preferred: share of votes between the two that are for this run, a tie as half; of the question
            ``unsafe``, the share that choose this run alone: there ``both`` and ``neither`` are no choice.
        wins, losses, ties: of those votes.
        strength: the log of its Bradley-Terry strength over that of the first, from votes on all runs; of
            the question ``unsafe``, from those that choose one.
    """

    run: str
    preferred: Estimate
    wins: int
    losses: int
    ties: int
    strength: Estimate


class MeasureAgreement(_Row):
    """How often the clip that a measure calls better is the one that people chose.

    Attributes:
        better: what the measure's record says; with ``neither``, higher counts as better.
        agreement: share of votes, ties and pairs of one value left out; 0.5 is chance.
        p: of the sign-flip test by prompt against chance, adjusted for the number of measures (Holm).
    """

    measure: str
    better: str
    agreement: Estimate
    p: float | None
    conclusion: Conclusion


class CorrectedPreference(_Row):
    """The share of all items on which people would prefer a run to the first, from few votes and a measure.

    Attributes:
        votes_alone: the share by the votes alone.
        by_measure: the share of items on which the measure calls the run better.
        corrected: by prediction-powered inference.
        weight: of the measure, in [0, 1].
    """

    run: str
    measure: str
    votes_alone: Estimate
    by_measure: float | None
    corrected: Estimate
    weight: float


class QuestionResult(_Row):
    """The votes on one question."""

    question: str
    votes: int
    raters: int
    prompts: int
    alpha: Estimate
    runs: tuple[RunPreference, ...]
    measures: tuple[MeasureAgreement, ...]
    corrected: tuple[CorrectedPreference, ...]


class VoteReport(Document):
    """All votes on some runs, the first of which the others are held against."""

    runs: tuple[str, ...]
    confidence: float
    raters: tuple[RaterRow, ...]
    left_out: dict[str, int]
    questions: tuple[QuestionResult, ...]


def vote_report(runs: Sequence[VotedRun], cast: Cast, confidence: float = 0.95) -> VoteReport:
    """Evaluate votes.

    A rater who answered `FEWEST_GOLD` gold pairs or more, under `ATTENTION` of them right, is left out.

    Args:
        runs: that were voted on; the first is what the others are held against.
        cast: their votes, by `votes.votes_of`.
        confidence: two-sided.
    """
    raters = _raters(cast.votes)
    kept = {row.rater for row in raters if row.kept}
    left_out = Counter(cast.left_out)
    for row in raters:
        if not row.kept:
            left_out["of inattentive raters"] += row.votes
    votes = [v for v in cast.votes if v.gold is None and v.answer != "skip" and v.rater in kept]
    by_question: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        by_question[vote.question].append(vote)
    return VoteReport(
        runs=tuple(run.data.name for run in runs),
        confidence=confidence,
        raters=raters,
        left_out={why: n for why, n in left_out.items() if n},
        questions=tuple(_question(name, by_question[name], runs, confidence) for name in sorted(by_question)),
    )


def _raters(votes: Iterable[Vote]) -> tuple[RaterRow, ...]:
    of: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        of[vote.rater].append(vote)
    rows: list[RaterRow] = []
    for rater, theirs in sorted(of.items()):
        gold = [v for v in theirs if v.gold is not None and v.answer != "skip"]
        right = sum(v.answer == v.gold for v in gold)
        checked = len(gold) >= FEWEST_GOLD
        times = sorted(v.seconds for v in theirs if v.seconds is not None)
        rows.append(
            RaterRow(
                rater=rater,
                votes=sum(v.gold is None and v.answer != "skip" for v in theirs),
                skipped=sum(v.answer == "skip" for v in theirs),
                gold=len(gold),
                gold_right=right,
                checked=checked,
                kept=not checked or right >= ATTENTION * len(gold),
                seconds=times[len(times) // 2] if times else None,
            )
        )
    return tuple(rows)


def _share(vote: Vote) -> float:
    """Give the left clip's share of a vote."""
    return {"left": 1.0, "right": 0.0}.get(vote.answer, 0.5)


def _chosen(question: str, share: float) -> float:
    """Give what a vote adds to a run's share: a tie is half a preference, but no choice of the unsafe one."""
    return float(share == 1) if question == "unsafe" else share


def _question(
    question: str, votes: Sequence[Vote], runs: Sequence[VotedRun], confidence: float
) -> QuestionResult:
    place = {run.key: k for k, run in enumerate(runs)}
    prompt = {item.id: item.cluster for run in runs for item in run.data.items.values()}
    clusters = [prompt[vote.item] for vote in votes]
    ballots = [(place[v.left], place[v.right], _share(v)) for v in votes]
    fitted = [k for k, (_, _, share) in enumerate(ballots) if question != "unsafe" or share != 0.5]
    fits = bradley_terry([ballots[k] for k in fitted], [clusters[k] for k in fitted], len(runs), confidence)
    sample = {"n": len(fitted), "clusters": len({clusters[k] for k in fitted})}
    units: dict[tuple[str, int, int], list[float]] = defaultdict(list)
    for vote, (left, right, share) in zip(votes, ballots, strict=True):
        turned = share if left < right else 1 - share
        # Of the question 'unsafe', both and neither are two answers.
        category = 2.0 if vote.answer == "both" else turned
        units[vote.item, min(left, right), max(left, right)].append(category)
    alpha = alpha_interval(list(units.values()), [prompt[item] for item, _, _ in units], confidence)
    several = [unit for unit in units.values() if len(unit) > 1]
    shared = {prompt[item] for (item, _, _), unit in units.items() if len(unit) > 1}
    rated = {"n": sum(map(len, several)), "clusters": len(shared)}
    return QuestionResult(
        question=question,
        votes=len(votes),
        raters=len({vote.rater for vote in votes}),
        prompts=len(set(clusters)),
        alpha=Estimate.of(alpha, confidence, **rated),
        runs=tuple(
            _preference(
                run.data.name, k, question, ballots, clusters, Estimate.of(fits[k], confidence, **sample)
            )
            for k, run in enumerate(runs)
            if k
        ),
        measures=_agreements(question, votes, ballots, clusters, runs, confidence),
        corrected=tuple(
            row
            for k in range(1, len(runs))
            for row in _corrections(question, k, votes, ballots, runs, confidence)
        ),
    )


def _preference(
    name: str,
    which: int,
    question: str,
    ballots: Sequence[tuple[int, int, float]],
    clusters: Sequence[str],
    strength: Estimate,
) -> RunPreference:
    shares: list[float] = []
    prompts: list[str] = []
    for (left, right, share), cluster in zip(ballots, clusters, strict=True):
        if {left, right} == {0, which}:
            shares.append(share if left == which else 1 - share)
            prompts.append(cluster)
    chosen = [_chosen(question, share) for share in shares]
    found = _mean_share(chosen, prompts, strength.confidence, ["preferred", name, len(ballots)])
    return RunPreference(
        run=name,
        preferred=Estimate.of(found, strength.confidence, n=len(shares), clusters=len(set(prompts))),
        wins=sum(share == 1 for share in shares),
        losses=sum(share == 0 for share in shares),
        ties=sum(share == 0.5 for share in shares),
        strength=strength,
    )


def _mean_share(
    shares: Sequence[float], prompts: Sequence[str], confidence: float, seed: Sequence[Json]
) -> Interval:
    """Give the mean of shares; without a tie it is a rate, whose interval also holds near 0 and 1."""
    if shares and set(shares) <= {0.0, 1.0}:
        return rate_interval(shares, prompts, confidence)
    return cluster_bootstrap_mean(shares, prompts, confidence, seed=list(seed), bounds=(0.0, 1.0))


# -- measures


def _toward(question: str, better: str) -> int:
    """Say whether people who answer as the measure does choose the higher value (1) or the lower (-1)."""
    sign = -1 if better == "lower" else 1
    return -sign if question == "unsafe" and better != "neither" else sign


def _measures(runs: Sequence[VotedRun]) -> list[tuple[str, str]]:
    """List the measures of clips that all runs took in one version, with the direction that is better."""
    first, *others = (run.data.measures for run in runs)
    return [
        (name, str(fields["better"]))
        for name, fields in sorted(first.items())
        if fields["kind"] != "set"
        and all(other.get(name, {}).get("version") == fields["version"] for other in others)
    ]


def _agreements(
    question: str,
    votes: Sequence[Vote],
    ballots: Sequence[tuple[int, int, float]],
    clusters: Sequence[str],
    runs: Sequence[VotedRun],
    confidence: float,
) -> tuple[MeasureAgreement, ...]:
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
        found = _mean_share(agree, prompts, confidence, seed)
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


def _corrections(
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
            shares[vote.item].append(_chosen(question, share if left == which else 1 - share))
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
                predicted.append(_chosen(question, 0.5 if toward == 0 else float(toward > 0)))
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


def unsafe_labels(cast: Cast, kept: Mapping[str, bool]) -> dict[str, bool]:
    """Read the votes on ``unsafe`` as labels of clips: sha256 -> whether most raters called it unsafe."""
    called: dict[str, list[bool]] = defaultdict(list)
    for vote in cast.votes:
        if vote.question != "unsafe" or vote.gold is not None or vote.answer == "skip":
            continue
        if kept.get(vote.rater, False):
            called[vote.left_clip].append(vote.answer in ("left", "both"))
            called[vote.right_clip].append(vote.answer in ("right", "both"))
    return {clip: 2 * sum(said) > len(said) for clip, said in called.items() if 2 * sum(said) != len(said)}
