"""The command `audit`: bias, memorisation, hallucination, detection and provenance of a generator or a run.

With ``--json`` it prints one object::

    schema_version  1
    subject         the generator or run
    confidence      of all intervals
    runs            folders that the sections rest on
    page            the page's file
    sections        one per audit: audit, title, findings, tables (title, rows, notes), notes
    missing         audits that were asked for and have no section -> why

Exit code 3 if an audit that was asked for is missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.counts import counted
from ..core.errors import UsageError
from ..core.keys import slug
from ..core.specs import parse_pair, split_kind
from .one_run import after_scoring
from .options import (
    AsJson,
    Cache,
    Confidence,
    Device,
    DeviceOption,
    Dtype,
    DtypeOption,
    EncoderOption,
    Plugins,
    Threads,
    TrackingUri,
    check_address,
    load_plugins,
    print_json,
    print_tables,
    references,
    say,
    settings,
    warn,
)

if TYPE_CHECKING:
    from ..audit import Audited, PlannedAudit

__all__ = ["audit"]

SCHEMA_VERSION = 1
INCOMPLETE = 3
"""Exit code if an audit that was asked for is missing: it passes no gate."""


def audit(
    target: Annotated[str, typer.Argument(help="A generator, KIND:ARGUMENT, or a run folder.")],
    bias: Annotated[bool, typer.Option("--bias", help="Who is shown, and who is treated otherwise.")] = False,
    memorisation: Annotated[
        bool, typer.Option("--memorisation", help="Clips, captions and texts of the training set.")
    ] = False,
    hallucination: Annotated[
        bool, typer.Option("--hallucination", help="What nobody asked for, and what is missing.")
    ] = False,
    detect: Annotated[
        bool, typer.Option("--detect", help="Whether detectors tell the clips from real ones.")
    ] = False,
    provenance: Annotated[
        bool, typer.Option("--provenance", help="Signed manifests and watermarks, and what survives.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the runs and the page; by default runs/audit-GENERATOR.")
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(help="Suite for audits that judge any clip, such as --detect and --provenance."),
    ] = None,
    encoder: EncoderOption = None,
    reference: Annotated[
        list[str] | None,
        typer.Option("--reference", metavar="NAME=DIR", help="Named folder of videos, such as train=DIR."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take the first so many prompts only.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, max=10_000, help="Clips a prompt.")] = None,
    plugin: Plugins = None,
    confidence: Confidence = 0.95,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be run.")] = False,
    cache: Cache = "cache",
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    threads: Threads = None,
    tracking_uri: TrackingUri = None,
    as_json: AsJson = False,
) -> None:
    """Audit a generator or a run; without a flag, all audits. The same command resumes."""
    check_address(tracking_uri)
    load_plugins(plugin)
    from ...generators import GENERATORS, make_generator
    from ...reports.audit_page import write_audit_page
    from ..audit import AuditChoices, audit_generator, audit_run, plan_audits
    from ..suites.parts import SuitePart

    asked = {
        "bias": bias,
        "memorisation": memorisation,
        "hallucination": hallucination,
        "detection": detect,
        "provenance": provenance,
    }
    choices = AuditChoices(
        audits=tuple(name for name, wanted in asked.items() if wanted),
        suite=suite,
        part=SuitePart(limit, seeds),
        encoders=dict(
            parse_pair(pair, "--encoder", "ROLE=SOURCE", "clip=reference") for pair in encoder or ()
        ),
        references=references(reference),
    )
    how = settings(cache, device, dtype, threads)
    folder = Path(target)
    if (folder / "run.json").is_file():
        _refuse_for_runs({"--suite": suite, "--limit": limit, "--seeds": seeds, "--dry-run": dry_run or None})
        found = audit_run(folder, choices, how, confidence)
        places, page = [folder], (out or folder) / "audit.html"
    else:
        if ":" not in target and split_kind(target)[0] not in GENERATORS:
            raise UsageError(
                f"there is no run at {target}, and no kind of generator of that name; name a run folder, or "
                "a generator as KIND:ARGUMENT (see 'screentest list generators')"
            )
        made = make_generator(target, device=device, dtype=dtype)
        place = out or Path("runs") / f"audit-{slug(target)}"
        if dry_run:
            _say_plan(*plan_audits(made, choices), place, as_json)
            return
        found = audit_generator(made, choices, place, how, confidence)
        places, page = [place / run.name for run in found.runs], place / "audit.html"
    for one in places:
        after_scoring(one, tracking_uri)
    write_audit_page(page, target, found.all_runs, found.all_sections, found.missing, confidence)
    _print(target, found, page, confidence, as_json)
    if found.missing:
        raise typer.Exit(INCOMPLETE)


def _refuse_for_runs(options: dict[str, Any]) -> None:
    given = next((name for name, value in options.items() if value is not None), None)
    if given is not None:
        raise UsageError(f"{given} is for generators; a run has its clips already")


def _say_plan(planned: tuple[PlannedAudit, ...], missing: dict[str, str], place: Path, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "audits": list(one.audits),
                "suite": f"{one.suite.name} v{one.suite.version}",
                "prompts": len(one.suite.prompts),
                "items": one.items,
                "reference_clips": one.reference_clips,
                "out": str(place / one.suite.name),
            }
            for one in planned
        ]
        print_json({"runs": rows, "missing": missing})
        return
    for one in planned:
        items = (
            "the generator's own items" if one.suite.prompts_from_generator else counted(one.items, "item")
        )
        about = f"{one.suite.name} v{one.suite.version}, {items}"
        if one.reference_clips:
            about += f", {one.reference_clips:,} reference clips, which are encoded once into the cache"
        say(f"{', '.join(one.audits)}: {about} in {place / one.suite.name}")
    for name, why in missing.items():
        say(f"{name}: not made: {why}")


def _print(subject: str, found: Audited, page: Path, confidence: float, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "subject": subject,
                "confidence": confidence,
                "runs": [run.name for run in found.runs],
                "page": str(page),
                "sections": [section.as_json() for section in found.sections],
                "missing": dict(found.missing),
            }
        )
        return
    for section in found.sections:
        say(f"\n{section.title}")
        for finding in section.findings:
            say(f"- {finding}")
        print_tables(section.tables)
        for told in section.notes:
            say(f"note: {told}")
    for name, why in found.missing.items():
        warn(f"no {name} audit: {why}")
    warn(f"page: {page}")
