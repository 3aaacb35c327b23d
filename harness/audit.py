"""Plan and make the audits of a generator or of a run: which suites to run, what to score, what is missing.

An audit of a generator runs the suites that the audit names, each into a folder of its own; a suite that two
audits share runs once. An audit of a run scores what the run has not been scored with.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..generators.base import Generator
from ..generators.identity import identity_of
from ..metrics.encoders.registry import role_of
from ..safety.audits import AUDITS, Audit, AuditSection, audit_sections
from ..safety.memorisation.measures import SETTING as TRAINING_SETS
from ..safety.memorisation.training_sets import HELD_OUT, TRAIN
from .catalog import MEASURES, encoder_of, encoder_roles, make_encoder
from .core.errors import ScreentestError, UsageError, unknown_name
from .core.progress import note
from .core.run_data import RunData
from .run import Settings, run, score_run
from .run_folder.store import open_run, read_run
from .scoring.instruments import refuse_mixed_sets
from .suites.loading import load_suite
from .suites.parts import SuitePart
from .suites.suite import ReferenceSet, Suite

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

    @property
    def reference_clips(self) -> int:
        """Count the clips of the rendered reference sets that its measures read, whatever part is run."""
        names = {name for measure in self.suite.measures for name in _references_of(measure)}
        sets = [self.suite.references[name] for name in names if name in self.suite.references]
        return sum(one.clips for one in sets if one.folder is None)


@dataclass(frozen=True)
class Audited:
    """What came of an audit.

    Attributes:
        runs: that the sections rest on.
        sections: of the audits that were asked for.
        missing: audits that were asked for and are not made, or not whole -> why.
        all_runs, all_sections: with those of earlier audits of the same generator in the same place.
    """

    runs: tuple[RunData, ...]
    sections: tuple[AuditSection, ...]
    missing: Mapping[str, str]
    all_runs: tuple[RunData, ...]
    all_sections: tuple[AuditSection, ...]


def plan_audits(
    generator: Generator, choices: AuditChoices
) -> tuple[tuple[PlannedAudit, ...], dict[str, str]]:
    """Plan the runs of an audit of a generator, and say which audits have none and why.

    Raises:
        UsageError: no audit, suite, encoder role or reference set has such a name, no audit reads one that
            the user named, or the generator cannot be made, as a folder that is not there.
    """
    _ = identity_of(generator)  # refuses what no run of it could be made with
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
    planned = [_planned(name, audits, choices, generator.world, missing) for name, audits in by_suite.items()]
    found = tuple(one for one in planned if one.audits)
    _refuse_unread([one.suite for one in found], choices)
    return found, missing


def _no_suite(audit: Audit, generator: Generator) -> str:
    if audit.any_clip:
        return f"it judges any clips of {generator.spec}; name the suite that makes them with --suite"
    return (
        f"its prompts are of the reference world, which {generator.spec} does not know; "
        "run a suite of your own with its measures and audit that run"
    )


def _planned(
    name: str,
    audits: Sequence[Audit],
    choices: AuditChoices,
    world: str | None,
    missing: dict[str, str],
) -> PlannedAudit:
    """Plan a suite with the measures of its audits; an audit without any that can be taken is missing."""
    suite = choices.part.of(load_suite(name))
    made: list[str] = []
    for audit in audits:
        try:
            suite = _with(suite, audit, audit.measures, choices, world)
        except UsageError as error:
            missing[audit.name] = str(error)
        else:
            made.append(audit.name)
    return PlannedAudit(suite, tuple(made))


def _with(
    suite: Suite, audit: Audit, wanted: Sequence[str], choices: AuditChoices, world: str | None
) -> Suite:
    """Add those of an audit's measures whose encoders and reference sets are known.

    What the suite and the user do not name comes from the audit's own suites.

    Raises:
        UsageError: no measure of the audit can be taken; it says what is lacking.
    """
    encoders, references = dict(choices.encoders), dict(choices.references)
    first, default = suite.reference_set, None
    for its in (suite, *map(load_suite, dict.fromkeys((*audit.suites_for(world), *audit.suites)))):
        encoders = {**its.encoders, **encoders}
        references = {**its.reference_sets, **references}
        default = default or its.reference_set
    filled = suite.model_copy(
        update={"encoders": encoders, "reference_sets": references, "reference_set": first or default}
    )
    lacking = {name: _lacks(name, filled) for name in wanted}
    taken = [name for name, lacks in lacking.items() if not lacks]
    if not taken:
        what = ", ".join(dict.fromkeys(one for lacks in lacking.values() for one in lacks))
        raise UsageError(f"none of its measures can be taken without {what}")
    return filled.model_copy(update={"measures": tuple(dict.fromkeys((*suite.measures, *taken)))})


def _lacks(measure: str, suite: Suite) -> list[str]:
    """Name the encoders and reference sets that a measure needs and a suite does not name."""
    found = MEASURES.get(measure)
    roles = {role_of(encoder_of(feature)) for feature in found.needs} - {None, *suite.encoders}
    sets = {name for name in _references_of(measure) if name not in suite.references}
    return [
        *(f"--encoder {role}=SOURCE" for role in sorted(filter(None, roles))),
        *(f"--reference {name}=DIR" for name in sorted(sets)),
    ]


def _references_of(measure: str) -> tuple[str, ...]:
    found = MEASURES.get(measure)
    return (TRAIN, HELD_OUT) if TRAINING_SETS in found.settings else found.references


def _refuse_unread(suites: Sequence[Suite], choices: AuditChoices) -> None:
    """Refuse reference sets and encoders that the user named and no audit reads."""
    measures = {measure for suite in suites for measure in suite.measures}
    read = {name for measure in measures for name in _references_of(measure)}
    for name in choices.references:
        if name not in read:
            raise unknown_name("reference set of these audits", name, read)
    for role in choices.encoders:
        if role not in encoder_roles():
            raise unknown_name("encoder role", role, encoder_roles())
        if not _encoders_of(role, measures):
            raise UsageError(f"none of these audits reads the encoder {role!r}; leave it out")


def _encoders_of(role: str, measures: Collection[str]) -> set[str]:
    """Name the encoders of a role that measures read."""
    needed = {encoder_of(feature) for measure in measures for feature in MEASURES.get(measure).needs}
    return {name for name in needed if role_of(name) == role}


def _refuse_slips(suites: Sequence[Suite], choices: AuditChoices, settings: Settings) -> None:
    """Refuse sets and encoders of the user that cannot be had or compared, before anything is made."""
    measures = {measure for suite in suites for measure in suite.measures}
    for suite in suites:
        if any(TRAIN in _references_of(measure) for measure in suite.measures):
            refuse_mixed_sets(suite)
    for role, source in choices.encoders.items():
        for name in sorted(_encoders_of(role, measures)):
            _ = make_encoder(name, source, settings.options).digest


def audit_generator(
    generator: Generator,
    choices: AuditChoices,
    out: Path,
    settings: Settings,
    confidence: float = 0.95,
) -> Audited:
    """Run the suites of the audits into folders of ``out``, or finish them, and make the sections.

    An audit whose run cannot be made is missing, with the reason; the others go on.

    Raises:
        UsageError: a name, or the source of an encoder, that the user gave is wrong; nothing is generated.
    """
    planned, missing = plan_audits(generator, choices)
    _refuse_slips([one.suite for one in planned], choices, settings)
    found: list[RunData] = []
    for one in planned:
        folder = out / one.suite.name
        note(f"audit: {', '.join(one.audits)} in {folder}")
        try:
            run(one.suite, generator, folder, settings)
        except ScreentestError as error:
            missing.update(dict.fromkeys(one.audits, str(error)))
            continue
        found.append(_read(folder))
    names = {one.name for one in found}
    earlier = [
        data
        for place in sorted(path.parent for path in out.glob("*/run.json"))
        if place.name not in names
        and (data := _read(place)).record.get("generator_spec") == generator.spec
        and not data.without_clip
    ]
    return _audited(found, earlier, [a.name for a in _chosen(choices.audits)], missing, confidence)


def audit_run(folder: Path, choices: AuditChoices, settings: Settings, confidence: float = 0.95) -> Audited:
    """Score a run with the measures of the audits that it lacks, and make the sections.

    Raises:
        UsageError: there is no run, none of the audits concerns it, or a name or the source of an encoder
            that the user gave is wrong.
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
    world = data.record.get("world")
    missing: dict[str, str] = {}
    lacking: dict[str, Suite] = {}
    for audit in _chosen(names):
        lacks = [measure for measure in audit.measures if measure not in _measured(data)]
        if not lacks:
            continue
        bare = recorded.model_copy(update={"measures": ()})
        try:
            lacking[audit.name] = _with(bare, audit, lacks, choices, None if world is None else str(world))
        except UsageError as error:
            if not audit.concerns(data):  # else the run has what can be taken of it
                missing[audit.name] = str(error)
    _refuse_unread(list(lacking.values()), choices)
    _refuse_slips(list(lacking.values()), choices, settings)
    for name, suite in lacking.items():
        try:
            score_run(folder, suite, settings)
        except ScreentestError as error:
            missing[name] = str(error)
    return _audited([_read(folder)], (), names, missing, confidence)


def _measured(data: RunData) -> set[str]:
    return {str(fields.get("of", name)) for name, fields in data.measures.items()}


def _chosen(names: Sequence[str]) -> list[Audit]:
    return [AUDITS.get(name) for name in names or AUDITS]


def _read(folder: Path) -> RunData:
    store = open_run(folder)
    try:
        return replace(read_run(store), name=folder.name)
    finally:
        store.close()


def _audited(
    runs: Sequence[RunData],
    earlier: Sequence[RunData],
    names: Sequence[str],
    missing: Mapping[str, str],
    confidence: float,
) -> Audited:
    every = (*runs, *earlier)
    whole = audit_sections(every, confidence)
    sections = audit_sections(runs, confidence, list(names)) if earlier else _named(whole, names)
    made = {section.audit for section in sections}
    lost = {name: "no clip was scored for it" for name in names if name not in made and name not in missing}
    for section in sections:
        if section.audit not in missing and not AUDITS.get(section.audit).judged(runs):
            why = section.findings[0].rstrip(".") if section.findings else "no clip could be judged"
            lost[section.audit] = f"it rests on no value: {why[:1].lower()}{why[1:]}"
    return Audited(tuple(runs), tuple(sections), {**missing, **lost}, every, tuple(whole))


def _named(sections: Sequence[AuditSection], names: Sequence[str]) -> list[AuditSection]:
    """Pick the sections of these audits, in the order of the names."""
    by_name = {section.audit: section for section in sections}
    return [by_name[name] for name in names if name in by_name]
