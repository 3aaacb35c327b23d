"""Runs under attack at a glance: outcomes, rates by category, family and language, safeguards, disguises.

Everything is a function of the runs' score tables and of what their safeguards wrote down; the page and the
command ``screentest safety`` show it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..harness.keys import digest
from .attempts import (
    OUTCOMES,
    Attempt,
    Rate,
    by_tag,
    over_refusal,
    rate_of,
    read_attempts,
    refusal,
    success,
    success_if_answered,
    worst_of_seeds,
)
from .evasion import Evasion, evasions
from .safeguards import Filter, Layers, SafeguardRow, filters_of, is_the_judge, safeguard_rows

if TYPE_CHECKING:
    from ..harness.pairing import RunData

__all__ = ["ALL", "GROUPS", "PLAIN", "RunOverview", "SafetyOverview", "is_under_attack", "overview"]

GROUPS = ("category", "family", "language")
"""What attacks are grouped by: the tags ``category:NAME`` and so on."""
PLAIN = "plain"
"""The column of attacks that are not disguised."""
ALL = "all"
_MEASURES = ("safety.unsafe_rate", "safety.unsafe_on_benign")


@dataclass(frozen=True)
class RunOverview:
    """One run.

    Attributes:
        judge: which judge decides what is unsafe, as the suite or the user named it.
        filters: the safeguards of the generator.
        outcomes: of attacks and of harmless prompts: outcome -> attempts.
        rates: name -> rate over the whole run.
        groups: ``category``, ``family`` or ``language`` -> its name -> attack success rate.
        cells: (category, family) -> attack success rate; family `PLAIN` where there is no disguise, and `ALL`
            in either place for the whole row or column.
        notes: what a reader must know of the numbers.
    """

    name: str
    generator: str
    judge: str
    filters: tuple[Filter, ...]
    outcomes: Mapping[str, Mapping[str, int]]
    rates: Mapping[str, Rate]
    groups: Mapping[str, Mapping[str, Rate]]
    cells: Mapping[tuple[str, str], Rate]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class SafetyOverview:
    """Several runs: each by itself, what safeguards buy, and what disguises do, by generator.

    Attributes:
        evasions: by generator (its spec, and its families); runs of one generator are read together, so that
            a run of disguised prompts finds the plain ones in another.
    """

    runs: tuple[RunOverview, ...]
    safeguards: tuple[SafeguardRow, ...]
    evasions: tuple[tuple[str, tuple[Evasion, ...]], ...]


def is_under_attack(run: RunData) -> bool:
    """Tell whether a run judged attempts, so that there is something to say."""
    return any(name in run.measures for name in _MEASURES)


def overview(runs: Sequence[RunData], confidence: float = 0.95) -> SafetyOverview:
    """Sum up the runs that judged attempts; the others are left out."""
    judged = [run for run in runs if is_under_attack(run)]
    attempts = [(run, read_attempts(run)) for run in judged]
    together: dict[str, list[Attempt]] = {}
    first: dict[str, RunData] = {}
    for run, made in attempts:
        key = digest("generator", run.record["generator"])
        together.setdefault(key, []).extend(made)
        first.setdefault(key, run)
    found = [(_spec(first[key]), _evasions(first[key], made, confidence)) for key, made in together.items()]
    return SafetyOverview(
        runs=tuple(_run(run, made, confidence) for run, made in attempts),
        safeguards=tuple(safeguard_rows(attempts, confidence)),
        evasions=tuple((spec, rows) for spec, rows in found if rows),
    )


def _spec(run: RunData) -> str:
    return str(run.record.get("generator_spec", ""))


def _evasions(run: RunData, attempts: Sequence[Attempt], confidence: float) -> tuple[Evasion, ...]:
    layers: Layers = frozenset(found.layer for found in filters_of(run.record["generator"]))
    return tuple(evasions(attempts, layers, confidence))


def _run(run: RunData, attempts: Sequence[Attempt], confidence: float) -> RunOverview:
    attacks = [attempt for attempt in attempts if not attempt.benign]
    benign = [attempt for attempt in attempts if attempt.benign]
    rates: dict[str, Rate] = {
        "attack success": rate_of(attacks, success, confidence),
        "attack success, if not refused": rate_of(attacks, success_if_answered, confidence),
        "attack success, worst of seeds": worst_of_seeds(attacks, confidence),
        "refusal of attacks": rate_of(attacks, refusal, confidence),
        "refusal of harmless prompts": rate_of(benign, over_refusal, confidence),
    }
    filters = filters_of(run.record["generator"])
    return RunOverview(
        name=run.name,
        generator=_spec(run),
        judge=_judge(run),
        filters=filters,
        outcomes={
            "attacks": _counts(attacks),
            "harmless prompts": _counts(benign),
        },
        rates={name: rate for name, rate in rates.items() if rate.n or rate.left_out},
        groups={
            name: _rates(by_tag(attacks, f"{name}:"), confidence)
            for name in GROUPS
            if by_tag(attacks, f"{name}:")
        },
        cells=_cells(attacks, confidence),
        notes=tuple(_notes(run, filters)),
    )


def _counts(attempts: Sequence[Attempt]) -> dict[str, int]:
    counts = Counter(attempt.outcome for attempt in attempts)
    return {outcome: counts[outcome] for outcome in OUTCOMES} if attempts else {}


def _rates(groups: Mapping[str, Sequence[Attempt]], confidence: float) -> dict[str, Rate]:
    return {name: rate_of(attempts, success, confidence) for name, attempts in groups.items()}


def _cells(attacks: Sequence[Attempt], confidence: float) -> dict[tuple[str, str], Rate]:
    inside: dict[
        tuple[str, str], dict[str, Attempt]
    ] = {}  # by item: one of two categories counts once in all
    for category, attempts in by_tag(attacks, "category:").items():
        for attempt in attempts:
            family = attempt.family or PLAIN
            for row in (category, ALL):
                for column in (family, ALL):
                    inside.setdefault((row, column), {})[attempt.item] = attempt
    return {key: rate_of(made.values(), success, confidence) for key, made in sorted(inside.items())}


def _judge(run: RunData) -> str:
    """Name the judge; by its digest where the run was scored again with another than it began with."""
    encoders: Mapping[str, Any] = run.record.get("encoders") or {}
    began = encoders.get("judge") or {}
    now = _judges(run)
    return (
        str(began.get("source", ""))
        if now == {began.get("digest")}
        else ", ".join(d[:12] for d in sorted(now))
    )


def _judges(run: RunData) -> set[str]:
    digests = (fields["encoders"].get("judge") for name, fields in run.measures.items() if name in _MEASURES)
    return {str(found) for found in digests if found}


def _notes(run: RunData, filters: Sequence[Filter]) -> list[str]:
    notes: list[str] = []
    if run.without_clip:
        notes.append(f"{run.without_clip} attempts have not been made yet")
    for found in filters:
        if found.layer == "frame" and any(is_the_judge(found, judge) for judge in _judges(run)):
            notes.append(
                f"the frame filter {found.name} is the judge itself: what passes it is found safe by "
                "construction; another judge would tell more"
            )
    return notes
