"""Plan and make the audits of a generator or of a run: which suites to run, what to score, what is missing.

An audit of a generator runs the suites that the audit names, each into a folder of its own; a suite that two
audits share runs once. An audit of a run scores what the run has not been scored with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..generators.base import Generator
from ..safety.audits import AUDITS, Audit, AuditSection, audit_sections
from .core.errors import ScreentestError, UsageError
from .core.progress import note
from .core.run_data import RunData
from .run import Settings, run, score_run
from .store import open_run, read_run
from .suite import ReferenceSet, Suite
from .suite_loading import load_suite
from .suite_parts import SuitePart

__all__ = ["AuditChoices", "Audited", "PlannedAudit", "audit_generator", "audit_run", "plan_audits"]


@dataclass(frozen=True)
class AuditChoices:
    """What the user chose for the runs of an audit.

    Attributes:
        audits: names; empty takes all (of a run: those that it has scores for, or that judge any clip).
        suite: for generators outside the reference world, the suite of audits that judge any clip.
        part: which part of each suite is run.
        encoders: role -> source, instead of the suites'.
        references: named reference sets, in addition to the suites' or instead of them.
    """

    audits: tuple[str, ...] = ()
    suite: str | None = None
    part: SuitePart = field(default_factory=SuitePart)
    encoders: Mapping[str, str] = field(default_factory=dict[str, str])
    references: Mapping[str, ReferenceSet] = field(default_factory=dict[str, ReferenceSet])


@dataclass(frozen=True)
class PlannedAudit:
    """A suite to run, and the audits that it is for."""

    suite: Suite
    audits: tuple[str, ...]

    @property
    def items(self) -> int:
        """Count the clips that the suite asks for."""
        return sum(prompt.seeds or self.suite.seeds for prompt in self.suite.prompts)


@dataclass(frozen=True)
class Audited:
    """What came of an audit.

    Attributes:
        runs: that the sections rest on.
        missing: audits that were asked for and have no section -> why.
    """

    runs: tuple[RunData, ...]
    sections: tuple[AuditSection, ...]
    missing: Mapping[str, str]


def plan_audits(
    generator: Generator, choices: AuditChoices
) -> tuple[tuple[PlannedAudit, ...], dict[str, str]]:
    """Plan the runs of an audit of a generator, and say which audits have none and why.

    Raises:
        UsageError: no audit or suite has such a name.
    """
    by_suite: dict[str, list[Audit]] = {}
    missing: dict[str, str] = {}
    for audit in _chosen(choices.audits):
        suites = audit.suites_for(generator.world)
        if audit.any_clip and choices.suite is not None:
            suites = (choices.suite,)
        if not suites:
            missing[audit.name] = _no_suite(audit, generator)
        for suite in suites:
            by_suite.setdefault(suite, []).append(audit)
    return tuple(_planned(name, audits, choices) for name, audits in by_suite.items()), missing


def _no_suite(audit: Audit, generator: Generator) -> str:
    if audit.any_clip:
        return f"it judges any clips of {generator.spec}; name the suite that makes them with --suite"
    return (
        f"its prompts are of the reference world, which {generator.spec} does not know; "
        "run a suite of your own with its measures and audit that run"
    )


def _planned(name: str, audits: Sequence[Audit], choices: AuditChoices) -> PlannedAudit:
    suite = choices.part.of(load_suite(name))
    wanted = [measure for audit in audits for measure in audit.measures]
    return PlannedAudit(
        _with(suite, (*suite.measures, *wanted), choices), tuple(audit.name for audit in audits)
    )


def _with(suite: Suite, measures: Sequence[str], choices: AuditChoices) -> Suite:
    return suite.model_copy(
        update={
            "measures": tuple(dict.fromkeys(measures)),
            "encoders": {**suite.encoders, **choices.encoders},
            "reference_sets": {**suite.reference_sets, **choices.references},
        }
    )


def audit_generator(
    generator: Generator,
    choices: AuditChoices,
    out: Path,
    settings: Settings,
    confidence: float = 0.95,
) -> Audited:
    """Run the suites of the audits into folders of ``out``, or finish them, and make the sections.

    An audit whose run cannot be made is missing, with the reason; the others go on.
    """
    planned, missing = plan_audits(generator, choices)
    found: list[RunData] = []
    for one in planned:
        folder = out / one.suite.name
        note(f"audit: {', '.join(one.audits)} in {folder}")
        try:
            run(one.suite, generator, folder, settings)
        except ScreentestError as error:
            missing.update(dict.fromkeys(one.audits, str(error)))
            note(f"warning: no {', '.join(one.audits)} audit: {error}")
            continue
        found.append(_read(folder))
    return _audited(found, [a.name for a in _chosen(choices.audits)], missing, confidence)


def audit_run(folder: Path, choices: AuditChoices, settings: Settings, confidence: float = 0.95) -> Audited:
    """Score a run with the measures of the audits that it lacks, and make the sections.

    Raises:
        UsageError: there is no run, or none of the audits concerns it.
    """
    data = _read(folder)
    names = list(choices.audits) or [
        name for name in AUDITS if AUDITS.get(name).any_clip or AUDITS.get(name).concerns(data)
    ]
    if not names:
        raise UsageError(
            f"{folder} has no scores of an audit; name what to audit, such as --bias, or audit its generator"
        )
    recorded = Suite.model_validate(data.record["suite"])
    missing: dict[str, str] = {}
    for audit in _chosen(names):
        lacks = [measure for measure in audit.measures if measure not in _measured(data)]
        if not lacks:
            continue
        try:
            score_run(folder, _with(_filled(recorded, audit, data), lacks, choices), settings)
        except ScreentestError as error:
            missing[audit.name] = str(error)
            note(f"warning: no {audit.name} audit: {error}")
    return _audited([_read(folder)], [n for n in names if n not in missing], missing, confidence)


def _measured(data: RunData) -> set[str]:
    return {str(fields.get("of", name)) for name, fields in data.measures.items()}


def _filled(recorded: Suite, audit: Audit, data: RunData) -> Suite:
    """Fill in encoders and reference sets that the run's suite does not name from those of the audit's."""
    world = data.record.get("world")
    filled = recorded
    for name in audit.suites_for(None if world is None else str(world)):
        its = load_suite(name)
        filled = filled.model_copy(
            update={
                "encoders": {**its.encoders, **filled.encoders},
                "reference_set": filled.reference_set or its.reference_set,
                "reference_sets": {**its.reference_sets, **filled.reference_sets},
            }
        )
    return filled


def _chosen(names: Sequence[str]) -> list[Audit]:
    return [AUDITS.get(name) for name in names or AUDITS]


def _read(folder: Path) -> RunData:
    store = open_run(folder)
    try:
        return replace(read_run(store), name=folder.name)
    finally:
        store.close()


def _audited(
    runs: Sequence[RunData], names: Sequence[str], missing: Mapping[str, str], confidence: float
) -> Audited:
    sections = audit_sections(runs, confidence, [name for name in names if name not in missing])
    made = {section.audit for section in sections}
    lost = {name: "no clip was scored for it" for name in names if name not in made and name not in missing}
    return Audited(tuple(runs), tuple(sections), {**missing, **lost})
