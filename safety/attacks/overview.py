"""Overview of runs under attack: outcomes, rates by category, family and language, safeguards, disguises.

It is computed from the score tables and the stored decisions of safeguards. The page and the command
``screentest safety`` show it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ...harness.core.counts import counted
from ...harness.core.keys import digest
from .attempts import (
    OUTCOMES,
    Attempt,
    Rate,
    by_label,
    over_refusal,
    rate_of,
    read_attempts,
    refusal,
    success,
    success_if_answered,
    worst_of_seeds,
)
from .evasion import Evasion, evasions
from .run_quality import FilterQuality, filter_qualities
from .safeguards import Filter, Layers, SafeguardRow, filters_of, is_the_judge, safeguard_rows

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.run_data import RunData

__all__ = [
    "ALL",
    "ATTACK_MEASURES",
    "GROUPS",
    "PLAIN",
    "Disguises",
    "RunOverview",
    "SafetyOverview",
    "is_under_attack",
    "overview",
    "why_no_change",
    "why_no_pair",
]

GROUPS = ("category", "family", "language")
"""Labels that attacks are grouped by."""
PLAIN = "plain"
"""The family of attacks without a disguise."""
ALL = "all"
"""The row of all categories, or the column of all families."""
ATTACK_MEASURES = ("safety.unsafe_rate", "safety.unsafe_on_benign")
"""A run with one of these measures has judged attempts."""


@dataclass(frozen=True)
class RunOverview:
    """One run.

    Attributes:
        judge: the judge of unsafe clips, as the suite or the user named it.
        filters: the safeguards of the generator.
        outcomes: for attacks and for harmless prompts: outcome -> number of attempts.
        rates: name -> rate over the whole run.
        groups: ``category``, ``family`` or ``language`` -> its name -> attack success rate.
        rates_of: the same -> its name -> name -> rate, as in ``rates``; with harmless prompts, whose category
            is the one that they resemble.
        cells: (category, family) -> attack success rate. The family is `PLAIN` without a disguise; `ALL`
            stands for the whole row or column.
        qualities: quality of the filters, as far as the run shows it.
        notes: what a reader must know about the numbers.
    """

    name: str
    generator: str
    judge: str
    filters: tuple[Filter, ...]
    outcomes: Mapping[str, Mapping[str, int]]
    rates: Mapping[str, Rate]
    groups: Mapping[str, Mapping[str, Rate]]
    rates_of: Mapping[str, Mapping[str, Mapping[str, Rate]]]
    cells: Mapping[tuple[str, str], Rate]
    qualities: tuple[FilterQuality, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Disguises:
    """The effect of disguises on one generator with one judge, from all its runs together.

    So disguised prompts of one run are paired with plain ones of another. ``layers`` are the generator's
    safeguards, enforced or not.
    """

    generator: str
    runs: tuple[str, ...]
    layers: Layers
    families: tuple[Evasion, ...]


@dataclass(frozen=True)
class SafetyOverview:
    """Several runs: each run, and by generator the effect of safeguards and of disguises."""

    runs: tuple[RunOverview, ...]
    safeguards: tuple[SafeguardRow, ...]
    disguises: tuple[Disguises, ...]
    confidence: float


def is_under_attack(run: RunData) -> bool:
    """Check whether a run has judged attempts."""
    return any(name in run.measures for name in ATTACK_MEASURES)


def overview(runs: Sequence[RunData], confidence: float = 0.95) -> SafetyOverview:
    """Summarise the runs that have judged attempts; the others are left out."""
    attempts = [(run, read_attempts(run)) for run in runs if is_under_attack(run)]
    return SafetyOverview(
        runs=tuple(_run(run, made, confidence) for run, made in attempts),
        safeguards=tuple(safeguard_rows(attempts, confidence)),
        disguises=tuple(found for found in _disguises(attempts, confidence) if found.families),
        confidence=confidence,
    )


def _disguises(runs: Sequence[tuple[RunData, Sequence[Attempt]]], confidence: float) -> Iterator[Disguises]:
    together: dict[str, list[tuple[RunData, Sequence[Attempt]]]] = {}
    for run, made in runs:
        judges: list[Json] = [*sorted(_judges(run))]
        key = digest("attacked", {"generator": run.record["generator"], "judges": judges})
        together.setdefault(key, []).append((run, made))
    for of_one in together.values():
        first = of_one[0][0]
        layers: Layers = frozenset(found.layer for found in filters_of(first.record["generator"]))
        made = [attempt for _, attempts in of_one for attempt in attempts]
        families = tuple(evasions(made, layers, confidence))
        yield Disguises(_spec(first), tuple(run.name for run, _ in of_one), layers, families)


def why_no_change(row: SafeguardRow, *, cost: bool = False) -> str:
    """Say why a row has no change of attack success (with ``cost``: of over-refusal); empty if it has one."""
    if (row.cost if cost else row.gain) is not None:
        return ""
    if row.success is None:
        return "not seen"
    if not row.layers:
        return "the baseline"
    if cost and row.over_refusal is not None and not row.over_refusal.n:
        return "no harmless prompt"
    return "no pair with the generator alone"


def why_no_pair(disguises: Disguises, what: Literal["filter", "alone", "guarded"]) -> str:
    """Say why a family has no change of the flagged share, or of attack success alone or guarded."""
    if what == "filter":
        return "no prompt filter" if "prompt" not in disguises.layers else "decided on no pair"
    if what == "guarded" and not disguises.layers:
        return "no safeguards"
    return "not seen on both sides"


def _spec(run: RunData) -> str:
    return str(run.record.get("generator_spec", ""))


def _run(run: RunData, attempts: Sequence[Attempt], confidence: float) -> RunOverview:
    attacks = [attempt for attempt in attempts if not attempt.benign]
    benign = [attempt for attempt in attempts if attempt.benign]
    filters = filters_of(run.record["generator"])
    grouped = {name: by_label(attempts, name) for name in GROUPS}
    return RunOverview(
        name=run.name,
        generator=_spec(run),
        judge=_judge(run),
        filters=filters,
        outcomes={
            "attacks": _counts(attacks),
            "harmless prompts": _counts(benign),
        },
        rates=_rates(attempts, confidence),
        groups={
            name: {one: rate_of(made, success, confidence) for one, made in found.items()}
            for name in GROUPS
            if (found := by_label(attacks, name))
        },
        rates_of={
            name: {one: _rates(made, confidence) for one, made in found.items()}
            for name, found in grouped.items()
            if found
        },
        cells=_cells(attacks, confidence),
        qualities=filter_qualities(filters, attempts, lambda one: _is_judge(one, run), confidence),
        notes=tuple(_notes(run, filters)),
    )


def _counts(attempts: Sequence[Attempt]) -> dict[str, int]:
    counts = Counter(attempt.outcome for attempt in attempts)
    return {outcome: counts[outcome] for outcome in OUTCOMES} if attempts else {}


def _rates(attempts: Sequence[Attempt], confidence: float) -> dict[str, Rate]:
    """Compute the rates that have attempts, by name."""
    attacks = [attempt for attempt in attempts if not attempt.benign]
    benign = [attempt for attempt in attempts if attempt.benign]
    rates: dict[str, Rate] = {
        "attack success": rate_of(attacks, success, confidence),
        "attack success, if not refused": rate_of(attacks, success_if_answered, confidence),
        "attack success, worst of seeds": worst_of_seeds(attacks, confidence),
        "refusal of attacks": rate_of(attacks, refusal, confidence),
        "refusal of harmless prompts": rate_of(benign, over_refusal, confidence),
    }
    return {name: rate for name, rate in rates.items() if rate.n or rate.left_out}


def _cells(attacks: Sequence[Attempt], confidence: float) -> dict[tuple[str, str], Rate]:
    # By item, so that an item with two categories counts once in the row of all.
    inside: dict[tuple[str, str], dict[str, Attempt]] = {}
    for category, attempts in by_label(attacks, "category").items():
        for attempt in attempts:
            family = attempt.family or PLAIN
            for row in (category, ALL):
                for column in (family, ALL):
                    inside.setdefault((row, column), {})[attempt.item] = attempt
    return {key: rate_of(made.values(), success, confidence) for key, made in sorted(inside.items())}


def _judge(run: RunData) -> str:
    """Name the judge; by its digest if the run was scored again with another judge."""
    encoders: Mapping[str, Any] = run.record.get("encoders") or {}
    began: Mapping[str, Any] = encoders.get("judge") or {}
    now = _judges(run)
    if now == {began.get("digest")}:
        return str(began.get("source", ""))
    return ", ".join(found[:12] for found in sorted(now))


def _judges(run: RunData) -> set[str]:
    found = (
        fields["encoders"].get("judge") for name, fields in run.measures.items() if name in ATTACK_MEASURES
    )
    return {str(judge) for judge in found if judge}


def _is_judge(found: Filter, run: RunData) -> bool:
    return any(is_the_judge(found, judge) for judge in _judges(run))


def _notes(run: RunData, filters: Sequence[Filter]) -> list[str]:
    notes: list[str] = []
    if run.without_clip:
        notes.append(f"{counted(run.without_clip, 'attempt has', 'attempts have')} not been made yet")
    for found in filters:
        if found.layer == "frame" and _is_judge(found, run):
            notes.append(
                f"the frame filter {found.name} is the judge itself, so whatever passes it is judged safe; "
                "use another judge"
            )
    return notes
