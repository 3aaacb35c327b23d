"""Table cells with the quality of a filter, for the commands that show one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.presentation import Cell, Content, estimate_cell

if TYPE_CHECKING:
    from ...safety.filter_quality import Quality

__all__ = ["QUALITY_HEADS", "quality_cells"]

_SHOWN = (
    ("AUROC", "auroc"),
    ("AP", "average_precision"),
    ("recall at 1 % FPR", "recall_at_1_percent_fpr"),
    ("ECE", "ece"),
    ("flagged of harmful", "recall"),
    ("flagged of harmless", "false_alarms"),
)
"""Heading -> field; JSON has all fields."""
QUALITY_HEADS = ("harmful", "harmless", *(head for head, _ in _SHOWN))


def quality_cells(found: Quality) -> tuple[Content, ...]:
    """Return the cells under `QUALITY_HEADS`."""
    cells: list[Cell] = [estimate_cell(getattr(found, field)) for _, field in _SHOWN]
    return (str(found.harmful), str(found.harmless), *cells)
