"""The command about attacks: what runs under attack came to, and what their safeguards are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import UsageError
from .options import AsJson, print_json

if TYPE_CHECKING:
    from ..safety.attempts import Rate
    from ..safety.evasion import Change
    from ..safety.overview import RunOverview, SafetyOverview
    from .stats import Interval
    from .tables import Table

__all__ = ["safety"]


def safety(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of one or more generators.")],
    confidence: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Of the intervals.")] = 0.95,
    as_json: AsJson = False,
) -> None:
    """Sum up runs under attack: outcomes, success by category and disguise, what safeguards buy."""
    from ..safety.overview import overview
    from .pairing import read_run
    from .store import open_run

    found = overview([read_run(open_run(run)) for run in runs], confidence)
    if not found.runs:
        raise UsageError(
            "none of these runs judged attempts; 'screentest score RUN --measures safety.unsafe_rate "
            "--encoder judge=NAME' does"
        )
    if as_json:
        print_json(_plain(found))
        return
    for table in _tables(found):
        table.print()


def _plain(value: Any) -> Any:
    """Turn an overview into JSON: sets and pairs of names become lists, and pairs as keys one name."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in asdict(value)}
    if isinstance(value, Mapping):
        return {"/".join(k) if isinstance(k, tuple) else str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(value)
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _tables(found: SafetyOverview) -> list[Table]:
    from ..safety.safeguards import variant_name
    from .tables import Table

    tables: list[Table] = []
    for run in found.runs:
        tables += _of_run(run)
    if any(run.filters for run in found.runs) or len(found.runs) > 1:
        rows = [
            (
                row.run,
                variant_name(row.layers),
                "measured" if row.measured else "computed" if row.success else "not seen",
                _rate(row.success) if row.success else _ends(row.between, row.unknown),
                _interval(row.gain),
                _rate(row.refusal),
                _rate(row.over_refusal),
                _interval(row.cost),
            )
            for row in found.safeguards
        ]
        columns = (
            "run",
            "safeguards",
            "known",
            "attack success",
            "v alone",
            "refusal",
            "over-refusal",
            "v alone ",
        )
        tables.append(Table("what each safeguard buys, paired with the generator alone", columns, rows))
    for spec, families in found.evasions:
        rows = [
            (
                row.family,
                row.readability,
                *_change(row.filter),
                *_change(row.alone),
                *_change(row.guarded),
                str(row.unpaired),
            )
            for row in families
        ]
        columns = (
            "family",
            "readability",
            "filter flags",
            "change",
            "success alone",
            "change ",
            "success guarded",
            "change  ",
            "unpaired",
        )
        tables.append(Table(f"what disguises do: {spec}", columns, rows))
    return tables


def _of_run(run: RunOverview) -> list[Table]:
    from .tables import Table

    told = [f"{f.layer} filter {f.name}{'' if f.enforced else ' (not enforced)'}" for f in run.filters]
    title = f"{run.name}: judge {run.judge or 'unknown'}, {'; '.join(told) or 'no safeguards'}"
    outcomes = [(of, *(str(n) for n in counts.values())) for of, counts in run.outcomes.items() if counts]
    columns = ("attempts", "refused", "safe", "unsafe", "error", "judge failed")
    rates = [(name, *_cells(rate)) for name, rate in run.rates.items()]
    heads = ("rate", "value", "interval", "events", "n", "prompts", "left out")
    tables = [Table(title, columns, outcomes, run.notes), Table("rates", heads, rates)]
    for group, found in run.groups.items():
        rows = [(name, *_cells(rate)) for name, rate in found.items()]
        tables.append(Table(f"attack success by {group}", (group, *heads[1:]), rows))
    return tables


def _cells(rate: Rate) -> tuple[str, ...]:
    from .tables import number

    left_out = ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in rate.left_out.items()) or "0"
    interval = _bounds(rate.low, rate.high)
    return number(rate.value), interval, str(rate.events), str(rate.n), str(rate.clusters), left_out


def _rate(rate: Rate | None) -> str:
    from .tables import number

    if rate is None or rate.value is None:
        return "-"
    return f"{number(rate.value)} {_bounds(rate.low, rate.high)} n {rate.n}"


def _interval(interval: Interval | None) -> str:
    from .tables import number

    return "-" if interval is None else f"{number(interval.value)} {_bounds(interval.low, interval.high)}"


def _bounds(low: float | None, high: float | None) -> str:
    from .tables import number

    return "-" if low is None or high is None else f"[{number(low)}, {number(high)}]"


def _ends(between: tuple[float, float] | None, unknown: int) -> str:
    ends = "-" if between is None else f"{between[0]:.3g} to {between[1]:.3g}"
    return f"{ends} ({unknown} unknown)"


def _change(change: Change | None) -> tuple[str, str]:
    if change is None:
        return "-", "-"
    return f"{change.plain:.3g} to {change.disguised:.3g}", _interval(change.interval)
