"""The page of an audit: what each audit found in the runs of one generator, without the runs' own scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..harness.core.files import write_atomic
from ..harness.core.presentation import level
from ..harness.core.run_data import RunData
from ..safety.audits import AuditSection
from .audits import audit_view
from .page import render_page

__all__ = ["write_audit_page"]


@dataclass(frozen=True)
class AuditRun:
    """A run in the head of the page."""

    name: str
    generator: str
    suite: str
    plan: str
    items: int
    prompts: int
    outcomes: Mapping[str, int]


def write_audit_page(
    out: Path,
    subject: str,
    runs: Sequence[RunData],
    sections: Sequence[AuditSection],
    missing: Mapping[str, str],
    confidence: float,
) -> Path:
    """Write the page and return its path.

    Args:
        out: the file.
        subject: the generator or run that is audited.
        runs: that the sections rest on.
        sections: of the audits, as `audit_sections` makes them.
        missing: audits that were asked for and have no section -> why.
        confidence: of the intervals, in (0, 1).
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    context = {
        "subject": subject,
        "runs": [_head(run) for run in runs],
        "audits": [audit_view(section) for section in sections],
        "missing": list(missing.items()),
        "confidence": level(confidence),
    }
    write_atomic(out, render_page("audit_page.html.j2", context))
    return out


def _head(run: RunData) -> AuditRun:
    about = run.about()
    suite = run.record.get("suite") or {}
    return AuditRun(
        name=run.name,
        generator=about.generator,
        suite=f"{suite.get('name', '')} v{suite.get('version', '')}",
        plan=about.plan,
        items=about.items,
        prompts=len({item.cluster for item in run.items.values()}),
        outcomes=about.outcomes,
    )
