"""The section of a page on what a run's suite is for: what is measured, how surely, and outcomes by tag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..harness.catalog import MEASURES
from ..harness.core.errors import ScreentestError
from ..harness.core.presentation import Content, Table
from ..harness.core.run_data import RunData
from ..harness.judges.measure_cards import card_of
from ..harness.policies.card_rules import NoCardError
from ..harness.results.summary import Summary
from ..harness.suites.purpose import NOT_MEASURED, VIEWER, Asked, Purpose
from ..safety.audits import AuditSection
from .audits import AuditView, audit_view
from .tables import aggregate_cell
from .text import DASH, arrow

__all__ = ["purpose_section"]

_OUTCOMES: Final = ("ok", "refused", "failed")
_RARE: Final = ("not_applicable", "pending")
_MOST: Final = 5
"""Measures that have a column by tag: one for each thing that is asked for."""


def purpose_section(
    run: RunData, record: Mapping[str, Any], summary: Summary, letter: str = ""
) -> AuditView | None:
    """Build the section of a run; None where its suite does not say what it is for.

    Args:
        run: its items, clips and measures.
        record: of the run; it has the suite as it was.
        summary: of the same run.
        letter: of the run, where a page has several.
    """
    suite: Mapping[str, Any] = record.get("suite") or {}
    if not suite.get("purpose"):
        return None
    try:
        purpose = Purpose.model_validate(suite["purpose"])
    except ValueError:
        return None  # of a release that says more of a purpose, or less
    of = f"{letter}: " if letter else ""
    return audit_view(
        AuditSection(
            f"purpose-{letter or 'A'}",
            f"{of}What the suite {suite.get('name', '')} is for",
            (purpose.use,),
            (_asked_table(purpose, run, summary), _tag_table(purpose, run, summary)),
        )
    )


def _asked_table(purpose: Purpose, run: RunData, summary: Summary) -> Table:
    rows = [row for asked in purpose.asks for row in _asked_rows(asked, run, summary)]
    notes = (
        ("A viewer was not asked: score the run again with --measures +judge.vlm --encoder vlm=SETTINGS.",)
        if VIEWER not in run.measures and any(VIEWER in asked.by for asked in purpose.asks)
        else ()
    )
    columns = ("asked for", "measured by", "in this run", "how surely", "validity card")
    return Table("What of it is measured, and how surely", columns, rows, notes)


def _asked_rows(asked: Asked, run: RunData, summary: Summary) -> Iterator[tuple[Content, ...]]:
    if not asked.by:
        yield asked.what, NOT_MEASURED, DASH, asked.how or DASH, DASH
    for number, name in enumerate(asked.by):
        found = summary.get(name)
        value: Content = "not taken in this run" if found is None else aggregate_cell(found)
        shown = (asked.what, asked.how) if number == 0 else ("", "")
        yield shown[0], name, value, shown[1], _card(run, name)


def _card(run: RunData, name: str) -> str:
    """Say which card stands behind a measure of a run, and whether it holds."""
    if name not in run.measures:
        return DASH
    try:
        card = card_of(run, name, MEASURES, asked=True)
    except NoCardError:
        return "none"
    except ScreentestError as error:
        return f"cannot be read: {error}"
    if card is None:
        return "none needed"
    return f"failed: {card.failed}" if card.failed else f"holds: {card.label}"


def _tag_table(purpose: Purpose, run: RunData, summary: Summary) -> Table:
    prompts: dict[str, set[str]] = {}
    outcomes: dict[str, Counter[str]] = {}
    for item in run.items.values():
        clip = run.clips.get(item.id)
        for tag in item.tags:
            prompts.setdefault(tag, set()).add(item.cluster)
            outcomes.setdefault(tag, Counter())[clip.outcome if clip is not None else "pending"] += 1
    tags = sorted(prompts, key=lambda tag: (-len(prompts[tag]), tag))
    named = list(dict.fromkeys(next(iter(asked.by), "") for asked in purpose.asks))
    columns = [name for name in named if any(_by_tag(summary, name, tag) for tag in tags)][:_MOST]
    rare = [one for one in _RARE if any(counts[one] for counts in outcomes.values())]
    kinds = [*_OUTCOMES, *rare]
    rows: list[tuple[Content, ...]] = []
    for tag in tags:
        counts = [str(outcomes[tag][one]) for one in kinds]
        cells = [_by_tag(summary, name, tag) or DASH for name in columns]
        rows.append((tag, str(len(prompts[tag])), *counts, *cells))
    heads = [one.replace("_", " ") for one in kinds]
    heads += [f"{name} {arrow(str(run.measures[name].get('better')))[0]}".rstrip() for name in columns]
    return Table("Outcomes by tag", ("tag", "prompts", *heads), rows)


def _by_tag(summary: Summary, name: str, tag: str) -> Content | None:
    found = summary.get(name, tag)
    return None if found is None or found.value is None else aggregate_cell(found)
