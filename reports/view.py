"""The score table as text: a number with its interval, or a dash with the reason why it is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..harness.core.presentation import Cell
from ..harness.results.summary import Aggregate, Summary
from .evidence import DifferenceRow
from .tables import aggregate_cell
from .text import arrow, page_cell

__all__ = ["MeasureRow", "TagRow", "score_cell", "score_rows"]


@dataclass(frozen=True)
class TagRow:
    """The cells of a measure for the items of one tag; None for a run without such items."""

    tag: str
    cells: tuple[Cell | None, ...]
    difference: DifferenceRow | None


@dataclass(frozen=True)
class MeasureRow:
    """One measure over all runs."""

    name: str
    group: str
    about: str
    unit: str
    kind: str
    arrow: str
    direction: str
    version: str
    encoder: str
    cells: tuple[Cell | None, ...]
    difference: DifferenceRow | None
    tags: tuple[TagRow, ...]


def score_cell(aggregate: Aggregate) -> Cell:
    """Typeset an aggregate."""
    return page_cell(aggregate_cell(aggregate))


def score_rows(
    summaries: Sequence[Summary],
    about: Mapping[str, Mapping[str, Any]],
    compared: Mapping[tuple[str, str | None], DifferenceRow],
) -> list[MeasureRow]:
    """Arrange the aggregates of all runs side by side: a row per measure, with its tags, sorted by name.

    Args:
        summaries: one per run.
        about: measure -> its record in the runs.
        compared: (measure, tag) -> paired difference, if two runs were compared.
    """
    tables = [{(a.measure, a.tag): a for a in summary.aggregates} for summary in summaries]
    names = sorted({measure for table in tables for measure, _ in table} | set(about))
    rows: list[MeasureRow] = []
    for name in names:
        found = [table.get((name, None)) for table in tables]
        first = next((a for a in found if a is not None), None)
        tags = sorted({tag for table in tables for measure, tag in table if measure == name and tag})
        fields = about.get(name, {})
        better = first.better if first else str(fields.get("better", "neither"))
        rows.append(
            MeasureRow(
                name=name,
                group=name.split(".", 1)[0],
                about=str(fields.get("summary", "")),
                unit=first.unit if first else str(fields.get("unit", "")),
                kind=first.kind if first else str(fields.get("kind", "")),
                arrow=arrow(better)[0],
                direction=arrow(better)[1],
                version=_versions(found),
                encoder=", ".join(dict.fromkeys(a.encoder for a in found if a is not None and a.encoder)),
                cells=tuple(None if a is None else score_cell(a) for a in found),
                difference=compared.get((name, None)),
                tags=tuple(_tag_row(name, tag, tables, compared) for tag in tags),
            )
        )
    return rows


def _versions(found: Sequence[Aggregate | None]) -> str:
    return ", ".join(dict.fromkeys(str(a.version) for a in found if a is not None))


def _tag_row(
    name: str,
    tag: str,
    tables: Sequence[Mapping[tuple[str, str | None], Aggregate]],
    compared: Mapping[tuple[str, str | None], DifferenceRow],
) -> TagRow:
    found = [table.get((name, tag)) for table in tables]
    cells = tuple(None if a is None else score_cell(a) for a in found)
    return TagRow(tag, cells, compared.get((name, tag)))
