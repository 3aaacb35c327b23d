"""Tables for the terminal; the same rows are the records of ``--json``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..compare import Comparison
    from ..gate import Verdict
    from ..suite import Suite
    from ..summary import Aggregate, Summary

__all__ = ["Table", "comparison_table", "interval", "listing", "number", "summary_table", "verdict_table"]

MISSING = "-"


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings, with a title and notes below."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = field(default=())

    def records(self) -> list[dict[str, str]]:
        """Return the rows as mappings: heading -> cell."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def print(self) -> None:
        """Print to stdout, as wide as the terminal; without a terminal, unwrapped."""
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160, highlight=False)
        table = RichTable(box=box.SIMPLE_HEAD)
        for column in self.columns:
            table.add_column(column, overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))  # Text, so that brackets in prompts are not markup
        whole_lines = not sys.stdout.isatty()
        console.print(Text(self.title, "bold"), soft_wrap=whole_lines)
        console.print(table)
        for note in self.notes:
            console.print(Text(note), soft_wrap=whole_lines)


def number(value: float | None) -> str:
    """Write a value with four significant digits; a missing one as a dash, never as 0."""
    return MISSING if value is None else f"{value:.4g}"


def interval(low: float | None, high: float | None) -> str:
    """Write an interval; a dash if either end is missing."""
    return MISSING if low is None or high is None else f"[{number(low)}, {number(high)}]"


def _left_out(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts.items() if n) or "0"


def summary_table(summary: Summary) -> Table:
    """Build the table of a run's aggregates over all items, with the reasons for what was left out."""
    overall = [a for a in summary.aggregates if a.tag is None]
    rows = [
        (
            a.measure,
            number(a.value),
            interval(a.low, a.high),
            f"{a.n}" + (f" v {a.n_reference}" if a.n_reference else ""),
            str(a.clusters),
            _left_out(a.left_out),
            a.better,
        )
        for a in overall
    ]
    columns = ("measure", "value", "95 % interval", "n", "prompts", "left out", "better")
    outcomes = ", ".join(f"{n} {what}" for what, n in summary.outcomes.items())
    title = f"{summary.name}: {summary.suite} on {summary.generator}, {summary.items} items ({outcomes})"
    return Table(title, columns, rows, _notes(overall))


def _notes(aggregates: Sequence[Aggregate]) -> tuple[str, ...]:
    """List each reason once, with its count, and the notes of each measure."""
    reasons: dict[str, int] = {}
    for aggregate in aggregates:
        for reason, count in aggregate.reasons.items():
            reasons[reason] = max(count, reasons.get(reason, 0))
    left_out = [f"left out, {count}: {reason}" for reason, count in reasons.items()]
    notes = [f"{a.measure}: {note}" for a in aggregates for note in a.notes]
    return (*left_out, *notes)


def comparison_table(comparison: Comparison) -> Table:
    """Build the table of paired differences over all items, with what could not be compared and why."""
    overall = [d for d in comparison.differences if d.tag is None]
    rows = [
        (
            d.measure,
            number(d.a),
            number(d.b),
            number(d.difference),
            interval(d.low, d.high),
            str(d.n),
            str(d.clusters),
            d.direction,
        )
        for d in overall
    ]
    a, b = comparison.a.name, comparison.b.name
    columns = (
        "measure",
        a,
        b,
        "difference",
        f"{100 * comparison.confidence:.4g} % interval",
        "n",
        "prompts",
        f"{b} is",
    )
    if a == b:
        columns = ("measure", "a", "b", *columns[3:7], "b is")
    reasons = [f"{d.measure}: {d.reason}" for d in overall if d.reason]
    reasons += [
        f"{d.measure}: {left.items} left out, {a} {left.a.replace('_', ' ')}, {b} {left.b.replace('_', ' ')}"
        for d in overall
        for left in d.left_out
    ]
    title = f"{comparison.suite}: {b} against {a}, {comparison.items} items in pairs"
    return Table(title, columns, rows, (*comparison.notes, *reasons))


def verdict_table(verdict: Verdict) -> Table:
    """Build the table of a verdict's rules, each with its evidence."""
    rows = [
        (
            r.rule,
            r.asks,
            r.outcome + (" (waived)" if r.waiver else ""),
            number(r.value),
            number(r.bound),
            str(r.n),
        )
        for r in verdict.rules
    ]
    columns = ("rule", "asks", "outcome", "value", "bound", "n")
    sentences = [
        r.sentence if r.sentence.startswith(r.rule) else f"{r.rule}: {r.sentence}" for r in verdict.rules
    ]
    return Table(f"{verdict.policy} on {verdict.run}: {verdict.verdict}", columns, rows, tuple(sentences))


def _prompts(suite: Suite) -> str:
    if suite.disguised is not None:
        return f"of {suite.disguised.suite}"
    return str(len(suite.prompts) or "from the folder")


def listing(kind: str) -> Table:
    """List suites, generators, measures, encoders or policies, with a line about each."""
    rows: list[tuple[str, ...]]
    if kind == "suites":
        from ..suite import packaged_suites, read_suite

        suites = [read_suite(name) for name in packaged_suites()]
        rows = [(s.name, str(s.version), _prompts(s), s.description) for s in suites]
        return Table("suites", ("name", "version", "prompts", "about"), rows)
    if kind == "policies":
        from ..gate import load_policy, needed_items, packaged_policies

        policies = [load_policy(name) for name in packaged_policies()]
        rows = [
            (
                p.name,
                str(p.version),
                str(len(p.rules)),
                str(max(needed_items(p).values(), default=1)),
                p.description,
            )
            for p in policies
        ]
        return Table("policies", ("name", "version", "rules", "prompts needed", "about"), rows)
    if kind == "generators":
        from ...generators import GENERATORS

        rows = [(name, GENERATORS.get(name).summary) for name in GENERATORS]
        return Table("generators", ("kind", "about"), rows)
    if kind == "encoders":
        from ..catalog import ENCODERS, encoder_roles

        of_role = {True: "reference, hub id or folder", False: "a model, or settings (.yaml)"}
        rows = [
            (name, of_role[ENCODERS.get(name).shipped] if name in encoder_roles() else "built in")
            for name in ENCODERS
        ]
        return Table("encoders", ("name", "source"), rows)
    from ..catalog import MEASURES

    measures = [MEASURES.get(name) for name in MEASURES]
    rows = [
        (m.name, str(m.version), m.kind, m.better, _range(m.bounds), ", ".join(m.needs) or MISSING, m.summary)
        for m in measures
    ]
    return Table("measures", ("name", "version", "kind", "better", "range", "needs", "about"), rows)


def _range(bounds: tuple[float | None, float | None]) -> str:
    low, high = ("" if end is None else f"{end:g}" for end in bounds)
    return f"{low}..{high}"
