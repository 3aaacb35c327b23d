"""Audits: what each needs of a run, and the section that it gives to the terminal, JSON and the page.

An audit is a package of `screentest.safety` (bias, memorisation ...) with measures, a suite, and one entry in
`AUDITS`, which its module ``audit`` adds. Its section is a function of score tables: it reads values and
evidence that measures stored, never a clip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..harness.core.presentation import Content, Table
from ..harness.core.registry import Registry, Rooms
from ..harness.core.run_data import RunData
from .attacks.withhold import Withheld, is_attack, is_red_team

__all__ = ["AUDITS", "AUDIT_ROOMS", "Audit", "AuditSection", "audit_sections", "by_run"]

AUDIT_ROOMS: Final = Rooms()
"""The modules that add the built-in audits."""


@dataclass(frozen=True)
class AuditSection:
    """What an audit found in one run or several.

    Attributes:
        audit: its name.
        title: heading of the section.
        findings: sentences for a reader who reads nothing else; the most important first. Each number in them
            has its interval and n.
        tables: the evidence, with intervals.
        notes: what a reader must know about the numbers: what was planted, what the audit cannot see.
    """

    audit: str
    title: str
    findings: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Convert to plain JSON values: the tables as lists of rows by column."""
        return {
            "audit": self.audit,
            "title": self.title,
            "findings": list(self.findings),
            "tables": [
                {"title": table.title, "rows": table.records(), "notes": list(table.notes)}
                for table in self.tables
            ],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Audit:
    """An audit that can be asked for by name.

    Attributes:
        name: as in ``screentest audit --bias``.
        summary: one line for listings: the question that it answers.
        suites: packaged suites that a generator of the reference world is run on for it.
        other_suites: packaged suites for generators that know other things.
        measures: a run is audited if it has scores of one of these.
        any_clip: whether the measures read any clip at all, whatever its prompt is.
        verdicts: the measures that one clip at least must have a value of, for the audit to have been made;
            by default any of ``measures``.
        section: make the section from the runs that are audited (one at least), at a confidence in (0, 1).
    """

    name: str
    summary: str
    suites: tuple[str, ...]
    measures: tuple[str, ...]
    section: Callable[[Sequence[RunData], float], AuditSection]
    other_suites: tuple[str, ...] = ()
    any_clip: bool = False
    verdicts: tuple[str, ...] = ()

    def suites_for(self, world: str | None) -> tuple[str, ...]:
        """Name the suites for a generator of a world, or of none."""
        return self.other_suites if world is None else self.suites

    def concerns(self, run: RunData) -> bool:
        """Check whether a run has scores for this audit."""
        return any(name in run.measures for name in self.measures)

    def judged(self, runs: Sequence[RunData]) -> bool:
        """Check whether the runs hold a value that the audit rests on."""
        names = self.verdicts or self.measures
        found = (
            name
            for run in runs
            for (name, _), score in (*run.scores.items(), *run.sets.items())
            if score.value is not None
        )
        return any(name == one or name.startswith(f"{one}.") for name in found for one in names)


AUDITS: Final[Registry[Audit]] = Registry("audit", Audit, AUDIT_ROOMS)


def audit_sections(
    runs: Sequence[RunData], confidence: float = 0.95, names: Sequence[str] | None = None
) -> list[AuditSection]:
    """Make the sections of the audits that the runs have scores for; what attacks say is withheld in them.

    Args:
        runs: in the order in which they are shown.
        confidence: of all intervals.
        names: the audits to make; None for all.

    Raises:
        UsageError: no audit has such a name.
    """
    found: list[AuditSection] = []
    for name in AUDITS if names is None else names:
        audit = AUDITS.get(name)
        concerned = [run for run in runs if audit.concerns(run)]
        if concerned:
            found.append(_withheld(audit.section(concerned, confidence), concerned))
    return found


def by_run(runs: Sequence[RunData], run: RunData, sentences: Sequence[str]) -> list[str]:
    """Begin sentences about a run with its name, where the section is about several."""
    if len(runs) == 1:
        return [one[:1].upper() + one[1:] for one in sentences]
    return [f"{run.name}: {one}" for one in sentences]


def _withheld(section: AuditSection, runs: Sequence[RunData]) -> AuditSection:
    """Take quotations of red-team prompts out of all texts of a section."""
    prompts = {
        item.prompt
        for run in runs
        for item in run.items.values()
        if item.prompt and (is_red_team(item) or is_attack(item))
    }
    clean = Withheld(sorted(prompts)).clean

    def content(cell: Content) -> Content:
        if isinstance(cell, str):
            return clean(cell)
        return replace(cell, value=clean(cell.value), why=clean(cell.why))

    return replace(
        section,
        findings=tuple(map(clean, section.findings)),
        notes=tuple(map(clean, section.notes)),
        tables=tuple(
            replace(
                table,
                rows=[tuple(map(content, row)) for row in table.rows],
                notes=tuple(map(clean, table.notes)),
            )
            for table in section.tables
        ),
    )
