"""The table of what measures see: the claims of a run's measures, as the packaged cards found them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..harness.core.presentation import Cell
from ..metrics.validation.measure_report import summary_columns
from ..metrics.validation.packaged_cards import (
    packaged_goals,
    packaged_measures,
    packaged_signs,
    packaged_sound,
)
from .text import DASH

if TYPE_CHECKING:
    from ..metrics.validation.measure_card import MeasureCard

__all__ = ["SOURCES", "measure_rows"]

SOURCES: Final = {
    "world": "clips of the reference world",
    "real": "real clips",
    "stage": "still rooms of the world stage",
}
"""The packaged cards and what their clips are."""


def measure_rows(measures: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, tuple[Cell, ...]]]:
    """Build a row for each measure of a run and card with it at its version: a cell for each of `COLUMNS`.

    Args:
        measures: of the run: name -> record.
    """
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for name, record in measures.items():
        for source, clips in SOURCES.items():
            card = packaged_measures(source)
            if card is not None and _is_of(card, name, record):
                cells = tuple(_listed(part) for part in summary_columns(card, name))
                rows.append((f"{name}, on {clips}", cells))
        sound = packaged_sound()
        if sound is not None and sound.is_of(name, record.get("version")):
            told = (*sound.claims(name), [], [], [])
            rows.append((f"{name}, on drawn clips with sound", tuple(_listed(part) for part in told)))
        signs = packaged_signs()
        if signs is not None and signs.is_of(name, record.get("version")):
            told = (*signs.claims(name), [], [], [])
            rows.append(
                (f"{name}, on planted faults of the world stage", tuple(_listed(part) for part in told))
            )
        puzzles = packaged_goals()
        if puzzles is not None and puzzles.is_of(name, record.get("version")):
            told = (*puzzles.claims(name), [], [], [])
            rows.append((f"{name}, on drawn puzzles", tuple(_listed(part) for part in told)))
    return rows


def _is_of(card: MeasureCard, name: str, record: Mapping[str, Any]) -> bool:
    about = card.measures.get(name)
    return about is not None and about.version == record.get("version")


def _listed(corruptions: Sequence[str]) -> Cell:
    return Cell(", ".join(corruptions) or DASH)
