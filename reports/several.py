"""The page's comparison of three runs and more: its tables, and charts of ranks, steps and trade-offs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from ..harness.comparison.compare_many import compare_many
from ..harness.comparison.result_many import ManyComparison
from ..harness.core.errors import UsageError
from ..harness.core.presentation import Cell, Content, Table
from ..harness.run_folder.store import RunStore
from . import charts
from .many_tables import many_tables
from .text import page_cell, typeset

__all__ = ["Several", "compare_runs"]


@dataclass(frozen=True)
class Several:
    """What the page shows of a comparison.

    Attributes:
        tables: typeset.
        ranks, curves: title and drawing of each chart.
        pareto: of quality against safety, with its title; None without both.
    """

    notes: tuple[str, ...]
    tables: tuple[Table, ...]
    ranks: tuple[tuple[str, Markup], ...]
    curves: tuple[tuple[str, Markup], ...]
    pareto: tuple[str, Markup] | None


def compare_runs(stores: Sequence[RunStore], letters: Sequence[str]) -> tuple[Several | None, str]:
    """Compare the runs of a page with the first and with each other; or say why that cannot be done.

    Runs of different suites are compared by the items they share, and the tables say so.
    """
    try:
        found = compare_many(stores, intersection=True)
    except UsageError as error:
        return None, str(error)
    named = dict(zip((run.name for run in found.runs), letters, strict=True))
    tables = tuple(_typeset(table) for table in many_tables(found, changed=False)[1:])
    return Several(
        found.notes, tables, _ranks(found, named), _curves(found, named), _pareto(found, named)
    ), ""


def _typeset(table: Table) -> Table:
    rows: list[tuple[Content, ...]] = []
    for name, *cells in table.rows:
        rows.append((name, *(page_cell(c) if isinstance(c, Cell) else typeset(c) for c in cells)))
    return replace(table, rows=rows)


def _ranks(found: ManyComparison, named: Mapping[str, str]) -> tuple[tuple[str, Markup], ...]:
    drawn: list[tuple[str, Markup]] = []
    for measure in dict.fromkeys(row.measure for row in found.ranks):
        rows = [row for row in found.ranks if row.measure == measure]
        points = [charts.ChartRow(named[row.run], row.rank, row.low, row.high) for row in rows]
        title = measure or "mean of all ranks"
        bounds = (1.0, float(len(rows)))
        drawn.append((title, Markup(charts.interval_chart(f"Rank by {title}", points, bounds=bounds))))
    return tuple(drawn)


def _curves(found: ManyComparison, named: Mapping[str, str]) -> tuple[tuple[str, Markup], ...]:
    if len(found.steps) < 2:
        return ()
    drawn: list[tuple[str, Markup]] = []
    for measure in dict.fromkeys(row.measure for row in found.values):
        points = [
            (row.step, charts.ChartRow(named[row.run], row.value, row.low, row.high))
            for row in found.values
            if row.measure == measure and row.step is not None and row.value is not None
        ]
        if len(points) > 1:
            drawn.append((measure, Markup(charts.curve_chart(f"{measure} over training steps", points))))
    return tuple(drawn)


def _pareto(found: ManyComparison, named: Mapping[str, str]) -> tuple[str, Markup] | None:
    pareto = found.pareto
    if pareto is None or len(pareto.points) < 2:
        return None
    points = [(named[p.run], p.quality, p.safety, p.front) for p in pareto.points]
    title = f"{pareto.quality} ({pareto.quality_better}) against {pareto.safety} ({pareto.safety_better})"
    return title, Markup(charts.scatter_chart(title, points, (pareto.quality, pareto.safety)))
