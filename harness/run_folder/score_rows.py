"""The score table of a run as rows, for files, data frames and MLflow: one row per item and measure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ..core.items import Item
from ..core.run_data import ClipRecord, encoder_text, named_values
from ..core.text import well_formed
from .store import RunStore

__all__ = ["COLUMNS", "Row", "reference_text", "run_columns", "score_columns", "score_rows"]

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


def score_columns(stores: Sequence[RunStore]) -> list[str]:
    """List the columns of the score table of runs: those of every run, then those of their labels."""
    columns = dict.fromkeys(COLUMNS)
    for store in stores:
        columns |= dict.fromkeys(f"label.{name}" for name in _labels(store))
    return list(columns)


def score_rows(store: RunStore) -> Iterator[Row]:
    """Give the rows of a run's score table one after another, in the order of the plan.

    A value is None unless its status is ok. Text that is not Unicode, as old runs may hold, is replaced.
    """
    about, common, names = named_values(store.measures()), run_columns(store), _labels(store)
    encoders = {name: encoder_text(fields) for name, fields in about.items()}
    clips, scores = store.each_clip(), store.each_score()
    clip, score = next(clips, None), next(scores, None)
    for item in store.items():
        there = clip is not None and clip.item == item.id
        described = _described(item, clip if there else None, names)
        while score is not None and score.item == item.id:
            yield {
                **common,
                **described,
                "measure": score.measure,
                "encoder": encoders.get(score.measure, ""),
                "status": score.status,
                "value": score.value,
                "reason": score.reason,
                "evidence": json.dumps(dict(score.evidence)),
            }
            score = next(scores, None)
        clip = next(clips, None) if there else clip


def _labels(store: RunStore) -> list[str]:
    return sorted({name for item in store.items() for name in item.labels})


def _described(item: Item, clip: ClipRecord | None, names: Sequence[str]) -> Row:
    return {
        "item": item.id,
        "source": _text(item.file or item.source),
        "prompt": _text(item.prompt),
        "seed": item.seed,
        "cluster": item.cluster,
        "group": _text(item.label("group")),
        "tags": json.dumps(item.tags),
        "labels": json.dumps(item.labels),
        "outcome": None if clip is None else clip.outcome,
        "file": None if clip is None else clip.file,
        **{f"label.{name}": _text("; ".join(item.labels.get(name, ()))) for name in names},
    }


def _text(value: str | Path | None) -> str | None:
    return well_formed(str(value)) or None if value else None
