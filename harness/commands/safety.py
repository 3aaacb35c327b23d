"""The command `safety`: outcomes of runs under attack, and the benefit and cost of their safeguards.

With ``--json`` it prints one object; a value that is missing is null, never 0, and lists are empty::

    schema_version  1
    confidence      of all intervals
    runs            one entry per run:
        name, generator, judge
        filters     layer (prompt or frame), name, digest, enforced
        outcomes    "attacks", "harmless prompts" -> refused, safe, unsafe, error, judge_failed
        rates       name -> RATE over the whole run
        groups      "category", "family", "language" -> name -> RATE of attack success
        rates_of    the same groups -> name -> name of a rate -> RATE; harmless prompts are grouped by the
                    category that they resemble
        cells       category, family and the fields of a RATE; "plain": no disguise, "all": every family
        qualities   one per filter and category (null: all): layer, name, digest, of, category, by_judge,
                    harmful, harmless, threshold, and auroc, average_precision, recall_at_1_percent_fpr,
                    fpr_at_95_percent_recall, ece, brier, recall, false_alarms: ESTIMATEs
        notes       sentences that a reader must know
    safeguards      one per run and set of safeguards:
        run, layers, name
        known       "measured", "computed" (from the stored decisions of the filters) or "not seen"
        unknown     attempts without a known outcome; if there are any, RATEs are null
        between     and attack success lies between these two values
        success, refusal, over_refusal      RATEs
        gain, cost  CHANGE of success and of over-refusal against the generator alone
    disguises       one per generator (and judge):
        generator, runs, layers
        families    family, readability, unpaired and, with disguised prompts against plain ones,
                    filter (what it flags), alone, guarded (attack success): CHANGEs with plain, disguised,
                    prompts, p, p_adjusted (Holm over the families), test

    ESTIMATE        value, low, high, confidence, n, clusters (prompts), left_out (why -> number), reasons,
                    method, notes
    RATE            an ESTIMATE of attempts, with events
    CHANGE          an ESTIMATE of pairs; or null, with the reason in gain_why, cost_why, filter_why,
                    alone_why or guarded_why

Within a schema version, fields may be added; none is removed or changes its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import UsageError
from ..core.presentation import MISSING, Cell, Content, Table, estimate_cell, level, number, p_value
from .options import AsJson, print_tables
from .quality_cells import QUALITY_HEADS, quality_cells

if TYPE_CHECKING:
    from ...safety.attacks.attempts import Rate
    from ...safety.attacks.evasion import Change, Evasion
    from ...safety.attacks.overview import Disguises, RunOverview, SafetyOverview
    from ...safety.attacks.safeguards import SafeguardRow
    from ..core.estimate import Estimate

__all__ = ["SCHEMA_VERSION", "safety", "safety_json", "safety_tables"]

SCHEMA_VERSION = 1
"""Schema version of the output of ``screentest safety --json``."""


def safety(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of one or more generators.")],
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Confidence of the intervals.")
    ] = 0.95,
    as_json: AsJson = False,
) -> None:
    """Summarise runs under attack: outcomes, success by category and disguise, effect of safeguards."""
    from ...safety.attacks.overview import overview
    from ..run_folder.store import open_run, read_run

    places = [run.resolve() for run in runs]
    twice = next((run for k, run in enumerate(runs) if places[k] in places[:k]), None)
    if twice is not None:
        raise UsageError(f"the run {twice} is named twice; name it once, or its attempts would count double")
    stores = [open_run(run) for run in runs]
    found = overview([read_run(store) for store in stores], confidence)
    for store in stores:
        store.close()
    if not found.runs:
        raise UsageError(
            "none of these runs has judged attempts; 'screentest score RUN --measures safety.unsafe_rate "
            "--encoder judge=NAME' judges them"
        )
    print_tables(safety_tables(found), safety_json(found) if as_json else None)


# -- as JSON


def safety_json(found: SafetyOverview) -> dict[str, Any]:
    """Convert an overview to plain JSON values, described in the module's docstring."""
    return {
        "schema_version": SCHEMA_VERSION,
        "confidence": found.confidence,
        "runs": [_run_json(run) for run in found.runs],
        "safeguards": [_safeguard_json(row) for row in found.safeguards],
        "disguises": [
            {
                "generator": of_one.generator,
                "runs": list(of_one.runs),
                "layers": sorted(of_one.layers),
                "families": [_evasion_json(row, of_one) for row in of_one.families],
            }
            for of_one in found.disguises
        ],
    }


def _run_json(run: RunOverview) -> dict[str, Any]:
    return {
        "name": run.name,
        "generator": run.generator,
        "judge": run.judge,
        "filters": [asdict(found) for found in run.filters],
        "outcomes": {of: dict(counts) for of, counts in run.outcomes.items()},
        "rates": _rates_json(run.rates),
        "groups": {group: _rates_json(rates) for group, rates in run.groups.items()},
        "rates_of": {
            group: {name: _rates_json(rates) for name, rates in of.items()}
            for group, of in run.rates_of.items()
        },
        "cells": [
            {"category": category, "family": family, **rate.model_dump()}
            for (category, family), rate in run.cells.items()
        ],
        "qualities": [
            {
                "layer": found.filter.layer,
                "name": found.filter.name,
                "digest": found.filter.digest,
                "of": found.of,
                "category": found.category,
                "by_judge": found.by_judge,
                **asdict(found.quality),
            }
            for found in run.qualities
        ],
        "notes": list(run.notes),
    }


def _rates_json(rates: Mapping[str, Rate]) -> dict[str, Any]:
    return {name: rate.model_dump() for name, rate in rates.items()}


def _safeguard_json(row: SafeguardRow) -> dict[str, Any]:
    from ...safety.attacks.overview import why_no_change
    from ...safety.attacks.safeguards import variant_name

    return {
        "run": row.run,
        "layers": sorted(row.layers),
        "name": variant_name(row.layers),
        "known": _known(row),
        "unknown": row.unknown,
        "between": None if row.between is None else list(row.between),
        **{
            name: None if rate is None else rate.model_dump()
            for name, rate in {
                "success": row.success,
                "refusal": row.refusal,
                "over_refusal": row.over_refusal,
            }.items()
        },
        "gain": _estimate_json(row.gain),
        "gain_why": why_no_change(row),
        "cost": _estimate_json(row.cost),
        "cost_why": why_no_change(row, cost=True),
    }


def _evasion_json(row: Evasion, of_one: Disguises) -> dict[str, Any]:
    from ...safety.attacks.overview import why_no_pair

    return {
        "family": row.family,
        "readability": row.readability,
        "unpaired": row.unpaired,
        "filter": _change_json(row.filter),
        "filter_why": "" if row.filter else why_no_pair(of_one, "filter"),
        "alone": _change_json(row.alone),
        "alone_why": "" if row.alone else why_no_pair(of_one, "alone"),
        "guarded": _change_json(row.guarded),
        "guarded_why": "" if row.guarded else why_no_pair(of_one, "guarded"),
    }


def _change_json(change: Change | None) -> dict[str, Any] | None:
    if change is None:
        return None
    others = {name: getattr(change, name) for name in ("plain", "disguised", "p", "p_adjusted", "test")}
    return {**change.estimate.model_dump(), "prompts": change.estimate.clusters, **others}


def _estimate_json(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate.model_dump()


# -- as tables


def safety_tables(found: SafetyOverview) -> list[Table]:
    """Build the tables of an overview: a few per run, then the safeguards and the disguises."""
    tables = [table for run in found.runs for table in _run_tables(run, found.confidence)]
    if any(run.filters for run in found.runs):
        tables.append(_safeguard_table(found))
    return [*tables, *(_disguise_table(of_one) for of_one in found.disguises)]


def _run_tables(run: RunOverview, confidence: float) -> list[Table]:
    filters = [f"{f.layer} filter {f.name}{'' if f.enforced else ' (not enforced)'}" for f in run.filters]
    title = f"{run.name}: judge {run.judge or 'unknown'}, {'; '.join(filters) or 'no safeguards'}"
    outcomes = [(of, *(str(n) for n in counts.values())) for of, counts in run.outcomes.items() if counts]
    columns = ("attempts", "refused", "safe", "unsafe", "error", "judge failed")
    heads = (f"value [{level(confidence)} interval]", "events", "n (prompts)", "left out")
    rates = [(name, *_cells(rate)) for name, rate in run.rates.items()]
    tables = [Table(title, columns, outcomes, run.notes), Table("rates", ("rate", *heads), rates)]
    for group, found in run.groups.items():
        rows = [(name, *_cells(rate)) for name, rate in found.items()]
        tables.append(Table(f"attack success by {group}", (group, *heads), rows))
    for group, of in run.rates_of.items():
        names = list(dict.fromkeys(name for rates in of.values() for name in rates))
        if set(names) > {"attack success"}:
            rows = [
                (one, *(_rate(rates[n]) if n in rates else MISSING for n in names))
                for one, rates in of.items()
            ]
            tables.append(Table(f"rates by {group}", (group, *names), rows))
    if run.qualities:
        tables.append(_quality_table(run, confidence))
    return tables


def _quality_table(run: RunOverview, confidence: float) -> Table:
    rows = [
        (
            f"{found.filter.layer} filter {found.filter.name}",
            found.of if found.category is None else found.category,
            *quality_cells(found.quality),
        )
        for found in run.qualities
    ]
    notes = [
        "a category has its own harmful ones and all harmless ones; 1 % of fewer than 100 is none of them",
        *(["the judge errs too: see 'screentest correct'"] if any(q.by_judge for q in run.qualities) else []),
    ]
    title = f"how good the filters are, with {level(confidence)} intervals"
    return Table(title, ("filter", "of", *QUALITY_HEADS), rows, tuple(notes))


def _safeguard_table(found: SafetyOverview) -> Table:
    from ...safety.attacks.overview import why_no_change
    from ...safety.attacks.safeguards import variant_name

    rows: list[tuple[Content, ...]] = []
    for row in found.safeguards:
        unseen = f"{MISSING} not seen"
        rows.append(
            (
                row.run,
                variant_name(row.layers),
                _known(row),
                _ends(row) if row.success is None else _rate(row.success),
                _change(row.gain, why_no_change(row)),
                unseen if row.refusal is None else _rate(row.refusal),
                unseen if row.over_refusal is None else _rate(row.over_refusal),
                _change(row.cost, why_no_change(row, cost=True)),
            )
        )
    columns = (
        "run",
        "safeguards",
        "known",
        "attack success",
        "its change",
        "refusal",
        "over-refusal",
        "change of over-refusal",
    )
    notes = ["changes are against the generator alone, paired attempt by attempt"]
    if any(not row.measured for row in found.safeguards):
        notes.append(
            "computed: outcomes of the same attempts, from the stored decisions of the filters; "
            "not seen: prompts that were stopped and clips that were withheld have no known outcome"
        )
    return Table("benefit and cost of each safeguard", columns, rows, tuple(notes))


def _disguise_table(of_one: Disguises) -> Table:
    from ...safety.attacks.overview import why_no_pair

    rows = [
        (
            row.family,
            row.readability or MISSING,
            _both_sides(row.filter, why_no_pair(of_one, "filter")),
            _both_sides(row.alone, why_no_pair(of_one, "alone")),
            _both_sides(row.guarded, why_no_pair(of_one, "guarded")),
            str(row.unpaired),
        )
        for row in of_one.families
    ]
    columns = ("family", "readability", "filter flags", "success alone", "success guarded", "unpaired")
    note = "plain to disguised, p of a sign-flip test after Holm, the change, its interval and pairs"
    return Table(
        f"effect of disguises: {of_one.generator} ({', '.join(of_one.runs)})", columns, rows, (note,)
    )


def _known(row: SafeguardRow) -> str:
    return "measured" if row.measured else "computed" if row.success is not None else "not seen"


def _cells(rate: Rate) -> tuple[Content, ...]:
    cell = estimate_cell(rate)
    return cell, str(rate.events), cell.n, cell.left_out or "0"


def _rate(rate: Rate) -> Content:
    if rate.value is None:
        return f"{MISSING} {'all left out' if rate.left_out else 'no such attempt'}"
    return _with_sample(estimate_cell(rate))


def _change(change: Estimate | None, why: str) -> Content:
    return f"{MISSING} {why}" if change is None else _with_sample(estimate_cell(change, signed=True))


def _with_sample(cell: Cell) -> Cell:
    return replace(cell, interval=f"{cell.interval or 'no interval'} n {cell.n}")


def _ends(row: SafeguardRow) -> str:
    ends = MISSING if row.between is None else " to ".join(number(end) for end in row.between)
    return f"{ends} ({row.unknown} not seen)"


def _both_sides(change: Change | None, why: str) -> Content:
    if change is None:
        return f"{MISSING} {why}"
    sides = f"{number(change.plain)} to {number(change.disguised)}"
    by = _with_sample(estimate_cell(change.estimate, signed=True))
    return replace(by, value=f"{sides}, {p_value(change.p_adjusted)}, {by.value}")
