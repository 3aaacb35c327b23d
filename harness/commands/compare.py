"""``compare``: runs of one suite by their scores, or with ``--same-seed`` two by their frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..core.counts import counted
from ..core.errors import UsageError
from ..core.files import check_outputs
from ..core.presentation import MISSING, Table, number
from .options import AsJson, Confidence, check_address, print_json, print_table, say, warn

if TYPE_CHECKING:
    from ..comparison.golden import SameSeed
    from ..comparison.result import Comparison
    from ..comparison.result_many import ManyComparison

__all__ = ["compare"]

_LISTED = 20


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Runs of one suite, the first the baseline; with --same-seed, a run and its golden one.",
        ),
    ],
    baseline: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Which of the runs the others are compared with.")
    ] = None,
    confidence: Confidence = 0.95,
    scale: Annotated[
        Literal["difference", "ratio"],
        typer.Option(help="What the table of two runs shows; --json has both."),
    ] = "difference",
    margin: Annotated[
        list[str] | None,
        typer.Option(metavar="MEASURE=VALUE", help="How much worse a run may be and still be non-inferior."),
    ] = None,
    slices: Annotated[bool, typer.Option("--slices", help="Show each tag and label, too.")] = False,
    intersection: Annotated[
        bool, typer.Option("--intersection", help="Compare other suites or versions by the items they share.")
    ] = False,
    pareto: Annotated[
        str | None, typer.Option(metavar="QUALITY,SAFETY", help="Two measures to draw against each other.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all differences as CSV.")] = None,
    leaderboard: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Add the runs to a .md, .json or .csv file, a row a run."),
    ] = None,
    same_seed: Annotated[
        bool, typer.Option("--same-seed", help="Are the clips still the same? Exit code 0, 1 or 3.")
    ] = False,
    min_psnr: Annotated[
        float | None, typer.Option(min=0, help="With --same-seed: dB that a clip that differs must reach.")
    ] = None,
    min_ms_ssim: Annotated[
        float | None, typer.Option(min=0, max=1, help="With --same-seed: MS-SSIM that it must reach.")
    ] = None,
    power: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.999, help="Show what two runs can show with this probability, as 0.8."),
    ] = None,
    effect: Annotated[
        list[str] | None,
        typer.Option(metavar="MEASURE=VALUE", help="With --power: a difference to count the prompts for."),
    ] = None,
    mlflow: Annotated[
        bool, typer.Option("--mlflow", help="Send the comparison to MLflow, and what it lacks of the runs.")
    ] = False,
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            help="Send it to this MLflow server or database; --mlflow alone takes MLFLOW_TRACKING_URI, or "
            "mlflow.db beside the baseline."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs of one suite, item by item: differences with intervals, ranks, or equal frames."""
    from ..run_folder.store import open_run

    if effect and power is None:
        raise UsageError("--effect is for --power; add '--power 0.8', or leave it out")
    check_address(tracking_uri)
    check_outputs({"--csv": csv, "--leaderboard": leaderboard})
    if mlflow and tracking_uri == "none":
        raise UsageError(
            "--mlflow sends the comparison, and --tracking-uri none turns MLflow off; leave one out"
        )
    sent = mlflow or tracking_uri not in (None, "none")
    if sent and (same_seed or power is not None):
        raise UsageError(
            f"MLflow takes the differences of scores; leave out {'--same-seed' if same_seed else '--power'}"
        )
    if len(runs) < 2:
        raise UsageError("give two runs or more to compare")
    if len(runs) > 2 and (same_seed or power is not None):
        raise UsageError(
            f"{'--same-seed' if same_seed else '--power'} takes two runs and {len(runs)} are given"
        )
    if same_seed:
        if power is not None:
            raise UsageError("--power is of scores, not of frames; leave out --same-seed")
        _compare_frames(runs[0], runs[1], min_psnr, min_ms_ssim, as_json)
        return
    if min_psnr is not None or min_ms_ssim is not None:
        raise UsageError("--min-psnr and --min-ms-ssim are for --same-seed; add it, or leave them out")
    from .compare_many import ManyOptions, compare_several, in_order
    from .gate_plan import numbers

    margins = numbers(margin or [], "--margin", "MEASURE=VALUE", "alignment.clip=0.5")
    runs = in_order(runs, baseline)
    if len(runs) > 2 or intersection or pareto is not None:
        asked = ManyOptions(confidence, margins, slices, intersection, pareto, csv, leaderboard)
        several = compare_several(runs, asked, as_json)
        if sent:
            _send(runs, several, tracking_uri, margins)
        return
    from ...reports.tables import comparison_table
    from ..comparison.compare import compare as compare_runs

    comparison = compare_runs(open_run(runs[0]), open_run(runs[1]), confidence, margins=margins)
    if power is not None:
        _show_power(comparison, (runs[0], runs[1]), power, effect or [], as_json)
        return
    if csv is not None or leaderboard is not None:
        from .compare_many import write_files

        write_files([comparison], (), runs, csv, leaderboard)
    if as_json:
        print_json(comparison.model_dump())
    else:
        print_table(comparison_table(comparison, scale))
        if slices:
            print_table(comparison_table(comparison, scale, slices=True))
    if sent:
        _send(runs, comparison, tracking_uri, margins)


def _send(
    runs: list[Path], found: Comparison | ManyComparison, uri: str | None, margins: dict[str, float]
) -> None:
    """Send a comparison to MLflow. If it cannot be reached, warn; the comparison stands."""
    from ..core.errors import TrackingError
    from ..tracking.comparison_tracking import sync_comparison

    try:
        done = sync_comparison(runs, found, uri, margins=margins)
    except TrackingError as error:
        warn(f"not sent to MLflow: {error}")
        return
    warn(f"MLflow: comparison {done.run_id} in {done.uri}")


def _show_power(
    comparison: Comparison, runs: tuple[Path, Path], power: float, effects: list[str], as_json: bool
) -> None:
    from ...reports.plan_tables import power_table
    from ..comparison.power import power_of
    from ..core.pairing import pair_runs
    from ..run_folder.store import open_run, read_run
    from .gate_plan import numbers

    pairing = pair_runs(*(read_run(open_run(run)) for run in runs))
    asked = numbers(effects, "--effect", "MEASURE=VALUE", "alignment.clip=0.5")
    found = power_of(comparison, pairing, power, asked)
    if as_json:
        print_json(found.model_dump())
    else:
        print_table(power_table(found))


def _compare_frames(
    run: Path, golden: Path, min_psnr: float | None, min_ms_ssim: float | None, as_json: bool
) -> None:
    from ..comparison.golden import exit_code
    from ..comparison.golden import same_seed as hold_against
    from ..run_folder.store import open_run

    found = hold_against(open_run(run), open_run(golden), min_psnr, min_ms_ssim)
    if as_json:
        print_json(found.model_dump())
    else:
        table = _table(found)
        if table.rows:
            print_table(table)
        for change in found.changes:
            warn(f"changed since: {change}")
        say(_sentence(found))
    raise typer.Exit(exit_code(found))


def _table(found: SameSeed) -> Table:
    """List the items whose frames are not all equal, the least alike first."""
    differing = [
        one for one in found.items if one.same != "same" or (one.frames and one.equal_frames < one.frames)
    ]
    order = {"different": 0, "unknown": 1, "same": 2}
    differing.sort(key=lambda one: (order[one.same], one.psnr if one.psnr is not None else 0.0))
    rows = [
        (
            one.item[:12],
            str(one.seed),
            one.same,
            f"{one.equal_frames} of {one.frames}" if one.frames else MISSING,
            number(one.psnr),
            number(one.ms_ssim),
            one.reason or MISSING,
        )
        for one in differing[:_LISTED]
    ]
    more = len(differing) - len(rows)
    scales = sorted({one.scales for one in found.items if one.frames and one.scales < 5})
    notes = [f"and {more} more; --json has all"] if more > 0 else []
    notes += (
        [f"MS-SSIM has {' or '.join(map(str, scales))} scales, as sides are short"] if rows and scales else []
    )
    items = counted(len(found.items), "item")
    title = f"{found.run.name} against the golden clips of {found.golden.name}, {items}"
    return Table(title, ("item", "seed", "is", "equal frames", "PSNR", "MS-SSIM", "why"), rows, tuple(notes))


def _sentence(found: SameSeed) -> str:
    counts = (
        f"{found.count('same')} of {counted(len(found.items), 'item')} the same, {found.identical} "
        "by every frame"
    )
    rest = [f"{found.count('different')} differ"] if found.count("different") else []
    rest += [f"{found.count('unknown')} cannot be compared"] if found.count("unknown") else []
    rest += (
        [f"{counted(found.missing, 'golden item is', 'golden items are')} not in the run"]
        if found.missing
        else []
    )
    rest += [f"{counted(found.extra, 'item is', 'items are')} in the run alone"] if found.extra else []
    return f"{found.verdict}: {'; '.join([counts, *rest])}"
