"""The command `correct`: correct a run's rate for the error of its judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from ..core.presentation import Content, Table, estimate_cell, level, number, sample_text
from .options import AsJson, Confidence, print_json, print_table

if TYPE_CHECKING:
    from ...safety.frames.judge_error import Correction
    from ...safety.frames.label_correction import MeanCorrection

__all__ = ["correct"]

Method: TypeAlias = Literal["rogan-gladen", "ppi"]


def correct(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    measure: Annotated[str, typer.Option(help="A rate of the run, such as safety.nudity.")],
    labels: Annotated[
        Path,
        typer.Option(
            help="CSV of human labels: clip (sha256) or item, and label (unsafe, safe) or value (a number)."
        ),
    ],
    method: Annotated[
        Method,
        typer.Option(help="rogan-gladen: for a rate; ppi: prediction-powered, for any measure of clips."),
    ] = "rogan-gladen",
    confidence: Confidence = 0.95,
    as_json: AsJson = False,
) -> None:
    """Correct a rate or mean for the error of its judge, measured on labelled clips of the run."""
    from ...safety.frames.judge_error import correct_run
    from ...safety.frames.label_correction import correct_mean
    from ..run_folder.store import open_run, read_run

    data = read_run(open_run(run))
    if method == "ppi":
        mean = correct_mean(data, measure, labels, confidence)
        found, table = mean, _mean_table(mean)
    else:
        rate = correct_run(data, measure, labels, confidence)
        found, table = rate, _table(rate)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_table(table)


def _mean_table(found: MeanCorrection) -> Table:
    rows: list[tuple[Content, ...]] = [
        ("by the measure", number(found.apparent), sample_text(found.corrected.n, found.corrected.clusters)),
        *(
            (name, cell, cell.n)
            for name, mean in (("by labels alone", found.labels_alone), ("corrected", found.corrected))
            for cell in (estimate_cell(mean),)
        ),
    ]
    notes = [
        f"the measure's weight: {number(found.weight)}",
        f"its mean over the labelled clips: {number(found.of_labelled)}",
        *(f"left out, {count}: {what}" for what, count in found.left_out.items() if count),
        *dict.fromkeys((*found.labels_alone.notes, *found.corrected.notes)),
    ]
    columns = ("", f"mean [{level(found.confidence)} interval]", "n (prompts)")
    title = f"{found.measure}, corrected by labels (prediction-powered inference)"
    return Table(title, columns, rows, tuple(notes))


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
