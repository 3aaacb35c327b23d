"""Build the report of one or several runs: one HTML file that contains everything it shows.

The page is a function of the run folders: the same folders give the same bytes. `page` renders it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pydantic import Field

from ..harness.comparison.result import Comparison
from ..harness.core.config import Config
from ..harness.core.errors import UsageError
from ..harness.core.files import write_atomic
from ..harness.core.keys import Json
from ..harness.core.presentation import level
from ..harness.core.run_data import RunData as FullRun
from ..harness.core.run_data import Score
from ..harness.execution.finished import is_as_marked
from ..harness.results.summary import Aggregate, Summary, read_summary
from ..harness.run_folder.digests import read_digests
from ..harness.run_folder.store import RunStore, open_run, read_run
from ..harness.scoring.foreign_encoders import foreign_sentence
from ..safety.attacks.withhold import Withheld
from . import charts
from .audits import AuditView, audit_views
from .evidence import DifferenceRow, differences, read_verdicts, verdict_view
from .gallery import ClipCard, RunClips, build_cards, choose_items, layer_text
from .heatmap import STEPS
from .page import render_page
from .page_source import page_source
from .purpose_section import purpose_section
from .safety import safety_view
from .several import compare_runs
from .view import MeasureRow, score_rows
from .vote_section import vote_section

__all__ = ["ReportOptions", "build_report"]

_LISTED = 200
"""Items without a clip that the page lists; it counts the others."""


class ReportOptions(Config):
    """How much of the runs the page shows."""

    items: int = Field(default=24, ge=0, le=2000, description="items whose clips are shown")
    megabytes: float = Field(default=25.0, ge=0, le=500, description="size of all clips on the page")


@dataclass(frozen=True)
class RunHead:
    """A run in the head of the page: its name, numbers of items by outcome, and its record.

    ``foreign`` says which encoders were used outside the world that they were trained on; empty for none.
    """

    letter: str
    name: str
    suite: str
    generator: str
    plan: str
    created: str
    date: str
    items: int
    prompts: int
    outcomes: Mapping[str, int]
    reasons: tuple[tuple[str, str, int], ...]
    record: tuple[tuple[str, str], ...]
    foreign: str


@dataclass(frozen=True)
class Missing:
    """An item without a clip; ``file`` is its name in the user's folder, ``hidden`` withholds the prompt."""

    letter: str
    item: str
    prompt: str | None
    hidden: bool
    file: str
    tags: tuple[str, ...]
    seed: int
    outcome: str
    reason: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class _Run:
    data: RunClips
    full: FullRun
    record: Mapping[str, Any]
    head: RunHead
    summary: Summary
    missing: tuple[Missing, ...]


def build_report(
    runs: Sequence[Path],
    *,
    out: Path | None = None,
    options: ReportOptions | None = None,
) -> Path:
    """Write the report of ``runs`` (scored run folders) and return its path.

    Args:
        runs: the first is A, the baseline of the others.
        out: the file to write; by default ``report.html`` in the first run's folder.
        options: how much of the runs it shows.

    Raises:
        UsageError: no run, or one that is missing, damaged or not scored to its end.
    """
    if not runs:
        raise UsageError("a report needs a run")
    options = options or ReportOptions()
    # Before anything is read: what is written meanwhile makes the page one of the past.
    source = page_source(runs[0]) if len(runs) == 1 and options == ReportOptions() else ""
    stores = [open_run(folder) for folder in runs]
    try:
        letters = charts.run_letters(len(stores))
        read = [_read(store, letter) for store, letter in zip(stores, letters, strict=True)]
        comparison, not_compared = _compare(stores[0], stores[1]) if len(stores) == 2 else (None, "")
        several, not_compared = compare_runs(stores, letters) if len(stores) > 2 else (None, not_compared)
    finally:
        for store in stores:
            store.close()
    digests = [read_digests(folder) for folder in runs]
    context = _context(read, differences(comparison.differences if comparison else ()), options)
    context["verdicts"] = [
        (run.head, verdict_view(verdict, run.head.plan, now.run if now else None))
        for run, now, folder in zip(read, digests, runs, strict=True)
        for verdict in read_verdicts(folder)
    ]
    context["several_runs"] = several
    notes = comparison.notes if comparison else ()
    context["comparison_notes"] = (f"The runs were not compared: {not_compared}",) if not_compared else notes
    context["votes"] = vote_section(runs)
    context["source"] = source
    path = runs[0] / "report.html" if out is None else out
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, render_page("report.html.j2", context))
    return path


def _compare(a: RunStore, b: RunStore) -> tuple[Comparison | None, str]:
    from ..harness.comparison.compare import compare

    try:
        return compare(a, b), ""
    except UsageError as error:
        return None, str(error)


def _read(store: RunStore, letter: str) -> _Run:
    if is_as_marked(store.folder):
        store.trust_scores()  # as the next run does: no row is compared with its digest
    full, summary = read_run(store), read_summary(store.folder)
    items, clips = full.items, full.clips
    scores: dict[str, dict[str, Score]] = {}
    for score in full.scores.values():
        scores.setdefault(score.item, {})[score.measure] = score
    data = RunClips(letter, store.folder, items, clips, scores, full.measures, store.clip_files)
    clean = data.withheld.clean
    reasons = Counter((c.outcome, clean(c.reason)) for c in clips.values() if c.outcome != "ok" and c.reason)
    ordered = sorted(reasons.items(), key=lambda r: (r[0][0], -r[1], r[0][1]))
    record = store.record
    head = RunHead(
        letter=letter,
        name=str(record.get("name") or summary.name),
        suite=summary.suite,
        generator=summary.generator,
        plan=summary.plan,
        created=str(record.get("created", "")),
        date=_date(str(record.get("created", ""))),
        items=len(items),
        prompts=len({item.cluster for item in items.values()}),
        outcomes={**summary.outcomes, "pending": len(items) - len(clips)},
        reasons=tuple((outcome, reason, n) for (outcome, reason), n in ordered),
        record=_record(record),
        foreign=foreign_sentence(record, full.measures.values()),
    )
    missing = tuple(
        Missing(
            letter,
            item.id,
            None if data.hides(item.id) else item.prompt,
            data.hides(item.id),
            data.file_of(item.id),
            item.slices,
            item.seed,
            clips[item.id].outcome,
            clean(clips[item.id].reason),
            tuple(clean(layer_text(d)) for d in clips[item.id].layers),
        )
        for item in items.values()
        if item.id in clips and clips[item.id].outcome != "ok"
    )
    reworded = [_withhold_reasons(aggregate, data.withheld) for aggregate in summary.aggregates]
    return _Run(data, full, record, head, summary.model_copy(update={"aggregates": tuple(reworded)}), missing)


def _withhold_reasons(aggregate: Aggregate, withheld: Withheld) -> Aggregate:
    reasons: Counter[str] = Counter()
    for reason, count in aggregate.reasons.items():
        reasons[withheld.clean(reason)] += count
    return aggregate.model_copy(update={"reasons": dict(reasons.most_common())})


def _date(created: str) -> str:
    try:
        when = datetime.fromisoformat(created)
    except ValueError:
        return created
    return f"{when.day} {when:%B %Y}"


def _record(record: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """List the run's record, without the suite's prompts, which the items show."""
    suite = dict(record.get("suite") or {})
    prompts = suite.pop("prompts", None)
    if prompts is not None:
        suite["prompts"] = len(prompts)
    shown: dict[str, Json] = {
        key: value for key, value in record.items() if key not in ("suite", "name") and value is not None
    }
    shown["suite"] = suite
    return tuple(
        (
            key.replace("_", " "),
            value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False),
        )
        for key, value in shown.items()
    )


def _context(
    runs: Sequence[_Run], compared: Mapping[tuple[str, str | None], DifferenceRow], options: ReportOptions
) -> dict[str, Any]:
    from .validity_cards import validity_tables  # imports the cards, and the reference world with them

    about = {name: fields for run in reversed(runs) for name, fields in run.data.measures.items()}
    rows = score_rows([run.summary for run in runs], about, compared)
    data = [run.data for run in runs]
    chosen = choose_items(data, options.items)
    cards, embedded = build_cards(data, chosen, byte_limit=round(options.megabytes * 1e6))
    missing = [m for run in runs for m in run.missing]
    return {
        "runs": [run.head for run in runs],
        "rows": rows,
        "footnotes": _footnotes(rows),
        "intervals": [(row, svg) for row in rows if (svg := _interval_svg(row, runs))],
        "changes": [(row, svg) for row in rows if (svg := _difference_svg(row))],
        "strips": [(row, svg) for row in rows if (svg := _strip_svg(row, data))],
        "validity": validity_tables([(run.data, run.record) for run in runs]),
        "safety": safety_view([(run.head.letter, run.full) for run in runs]),
        "purposes": _purposes(runs),
        "audits": audit_views([run.full for run in runs]),
        "heat_steps": STEPS,
        "cards": cards,
        "embedded": embedded,
        "clips": sum(run.head.outcomes["ok"] for run in runs),
        "missing": missing[:_LISTED],
        "missing_more": max(0, len(missing) - _LISTED),
        "gallery": _gallery_data(cards, data, rows),
        "not_applicable": any(run.head.outcomes.get("not_applicable") for run in runs),
        "tags": sorted({tag for card in cards for tag in card.item.slices}),
        "confidence": _confidence(runs),
    }


def _purposes(runs: Sequence[_Run]) -> list[AuditView]:
    several = len(runs) > 1
    made = (
        purpose_section(run.full, run.record, run.summary, run.head.letter if several else "") for run in runs
    )
    return [section for section in made if section is not None]


def _confidence(runs: Sequence[_Run]) -> str:
    levels = sorted({a.confidence for run in runs for a in run.summary.aggregates})
    return " and ".join(level(one) for one in levels) or level(0.95)


def _footnotes(rows: Sequence[MeasureRow]) -> dict[str, int]:
    """Number the notes of the score table in the order of reading."""
    notes: dict[str, int] = {}
    # Rows of tags are folded at first, so their own notes come last.
    for line in (*rows, *(tag for row in rows for tag in row.tags)):
        of_cells = [note for cell in line.cells if cell for note in cell.notes]
        for note in (*of_cells, *(line.difference.notes if line.difference else ())):
            notes.setdefault(note, len(notes) + 1)
    return notes


def _interval_svg(row: MeasureRow, runs: Sequence[_Run]) -> Markup | None:
    found = [(run.head.letter, run.summary.get(row.name)) for run in runs]
    drawn = [
        charts.ChartRow(letter, a.value, a.low, a.high)
        for letter, a in found
        if a is not None and a.value is not None
    ]
    bounds = next((a.bounds for _, a in found if a is not None), (None, None))
    return Markup(charts.interval_chart(row.name, drawn, bounds=bounds)) if drawn else None


def _difference_svg(row: MeasureRow) -> Markup | None:
    d = row.difference
    if d is None or d.value is None:
        return None
    drawn = charts.ChartRow("B \N{MINUS SIGN} A", d.value, d.low, d.high)
    return Markup(charts.difference_chart(f"Paired difference of {row.name}", drawn, mark=d.mark))


def _strip_svg(row: MeasureRow, runs: Sequence[RunClips]) -> Markup | None:
    if row.kind != "mean":
        return None  # for zeros and ones the rate is enough, and a set measure has no value per clip
    values = {run.letter: _ok_values(run, row.name) for run in runs}
    if not any(values.values()):
        return None
    return Markup(charts.strip_chart(f"Every clip's {row.name}", values))


def _ok_values(run: RunClips, measure: str) -> list[float]:
    found = (of_item.get(measure) for of_item in run.scores.values())
    return [s.value for s in found if s is not None and s.status == "ok" and s.value is not None]


def _gallery_data(
    cards: Sequence[ClipCard], runs: Sequence[RunClips], rows: Sequence[MeasureRow]
) -> dict[str, Any]:
    """Collect the values that the script sorts by: item -> run -> measure -> value."""
    better = {row.name: row.direction.split(" ")[0] for row in rows if row.kind != "set"}
    values: dict[str, dict[str, dict[str, float]]] = {}
    for card in cards:
        values[card.short_id] = {
            run.letter: {
                name: score.value
                for name, score in run.scores.get(card.item.id, {}).items()
                if score.status == "ok" and score.value is not None
            }
            for run in runs
        }
    return {"better": better, "values": values}
