"""Tables of what runs came to: a summary, a comparison, a verdict. Terminal and page show these cells."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..harness.core.counts import counted
from ..harness.core.presentation import (
    MISSING,
    Cell,
    Content,
    Table,
    estimate_cell,
    left_out_text,
    level,
    number,
    p_value,
    sample_text,
)

if TYPE_CHECKING:
    from ..harness.comparison.result import Comparison, Difference
    from ..harness.gates.gate import Verdict
    from ..harness.gates.rule_results import RuleResult
    from ..harness.results.summary import Aggregate, Summary
    from ..harness.run_folder.jobs import ServiceUse

__all__ = [
    "Scale",
    "aggregate_cell",
    "comparison_table",
    "difference_cell",
    "matrix_table",
    "outcome_text",
    "service_text",
    "standing_cell",
    "standing_text",
    "summary_table",
    "verdict_table",
]

Scale: TypeAlias = Literal["difference", "ratio"]


# -- summaries


def aggregate_cell(aggregate: Aggregate) -> Cell:
    """Format an aggregate of a run."""
    return estimate_cell(aggregate, n_reference=aggregate.n_reference, nothing="no clip gave a value")


def summary_table(summary: Summary) -> Table:
    """Build the table of a run's aggregates over all items, with the reasons for what was left out."""
    overall = [a for a in summary.aggregates if a.tag is None]
    cells = [aggregate_cell(a) for a in overall]
    rows: list[tuple[Content, ...]] = [
        (a.measure, cell, cell.n, cell.left_out or "0", a.better)
        for a, cell in zip(overall, cells, strict=True)
    ]
    encoders = [a.encoder for a in overall]
    levels = " and ".join(dict.fromkeys(level(a.confidence) for a in overall)) or level(0.95)
    columns = ("measure", f"value [{levels} interval]", "n (prompts)", "left out", "better")
    if any(encoders):
        rows = [(*row, encoder or MISSING) for row, encoder in zip(rows, encoders, strict=True)]
        columns = (*columns, "encoder")
    outcomes = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in summary.outcomes.items())
    items = counted(summary.items, "item")
    title = f"{summary.name}: {summary.suite} on {summary.generator}, {items} ({outcomes})"
    service = () if summary.service is None else (f"service: {service_text(summary.service)}",)
    return Table(title, columns, rows, (*_notes(overall), *service))


def service_text(use: ServiceUse) -> str:
    """Say in one line what a run used of a service."""
    told = [counted(use.jobs, "job"), f"{use.ended} with a stored outcome"]
    if use.declined:
        told.append(f"{counted(use.declined, 'request')} turned down and repeated")
    if use.uncertain:
        them = "it was" if use.uncertain == 1 else "they were"
        told.append(f"{use.uncertain} of which it is uncertain whether {them} taken")
    if use.seconds is not None:
        told.append(f"median {use.seconds:.1f} s from submission to clip")
    if use.service_seconds is not None:
        told.append(f"{use.service_seconds:.1f} s of the service's own time")
    if use.usd is not None:
        told.append(f"about {use.usd:.2f} USD for {use.priced} of them")
    left = ", ".join(f"{name} {value}" for name, value in use.quota.items())
    return ", ".join(told) + (f"; left: {left}" if left else "")


def _notes(aggregates: Sequence[Aggregate]) -> tuple[str, ...]:
    """List each reason once, with its count, and the notes of each measure."""
    reasons: dict[str, int] = {}
    for aggregate in aggregates:
        for reason, count in aggregate.reasons.items():
            reasons[reason] = max(count, reasons.get(reason, 0))
    left_out = [f"left out, {count}: {reason}" for reason, count in reasons.items()]
    of: dict[str, list[str]] = {}
    for aggregate in aggregates:
        for note in aggregate.notes:
            of.setdefault(note, []).append(aggregate.measure)
    notes = [f"{', '.join(measures)}: {note}" for note, measures in of.items()]
    return (*left_out, *notes)


# -- comparisons


def difference_cell(row: Difference, scale: Scale = "difference") -> Cell:
    """Lay out a difference, or the ratio of the two runs; a dash where there is none, with the reason."""
    if scale == "difference":
        return estimate_cell(row, signed=True, nothing=row.reason or "no item has a value in both runs")
    if row.ratio is None:
        return Cell(MISSING, why=row.reason or row.ratio_reason)
    return estimate_cell(row.ratio)


def standing_text(row: Difference) -> str:
    """Say the test's p and how prompts moved; empty if there is no test."""
    return "" if row.p is None else ", ".join(part for part in (p_value(row.p), row.moved) if part)


def standing_cell(row: Difference) -> Cell:
    """Say how run b compares with run a: what the interval shows, the test's p, and how prompts moved."""
    said = standing_text(row)
    word = row.direction if row.standing is None else f"{row.direction}; {row.standing}"
    return Cell(word, f"({said})" if said else "")


def comparison_table(comparison: Comparison, scale: Scale = "difference", *, slices: bool = False) -> Table:
    """Build the table of paired differences or ratios, with what was not compared and why.

    Args:
        slices: whether the rows are of slices, not of all items.
    """
    overall = [d for d in comparison.differences if (d.tag is not None) == slices]
    rows: list[tuple[Content, ...]] = []
    for d in overall:
        shown = difference_cell(d, scale)
        sample = sample_text(d.n, d.clusters)
        name = d.measure if d.tag is None else f"{d.measure} [{d.tag}]"
        adjusted = MISSING if d.p_adjusted is None else p_value(d.p_adjusted).removeprefix("p = ")
        rows.append((name, number(d.a), number(d.b), shown, sample, standing_cell(d), adjusted))
    a, b = comparison.a.name, comparison.b.name
    first, second = ("a", "b") if a == b else (a, b)
    made = f"{second} - {first}" if scale == "difference" else f"{second} / {first}"
    columns = (
        "measure",
        first,
        second,
        f"{made} [{level(comparison.confidence)} interval]",
        "n (prompts)",
        f"{second} is",
        "p adjusted",
    )
    reasons = [f"{d.measure}: {d.reason}" for d in overall if d.reason]
    reasons += [f"{d.measure}: {note}" for d in overall for note in d.notes]
    reasons += [
        f"{d.measure}: {left.items} left out, {a} {left.a.replace('_', ' ')}, {b} {left.b.replace('_', ' ')}"
        for d in overall
        for left in d.unpaired
    ]
    if scale == "ratio":
        reasons += [f"{d.measure}: no ratio: {d.ratio_reason}" for d in overall if d.ratio_reason]
    by = next((d.adjusted_by for d in overall if d.adjusted_by), "")
    over = "slices" if slices else "measures"
    reasons += [f"p is adjusted for the number of {over} by {by}"] if by else []
    margins = [f"{d.measure} {d.margin:g}" for d in overall if d.margin is not None and d.tag is None]
    reasons += [f"margins of non-inferiority: {', '.join(margins)}"] if margins else []
    title = f"{comparison.suite}: {b} against {a}, {counted(comparison.items, 'item')} in pairs"
    title += ", by slice" if slices else ""
    return Table(title, columns, rows, (*comparison.notes, *reasons))


def matrix_table(summaries: Sequence[Summary], comparisons: Sequence[Comparison]) -> Table:
    """Build the table of several runs: a row for each measure, and how each run stands against the first.

    Args:
        summaries: of the runs, in their order; the first is what the others are compared with.
        comparisons: of the others with the first, as far as they could be compared.
    """
    first = summaries[0]
    by_run = {one.b.name: one for one in comparisons}
    names = list(dict.fromkeys(a.measure for one in summaries for a in one.aggregates if a.tag is None))
    rows: list[tuple[Content, ...]] = []
    for name in names:
        cells: list[Content] = [name]
        for summary in summaries:
            found = summary.get(name)
            cell = Cell(MISSING, why="not measured") if found is None else aggregate_cell(found)
            row = by_run[summary.name].get(name) if summary.name in by_run else None
            stands = "" if row is None else f" {row.direction}"
            cells.append(Cell(cell.value, f"{cell.interval}{stands}".strip()))
        rows.append((*cells, next((a.better for a in first.aggregates if a.measure == name), MISSING)))
    outcomes = [
        f"{one.name}: {one.generator}, "
        + ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in one.outcomes.items())
        for one in summaries
    ]
    compared = "better, worse and no difference shown are of paired differences from the first run"
    title = f"{first.suite}: {counted(len(summaries), 'run')}, each against {first.name}"
    columns = ("measure", *(one.name for one in summaries), "better")
    return Table(title, columns, rows, (*outcomes, *([compared] if comparisons else ())))


# -- verdicts


def outcome_text(result: RuleResult) -> str:
    """Say how a rule came out, and whether it is waived or only warns."""
    return result.outcome + (
        " (waived)" if result.waiver else " (only warns)" if result.severity == "warn" else ""
    )


def verdict_table(verdict: Verdict) -> Table:
    """Build the table of a verdict's rules, each with its evidence."""
    rows: list[tuple[Content, ...]] = []
    for r in verdict.rules:
        # With digits enough to tell value, bound and limit apart.
        known = [x for x in (r.value, r.bound, r.limit) if x is not None]
        apart = [abs(x - y) for x, y in combinations(known, 2) if x != y]
        width = min(apart, default=None)
        numbers = (number(r.value, width), number(r.bound, width))
        sample = sample_text(r.n, r.clusters)
        rows.append((r.rule, r.asks, outcome_text(r), *numbers, sample, left_out_text(r.left_out) or "0"))
    columns = ("rule", "asks", "outcome", "value", "bound", "n (prompts)", "left out")
    sentences = [
        r.sentence if r.sentence.startswith(r.rule) else f"{r.rule}: {r.sentence}" for r in verdict.rules
    ]
    return Table(f"{verdict.policy} on {verdict.run}: {verdict.verdict}", columns, rows, tuple(sentences))
