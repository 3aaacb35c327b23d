"""What is known of the judges that a run's numbers rest on: error, F1, repeats, and agreement with people.

A judge is known by the digest of its configuration: model, address, frames, prompt and settings. The answers
to controls and the repeats in a run's own scores give its figures there; a frame judge has those of its card.
What votes say of it is kept beside the runs::

    RUNS/judges/DIGEST.json     agreement of a measure with the votes on a question, by measure and question
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from ..core.config import Document
from ..core.counts import counted
from ..core.estimate import Estimate
from ..core.presentation import estimate_cell
from ..core.stats import cluster_bootstrap_mean, rate_interval
from ..core.stats.sets import jackknife_interval

if TYPE_CHECKING:
    from ...safety.frames.judge_card import JudgeCard
    from ..core.run_data import RunData, Score
    from ..run_folder.store import RunStore

__all__ = [
    "JudgeFigures",
    "JudgeVotes",
    "judge_behind",
    "judge_notes",
    "judges_in",
    "judges_of",
    "keep_votes",
    "kept_votes",
    "notes_of_runs",
    "rests_on",
]

_CONFIDENCE: Final = 0.95
_VLM, _FRAMES, _VQA = "vlm", "judge", "vqa"
_OF_THE_JUDGE = frozenset({"control_accuracy", "agreement", "failure_rate", "latency", "cost"})
"""Measures ``judge.NAME`` that are figures of the judge itself."""


class JudgeFigures(BaseModel):
    """What was measured of one judge.

    Attributes:
        judge: the digest of its configuration.
        name: the model, or the frame judge's name.
        measures: the run's measures that rest on it.
        error: share of wrong answers: to controls, or of harmless clips for a frame judge.
        error_of: what the error is of.
        f1: of the answer yes to controls; None where there is no such answer.
        repeats: share of pairs of answers to one question about one clip that are alike.
    """

    model_config = ConfigDict(frozen=True)

    judge: str
    name: str
    measures: tuple[str, ...]
    error: Estimate | None = None
    error_of: str = ""
    f1: Estimate | None = None
    repeats: Estimate | None = None

    def sentence(self) -> str:
        """Say all figures in one line; one that was not measured is named as such."""
        known = [
            (f"error {self.error_of}".rstrip(), self.error),
            ("F1", self.f1),
            ("repeats its answer", self.repeats),
        ]
        told = [
            f"{what} {'not measured' if of is None else f'{estimate_cell(of).text} (n = {of.n})'}"
            for what, of in known
        ]
        return f"rests on the judge {self.name} {self.judge[:12]}: {', '.join(told)}"


class JudgeVotes(Document):
    """How often a judge agrees with people's votes.

    Attributes:
        agreement: measure -> question -> share of votes for the clip that the judge calls better.
    """

    judge: str
    agreement: dict[str, dict[str, Estimate]]

    def sentence(self, measure: str) -> str:
        """Say how often a measure of this judge agrees with votes; empty where nobody voted."""
        told = [
            f"{question} {estimate_cell(of).text} ({counted(of.n, 'vote')})"
            for question, of in sorted(self.agreement.get(measure, {}).items())
        ]
        return f"agrees with people: {', '.join(told)}" if told else ""


def rests_on(measure: str, fields: Mapping[str, Any]) -> str | None:
    """Give the digest of the vision-language or frame judge that a measure asks; None without one.

    Args:
        measure: its name.
        fields: the run's record of it.
    """
    taken: Mapping[str, str] = fields.get("encoders") or {}
    prefix, _, name = measure.partition(".")
    if prefix == "judge" and name in _OF_THE_JUDGE:
        return None
    return taken.get(_VLM) or taken.get(_VQA) or taken.get(_FRAMES)


def judge_behind(measure: str, fields: Mapping[str, Any]) -> bool:
    """Say whether a measure rests on a judge, named by its spec or by a packaged card."""
    return rests_on(measure, fields) is not None or _by_card(measure)


def judges_of(store: RunStore) -> tuple[JudgeFigures, ...]:
    """Compute the figures of all judges of a run, from its scores and from cards; empty without judges."""
    if not any(judge_behind(name, fields) for name, fields in store.measures().items()):
        return ()
    from ..run_folder.store import read_run

    return judges_in(read_run(store))


def judges_in(data: RunData) -> tuple[JudgeFigures, ...]:
    """Compute the figures of all judges of a run, as `judges_of`."""
    users: dict[str, list[str]] = defaultdict(list)
    found: list[JudgeFigures] = []
    for name, fields in sorted(data.measures.items()):
        judge = rests_on(name, fields)
        if judge is not None:
            users[judge].append(name)
        elif _by_card(name):
            found += _of_card(data, name, None)
    for judge, names in sorted(users.items()):
        if all(_VLM in (data.measures[name].get("encoders") or {}) for name in names):
            found.append(_of_vlm(data, judge, tuple(names)))
        elif all(_VQA in (data.measures[name].get("encoders") or {}) for name in names):
            role: Mapping[str, Any] = (data.record.get("encoders") or {}).get(_VQA) or {}
            found.append(
                JudgeFigures(judge=judge, name=str(role.get("source") or _VQA), measures=tuple(names))
            )
        else:
            found += _of_card(data, names[0], tuple(names))
    return tuple(found)


def _by_card(measure: str) -> bool:
    """Say whether a packaged card of a frame judge names the measure."""
    from ...safety.frames.judge_card import packaged_cards

    return any(measure in card.measures for card in packaged_cards().values())


def judge_notes(judges: Iterable[JudgeFigures], runs: Path | None = None) -> dict[str, tuple[str, ...]]:
    """Say, for each measure that rests on a judge, the judge's figures and what votes say of it.

    Args:
        judges: of a run.
        runs: the folder in which votes are kept; None to leave them out.
    """
    notes: dict[str, tuple[str, ...]] = {}
    for figures in judges:
        votes = None if runs is None else kept_votes(runs, figures.judge)
        for measure in figures.measures:
            agreed = "" if votes is None else votes.sentence(measure)
            notes[measure] = (figures.sentence() + (f"; {agreed}" if agreed else ""),)
    return notes


def notes_of_runs(runs: Sequence[RunData]) -> list[str]:
    """Say what was measured of the judges that the numbers of runs rest on, once where runs say the same."""
    told: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for measure, notes in judge_notes(judges_in(run)).items():
            for note in notes:
                told[f"{measure} {note}"].append(run.name)
    return [f"{', '.join(dict.fromkeys(names))}: {note}" for note, names in told.items()]


# -- vision-language judges


def _of_vlm(data: RunData, judge: str, measures: tuple[str, ...]) -> JudgeFigures:
    role: Mapping[str, Any] = (data.record.get("encoders") or {}).get(_VLM) or {}
    identity: Mapping[str, Any] = role.get("identity") or {}
    counts = _controls(data)
    return JudgeFigures(
        judge=judge,
        name=str(identity.get("model") or role.get("source") or _VLM),
        measures=measures,
        error=_error(counts),
        error_of="on controls",
        f1=_f1(counts),
        repeats=_repeats(data),
    )


def _scored(data: RunData, measure: str) -> list[Score]:
    return [s for (name, _), s in sorted(data.scores.items()) if name == measure and s.status == "ok"]


def _controls(data: RunData) -> list[tuple[str, dict[str, int]]]:
    """List the answers to controls of each clip: its prompt, and counts of true and false yes and no."""
    found: list[tuple[str, dict[str, int]]] = []
    for score in _scored(data, "judge.control_accuracy"):
        counts: Any = score.evidence.get("answers")
        if isinstance(counts, Mapping):
            found.append((data.items[score.item].cluster, {str(k): int(v) for k, v in counts.items()}))
    return found


def _error(counts: Sequence[tuple[str, Mapping[str, int]]]) -> Estimate | None:
    wrong: list[float] = []
    prompts: list[str] = []
    for prompt, of in counts:
        for name, count in sorted(of.items()):
            wrong += [float(name.startswith("false"))] * count
            prompts += [prompt] * count
    if not wrong:
        return None
    found = rate_interval(wrong, prompts, _CONFIDENCE)
    return Estimate.of(found, _CONFIDENCE, n=len(wrong), clusters=len(set(prompts)))


def _f1(counts: Sequence[tuple[str, Mapping[str, int]]]) -> Estimate | None:
    """F1 of yes, 2 TP / (2 TP + FP + FN), with its delete-one-prompt jackknife interval."""
    by_prompt: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for prompt, of in counts:
        hits = 2 * of.get("true yes", 0)
        by_prompt[prompt][0] += hits
        by_prompt[prompt][1] += hits + of.get("false yes", 0) + of.get("false no", 0)
    hits, all_ = (sum(of[k] for of in by_prompt.values()) for k in (0, 1))
    if not all_:
        return None
    without = {
        prompt: (hits - mine) / (all_ - total) for prompt, (mine, total) in by_prompt.items() if all_ > total
    }
    found = jackknife_interval(hits / all_, without, _CONFIDENCE, bounds=(0.0, 1.0))
    n = sum(sum(of.values()) for _, of in counts)
    return Estimate.of(found, _CONFIDENCE, n=n, clusters=len(by_prompt))


def _repeats(data: RunData) -> Estimate | None:
    """Compute the share of pairs of repeats that are alike: of each question, then their mean."""
    shares: list[float] = []
    prompts: list[str] = []
    for measure, key in (("judge.vlm", "questions"), ("judge.rating", "ratings")):
        for score in _scored(data, measure):
            told: Any = score.evidence.get(key) or []
            for question in told:
                given: list[Any] = (
                    list(question["ratings"])
                    if key == "ratings"
                    else [True] * question["yes"] + [False] * question["no"]
                )
                if len(given) > 1:
                    pairs = len(given) * (len(given) - 1)
                    alike = sum(n * (n - 1) for n in (given.count(one) for one in set(given)))
                    shares.append(alike / pairs)
                    prompts.append(data.items[score.item].cluster)
    if not shares:
        return None
    if set(shares) <= {0.0, 1.0}:
        found = rate_interval(shares, prompts, _CONFIDENCE)
    else:
        found = cluster_bootstrap_mean(
            shares, prompts, _CONFIDENCE, seed=["repeats", len(shares)], bounds=(0.0, 1.0)
        )
    return Estimate.of(found, _CONFIDENCE, n=len(shares), clusters=len(set(prompts)))


# -- frame judges


def _of_card(data: RunData, measure: str, measures: tuple[str, ...] | None) -> list[JudgeFigures]:
    from ..policies.card_rules import NoCardError, card_behind

    names = measures or (measure,)
    try:
        card = card_behind(data, measure)
    except NoCardError:
        taken: Mapping[str, str] = data.measures[measure].get("encoders") or {}
        role: Mapping[str, Any] = (data.record.get("encoders") or {}).get(_FRAMES) or {}
        name = str(role.get("source") or ", ".join(taken)) if _FRAMES in taken else ", ".join(taken)
        judge = taken.get(_FRAMES) or next(iter(taken.values()), "")
        return [JudgeFigures(judge=judge, name=name, measures=names)]
    return [
        JudgeFigures(
            judge=card.digest,
            name=card.judge,
            measures=names,
            error=_false_alarms(card),
            error_of="on harmless clips of its card",
        )
    ]


def _false_alarms(card: JudgeCard) -> Estimate:
    row = card.specificity[0]
    ends = [None if end is None else 1 - end for end in (row.high, row.low)]
    return Estimate(
        value=1 - row.share, low=ends[0], high=ends[1], n=row.n, clusters=row.clusters, method=row.method
    )


# -- votes that are kept


def keep_votes(runs: Path, judge: str, agreement: Mapping[str, Mapping[str, Estimate]]) -> Path:
    """Keep what votes say of a judge beside the runs, replacing what was kept of the same measures."""
    import json

    from ..core.files import write_atomic

    before = kept_votes(runs, judge)
    known = {} if before is None else before.agreement
    merged = {**known, **{name: {**known.get(name, {}), **of} for name, of in agreement.items()}}
    path = _path(runs, judge)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = JudgeVotes(judge=judge, agreement=merged)
    write_atomic(path, json.dumps(kept.model_dump(mode="json"), indent=1) + "\n")
    return path


def kept_votes(runs: Path, judge: str) -> JudgeVotes | None:
    """Read what votes said of a judge; None where nobody voted, or the file is damaged."""
    if not judge.isalnum():
        return None
    try:
        found = JudgeVotes.model_validate_json(_path(runs, judge).read_bytes())
    except (OSError, ValidationError):
        return None
    return found if found.judge == judge else None


def _path(runs: Path, judge: str) -> Path:
    return runs / "judges" / f"{judge}.json"
