"""The score table of a run as rows, for files, data frames and MLflow: one row per item and measure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from .core.run_data import encoder_text, named_values
from .core.text import well_formed
from .store import RunStore

__all__ = ["COLUMNS", "Row", "reference_text", "run_columns", "score_rows"]

Row: TypeAlias = dict[str, Any]

COLUMNS = (
    "run",
    "suite",
    "generator",
    "item",
    "source",
    "prompt",
    "seed",
    "cluster",
    "group",
    "tags",
    "labels",
    "outcome",
    "file",
    "measure",
    "encoder",
    "reference_set",
    "status",
    "value",
    "reason",
    "evidence",
)
"""Columns of every run, in order. A column ``label.NAME`` follows for each label that an item has.

``source`` is the clip's name in the user's folder, ``file`` its name in the run's ``clips/``. ``tags``,
``labels`` and ``evidence`` are JSON.
"""


def run_columns(store: RunStore) -> Row:
    """Give the columns that are the same in every row of a run: its name, suite, generator, reference set."""
    record = store.record
    suite: Mapping[str, Any] = record["suite"]
    return {
        "run": str(record.get("name") or store.folder.name),
        "suite": f"{suite['name']} v{suite['version']}",
        "generator": str(record["generator_spec"]),
        "reference_set": reference_text(suite),
    }


def reference_text(suite: Mapping[str, Any]) -> str:
    """Name the reference sets of a suite, as ``default=world reference, 512 clips``; empty without any."""
    one = suite.get("reference_set")
    sets: dict[str, Any] = {**({"default": one} if one else {}), **(suite.get("reference_sets") or {})}
    return "; ".join(
        f"{name}=folder {given['folder']}"
        if given.get("folder") is not None
        else f"{name}=world {given['world']}, {given.get('clips')} clips"
        for name, given in sets.items()
    )


def score_rows(store: RunStore) -> tuple[list[str], list[Row]]:
    """List the columns and the rows of a run's score table, in the order of the plan.

    A value is None unless its status is ok. Text that is not Unicode, as old runs may hold, is replaced.
    """
    items = {item.id: item for item in store.items()}
    clips, about, common = store.clips(), named_values(store.measures()), run_columns(store)
    names = sorted({name for item in items.values() for name in item.labels})
    described = {
        item.id: {
            "item": item.id,
            "source": _text(item.file or item.source),
            "prompt": _text(item.prompt),
            "seed": item.seed,
            "cluster": item.cluster,
            "group": _text(item.label("group")),
            "tags": json.dumps(item.tags),
            "labels": json.dumps(item.labels),
            "outcome": clips[item.id].outcome if item.id in clips else None,
            "file": clips[item.id].file if item.id in clips else None,
            **{f"label.{name}": _text("; ".join(item.labels.get(name, ()))) for name in names},
        }
        for item in items.values()
    }
    rows = [
        {
            **common,
            **described[score.item],
            "measure": score.measure,
            "encoder": encoder_text(about.get(score.measure, {})),
            "status": score.status,
            "value": score.value,
            "reason": score.reason,
            "evidence": json.dumps(dict(score.evidence)),
        }
        for score in store.scores()
    ]
    return [*COLUMNS, *(f"label.{name}" for name in names)], rows


def _text(value: str | Path | None) -> str | None:
    return well_formed(str(value)) or None if value else None
