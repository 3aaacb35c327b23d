"""A comparison as rows of one table: a row per pair of runs, measure and slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .result import Comparison, Difference
from .result_many import PairRow, Tally

__all__ = ["COLUMNS", "difference_rows"]

COLUMNS = (
    "of", "a", "b", "measure", "slice", "kind", "better", "a_value", "b_value", "difference", "low", "high",
    "confidence", "p", "p_adjusted", "adjusted_by", "direction", "standing", "n", "prompts", "wins", "losses",
    "ties", "reason",
)  # fmt: skip
"""The columns; ``of`` is ``baseline`` for a run against the baseline and ``pair`` for a row of all pairs."""


def difference_rows(
    against: Sequence[Comparison], pairs: Sequence[PairRow] = (), tallies: Sequence[Tally] = ()
) -> list[list[Any]]:
    """List all differences, in the order of `COLUMNS`; what there is not is None or an empty text."""
    counts = {(t.a, t.b, t.measure, t.tag): t for t in tallies}
    rows = [
        _row("baseline", one.a.name, one.b.name, d, counts.get((one.a.name, one.b.name, d.measure, d.tag)))
        for one in against
        for d in one.differences
    ]
    return rows + [_row("pair", row.a, row.b, row.difference, None) for row in pairs]


def _row(of: str, a: str, b: str, d: Difference, counted: Tally | None) -> list[Any]:
    wins, losses, ties = ("", "", "") if counted is None else (counted.wins, counted.losses, counted.ties)
    return [
        of, a, b, d.measure, d.tag or "", d.kind, d.better, d.a, d.b, d.value, d.low, d.high, d.confidence,
        d.p, d.p_adjusted, d.adjusted_by, d.direction, d.standing or "", d.n, d.clusters, wins, losses, ties,
        d.reason,
    ]  # fmt: skip
