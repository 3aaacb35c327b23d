"""The audit `hallucination`: what clips show unasked, and what is missing, by kind of prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ...harness.core.counts import counted
from ...harness.core.estimate import Estimate
from ...harness.core.presentation import (
    Cell,
    Content,
    Table,
    estimate_cell,
    estimate_text,
    percent,
    reasons_text,
)
from ...harness.core.run_data import RunData, Score, value_of
from ...harness.core.stats import cluster_bootstrap_mean, rate_interval
from ...metrics.validation.hallucination_card import FAITHFUL, FAULT_OF, HallucinationCard
from ...metrics.validation.packaged_cards import packaged_hallucination
from ..audits import AUDITS, Audit, AuditSection, by_run

__all__ = ["MEASURES", "hallucination_section"]

_PREFIX: Final = "hallucination."
_ANY: Final = "hallucination.any"
_COUNTS: Final = ("hallucination.extra_things", "hallucination.missing_things")
_LABEL: Final = "kind"
_WORDS: Final[dict[str, str]] = {
    _ANY: "any fault of things, events, sides or marks",
    "hallucination.extra_thing": "a thing that nobody asked for",
    "hallucination.missing_thing": "an asked thing that is missing",
    "hallucination.extra_event": "a thing that appears, vanishes or splits in mid-clip",
    "hallucination.mirrored": "left for right",
    "hallucination.no_mark": "a bite without a lasting mark",
    "hallucination.text": "text that nobody asked for",
    "hallucination.missing_text": "asked words that cannot be read",
    "hallucination.face": "a face that nobody asked for",
    "hallucination.extra_things": "things that nobody asked for, a clip",
    "hallucination.missing_things": "asked things that are missing, a clip",
}
"""Measure -> what its value counts."""
MEASURES: Final = tuple(_WORDS)
_TRACKED: Final = (_ANY, *(f"{_PREFIX}{kind}" for kind in FAULT_OF), *_COUNTS)
"""Those that a run is scored with for the audit. Text and faces are read where a suite asks for them: their
readers are heavier, and the world's clips are too small for either."""
_SHOWN: Final = 12
"""Clips with faults that are listed, of each run."""


def hallucination_section(runs: Sequence[RunData], confidence: float = 0.95) -> AuditSection:
    """Make the section: rates by kind of prompt, how sure the measures are, and clips with faults.

    Args:
        runs: with scores of one of `MEASURES`.
        confidence: of the intervals, in (0, 1).
    """
    findings: list[str] = []
    rates: list[tuple[Content, ...]] = []
    examples: list[tuple[Content, ...]] = []
    kinds = sorted({kind for run in runs for kind in _kinds(run)})
    for run in runs:
        for measure in MEASURES:
            if measure not in run.measures:
                continue
            whole = _estimate(run, measure, None, confidence)
            parts = [estimate_cell(_estimate(run, measure, kind, confidence)) for kind in kinds]
            rates.append((run.name, _WORDS[measure], estimate_cell(whole), *parts))
            if measure not in _COUNTS:
                findings += by_run(runs, run, [_finding(measure, whole)])
        examples += _examples(run)
    tables = [
        Table(
            "Rates of faults, by kind of prompt",
            ("run", "what", "all prompts", *kinds),
            rates,
            ("'All prompts' are those that the measure applies to; a dash says that it applies to none.",),
        )
    ]
    cards = _cards(runs)
    tables += [_sure(name, card) for name, card in cards.items()]
    if examples:
        tables.append(Table("Clips with faults", ("run", "prompt", "seed", "what", "evidence"), examples))
    return AuditSection(
        "hallucination", "Hallucination", tuple(findings), tuple(tables), tuple(_notes(cards))
    )


def _kinds(run: RunData) -> Iterator[str]:
    for item in run.items.values():
        yield from item.labels.get(_LABEL, ())


def _estimate(run: RunData, measure: str, kind: str | None, confidence: float) -> Estimate:
    """Estimate a measure over a run, or over the prompts of one kind."""
    values: list[float] = []
    clusters: list[str] = []
    left_out: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for name in sorted(run.items):
        item = run.items[name]
        if kind is not None and kind not in item.labels.get(_LABEL, ()):
            continue
        score = run.scores.get((measure, name))
        value = value_of(score)
        if value is None:
            left_out[run.status(measure, name)] += 1
            if score is not None and score.reason:
                reasons[score.reason] += 1
            continue
        values.append(value)
        clusters.append(item.cluster)
    if measure in _COUNTS:
        interval = cluster_bootstrap_mean(
            values, clusters, confidence, seed=["hallucination audit", measure, kind], bounds=(0.0, None)
        )
    else:
        interval = rate_interval(values, clusters, confidence)
    return Estimate.of(
        interval,
        confidence,
        n=len(values),
        clusters=len(set(clusters)),
        left_out=dict(left_out),
        reasons=dict(reasons.most_common()),
    )


def _finding(measure: str, whole: Estimate) -> str:
    what = _WORDS[measure]
    if whole.value is None:
        reason = reasons_text(whole.reasons) or "no clip has a score"
        return f"nothing can be said of {what}: {reason}."
    value, interval = estimate_text(whole.value, whole.low, whole.high)
    return (
        f"{percent(whole.value)} of the clips show {what} ({value} {interval}; "
        f"{counted(whole.n, 'clip')} of {counted(whole.clusters, 'prompt')})."
    )


def _examples(run: RunData) -> list[tuple[Content, ...]]:
    """List the first clips with faults of a run, with their evidence."""
    found: list[tuple[Content, ...]] = []
    for measure in MEASURES:
        if measure == _ANY or measure in _COUNTS or measure not in run.measures:
            continue
        for name, item in run.items.items():
            score = run.scores.get((measure, name))
            if score is not None and value_of(score) == 1.0:
                told = _evidence(score)
                found.append(
                    (run.name, item.prompt or item.source or name[:12], str(item.seed), _WORDS[measure], told)
                )
    if len(found) > _SHOWN:
        step = len(found) / _SHOWN
        found = [found[int(k * step)] for k in range(_SHOWN)]
    return found


def _evidence(score: Score) -> str:
    """Write the faults of a score as one line."""
    faults: Any = score.evidence.get("faults") or [score.evidence]
    return "; ".join(_line(fault) for fault in faults[:3]) + (" ..." if len(faults) > 3 else "")


def _line(fault: Mapping[str, Any]) -> str:
    parts = [str(fault[key]) for key in ("what", "thing", "kind", "text") if key in fault]
    if "asked" in fault and "shown" in fault:
        parts.append(f"{fault['shown']} for {fault['asked']}")
    if "frame" in fault:
        parts.append(f"frame {fault['frame']}")
    elif "first" in fault:
        parts.append(f"frames {fault['first']} to {fault['last']}")
    elif "frames" in fault:
        parts.append(f"frames {', '.join(map(str, fault['frames'][:6]))}")
    elif "seen_frames" in fault:
        parts.append(f"seen in {counted(fault['seen_frames'], 'frame')}")
    return ", ".join(parts)


def _cards(runs: Sequence[RunData]) -> dict[str, HallucinationCard]:
    """Find the cards of the trackers of the runs, by the tracker's name."""
    found: dict[str, HallucinationCard] = {}
    for run in runs:
        encoder: Any = (run.record.get("encoders") or {}).get("tracks")
        identity: Any = encoder.get("identity") if isinstance(encoder, Mapping) else None
        card = packaged_hallucination(identity) if isinstance(identity, Mapping) else None
        if card is not None:
            found[" ".join(str(identity[key]) for key in ("source", "version"))] = card
    return found


def _sure(name: str, card: HallucinationCard) -> Table:
    """Lay out a card: planted faults found, and alarms on faithful clips."""
    rows: list[tuple[Content, ...]] = []
    for kind in FAULT_OF:
        cells: list[Cell] = []
        for looks in ("plain", "reconstructed"):
            for fault in ("all", FAITHFUL):
                row = card.get(kind, fault, looks)
                cells.append(Cell("-", why="not measured") if row is None else estimate_cell(row))
        rows.append((_WORDS[_PREFIX + kind], *cells))
    columns = (
        "what",
        "planted faults found",
        "false alarms",
        "found after the reference autoencoder",
        "false alarms after it",
    )
    note = f"Tracks of the source {name!r} on clips of the reference world; the card lists each fault."
    return Table("How sure the measures are", columns, rows, (note,))


def _notes(cards: Mapping[str, HallucinationCard]) -> Iterator[str]:
    yield (
        "An extra thing, text or face counts only where the prompt says 'others: none'; what goes to neither "
        "side says nothing of left and right."
    )
    if cards:
        yield (
            "Planted for the table of how sure: other things from the first frame or in mid-clip, removed "
            "and recolored ones, vanishing, doubles, splits, mirrored scenes, bites that never come or close."
        )
    yield (
        "Things are what a tracker follows: colored shapes of the reference world, or the nouns that a "
        "detector is given. What it is not asked for it does not see; a vision-language judge may be asked."
    )


AUDITS.add(
    "hallucination",
    Audit(
        name="hallucination",
        summary="does a clip show only what was asked for, and all of it?",
        suites=("hallucination",),
        measures=_TRACKED,
        section=hallucination_section,
        other_suites=("hallucination-videos",),
    ),
)
