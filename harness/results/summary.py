"""Summarise a run: every measure with its confidence interval, n, and what was left out.

The aggregates are functions of the score table only, so they do not depend on the order or number of workers.
What a run used of a service is added from the journal of its jobs.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from ..core.config import Document
from ..core.errors import UsageError
from ..core.estimate import Estimate, RunEstimate
from ..core.files import write_atomic
from ..core.items import Item
from ..core.labels import is_aggregated
from ..core.parallel import in_threads
from ..core.run_data import Score, SetScore, encoder_text, named_values, outcome_counts
from ..core.stats import cluster_bootstrap_mean, rate_interval
from ..judges.figures import JudgeFigures, judge_notes, judges_of
from ..run_folder.jobs import ServiceUse, read_service_use
from ..run_folder.store import RunStore

__all__ = ["Aggregate", "Summary", "aggregate", "read_summary", "summarise", "with_judges", "write_summary"]

CONFIDENCE: Final = 0.95
"""Of the intervals of a summary; a policy's rules compute their own."""
_AT_ONCE = 8
"""Measures whose scores are held at the same time: a run may be long."""


class Aggregate(Estimate):
    """One measure over a run, or over one slice of it.

    Attributes:
        tag: the slice, a tag or ``label:value``; None for the whole run.
        value: mean, rate or set value; None if no item has one.
        left_out: number of items without a value, by status; ``reasons``: by reason, most frequent first.
        encoder: the encoders that the measure was computed through, where there are several to choose from;
            see `encoder_text`.
    """

    measure: str
    tag: str | None
    kind: Literal["mean", "rate", "set"]
    better: Literal["higher", "lower", "neither"]
    bounds: tuple[float | None, float | None]
    unit: str
    version: int
    encoder: str = ""
    n_reference: int | None = None


class Summary(Document):
    """All aggregates of a run, the number of items by outcome, and what it used of a service with jobs.

    Attributes:
        judges: what was measured of the judges that its numbers rest on.
    """

    name: str
    suite: str
    generator: str
    plan: str
    items: int
    outcomes: dict[str, int]
    aggregates: tuple[Aggregate, ...]
    service: ServiceUse | None = None
    judges: tuple[JudgeFigures, ...] = ()

    def get(self, measure: str, tag: str | None = None) -> Aggregate | None:
        """Find the aggregate of a measure, over all items or those of a slice; None if there is none."""
        return next((a for a in self.aggregates if a.measure == measure and a.tag == tag), None)


def summarise(store: RunStore) -> Summary:
    """Aggregate a run's score table, over all items and by slice."""
    items = store.items()
    about = named_values(store.measures())
    slices: dict[str, list[str]] = {}
    for item in items:
        for name in item.slices:
            if is_aggregated(name):
                slices.setdefault(name, []).append(item.id)
    by_id = {item.id: item for item in items}
    set_scores = store.set_scores()

    def of_measure(given: tuple[str, Mapping[str, Score]]) -> list[Aggregate]:
        name, known = given
        fields = about[name]
        if fields["kind"] == "set":
            return [_of_set(one, fields) for (of, _), one in set_scores.items() if of == name]
        found: list[Aggregate] = []
        for tag, asked in ((None, list(by_id)), *sorted(slices.items())):
            rows = [known[item] for item in asked if item in known]
            if rows:
                made = aggregate(name, fields, rows, by_id, tag=tag)
                found.append(_with_missing(made, len(asked) - len(rows)))
        return found

    names, aggregates = list(about), list[Aggregate]()
    for start in range(0, len(names), _AT_ONCE):
        read = [(name, store.values_of(name)) for name in names[start : start + _AT_ONCE]]
        aggregates += [one for of in in_threads(of_measure, read) for one in of]
    return Summary(
        name=store.folder.name,
        suite=f"{store.record['suite']['name']} v{store.record['suite']['version']}",
        generator=store.record["generator_spec"],
        plan=store.record["plan"],
        items=len(items),
        outcomes=outcome_counts(store.outcomes()),
        aggregates=tuple(aggregates),
        service=read_service_use(store.folder),
        judges=judges_of(store),
    )


def with_judges(summary: Summary, runs: Path) -> Summary:
    """Put the figures of judges, and what votes say of them, into the notes of each value that rests on one.

    Args:
        summary: as stored.
        runs: the folder that the run lies in, where votes on judges are kept.
    """
    if not summary.judges:
        return summary
    notes = judge_notes(summary.judges, runs)
    told = [a.model_copy(update={"notes": (*a.notes, *notes.get(a.measure, ()))}) for a in summary.aggregates]
    return summary.model_copy(update={"aggregates": tuple(told)})


def aggregate(
    measure: str,
    fields: Mapping[str, Any],
    scores: Sequence[Score],
    items: Mapping[str, Item],
    *,
    tag: str | None,
) -> Aggregate:
    """Aggregate the scores of one measure; ``fields`` is what the run recorded of the measure."""
    # Sorted by item id, so that the order of rows does not change the last bit.
    sound = [_sound(s, fields["kind"]) for s in scores]
    good = sorted((s.item, s.value) for s in sound if s.status == "ok" and s.value is not None)
    values = [value for _, value in good]
    clusters = [items[item].cluster for item, _ in good]
    if fields["kind"] == "rate":
        interval = rate_interval(values, clusters, CONFIDENCE)
    else:
        interval = cluster_bootstrap_mean(
            values,
            clusters,
            CONFIDENCE,
            seed=("aggregate", measure, tag or ""),
            bounds=tuple(fields["bounds"]),
        )
    missing = [s for s in sound if s.status != "ok"]
    reasons = Counter(s.reason for s in missing if s.reason)
    return Aggregate.of(
        interval,
        CONFIDENCE,
        n=len(values),
        clusters=len(set(clusters)),
        left_out=_left_out(Counter(s.status for s in missing)),
        reasons=dict(sorted(reasons.items(), key=lambda r: (-r[1], r[0]))),
        measure=measure,
        tag=tag,
        kind=fields["kind"],
        **_about(fields),
    )


def _about(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Take what an aggregate says of its measure."""
    told = {name: fields[name] for name in ("better", "bounds", "unit", "version")}
    return {**told, "encoder": encoder_text(fields)}


def _sound(score: Score, kind: str) -> Score:
    """Turn an ``ok`` score without a usable number into a failed one, so that it is counted as failed.

    For example, SQLite stores NaN as no value.
    """
    if score.status != "ok":
        return score
    if score.value is None or not math.isfinite(score.value):
        return replace(score, status="failed", value=None, reason="the value is not a finite number")
    if kind == "rate" and score.value not in (0.0, 1.0):
        return replace(score, status="failed", value=None, reason="the value of a rate is neither 0 nor 1")
    return score


def _with_missing(aggregate: Aggregate, missing: int) -> Aggregate:
    """Count the items that have no score yet: a run that was stopped while it was scored."""
    if not missing:
        return aggregate
    return aggregate.model_copy(update={"left_out": {**aggregate.left_out, "missing": missing}})


def _of_set(score: SetScore, about: Mapping[str, Any]) -> Aggregate:
    if score.value is not None and not math.isfinite(score.value):
        why = "the value is not a finite number"
        score = score.model_copy(
            update={"status": "failed", "value": None, "low": None, "high": None, "reason": why}
        )
    fields = {name: getattr(score, name) for name in RunEstimate.model_fields if name != "leave_one_out"}
    own = {
        "left_out": _left_out(score.left_out),
        "reasons": {score.reason: 1} if score.reason else {},
        "measure": score.full_name,
        "tag": score.slice,
        "kind": "set",
    }
    return Aggregate.model_validate({**fields, **own, **_about(about)})


def _left_out(counts: Mapping[str, int]) -> dict[str, int]:
    return {status: counts.get(status, 0) for status in ("refused", "failed", "not_applicable")}


def write_summary(store: RunStore, summary: Summary, *, again: bool = True) -> Path:
    """Write ``summary.json`` into the run folder; its time says whether a verdict is older than the scores.

    Args:
        again: whether one that says the same is written anew.
    """
    path = store.folder / "summary.json"
    text = json.dumps(summary.model_dump(), indent=1, ensure_ascii=False) + "\n"
    if again or not path.is_file() or path.read_bytes() != text.encode("utf-8", "surrogatepass"):
        write_atomic(path, text)
    return path


def read_summary(folder: Path) -> Summary:
    """Read a run's ``summary.json``; the notes of values that rest on a judge give its figures.

    Raises:
        UsageError: scoring the run is not finished, or the file is damaged.
    """
    path = folder / "summary.json"
    try:
        return with_judges(Summary.model_validate_json(path.read_bytes()), folder.absolute().parent)
    except FileNotFoundError:
        raise UsageError(
            f"{folder} has no summary yet; finish it with the same 'screentest run', or 'screentest score'"
        ) from None
    except ValidationError:
        raise UsageError(f"{path} is damaged; 'screentest score {folder}' writes it again") from None
