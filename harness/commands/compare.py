"""``compare``: two runs of one suite by their scores, or with ``--same-seed`` by their frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..core.errors import UsageError
from ..core.presentation import MISSING, Table, counted, number
from .options import AsJson, Confidence, print_json, print_table, say, warn

if TYPE_CHECKING:
    from ..comparison import Comparison
    from ..golden import SameSeed

__all__ = ["compare"]

_LISTED = 20


def compare(
    run_a: Annotated[
        Path, typer.Argument(help="The run to compare with (a); with --same-seed, the one to judge.")
    ],
    run_b: Annotated[
        Path, typer.Argument(help="The run to judge (b); with --same-seed, the one with golden clips.")
    ],
    confidence: Confidence = 0.95,
    scale: Annotated[
        Literal["difference", "ratio"], typer.Option(help="What the table shows; --json has both.")
    ] = "difference",
    same_seed: Annotated[
        bool, typer.Option("--same-seed", help="Are the clips still the same? Exit code 0, 1 or 3.")
    ] = False,
    min_psnr: Annotated[
        float | None, typer.Option(min=0, help="With --same-seed: dB that a clip that differs must reach.")
    ] = None,
    min_ms_ssim: Annotated[
        float | None, typer.Option(min=0, max=1, help="With --same-seed: MS-SSIM that it must reach.")
    ] = None,
    margin: Annotated[
        list[str] | None,
        typer.Option(metavar="MEASURE=VALUE", help="How much worse b may be and still be non-inferior."),
    ] = None,
    slices: Annotated[bool, typer.Option("--slices", help="Show each tag and label, too.")] = False,
    power: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.999, help="Show what these runs can show with this probability, as 0.8."),
    ] = None,
    effect: Annotated[
        list[str] | None,
        typer.Option(metavar="MEASURE=VALUE", help="With --power: a difference to count the prompts for."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs of one suite, item by item: differences with intervals, or equal frames."""
    from ..store import open_run

    if effect and power is None:
        raise UsageError("--effect is for --power; add '--power 0.8', or leave it out")
    if same_seed:
        if power is not None:
            raise UsageError("--power is of scores, not of frames; leave out --same-seed")
        _compare_frames(run_a, run_b, min_psnr, min_ms_ssim, as_json)
        return
    if min_psnr is not None or min_ms_ssim is not None:
        raise UsageError("--min-psnr and --min-ms-ssim are for --same-seed; add it, or leave them out")
    from ...reports.tables import comparison_table
    from ..compare import compare as compare_runs
    from .gate_plan import numbers

    margins = numbers(margin or [], "--margin", "MEASURE=VALUE", "alignment.clip=0.5")
    comparison = compare_runs(open_run(run_a), open_run(run_b), confidence, margins=margins)
    if power is not None:
        _show_power(comparison, (run_a, run_b), power, effect or [], as_json)
        return
    if as_json:
        print_json(comparison.model_dump())
    else:
        print_table(comparison_table(comparison, scale))
        if slices:
            print_table(comparison_table(comparison, scale, slices=True))


def _show_power(
    comparison: Comparison, runs: tuple[Path, Path], power: float, effects: list[str], as_json: bool
) -> None:
    from ...reports.plan_tables import power_table
    from ..comparison_power import power_of
    from ..core.pairing import pair_runs
    from ..store import open_run, read_run
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
    from ..golden import exit_code
    from ..golden import same_seed as hold_against
    from ..store import open_run

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
        f"{found.count('same')} of {len(found.items)} items are the same, {found.identical} by every frame"
    )
    rest = [f"{found.count('different')} differ"] if found.count("different") else []
    rest += [f"{found.count('unknown')} cannot be compared"] if found.count("unknown") else []
    rest += [f"{found.missing} golden items are not in the run"] if found.missing else []
    rest += [f"{found.extra} items are in the run alone"] if found.extra else []
    return f"{found.verdict}: {'; '.join([counts, *rest])}"
