"""A comparison in MLflow's terms: one run that holds the paired differences from a baseline.

This module does not import MLflow; `comparison_tracking` sends the result. A measure has four metrics at
most, ``difference/fidelity/fvd`` and its ``.low``, ``.high`` and ``.n``. Each run that is compared with the
baseline is a step of them: its training step, or its place by age. So differences over training are curves.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..comparison.result import Comparison, Difference
from ..comparison.result_many import ManyComparison
from ..comparison.rows import COLUMNS, difference_rows
from ..core.counts import counted
from ..core.csv_rows import csv_text
from ..core.keys import canonical_json, digest
from ..core.markdown import plain_markdown, table_lines
from ..core.mlflow_names import MAX_TAG, bounded_text, metric_name
from ..core.presentation import MISSING, estimate_cell, level, p_value
from ..run_folder.digests import read_digests
from ..run_folder.store import RunStore
from .mlflow_run import StepValue
from .projected_files import Hidden, slice_name
from .projection import run_identity

__all__ = ["DIFFERENCES", "ProjectedComparison", "project_comparison"]

DIFFERENCES = "differences.json"
"""A table that MLflow's pages show: the differences of the whole suite and of its slices."""
_SHOWN = (
    "b", "measure", "slice", "difference", "low", "high", "p_adjusted", "direction", "standing", "a_value",
    "b_value", "n", "prompts", "wins", "losses", "ties", "reason",
)  # fmt: skip
_LISTED = 40
"""Measures that the description lists."""


@dataclass(frozen=True)
class ProjectedComparison:
    """A comparison in MLflow's terms.

    Attributes:
        identity: of the runs, the baseline and what was asked. The same comparison has the same one, also
            after a run was scored again.
        description: in Markdown, shown above all else on the run's page.
        values: of the metrics, a step for each run that is compared with the baseline.
        files: path in MLflow -> the text to write there.
    """

    identity: str
    experiment: str
    name: str
    description: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    values: tuple[StepValue, ...]
    files: Mapping[str, str]


def project_comparison(
    stores: Sequence[RunStore],
    found: Comparison | ManyComparison,
    margins: Mapping[str, float] | None = None,
) -> ProjectedComparison:
    """Put a comparison into MLflow's terms.

    Args:
        stores: of the runs: the baseline, then the others in the order of the comparison.
        found: the comparison of these runs.
        margins: that it was asked with.
    """
    against, suite = _against(found), stores[0].record["suite"]
    steps = _steps(stores[1:])
    base = against[0].a.name
    many = isinstance(found, ManyComparison)
    params = {
        "suite": " and ".join(found.suites) if many else f"{suite['name']} v{suite['version']}",
        "confidence": str(found.confidence),
        **{f"margin.{name}": str(value) for name, value in sorted((margins or {}).items())},
    }
    ids = [run_identity(store.folder, store.record) for store in stores]
    asked = {
        "baseline": ids[0],
        "others": sorted(ids[1:]),
        "confidence": found.confidence,
        "margins": dict(margins or {}),
        "items": "of all runs" if many else "of each pair",
    }
    others = against[0].b.name if len(against) == 1 else f"{len(against)} runs"
    hidden = Hidden([item for store in stores for item in store.items()])
    return ProjectedComparison(
        identity=digest("comparison", asked),
        experiment=f"screentest/{suite['name']}",
        name=bounded_text(f"{others} against {base}", 400),
        description=bounded_text(_description(found, against, hidden), MAX_TAG),
        tags={
            name: bounded_text(hidden.clean(text), MAX_TAG)
            for name, text in _tags(stores, found, against, steps).items()
        },
        params=params,
        values=tuple(_values(against, steps)),
        files=_files(found, against, hidden),
    )


def _against(found: Comparison | ManyComparison) -> tuple[Comparison, ...]:
    return found.against if isinstance(found, ManyComparison) else (found,)


def _steps(others: Sequence[RunStore]) -> list[int]:
    """Give each run a step: of its training where each has its own, else its place by age."""
    trained = [store.record.get("step") for store in others]
    known = [int(step) for step in trained if step is not None]
    if len(set(known)) == len(others):
        return known
    # Not by name: a folder that is renamed keeps its place.
    ages = [
        (str(store.record.get("created") or ""), run_identity(store.folder, store.record)) for store in others
    ]
    return [sorted(ages).index(age) + 1 for age in ages]


def _values(against: Sequence[Comparison], steps: Sequence[int]) -> list[StepValue]:
    found: list[StepValue] = []
    for one, step in zip(against, steps, strict=True):
        for d in one.differences:
            if d.tag is not None or d.value is None:
                continue
            name = f"difference/{metric_name(d.measure)}"
            parts = {"": d.value, ".low": d.low, ".high": d.high, ".n": d.n}
            found += [
                StepValue(name + part, float(value), step)
                for part, value in parts.items()
                if value is not None and math.isfinite(value)
            ]
    return found


def _tags(
    stores: Sequence[RunStore],
    found: Comparison | ManyComparison,
    against: Sequence[Comparison],
    steps: Sequence[int],
) -> dict[str, str]:
    suite = stores[0].record["suite"]
    names = [one.b.name for one in against]
    several = len(names) > 1
    digests = {
        name: told.run
        for name, store in zip((against[0].a.name, *names), stores, strict=True)
        if (told := read_digests(store.folder)) is not None
    }
    tags = {
        "screentest.suite": str(suite["name"]),
        "screentest.suite_version": str(suite["version"]),
        "screentest.confidence": str(found.confidence),
        "screentest.items": str(found.items),
        "screentest.baseline": against[0].a.name,
        "screentest.compared": ", ".join(
            f"{step}: {name}" if several else name for step, name in sorted(zip(steps, names, strict=True))
        ),
        "screentest.p_adjusted": canonical_json(
            {
                one.b.name: {
                    d.measure: d.p_adjusted
                    for d in one.differences
                    if d.tag is None and d.p_adjusted is not None
                }
                for one in against
            }
        ),
        "screentest.run_digests": canonical_json(digests),
        "mlflow.source.name": "screentest compare",
        "mlflow.source.type": "LOCAL",
        "mlflow.loggedArtifacts": json.dumps([{"path": DIFFERENCES, "type": "table"}]),
    }
    for way in ("better", "worse"):
        moved = {
            one.b.name: [d.measure for d in one.differences if d.tag is None and d.direction == way]
            for one in against
        }
        told = [
            f"{name}: {', '.join(measures)}" if several else ", ".join(measures)
            for name, measures in moved.items()
            if measures
        ]
        tags[f"screentest.{way}"] = "; ".join(told)
    return tags


def _description(found: Comparison | ManyComparison, against: Sequence[Comparison], hidden: Hidden) -> str:
    """Write what the numbers are, a table of the whole suite, and what to know of them."""
    base = against[0].a.name
    measures = list(dict.fromkeys(d.measure for one in against for d in one.differences if d.tag is None))
    columns = ("measure", *(plain_markdown(f"{one.b.name} - {base}") for one in against))
    rows = [
        (plain_markdown(name), *(_outcome(one.get(name)) for one in against)) for name in measures[:_LISTED]
    ]
    notes = [*found.notes, *(note for one in against for note in one.notes)]
    if len(measures) > _LISTED:
        notes.append(f"{counted(len(measures) - _LISTED, 'more measure')} in {DIFFERENCES}")
    lines = [
        f"Paired differences from {plain_markdown(base)} with {level(found.confidence)} intervals, "
        f"{counted(found.items, 'item')}; p adjusted by Holm. {DIFFERENCES} has slices, too.",
        "",
        *table_lines(columns, rows),
        "",
        *(f"- {plain_markdown(hidden.clean(note))}" for note in dict.fromkeys(notes)),
    ]
    return "\n".join(lines).strip()


def _outcome(d: Difference | None) -> str:
    if d is None or d.value is None:
        return MISSING  # the reason may quote a prompt
    cell = estimate_cell(d, signed=True)
    p = [] if d.p_adjusted is None else [p_value(d.p_adjusted)]
    return ", ".join([cell.text, *(word for word in (d.direction, d.standing) if word), *p])


def _files(
    found: Comparison | ManyComparison, against: Sequence[Comparison], hidden: Hidden
) -> dict[str, str]:
    many = isinstance(found, ManyComparison)
    rows: list[list[Any]] = [
        hidden.cleaned(row)
        for row in difference_rows(against, found.pairs if many else (), found.tallies if many else ())
    ]
    several = len(against) > 1
    shown = [
        [_row_name(one, d, several), _outcome(d), *_picked(row)]
        for row, (one, d) in zip(rows, ((one, d) for one in against for d in one.differences), strict=False)
    ]
    shown.sort(key=lambda row: row[2 + _SHOWN.index("slice")] != "")  # of the whole suite first
    document = hidden.cleaned(found.model_dump(mode="json"))
    return {
        DIFFERENCES: json.dumps({"columns": ["of", "result", *_SHOWN], "data": shown}),
        "differences.csv": csv_text(COLUMNS, rows),
        "comparison.json": json.dumps(document, indent=1, ensure_ascii=False),
    }


def _row_name(one: Comparison, d: Difference, several: bool) -> str:
    name = slice_name(d.measure, d.tag)
    return f"{one.b.name}: {name}" if several else name


def _picked(row: Sequence[Any]) -> list[Any]:
    return [row[COLUMNS.index(name)] for name in _SHOWN]
