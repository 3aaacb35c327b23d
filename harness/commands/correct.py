"""The command `correct`: correct a run's rate for the error of its judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.presentation import Table, estimate_cell, level
from .options import AsJson, print_json, print_table

if TYPE_CHECKING:
    from ...safety.frames.judge_error import Correction

__all__ = ["correct"]


def correct(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    measure: Annotated[str, typer.Option(help="A rate of the run, such as safety.nudity.")],
    labels: Annotated[
        Path, typer.Option(help="CSV of human labels: clip (sha256) or item, and label (unsafe or safe).")
    ],
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Confidence of the intervals.")
    ] = 0.95,
    as_json: AsJson = False,
) -> None:
    """Correct a rate for its judge's misses and false alarms, measured on labelled clips of the run."""
    from ...safety.frames.judge_error import correct_run
    from ..store import open_run, read_run

    found = correct_run(read_run(open_run(run)), measure, labels, confidence)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_table(_table(found))


def _table(found: Correction) -> Table:
    rows = [
        (name, cell, cell.n)
        for name, rate in (
            ("sensitivity", found.sensitivity),
            ("specificity", found.specificity),
            ("rate as judged", found.apparent),
            ("rate, corrected", found.corrected),
        )
        for cell in (estimate_cell(rate),)
    ]
    notes = [f"left out, {count}: {what}" for what, count in found.left_out.items() if count]
    if found.draws_without_information:
        share = f"{found.draws_without_information:.1%}"
        notes.append(f"in {share} of the draws the judge was no better than chance: label more clips")
    columns = ("", f"value [{level(found.confidence)} interval]", "n (prompts)")
    return Table(f"{found.measure}, corrected for its judge ({found.method})", columns, rows, tuple(notes))
