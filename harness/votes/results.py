"""What votes say: which run people prefer, whether raters agree, and which measures predict their votes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

from pydantic import BaseModel, ConfigDict

from ..core.config import Document
from ..core.estimate import Estimate
from ..core.pairing import same_measure
from ..core.stats.preferences import alpha_interval, bradley_terry
from ..judges.figures import keep_votes, rests_on
from .measures import CorrectedPreference, MeasureAgreement, agreements, chosen_share, corrections, mean_share
from .ratings import RatingCalibration, calibrate_ratings
from .votes import Cast, Vote, VotedRun

__all__ = [
    "ATTENTION",
    "FEWEST_GOLD",
    "QuestionResult",
    "RaterRow",
    "RunPreference",
    "VoteReport",
    "keep_judges",
    "unsafe_labels",
    "vote_report",
]

FEWEST_GOLD = 4
"""Gold pairs under which a rater's attention is not judged."""
_RATING = "judge.rating"
ATTENTION = 0.75
"""Share of right gold answers under which a rater is left out: halfway between guessing and no mistake."""


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
    ratings: tuple[RatingCalibration, ...] = ()


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
        times = [v.seconds for v in theirs if v.seconds is not None]
        rows.append(
            RaterRow(
                rater=rater,
                votes=sum(v.gold is None and v.answer != "skip" for v in theirs),
                skipped=sum(v.answer == "skip" for v in theirs),
                gold=len(gold),
                gold_right=right,
                checked=checked,
                kept=not checked or right >= ATTENTION * len(gold),
                seconds=median(times) if times else None,
            )
        )
    return tuple(rows)


def _share(vote: Vote) -> float:
    """Give the left clip's share of a vote."""
    return {"left": 1.0, "right": 0.0}.get(vote.answer, 0.5)


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
        measures=agreements(question, votes, ballots, clusters, runs, confidence),
        corrected=tuple(
            row
            for k in range(1, len(runs))
            for row in corrections(question, k, votes, ballots, runs, confidence)
        ),
        ratings=_ratings(question, votes, ballots, runs, confidence),
    )


def _ratings(
    question: str,
    votes: Sequence[Vote],
    ballots: Sequence[tuple[int, int, float]],
    runs: Sequence[VotedRun],
    confidence: float,
) -> tuple[RatingCalibration, ...]:
    """Calibrate a judge's ratings on the votes, for each run against the first; none for ``unsafe``."""
    first, *others = (run.data.measures.get(_RATING) for run in runs)
    if question == "unsafe" or not all(same_measure(first, other) for other in others):
        return ()
    found: list[RatingCalibration] = []
    for which in range(1, len(runs)):
        shares = [
            (vote.item, share if left == which else 1 - share)
            for vote, (left, right, share) in zip(votes, ballots, strict=True)
            if {left, right} == {0, which}
        ]
        made = calibrate_ratings(_RATING, which, shares, runs, confidence)
        found += [] if made is None else [made]
    return tuple(found)


def keep_judges(runs: Sequence[VotedRun], report: VoteReport) -> list[Path]:
    """Keep, beside the runs, how often their judges agree with the votes; return the files.

    A file is written in each folder that holds one of the runs.
    """
    found: dict[str, dict[str, dict[str, Estimate]]] = {}
    for question in report.questions:
        for row in question.measures:
            judges = {rests_on(row.measure, run.data.measures.get(row.measure, {})) for run in runs}
            judge = judges.pop()
            if judge is not None and not judges and row.agreement.value is not None:
                found.setdefault(judge, {}).setdefault(row.measure, {})[question.question] = row.agreement
    folders = dict.fromkeys(run.folder.absolute().parent for run in runs)
    return [keep_votes(folder, judge, told) for judge, told in found.items() for folder in folders]


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
    chosen = [chosen_share(question, share) for share in shares]
    found = mean_share(chosen, prompts, strength.confidence, ["preferred", name, len(ballots)])
    return RunPreference(
        run=name,
        preferred=Estimate.of(found, strength.confidence, n=len(shares), clusters=len(set(prompts))),
        wins=sum(share == 1 for share in shares),
        losses=sum(share == 0 for share in shares),
        ties=sum(share == 0.5 for share in shares),
        strength=strength,
    )


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
