"""A matrix: one suite on several generators, a run each, and one comparison at the end."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..core.errors import ScreentestError, UsageError
from .one_run import ALL_FAILED, Job, nothing_came, print_summary, say_plan
from .options import print_json, print_table, say, warn

if TYPE_CHECKING:
    from ..comparison.result import Comparison
    from ..matrix import NamedGenerator
    from ..results.summary import Summary

__all__ = ["run_matrix"]


def run_matrix(
    job: Job, named: Sequence[NamedGenerator], out: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    """Run every generator into a folder of its own, then compare each with the first.

    A generator that ends with an error is told at once and at the end, and the others go on.

    Args:
        job: what is run.
        named: the generators.
        out: the folder of the runs; by default ``runs``, where names begin with the suite's and are longer.

    Raises:
        UsageError: a spec is wrong; nothing is run then.
        typer.Exit: a generator ended with an error, or gave nothing.
    """
    for one in named:
        job.make(one)
    folders = {
        one.name: (Path("runs") / f"{job.suite.name}-{one.name}" if out is None else out / one.short)
        for one in named
    }
    if dry_run:
        outlooks = [job.outlook(one, folders[one.name]) for one in named]
        if as_json:
            print_json(outlooks)
            return
        for outlook in outlooks:
            say_plan(outlook, False)
        return
    summaries: dict[str, Summary] = {}
    errors: dict[str, str] = {}
    empty = False
    for number, one in enumerate(named, start=1):
        warn(f"generator {number} of {len(named)}: {one.spec}")
        try:
            summaries[one.name] = job.run(one, folders[one.name])
        except ScreentestError as error:
            warn(f"error: {error}")
            errors[one.name] = str(error)
        else:
            empty = nothing_came(summaries[one.name], folders[one.name]) or empty
        _free_memory()
    done = [folders[name] for name in summaries]
    compared = _compare(done)
    _page(done, (out or Path("runs")) / f"{job.suite.name}-comparison.html")
    if as_json:
        runs = {name: summary.model_dump() for name, summary in summaries.items()}
        comparisons = {name: one.model_dump() for name, one in compared.items()}
        print_json({"runs": runs, "comparisons": comparisons, "errors": errors})
    else:
        _print(summaries, compared)
    for name, error in errors.items():
        warn(f"error: {name} is not finished: {error}")
    if errors or empty:
        raise typer.Exit(ALL_FAILED)


def _compare(done: Sequence[Path]) -> dict[str, Comparison]:
    """Compare each run with the first; a pair that cannot be compared is a warning."""
    from ..comparison.compare import compare
    from ..run_folder.store import open_run

    found: dict[str, Comparison] = {}
    for folder in done[1:]:
        first, other = open_run(done[0]), open_run(folder)
        try:
            found[folder.name] = compare(first, other)
        except UsageError as error:
            warn(f"warning: {folder.name} is not compared with {done[0].name}: {error}")
        finally:
            first.close()
            other.close()
    return found


def _print(summaries: dict[str, Summary], compared: dict[str, Comparison]) -> None:
    from ...reports.tables import comparison_table, matrix_table

    if len(summaries) == 2 and compared:
        for summary in summaries.values():
            print_summary(summary, False)
        print_table(comparison_table(next(iter(compared.values()))))
    elif summaries:
        print_table(matrix_table(list(summaries.values()), list(compared.values())))
    else:
        say("no run was finished")


def _page(done: Sequence[Path], place: Path) -> None:
    from ...reports.build import build_report

    if len(done) < 2:
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        warn(f"page: {build_report(done, out=place)}")
    except ScreentestError as error:
        warn(f"no page: {error}")


def _free_memory() -> None:
    """Let go of the weights of one generator before the next one loads its own."""
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
