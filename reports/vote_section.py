"""The section of a page on votes of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..harness.core.errors import UsageError
from ..harness.core.presentation import Cell, Content, Table
from ..harness.votes.results import vote_report
from ..harness.votes.votes import VOTES, voted_runs, votes_of
from .text import page_cell
from .vote_tables import vote_tables

__all__ = ["VoteSection", "vote_section"]


@dataclass(frozen=True)
class VoteSection:
    """Tables of votes; ``problem`` says why there are none although people voted."""

    tables: tuple[Table, ...] = ()
    problem: str = ""


def vote_section(folders: Sequence[Path]) -> VoteSection | None:
    """Build the section of some runs; None where nobody voted, or of one run."""
    if len(folders) < 2 or not any((folder / VOTES).is_file() for folder in folders):
        return None
    try:
        runs = voted_runs(folders)
        report = vote_report(runs, votes_of(runs))
    except UsageError as error:
        return VoteSection(problem=str(error))
    if not report.raters and not report.left_out:
        return None
    return VoteSection(tuple(_typeset(table) for table in vote_tables(report)))


def _typeset(table: Table) -> Table:
    rows = [tuple(_cell(content) for content in row) for row in table.rows]
    return Table(table.title, table.columns, rows, table.notes)


def _cell(content: Content) -> Cell:
    return page_cell(Cell(content) if isinstance(content, str) else content)
