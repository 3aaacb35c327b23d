"""``against``: the clips of a run against reference clips, frame by frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..core.counts import counted
from ..core.presentation import Content, Table, estimate_cell
from .options import AsJson, Confidence, print_json, print_table

if TYPE_CHECKING:
    from ..comparison.against import AgainstReference

__all__ = ["against", "against_table"]

_NAMES = {"psnr": "PSNR, dB", "ssim": "SSIM", "ms_ssim": "MS-SSIM", "lpips": "LPIPS"}


def against(
    run: Annotated[Path, typer.Argument(help="The run.")],
    reference: Annotated[Path, typer.Argument(help="Reference clips: a run, or a folder of videos.")],
    lpips: Annotated[
        Literal["alex", "vgg", "squeeze"] | None,
        typer.Option(help="Also LPIPS with this network; needs torchvision and its weights."),
    ] = None,
    confidence: Confidence = 0.95,
    as_json: AsJson = False,
) -> None:
    """Compare clips with reference clips, aligned in time: PSNR, SSIM, MS-SSIM and LPIPS."""
    from ...metrics.against import lpips_distance
    from ..comparison.against import against as hold
    from ..run_folder.store import open_run

    distance = None if lpips is None else lpips_distance(lpips)
    found = hold(open_run(run), reference, lpips=distance, confidence=confidence)
    if as_json:
        print_json(found.model_dump())
    else:
        print_table(against_table(found))


def against_table(found: AgainstReference) -> Table:
    """Build the table: a row a value, its mean over clips with the interval."""
    rows: list[tuple[Content, ...]] = [
        (_NAMES[name], estimate_cell(one), str(one.n)) for name, one in found.estimates.items()
    ]
    first = next(iter(found.estimates.values()))
    notes = [f"{count} x {reason}" for reason, count in first.reasons.items()]
    equal = sum(item.equal for item in found.items)
    if equal:
        notes.append(
            f"{counted(equal, 'clip equals its', 'clips equal their')} reference, frame by frame, "
            "without a PSNR"
        )
    alone = sum(item.alone for item in found.items)
    if alone:
        notes.append(f"{counted(alone, 'frame')} not compared, without a reference frame at the same time")
    title = f"{found.run} against {found.reference}"
    return Table(title, ("value", "mean [interval]", "clips"), rows, tuple(notes))
