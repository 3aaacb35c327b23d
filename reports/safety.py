"""The safety section of the page: outcomes, attack success by category and family, safeguards, disguises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..harness.core.counts import counted
from ..harness.core.estimate import Estimate
from ..harness.core.presentation import Cell, estimate_cell
from ..harness.core.run_data import RunData
from ..safety.attacks.attempts import OUTCOMES, Rate
from ..safety.attacks.evasion import Change, Evasion
from ..safety.attacks.overview import (
    ALL,
    PLAIN,
    Disguises,
    RunOverview,
    SafetyOverview,
    overview,
    why_no_change,
    why_no_pair,
)
from ..safety.attacks.run_quality import FilterQuality
from ..safety.attacks.safeguards import SafeguardRow, variant_name
from ..safety.taxonomy import load_taxonomy
from .heatmap import HeatCell, HeatMap, heat_map, heat_step
from .text import DASH, left_out_text, number, p_value, page_cell, percent

__all__ = ["SafetyView", "safety_view"]


@dataclass(frozen=True)
class SafetyRow:
    """A row of one of the section's tables: the words that say what it is about, and its cells."""

    heads: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class DisguisesView:
    """The effects of disguises on one generator, with the letters of the runs they come from."""

    generator: str
    runs: tuple[str, ...]
    families: tuple[SafetyRow, ...]


@dataclass(frozen=True)
class SafetyView:
    """All content of the section.

    Attributes:
        runs: letters of the runs that judged attempts.
        outcomes: by run and kind of attempt: counts in the order of `OUTCOMES`.
        rates: by name of the rate: a cell a run.
        safeguards: by run, safeguards and basis: attack success, its gain, refusal, over-refusal, its cost.
        qualities: by run, filter and what it was tried on.
        disguises: by family and readability: the effect on the filter, on the generator alone, and guarded;
            then the number of unpaired attempts.
    """

    runs: tuple[str, ...]
    confidence: str
    judges: tuple[tuple[str, str, str], ...]
    outcomes: tuple[SafetyRow, ...]
    rates: tuple[SafetyRow, ...]
    maps: tuple[tuple[str, HeatMap], ...]
    safeguards: tuple[SafetyRow, ...]
    computed: bool
    qualities: tuple[SafetyRow, ...]
    disguises: tuple[DisguisesView, ...]
    notes: tuple[tuple[str, str], ...]


def safety_view(runs: Sequence[tuple[str, RunData]]) -> SafetyView | None:
    """Build the section; None if no run judged attempts.

    Args:
        runs: letter on the page, and data of the run.
    """
    found = overview([replace(run, name=letter) for letter, run in runs])
    if not found.runs:
        return None
    names = list(dict.fromkeys(name for run in found.runs for name in run.rates))
    return SafetyView(
        runs=tuple(run.name for run in found.runs),
        confidence=f"{100 * found.confidence:.4g}%",
        judges=tuple((run.name, run.judge, _filters(run)) for run in found.runs),
        outcomes=tuple(
            SafetyRow((run.name, of), tuple(Cell(str(counts[outcome])) for outcome in OUTCOMES))
            for run in found.runs
            for of, counts in run.outcomes.items()
            if counts
        ),
        rates=tuple(
            SafetyRow((name,), tuple(_rate(run.rates.get(name), _event(name)) for run in found.runs))
            for name in names
        ),
        maps=tuple((run.name, _map(run)) for run in found.runs if run.cells),
        safeguards=_safeguards(found),
        computed=any(not row.measured for row in found.safeguards),
        qualities=tuple(_quality(run.name, one) for run in found.runs for one in run.qualities),
        disguises=tuple(_disguises(of_one) for of_one in found.disguises),
        notes=tuple((run.name, note) for run in found.runs for note in run.notes),
    )


def _filters(run: RunOverview) -> str:
    filters = [f"{f.layer} filter {f.name}{'' if f.enforced else ', not enforced'}" for f in run.filters]
    return "; ".join(filters) or "none"


def _event(rate: str) -> str:
    return "refused" if rate.startswith("refusal") else "unsafe"


def _rate(rate: Rate | None, event: str) -> Cell:
    if rate is None:
        return Cell(DASH, why="no such attempt")
    cell = page_cell(estimate_cell(rate))
    left_out = _left_out(rate)
    if rate.value is None:
        return Cell(DASH, n="n 0", why=left_out or "no such attempt")
    return replace(cell, n=f"n {cell.n}, {rate.events} {event}", why=left_out)


def _left_out(rate: Rate) -> str:
    counts = left_out_text(rate.left_out)
    return f"left out: {counts}" if counts else ""


def _safeguards(found: SafetyOverview) -> tuple[SafetyRow, ...]:
    """Build the rows of generators with safeguards; for bare generators they would repeat the rates."""
    if not any(run.filters for run in found.runs):
        return ()
    return tuple(_safeguard(row) for row in found.safeguards)


def _safeguard(row: SafeguardRow) -> SafetyRow:
    success = _rate(row.success, "unsafe")
    refusal, over_refusal = _rate(row.refusal, "refused"), _rate(row.over_refusal, "refused")
    if row.success is None:
        ends = DASH if row.between is None else " to ".join(number(end, 0.1) for end in row.between)
        success = Cell(ends, why=f"{counted(row.unknown, 'attempt')} not seen")
        refusal = over_refusal = Cell(DASH, why="not seen")
    basis = "measured" if row.measured else "computed" if row.success is not None else "not seen"
    gain = _change(row.gain, why_no_change(row))
    cost = _change(row.cost, why_no_change(row, cost=True))
    return SafetyRow((row.run, variant_name(row.layers), basis), (success, gain, refusal, over_refusal, cost))


def _change(change: Estimate | None, why: str) -> Cell:
    if change is None:
        return Cell(DASH, why=why)
    cell = page_cell(estimate_cell(change, signed=True))
    return replace(cell, n=f"n {counted(change.n, 'pair')}", why="; ".join(change.notes))


def _quality(run: str, found: FilterQuality) -> SafetyRow:
    q = found.quality
    shown = (
        q.auroc,
        q.average_precision,
        q.recall_at_1_percent_fpr,
        q.ece,
        q.recall,
        q.false_alarms,
    )
    tried_on = found.of if found.category is None else found.category
    return SafetyRow(
        (run, f"{found.filter.layer} filter {found.filter.name}", tried_on),
        tuple(
            replace(page_cell(estimate_cell(one)), n=f"n {q.harmful} ({q.harmless})", why="") for one in shown
        ),
    )


def _disguises(found: Disguises) -> DisguisesView:
    def cells(row: Evasion) -> tuple[Cell, ...]:
        return (
            _both_sides(row.filter, why_no_pair(found, "filter")),
            _both_sides(row.alone, why_no_pair(found, "alone")),
            _both_sides(row.guarded, why_no_pair(found, "guarded")),
            Cell(str(row.unpaired)),
        )

    families = (SafetyRow((row.family, row.readability), cells(row)) for row in found.families)
    return DisguisesView(found.generator, found.runs, tuple(families))


def _both_sides(change: Change | None, why: str) -> Cell:
    if change is None:
        return Cell(DASH, why=why)
    by = _change(change.estimate, "")
    sides = f"{percent(change.plain)} \N{RIGHTWARDS ARROW} {percent(change.disguised)}"
    sample = (
        f"n {counted(change.estimate.n, 'pair')} ({change.estimate.clusters}), {p_value(change.p_adjusted)}"
    )
    return Cell(sides, by.text, sample, why=by.why)


def _map(run: RunOverview) -> HeatMap:
    known = {category.id: category.name for category in load_taxonomy().categories}
    order = [*(c for c in known if (c, ALL) in run.cells)]
    others = sorted({row for row, _ in run.cells} - set(order) - {ALL})
    rows = [*([ALL] if len(order) + len(others) > 1 else []), *order, *others]
    families = sorted({column for _, column in run.cells} - {ALL, PLAIN})
    columns = [ALL, PLAIN, *families] if families else [ALL]
    columns = [c for c in columns if any((row, c) in run.cells for row in rows)]
    return heat_map(
        "Share of attacks with an unsafe clip, by category and family of disguises",
        {row: f"{known[row]} ({row})" if row in known else row for row in rows},
        columns,
        {where: _heat(rate) for where, rate in run.cells.items()},
        empty=HeatCell(DASH, "", "", "not asked", None),
    )


def _heat(rate: Rate) -> HeatCell:
    left_out = _left_out(rate)
    if rate.value is None or rate.low is None or rate.high is None:
        return HeatCell(DASH, "", "n 0", left_out, None)
    return HeatCell(
        percent(rate.value),
        f"[{percent(rate.low)}, {percent(rate.high)}]",
        f"n {rate.n} ({rate.clusters})",
        left_out,
        heat_step(rate.value),
    )
