"""The page's section on safety: outcomes, attack success by category and family, safeguards, disguises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from ..harness.pairing import RunData
from ..harness.stats import Interval
from ..safety.attempts import OUTCOMES, Rate
from ..safety.evasion import Change
from ..safety.overview import ALL, PLAIN, RunOverview, overview
from ..safety.safeguards import SafeguardRow, variant_name
from ..safety.taxonomy import load_taxonomy
from .heatmap import HeatCell, heat_map
from .text import DASH, estimate, percent

__all__ = ["SafetyView", "safety_view"]


@dataclass(frozen=True)
class Cell:
    """A value as text with what it rests on; the value is a dash where there is none."""

    value: str
    interval: str = ""
    small: str = ""


@dataclass(frozen=True)
class OutcomeRow:
    """How the attempts of one kind came out in one run: a count an outcome, in the order of `OUTCOMES`."""

    run: str
    of: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class RateRow:
    """A rate in every run that judged attempts."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class SafeguardView:
    """What one set of safeguards gives, as text."""

    run: str
    safeguards: str
    basis: str
    success: Cell
    gain: Cell
    refusal: Cell
    over_refusal: Cell
    cost: Cell


@dataclass(frozen=True)
class EvasionView:
    """What one family of disguises does, as text."""

    family: str
    readability: str
    flagged: Cell
    flagged_change: Cell
    alone: Cell
    alone_change: Cell
    guarded: Cell
    guarded_change: Cell
    pairs: str


@dataclass(frozen=True)
class SafetyView:
    """Everything the section shows. ``runs`` are the letters of the runs that judged attempts."""

    runs: tuple[str, ...]
    judges: tuple[tuple[str, str, str], ...]
    outcomes: tuple[OutcomeRow, ...]
    rates: tuple[RateRow, ...]
    maps: tuple[tuple[str, Markup], ...]
    safeguards: tuple[SafeguardView, ...]
    computed: bool
    evasions: tuple[tuple[str, tuple[EvasionView, ...]], ...]
    notes: tuple[tuple[str, str], ...]


def safety_view(runs: Sequence[tuple[str, RunData]]) -> SafetyView | None:
    """Put what is known of attacks into words; None where no run judged any.

    Args:
        runs: letter on the page, and what the run holds.
    """
    found = overview([replace(run, name=letter) for letter, run in runs])
    if not found.runs:
        return None
    names = list(dict.fromkeys(name for run in found.runs for name in run.rates))
    return SafetyView(
        runs=tuple(run.name for run in found.runs),
        judges=tuple((run.name, run.judge, _filters(run)) for run in found.runs),
        outcomes=tuple(
            OutcomeRow(run.name, of, tuple(counts[outcome] for outcome in OUTCOMES))
            for run in found.runs
            for of, counts in run.outcomes.items()
            if counts
        ),
        rates=tuple(RateRow(name, tuple(_rate(run.rates.get(name)) for run in found.runs)) for name in names),
        maps=tuple((run.name, Markup(_map(run))) for run in found.runs if len(run.cells) > 1),
        safeguards=tuple(_safeguard(row) for row in found.safeguards) if _any_filter(found.runs) else (),
        computed=any(not row.measured for row in found.safeguards),
        evasions=tuple(
            (
                spec,
                tuple(
                    EvasionView(
                        row.family,
                        row.readability,
                        _sides(row.filter),
                        _change(row.filter),
                        _sides(row.alone),
                        _change(row.alone),
                        _sides(row.guarded),
                        _change(row.guarded),
                        _pairs((row.filter, row.alone, row.guarded), row.unpaired),
                    )
                    for row in rows
                ),
            )
            for spec, rows in found.evasions
        ),
        notes=tuple((run.name, note) for run in found.runs for note in run.notes),
    )


def _any_filter(runs: Sequence[RunOverview]) -> bool:
    return len(runs) > 1 or any(run.filters for run in runs)


def _filters(run: RunOverview) -> str:
    told = [f"{f.layer} filter {f.name}{'' if f.enforced else ', not enforced'}" for f in run.filters]
    return "; ".join(told) or "none"


def _rate(rate: Rate | None) -> Cell:
    if rate is None:
        return Cell(DASH)
    value, interval = estimate(rate.value, rate.low, rate.high)
    left_out = ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in rate.left_out.items())
    counted = f"{rate.events} of {rate.n} ({rate.clusters})"
    return Cell(value, interval, f"{counted}; left out: {left_out}" if left_out else counted)


def _safeguard(row: SafeguardRow) -> SafeguardView:
    if row.success is None:
        ends = DASH if row.between is None else f"{row.between[0]:.3g} to {row.between[1]:.3g}"
        success = Cell(ends, "", f"{row.unknown} attempts unknown")
    else:
        success = _rate(row.success)
    return SafeguardView(
        run=row.run,
        safeguards=variant_name(row.layers),
        basis="measured" if row.measured else "computed" if row.success is not None else "not seen",
        success=success,
        gain=_interval(row.gain),
        refusal=_rate(row.refusal),
        over_refusal=_rate(row.over_refusal),
        cost=_interval(row.cost),
    )


def _interval(interval: Interval | None) -> Cell:
    if interval is None:
        return Cell(DASH)
    return Cell(*estimate(interval.value, interval.low, interval.high, signed=True))


def _sides(change: Change | None) -> Cell:
    if change is None:
        return Cell(DASH)
    return Cell(f"{percent(change.plain)} \N{RIGHTWARDS ARROW} {percent(change.disguised)}")


def _change(change: Change | None) -> Cell:
    if change is None:
        return Cell(DASH)
    cell = _interval(change.interval)
    return replace(cell, small=f"p = {change.p_adjusted:.2g}")


def _pairs(changes: Sequence[Change | None], unpaired: int) -> str:
    known = [change for change in changes if change is not None]
    pairs = max((change.pairs for change in known), default=0)
    prompts = max((change.prompts for change in known), default=0)
    return f"{pairs} ({prompts})" + (f"; {unpaired} unpaired" if unpaired else "")


def _map(run: RunOverview) -> str:
    known = {category.id: category.name for category in load_taxonomy().categories}
    order = [*(c for c in known if (c, ALL) in run.cells)]
    others = sorted({row for row, _ in run.cells} - set(order) - {ALL})
    rows = [*order, *others, *([ALL] if len(order) + len(others) > 1 else [])]
    families = sorted({column for _, column in run.cells} - {ALL, PLAIN})
    columns = [PLAIN, *families, ALL] if families else [ALL]
    columns = [c for c in columns if any((row, c) in run.cells for row in rows)]

    def named(row: str) -> str:
        return f"{known[row]} ({row})" if row in known else row

    cells = {
        (named(row), column): _heat(run.cells[row, column], f"{named(row)}, {column}")
        for row in rows
        for column in columns
        if (row, column) in run.cells
    }
    title = f"Attack success rate of run {run.name} by category and family of disguises"
    return heat_map(title, [named(row) for row in rows], columns, cells)


def _heat(rate: Rate, where: str) -> HeatCell:
    if rate.value is None or rate.low is None or rate.high is None:
        return HeatCell(None, DASH, "n 0", f"{where}: no attempt counts")
    said = (
        f"{where}: {rate.events} of {rate.n}, {percent(rate.value)}, interval {percent(rate.low)} to "
        f"{percent(rate.high)}"
    )
    return HeatCell(rate.value, percent(rate.value), f"n {rate.n}", said)
