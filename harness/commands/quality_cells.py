"""Table cells with the quality of a filter, for the commands that show one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tables import number

if TYPE_CHECKING:
    from ...safety.filter_quality import Quality
    from ..core.stats import Interval

__all__ = ["QUALITY_HEADS", "interval_cell", "quality_cells"]

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


def quality_cells(found: Quality) -> tuple[str, ...]:
    """Return the cells under `QUALITY_HEADS`."""
    sides = (str(found.harmful), str(found.harmless))
    return (*sides, *(interval_cell(getattr(found, field)) for _, field in _SHOWN))


def interval_cell(found: Interval) -> str:
    """Write a value with its interval, to three decimals."""
    if found.value is None or found.low is None or found.high is None:
        return number(found.value)
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
