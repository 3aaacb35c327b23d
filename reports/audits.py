"""The audits' sections of a page: their findings, and their tables in the page's typography."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..harness.core.presentation import Cell, Content, Table
from ..harness.core.run_data import RunData
from ..safety.audits import AuditSection, audit_sections
from .text import DASH, MINUS, page_cell

__all__ = ["AuditView", "audit_view", "audit_views"]

_NUMBER = re.compile(rf"[-+{MINUS}\[.]*\d|p [=<]")


@dataclass(frozen=True)
class AuditTable:
    """A table of a section: all its cells are `Cell`, the words of a row too.

    Attributes:
        numeric: of each column, whether its cells are numbers, which are aligned to the right.
    """

    title: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class AuditView:
    """A section as the page shows it; see `AuditSection`."""

    audit: str
    title: str
    findings: tuple[str, ...]
    tables: tuple[AuditTable, ...]
    notes: tuple[str, ...]


def audit_views(runs: Sequence[RunData], confidence: float = 0.95) -> tuple[AuditView, ...]:
    """Build the sections of all audits that the runs have scores for; none where they have none."""
    return tuple(audit_view(section) for section in audit_sections(runs, confidence))


def audit_view(section: AuditSection) -> AuditView:
    """Typeset a section."""
    return AuditView(
        section.audit,
        section.title,
        section.findings,
        tuple(_table(table) for table in section.tables),
        section.notes,
    )


def _table(table: Table) -> AuditTable:
    rows = tuple(tuple(_cell(content) for content in row) for row in table.rows)
    numeric = tuple(
        all(_NUMBER.match(row[k].value) for row in rows if row[k].value != DASH)
        for k in range(len(table.columns))
    )
    return AuditTable(table.title, table.columns, numeric, rows, table.notes)


def _cell(content: Content) -> Cell:
    if isinstance(content, str):
        return Cell(content)
    return page_cell(replace(content, n=f"n {content.n}" if content.n else ""))
