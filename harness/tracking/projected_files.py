"""The files that MLflow is given of a run: its records, tables and sample clips.

What prompts of attacks say is taken out of records and tables unless it is asked for. The page keeps it
behind a click, as it does everywhere.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ...safety.attacks.withhold import MARK, Withheld, is_attack, is_red_team
from ..core.csv_rows import csv_text
from ..core.items import Item
from ..core.presentation import MISSING, estimate_cell
from ..core.storage import File, size_of
from ..results.summary import Aggregate, Summary
from ..run_folder.score_rows import score_columns, score_rows
from ..run_folder.store import RunStore

__all__ = ["AGGREGATES", "Hidden", "clip_name", "logged_tables", "result_text", "run_files", "slice_name"]

AGGREGATES = "aggregates.json"
"""A table that MLflow's pages show: the whole run and its slices, with what was left out."""
_SAMPLE_CLIPS, _SAMPLE_BYTES = 8, 20_000_000


class Hidden:
    """Takes what prompts of attacks say out of texts and records."""

    def __init__(self, items: Sequence[Item], *, attacks: bool = False) -> None:
        hidden = [] if attacks else [item for item in items if is_red_team(item) or is_attack(item)]
        self._items = {item.id for item in hidden}
        self._texts = {item.prompt for item in hidden if item.prompt is not None}
        self._withheld = Withheld(self._texts)

    def prompt(self, item: Item) -> str:
        """Return the prompt of an item, a mark for that of an attack, or nothing where there is none."""
        return MARK if item.id in self._items else item.prompt or ""

    def clean(self, text: str) -> str:
        """Take quotations out of a text."""
        return MARK if text in self._texts else self._withheld.clean(text)

    def cleaned(self, value: Any) -> Any:
        """Take quotations out of all texts of a JSON value."""
        if not self._texts:
            return value
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, Mapping):
            pairs = cast("Mapping[str, Any]", value).items()
            return {self.clean(key): self.cleaned(part) for key, part in pairs}
        return [self.cleaned(part) for part in cast("list[Any]", value)] if isinstance(value, list) else value


def run_files(store: RunStore, summary: Summary | None, *, attacks: bool) -> dict[str, File | str]:
    """List the files: path in MLflow -> a file of the run, or the text to write there."""
    folder, hidden = store.folder, Hidden(store.items(), attacks=attacks)
    files: dict[str, File | str] = {
        name: folder / name
        for name in ("digests.json", "verdict.json", "record.json", "report.html")
        if (folder / name).is_file()
    }
    files |= {f"verdicts/{path.name}": path for path in sorted((folder / "verdicts").glob("*.json"))}
    for name, record in (
        ("run.json", dict(store.record)),
        ("summary.json", summary and summary.model_dump(mode="json")),
    ):
        if record is not None:
            files[name] = json.dumps(hidden.cleaned(record), indent=1, ensure_ascii=False)
    if summary is not None:
        files[AGGREGATES] = _aggregates(summary)
    files["scores.csv"] = _score_table(store, hidden)
    return {**files, **_sample_clips(store)}


def logged_tables() -> str:
    """Give the value of the tag by which MLflow's pages know which files are tables."""
    return json.dumps([{"path": AGGREGATES, "type": "table"}])


def _aggregates(summary: Summary) -> str:
    """Write the table, the whole run first.

    Where MLflow's pages lay the tables of several runs side by side, they match rows by the first column and
    show the second.
    """
    statuses = sorted({status for one in summary.aggregates for status in one.left_out})
    columns = [
        "of",
        "result",
        "measure",
        "slice",
        "value",
        "low",
        "high",
        "confidence",
        "n",
        "prompts",
        *statuses,
        "reference",
    ]
    rows = [
        [
            slice_name(one.measure, one.tag),
            result_text(one),
            one.measure,
            one.tag or "",
            one.value,
            one.low,
            one.high,
            one.confidence,
            one.n,
            one.clusters,
            *(one.left_out.get(status, 0) for status in statuses),
            one.n_reference,
        ]
        for one in sorted(summary.aggregates, key=lambda one: one.tag is not None)
    ]
    return json.dumps({"columns": columns, "data": rows})


def slice_name(measure: str, tag: str | None) -> str:
    """Name a measure of the whole run, or of a slice, as rules do."""
    return measure if tag is None else f"{measure}[{tag}]"


def result_text(one: Aggregate) -> str:
    """Write a value with its interval and sample; a dash where there is none."""
    cell = estimate_cell(one)
    return f"{cell.text}, n {cell.n}" if cell.value != MISSING else MISSING  # the reason may quote a prompt


def _sample_clips(store: RunStore) -> dict[str, File]:
    """Choose the first clips of the plan, at most 8 clips and 20 MB: name by prompt and seed -> file."""
    items = {item.id: item for item in store.items()}
    sample: dict[str, File] = {}
    left = _SAMPLE_BYTES
    for record in store.clips().values():
        if len(sample) == _SAMPLE_CLIPS:
            break
        if record.outcome != "ok" or record.file is None or record.file != Path(record.file).name:
            continue
        file = store.clip_file(record)
        size = size_of(file)
        if file in sample.values() or size is None or size > left:
            continue
        left -= size
        sample[f"clips/{clip_name(items[record.item], Path(file.name))}"] = file
    return sample


def clip_name(item: Item, path: Path) -> str:
    """Name a clip by the letters and digits of its prompt, its seed and its item; an attack is not quoted."""
    words = "withheld" if is_red_team(item) or is_attack(item) else item.prompt or item.file or "clip"
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    slug = "-".join(re.findall(r"[a-z0-9]+", plain.lower()))[:60].strip("-") or "clip"
    return f"{slug}-seed-{item.seed}-{item.id[:8]}{path.suffix}"


def _score_table(store: RunStore, hidden: Hidden) -> str:
    items = {item.id: item for item in store.items()}
    columns = [name for name in score_columns([store]) if name != "evidence"]  # most of the table's size
    rows: list[list[Any]] = []
    for row in score_rows(store):
        told = {**hidden.cleaned(row), "prompt": hidden.prompt(items[str(row["item"])])}
        rows.append([told[name] for name in columns])
    return csv_text(columns, rows)
