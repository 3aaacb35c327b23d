"""The command `memorisation-card`: how many planted copies of a training set are found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.presentation import MISSING, Content, Table, estimate_cell, level, number
from .options import (
    AsJson,
    Cache,
    Confidence,
    Device,
    DeviceOption,
    Dtype,
    DtypeOption,
    EncoderOption,
    MeasuresOption,
    adjusted,
    print_json,
    print_tables,
    references,
    say,
    settings,
)

if TYPE_CHECKING:
    from ...safety.memorisation.recall_card import RecallCard

__all__ = ["memorisation_card"]


def memorisation_card(
    suite: Annotated[
        str, typer.Option(help="Suite with measures of memorisation, a training set and a held-out set.")
    ] = "memorisation",
    reference: Annotated[
        list[str] | None,
        typer.Option("--reference", metavar="NAME=DIR", help="Your own sets: train=DIR and held_out=DIR."),
    ] = None,
    measures: MeasuresOption = None,
    encoder: EncoderOption = None,
    n: Annotated[int, typer.Option(min=2, max=100_000, help="Training clips that are copied.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Of which clips those are.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the card, and of the log that resumes it.")] = Path(
        "runs/memorisation-card"
    ),
    confidence: Confidence = 0.95,
    cache: Cache = "cache",
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    as_json: AsJson = False,
) -> None:
    """Measure how many planted copies of a training set are found, by what was done to them."""
    from ..judges.memorisation_card import CARD, make_recall_card
    from ..suites.loading import load_suite

    chosen = adjusted(load_suite(suite), measures, encoder)
    chosen = chosen.model_copy(update={"reference_sets": {**chosen.reference_sets, **references(reference)}})
    options = settings(cache, device, dtype, None).options
    card = make_recall_card(chosen, out, cache, options, n=n, seed=seed, confidence=confidence)
    if as_json:
        print_json(card.model_dump(mode="json"))
        return
    print_tables(recall_tables(card, confidence))
    say(f"card: {out / CARD}")


def recall_tables(card: RecallCard, confidence: float) -> list[Table]:
    """Build the tables of a card: the thresholds, and a row for each way in which copies were changed."""
    heads = ("compared by", "threshold", "held-out clips", f"false alarms [{level(confidence)} interval]")
    rows: list[tuple[Content, ...]] = [
        (one.feature, number(one.threshold), str(one.held_out), estimate_cell(one.false_alarms))
        for one in card.thresholds
    ]
    notes = [f"{one.feature}: {one.note}" for one in card.thresholds]
    notes += [
        f"{one.feature}: the held-out clip most like a training clip is {name}, like {clip} "
        f"({number(value)}); a twin raises the threshold"
        for one in card.thresholds
        for name, clip, value in one.closest[:1]
    ]
    found: list[tuple[Content, ...]] = [
        (
            row.feature,
            row.transformation,
            MISSING if row.severity is None else f"{row.severity:g}",
            row.unit or MISSING,
            estimate_cell(row),
            estimate_cell(row.nearest_is_right),
            str(row.n),
        )
        for row in card.rows
    ]
    columns = (
        "compared by",
        "copies",
        "severity",
        "unit",
        f"above the threshold [{level(confidence)} interval]",
        "nearest is the copied clip",
        "n",
    )
    return [
        Table("thresholds", heads, rows, (*notes, "false alarms: each half at the other half's threshold")),
        Table("planted copies", columns, found),
    ]
