"""The audit `provenance`: are clips marked as made by a model, and does the mark survive delivery?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...harness.core.presentation import MISSING, Content, Table, estimate_cell, level
from ...harness.core.run_data import RunData
from ..audits import AUDITS, Audit, AuditSection, by_run
from ..run_rates import rate_estimate, rate_text
from .delivery import OPERATIONS
from .encoders import DELIVERED as MANIFEST_OPERATIONS
from .watermark_encoders import DELIVERED as MARK_OPERATIONS
from .watermarks import MAX_FPR

__all__ = ["NAME", "section"]

NAME = "provenance"
_STATES = {
    "provenance.trusted_rate": "trusted, and marked as made by a model",
    "provenance.absent_rate": "no manifest",
    "provenance.invalid_rate": "invalid: changed after signing",
}
_DETECTED = "watermark.detected_rate"


def section(runs: Sequence[RunData], confidence: float) -> AuditSection:
    """Make the section from the runs with scores of provenance or of watermarks."""
    findings: list[str] = []
    tables: list[Table] = []
    for run in runs:
        findings += by_run(runs, run, _findings(run, confidence))
        tables += _tables(run, confidence)
    return AuditSection(
        audit=NAME,
        title="Provenance: signed manifests and watermarks",
        findings=tuple(findings),
        tables=tuple(tables),
        notes=_notes(runs),
    )


def _findings(run: RunData, confidence: float) -> list[str]:
    found: list[str] = []
    trusted = rate_estimate(run, "provenance.trusted_rate", confidence)
    if trusted is not None:
        found.append(f"trusted as made by a model, share of clips: {rate_text(trusted, confidence)}.")
        changed = rate_estimate(run, "provenance.invalid_rate", confidence)
        if changed is not None and changed.value:
            found.append(f"changed after signing, share of clips: {rate_text(changed, confidence)}.")
    lost = _lost(run, "provenance", MANIFEST_OPERATIONS, confidence)
    if lost:
        found.append(f"the manifest is lost, in some clips at least, after {lost}.")
    marked = rate_estimate(run, _DETECTED, confidence)
    if marked is not None:
        found.append(f"watermark detected, share of clips: {rate_text(marked, confidence)}.")
    lost = _lost(run, "watermark", MARK_OPERATIONS, confidence)
    if lost:
        found.append(f"the watermark is lost, in some clips at least, after {lost}.")
    return found


def _lost(run: RunData, what: str, operations: Sequence[str], confidence: float) -> str:
    """List the operations that some clips did not survive, with the share that did."""
    parts: list[str] = []
    for operation in operations:
        kept = rate_estimate(run, f"{what}.survival.{operation}", confidence)
        if kept is not None and kept.value is not None and kept.value < 1:
            parts.append(f"{operation} (kept: {rate_text(kept, confidence)})")
    return ", ".join(parts)


def _tables(run: RunData, confidence: float) -> list[Table]:
    heads = (f"share [{level(confidence)} interval]", "n (prompts)", "left out")
    generator = str(run.record.get("generator_spec", ""))
    states: list[tuple[Content, ...]] = []
    for measure, name in {**_STATES, _DETECTED: "watermark detected"}.items():
        found = rate_estimate(run, measure, confidence)
        if found is not None:
            cell = estimate_cell(found)
            states.append((name, cell, cell.n, cell.left_out or "0"))
    rows: list[tuple[Content, ...]] = []
    for operation in dict.fromkeys((*MANIFEST_OPERATIONS, *MARK_OPERATIONS)):
        both = [
            rate_estimate(run, f"{what}.survival.{operation}", confidence) for what in (NAME, "watermark")
        ]
        if any(one is not None for one in both):
            cells: list[Content] = []
            for one in both:
                cell = None if one is None else estimate_cell(one)
                cells += [MISSING, MISSING] if cell is None else [cell, cell.n]
            rows.append((operation, OPERATIONS[operation].summary, *cells))
    tables = [Table(f"{run.name} ({generator}): marks of clips", ("mark", *heads), states)]
    if rows:
        columns = (
            "delivery",
            "what is done",
            "manifest kept",
            "n (prompts)",
            "watermark kept",
            "its n (prompts)",
        )
        note = "of the clips whose manifest verified, or whose watermark was detected, before"
        tables.append(Table(f"{run.name}: what survives delivery", columns, rows, (note,)))
    return [table for table in tables if table.rows]


def _notes(runs: Sequence[RunData]) -> tuple[str, ...]:
    issuers: Counter[str] = Counter()
    for run in runs:
        for (measure, _), score in sorted(run.scores.items()):
            if measure == "provenance.trusted_rate" and score.evidence.get("issuer"):
                issuers[f"{score.evidence['issuer']} ({score.evidence['state']})"] += 1
    signed = ", ".join(f"{name}: {count}" for name, count in sorted(issuers.items()))
    return (
        *([f"signers of the manifests, by clip: {signed}"] if signed else []),
        "a manifest is trusted if nothing was changed and the given trust anchors vouch for the signer; a "
        "valid one need not be trusted",
        "a clip whose manifest was taken out cannot be told from one that never had any: both are absent",
        f"a watermark counts as detected where so many bits match by chance in at most {MAX_FPR:g} of keys; "
        "the key of the package is public, and protects nothing",
        "neither a manifest nor a watermark says whether a clip is true; nothing was planted in these runs",
    )


AUDITS.add(
    NAME,
    Audit(
        name=NAME,
        summary="are clips marked as made by a model, and what survives delivery?",
        suites=("provenance",),
        other_suites=("provenance",),
        measures=(
            *_STATES,
            *(f"provenance.survival.{operation}" for operation in MANIFEST_OPERATIONS),
            _DETECTED,
            "watermark.bit_accuracy",
            *(f"watermark.survival.{operation}" for operation in MARK_OPERATIONS),
        ),
        section=section,
        any_clip=True,
        verdicts=("provenance.trusted_rate",),
    ),
)
