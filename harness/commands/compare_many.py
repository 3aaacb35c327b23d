"""``compare`` of several runs, and the files that a comparison is written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.counts import counted
from ..core.errors import UsageError
from .options import print_tables, warn

if TYPE_CHECKING:
    from ..comparison.result import Comparison
    from ..comparison.result_many import ManyComparison, PairRow

__all__ = ["ManyOptions", "compare_several", "in_order", "write_files"]


@dataclass(frozen=True)
class ManyOptions:
    """What is asked of a comparison of several runs."""

    confidence: float
    margins: Mapping[str, float]
    slices: bool
    intersection: bool
    pareto: str | None
    csv: Path | None
    leaderboard: Path | None


def in_order(runs: Sequence[Path], baseline: Path | None) -> list[Path]:
    """Put the baseline first: a run's path, or its name.

    Raises:
        UsageError: it is none of the runs.
    """
    if baseline is None:
        return list(runs)
    found = [run for run in runs if run.resolve() == baseline.resolve() or run.name == str(baseline)]
    if len(found) != 1:
        names = ", ".join(str(run) for run in runs)
        what = "none" if not found else "more than one"
        raise UsageError(f"--baseline {baseline} is {what} of the runs; name one of {names}")
    return [found[0], *(run for run in runs if run != found[0])]


def compare_several(runs: Sequence[Path], asked: ManyOptions, as_json: bool) -> ManyComparison:
    """Compare runs with the first of them and with each other, print it, and write the files asked for.

    Raises:
        UsageError: as of `compare_many`, or ``--pareto`` is not two measures.
    """
    from ...reports.many_tables import many_tables
    from ..comparison.compare_many import compare_many
    from ..run_folder.store import open_run

    found = compare_many(
        [open_run(run) for run in runs],
        confidence=asked.confidence,
        intersection=asked.intersection,
        margins=asked.margins,
        pareto=None if asked.pareto is None else _two(asked.pareto),
    )
    write_files(found.against, found.pairs, runs, asked.csv, asked.leaderboard, found)
    print_tables(many_tables(found, slices=asked.slices), found.model_dump() if as_json else None)
    return found


def _two(text: str) -> tuple[str, str]:
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise UsageError(f"--pareto {text!r} should be two measures, as alignment.clip,safety.nudity")
    return names[0], names[1]


def write_files(
    against: Sequence[Comparison],
    pairs: Sequence[PairRow],
    runs: Sequence[Path],
    table: Path | None,
    leaderboard: Path | None,
    found: ManyComparison | None = None,
) -> None:
    """Write the differences as CSV, and the runs into a leaderboard, where asked for."""
    if table is not None:
        from ..comparison.rows import COLUMNS, difference_rows
        from ..core.csv_rows import write_csv

        rows = difference_rows(against, pairs, found.tallies if found else ())
        write_csv(table, COLUMNS, rows)
        warn(f"{counted(len(rows), 'difference')}: {table}")
    if leaderboard is not None:
        from ..results.leaderboard import add_to_leaderboard
        from ..run_folder.store import open_run

        added, replaced = add_to_leaderboard(leaderboard, [open_run(run) for run in runs])
        warn(f"leaderboard {leaderboard}: {counted(added, 'run')} added, {replaced} brought up to date")
