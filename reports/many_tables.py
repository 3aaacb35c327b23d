"""Tables of several runs: against a baseline, ranks, seeds, steps, trade-offs, and what changed most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from ..harness.comparison.result import too_few_prompts
from ..harness.core.counts import counted
from ..harness.core.presentation import (
    MISSING,
    Cell,
    Content,
    Table,
    estimate_cell,
    interval_text,
    level,
    number,
    p_value,
    percent,
    sample_text,
)
from .tables import difference_cell

if TYPE_CHECKING:
    from ..harness.comparison.result_many import ManyComparison, RankRow, Tally

__all__ = ["changed_table", "many_tables", "pairs_table", "pareto_table", "rank_table", "step_table"]


def many_tables(found: ManyComparison, *, slices: bool = False, changed: bool = True) -> list[Table]:
    """Build all tables of a comparison of several runs, the baseline's first."""
    tables = [_values(found), _against(found)]
    if slices:
        tables.append(_against(found, slices=True))
    tables += [pairs_table(found)] if len(found.runs) > 2 else []
    made = (
        rank_table(found),
        step_table(found),
        pareto_table(found),
        changed_table(found) if changed else None,
    )
    return [*tables, *(table for table in made if table is not None)]


def _title(found: ManyComparison) -> str:
    named = " and ".join(found.suites)
    return f"the intersection of {named}" if found.intersection else named


def _values(found: ManyComparison) -> Table:
    """Show each run's mean over all seeds, and how much prompts and seeds spread."""
    names = [run.name for run in found.runs]
    measures = list(dict.fromkeys(row.measure for row in found.values))
    rows: list[tuple[Content, ...]] = []
    for measure in measures:
        cells: list[Content] = []
        for name in names:
            row = found.value(name, measure)
            if row is None:
                cells.append(Cell(MISSING, why="no value"))
                continue
            cell = estimate_cell(row, nothing="no item has a value")
            spread = [number(row.between), number(row.within)] if row.between is not None else []
            cells.append(Cell(cell.value, f"{cell.interval} {' / '.join(spread)}".strip(), why=cell.why))
        first = next(row for row in found.values if row.measure == measure)
        rows.append((measure, *cells, first.better))
    notes = (
        *found.notes,
        f"each value is the mean of all seeds with its {level(found.confidence)} interval, then the standard "
        "deviation between prompts / among the seeds of a prompt; no run is shown by its best seed",
    )
    title = f"{_title(found)}: {len(names)} runs, {counted(found.items, 'item')} each"
    return Table(title, ("measure", *names, "better"), rows, notes)


def _against(found: ManyComparison, *, slices: bool = False) -> Table:
    """Show each run's paired differences from the baseline, and on how many items it wins."""
    tallies = {(row.b, row.measure, row.tag): row for row in found.tallies}
    keys = list(
        dict.fromkeys(
            (d.measure, d.tag)
            for one in found.against
            for d in one.differences
            if (d.tag is not None) == slices
        )
    )
    rows: list[tuple[Content, ...]] = []
    reasons: list[str] = []
    too_few: list[str] = []
    for measure, tag in keys:
        cells: list[Content] = []
        for one in found.against:
            d = one.get(measure, tag)
            if d is None:
                cells.append(Cell(MISSING, why="not in both runs"))
                continue
            shown = difference_cell(d)
            told = [d.direction if d.standing is None else f"{d.direction}; {d.standing}"]
            if d.p_adjusted is not None:
                told.append(f"{p_value(d.p_adjusted)} adjusted")
            told.append(_tally(tallies.get((one.b.name, measure, tag))))
            cells.append(Cell(shown.value, " ".join(t for t in (shown.interval, *told) if t), why=shown.why))
            few = too_few_prompts(d.clusters) if d.clusters else ""
            too_few += [note for note in d.notes if note == few]
            told_of = (d.reason, *(note for note in d.notes if note != few))
            reasons += [f"{one.b.name}, {measure}: {text}" for text in told_of if text]
        rows.append((measure if tag is None else f"{measure} [{tag}]", *cells))
    adjusted = (
        "Benjamini-Hochberg over all runs, measures and slices"
        if slices
        else "Holm over all runs and measures"
    )
    notes = (
        f"p is adjusted by {adjusted}; wins-losses-ties are of items",
        *dict.fromkeys((*too_few, *reasons)),
    )
    what = ", by slice" if slices else ""
    title = f"paired differences from {found.baseline}{what} [{level(found.confidence)} interval]"
    return Table(title, ("measure", *(one.b.name for one in found.against)), rows, notes)


def _tally(row: Tally | None) -> str:
    return "" if row is None else f"{row.wins}-{row.losses}-{row.ties}"


def pairs_table(found: ManyComparison) -> Table:
    """Show all pairs of runs in every measure: how the second stands against the first."""
    pairs = list(dict.fromkeys((row.a, row.b) for row in found.pairs))
    there = [row for row in found.pairs if row.difference.value is not None]
    measures = list(dict.fromkeys(row.difference.measure for row in there))
    by = {(row.a, row.b, row.difference.measure): row.difference for row in found.pairs}
    rows: list[tuple[Content, ...]] = []
    for a, b in pairs:
        cells: list[Content] = []
        for measure in measures:
            d = by.get((a, b, measure))
            if d is None:
                cells.append(Cell(MISSING, why="in neither run"))
                continue
            shown = difference_cell(d)
            p = "" if d.p_adjusted is None else p_value(d.p_adjusted)
            cells.append(Cell(shown.value, " ".join(t for t in (d.direction, p) if t), why=shown.why))
        rows.append((f"{b} - {a}", *cells))
    lack = dict.fromkeys(r.difference.measure for r in found.pairs if r.difference.measure not in measures)
    nowhere = (f"no pair can be compared in {', '.join(lack)}",) if lack else ()
    notes = ("p is adjusted by Holm over all pairs and measures", *nowhere)
    return Table("all pairs", ("pair", *measures), rows, notes)


def rank_table(found: ManyComparison) -> Table | None:
    """Show the ranks of the runs with their intervals; None if no measure ranks them."""
    if not found.ranks:
        return None
    names = [run.name for run in found.runs]
    measures = list(dict.fromkeys(row.measure for row in found.ranks))
    by = {(row.measure, row.run): row for row in found.ranks}
    rows: list[tuple[Content, ...]] = []
    for measure in measures:
        cells = [_rank(by[measure, name]) for name in names]
        first = by[measure, names[0]]
        sample = MISSING
        if first.n is not None and first.clusters is not None:
            sample = sample_text(first.n, first.clusters)
        rows.append((measure or "mean of all ranks", *cells, sample))
    notes = (
        "1 is the best; in brackets the interval, then the share of resamples in which the run is first, by "
        "the cluster bootstrap with the same prompts for all runs; sets and measures without a better end are"
        " left out",
    )
    return Table(
        f"ranks [{level(found.confidence)} interval]", ("measure", *names, "n (prompts)"), rows, notes
    )


def _rank(row: RankRow) -> Cell:
    span = interval_text(row.low, row.high, 10.0)
    return Cell(number(row.rank, 1.0 if row.rank % 1 else 10.0), f"{span} {percent(row.first)}")


def step_table(found: ManyComparison) -> Table | None:
    """Show the values over training steps; None if fewer than two runs have one."""
    if len(found.steps) < 2:
        return None
    names = sorted(found.steps, key=lambda name: (found.steps[name], name))
    measures = list(dict.fromkeys(row.measure for row in found.values))
    rows: list[tuple[Content, ...]] = []
    for name in names:
        cells: list[Content] = []
        for measure in measures:
            row = found.value(name, measure)
            cells.append(MISSING if row is None else estimate_cell(row, nothing="no value"))
        rows.append((f"{found.steps[name]:,}", name, *cells))
    return Table("over training steps", ("step", "run", *measures), rows)


def pareto_table(found: ManyComparison) -> Table | None:
    """Show the runs by quality and safety; None without both."""
    pareto = found.pareto
    if pareto is None:
        return None
    rows: list[tuple[Content, ...]] = []
    for point in pareto.points:
        beaten = [f"{name} (surely)" if name in point.surely_by else name for name in point.dominated_by]
        stands = "on the front" if point.front else f"behind {', '.join(beaten)}"
        rows.append((point.run, number(point.quality), number(point.safety), stands))
    columns = (
        "run",
        f"{pareto.quality} ({pareto.quality_better})",
        f"{pareto.safety} ({pareto.safety_better})",
        "stands",
    )
    notes = (
        "on the front: no other run is better in one and at least as good in the other; surely: the paired "
        "differences exclude 0 in both",
    )
    return Table("quality against safety", columns, rows, notes)


def changed_table(found: ManyComparison, most: int = 2) -> Table | None:
    """Show the items that changed most from the baseline, with their clips; None if none did."""
    rows: list[tuple[Content, ...]] = []
    seen: dict[tuple[str, str], int] = {}
    for row in found.changed:
        seen[row.run, row.measure] = seen.get((row.run, row.measure), 0) + 1
        if seen[row.run, row.measure] > most:
            continue
        clips = " -> ".join(_short(path) for path in (row.clip_a, row.clip_b))
        values = f"{number(row.a)} -> {number(row.b)}"
        rows.append((row.measure, row.run, row.item[:12], str(row.seed), values, clips))
    if not rows:
        return None
    columns = ("measure", "run", "item", "seed", f"{found.baseline} -> run", "clips")
    notes = ("--json has more of them",)
    return Table(f"items that changed most from {found.baseline}", columns, rows, notes)


def _short(path: str | None) -> str:
    if path is None:
        return "no clip"
    parts: Sequence[str] = PurePath(path).parts
    return "/".join((*parts[-3:-1], parts[-1][:12] + PurePath(path).suffix))
