"""Compare several runs on the items that all of them have: differences, ranks, curves and trade-offs.

Every number is over the same items for all runs. Seeds of a prompt are averaged; no run is shown by its
best seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

from ..core.counts import counted
from ..core.errors import UsageError, unknown_name
from ..core.pairing import Pairing, on_items, pair_runs, same_measure, shared_items
from ..core.parallel import in_threads
from ..core.run_data import RunData, value_of
from ..core.stats import (
    benjamini_hochberg,
    cluster_bootstrap_mean,
    components,
    holm,
    rank_runs,
    rate_interval,
)
from ..run_folder.store import RunStore, read_run
from .compare import adjusted, compare_pairing, difference, pairs_of
from .result import Comparison, Difference
from .result_many import Changed, ManyComparison, PairRow, Pareto, ParetoPoint, RankRow, Tally, ValueRow

__all__ = ["MOST_CHANGED", "compare_many", "tally"]

MOST_CHANGED = 5
"""Items that are listed for a measure of a run, those that changed most first."""
_QUALITY = ("alignment.clip", "fidelity.fvd", "consistency.subject", "motion.flicker")
"""Measures that a trade-off is drawn with if none is named, the first that the runs have."""


def compare_many(
    stores: Sequence[RunStore],
    *,
    baseline: int = 0,
    confidence: float = 0.95,
    intersection: bool = False,
    margins: Mapping[str, float] | None = None,
    pareto: tuple[str, str] | None = None,
) -> ManyComparison:
    """Compare two runs or more.

    Args:
        stores: of the runs.
        baseline: place of the run that the others are compared with.
        confidence: of all intervals.
        intersection: whether runs of different suites may meet in the items that they share.
        margins: as of `compare`.
        pareto: names of a measure of quality and one of safety; by default the first that the runs have.

    Raises:
        UsageError: there are fewer than two runs, one is given twice, they share no item, or a measure is not
            known.
    """
    folders = [store.folder.resolve() for store in stores]
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is given twice; give each run once")
    if len(stores) < 2:
        raise UsageError("a comparison takes two runs or more")
    whole = [_named(read_run(store), store, stores) for store in stores]
    # Each pair says what hinders it, before anything is counted.
    for run in whole:
        if run is not whole[baseline]:
            pair_runs(whole[baseline], run, any_suite=intersection)
    shared = shared_items(whole)
    if not shared:
        raise UsageError(
            "no item is in all of the runs; compare them in pairs, or leave out the run that shares fewest"
        )
    data = [on_items(run, shared) for run in whole]
    base = data[baseline]
    others = [run for run in data if run is not base]
    against = _adjusted([_against(base, run, confidence, margins, intersection) for run in others])
    values = [row for run in data for row in _values(run, confidence)]
    pairs = _pairs(data, confidence, intersection)
    ranks, rank_notes = _ranks(data, confidence)
    suites = tuple(dict.fromkeys(_suite(run) for run in whole))
    of_pairs = [note for one in against for note in one.notes]
    notes = (*_notes(whole, len(shared), suites), *of_pairs, *rank_notes)
    steps = {run.name: int(run.record["step"]) for run in data if run.record.get("step") is not None}
    return ManyComparison(
        suites=suites,
        intersection=len(suites) > 1,
        baseline=base.name,
        runs=tuple(run.about() for run in data),
        steps=steps,
        confidence=confidence,
        items=len(shared),
        notes=tuple(dict.fromkeys(notes)),
        values=tuple(row.model_copy(update={"step": steps.get(row.run)}) for row in values),
        against=tuple(against),
        pairs=tuple(pairs),
        tallies=tuple(row for run in others for row in _tallies(_pair(base, run, intersection))),
        ranks=tuple(ranks),
        changed=tuple(
            row for run in others for row in _changed(_pair(base, run, intersection), stores, whole)
        ),
        pareto=_pareto(data, values, pairs, pareto),
    )


def _named(run: RunData, store: RunStore, stores: Sequence[RunStore]) -> RunData:
    """Give a run the name of its folder, with the folder above where two would have one name."""
    if sum(one.folder.name == store.folder.name for one in stores) > 1:
        return replace(run, name=f"{store.folder.resolve().parent.name}/{store.folder.name}")
    return replace(run, name=store.folder.name)


def _suite(run: RunData) -> str:
    return f"{run.record['suite']['name']} v{run.record['suite']['version']}"


def _pair(a: RunData, b: RunData, intersection: bool) -> Pairing:
    return pair_runs(a, b, any_suite=intersection)


def _against(
    base: RunData, run: RunData, confidence: float, margins: Mapping[str, float] | None, intersection: bool
) -> Comparison:
    return compare_pairing(_pair(base, run, intersection), confidence, margins=margins)


def _adjusted(found: Sequence[Comparison]) -> list[Comparison]:
    """Adjust p anew, over all runs: of whole suites by Holm, of slices by Benjamini and Hochberg."""
    rows = [row for one in found for row in one.differences]
    whole = iter(adjusted([row for row in rows if row.tag is None], holm, "Holm"))
    slices = iter(
        adjusted([row for row in rows if row.tag is not None], benjamini_hochberg, "Benjamini-Hochberg")
    )
    return [
        one.model_copy(
            update={
                "differences": tuple(next(whole if row.tag is None else slices) for row in one.differences)
            }
        )
        for one in found
    ]


def _pairs(data: Sequence[RunData], confidence: float, intersection: bool) -> list[PairRow]:
    names: list[tuple[str, str]] = []
    found: list[Difference] = []
    for a, b in combinations(data, 2):
        rows = in_threads(
            partial(_whole, _pair(a, b, intersection), confidence), sorted({*a.measures, *b.measures})
        )
        names += [(a.name, b.name)] * len(rows)
        found += rows
    rows = adjusted(found, holm, "Holm")
    return [PairRow(a=a, b=b, difference=row) for (a, b), row in zip(names, rows, strict=True)]


def _whole(pairing: Pairing, confidence: float, measure: str) -> Difference:
    return difference(pairing, measure, None, confidence)


def _values(run: RunData, confidence: float) -> list[ValueRow]:
    """Estimate each measure of a run over the items it was restricted to."""
    rows: list[ValueRow] = []
    for name, fields in sorted(run.measures.items()):
        about = {"run": run.name, "measure": name, **{k: fields[k] for k in ("kind", "better", "unit")}}
        if fields["kind"] == "set":
            score = run.sets.get((name, None))
            if score is not None and score.value is not None:
                told = ("value", "low", "high", "confidence", "n", "clusters", "left_out", "method", "notes")
                rows.append(ValueRow(**about, **{key: getattr(score, key) for key in told}))
            continue
        left_out: Counter[str] = Counter()
        values: list[float] = []
        clusters: list[str] = []
        for item in sorted(run.items.values(), key=lambda i: i.id):
            value = value_of(run.scores.get((name, item.id)))
            if value is None:
                left_out[run.status(name, item.id)] += 1
            else:
                values.append(value)
                clusters.append(item.cluster)
        if fields["kind"] == "rate" and set(values) <= {0.0, 1.0}:
            interval = rate_interval(values, clusters, confidence)
        else:
            interval = cluster_bootstrap_mean(
                values, clusters, confidence, seed=("aggregate", name, ""), bounds=tuple(fields["bounds"])
            )
        spread: dict[str, Any] = {}
        if len(set(clusters)) > 1:
            between, within = components(values, clusters)
            spread = {"between": between, "within": within if len(values) > len(set(clusters)) else None}
        counts = {"n": len(values), "clusters": len(set(clusters)), "left_out": dict(left_out)}
        rows.append(ValueRow.of(interval, confidence, **counts, **about, **spread))
    return rows


def tally(a: str, b: str, row: Difference, changes: Sequence[float]) -> Tally:
    """Count the items on which run ``b`` is better (where neither end is: higher), worse or equal."""
    sign = -1 if row.better == "lower" else 1
    wins = sum(sign * change > 0 for change in changes)
    losses = sum(sign * change < 0 for change in changes)
    ties = len(changes) - wins - losses
    return Tally(a=a, b=b, measure=row.measure, tag=row.tag, wins=wins, losses=losses, ties=ties)


def _comparable(pairing: Pairing) -> list[Difference]:
    """List what item measures both runs have alike, as rows without numbers."""
    rows: list[Difference] = []
    for name, ours in sorted(pairing.b.measures.items()):
        if same_measure(pairing.a.measures.get(name), ours) and ours["kind"] != "set":
            about = {key: ours[key] for key in ("kind", "better", "unit")}
            rows.append(Difference(measure=name, direction="no interval", value=None, n=0, **about))
    return rows


def _tallies(pairing: Pairing) -> list[Tally]:
    rows: list[Tally] = []
    for row in _comparable(pairing):
        for tag in (None, *pairing.slices()):
            pairs, _ = pairs_of(pairing, row.measure, tag)
            if pairs:
                changes = [pair.b - pair.a for pair in pairs]
                rows.append(
                    tally(pairing.a.name, pairing.b.name, row.model_copy(update={"tag": tag}), changes)
                )
    return rows


def _changed(pairing: Pairing, stores: Sequence[RunStore], runs: Sequence[RunData]) -> list[Changed]:
    """List the items that changed most, measure by measure; rates change by the whole or not at all."""
    files = {run.name: store.clip_files for run, store in zip(runs, stores, strict=True)}

    def clip(run: RunData, item: str) -> str | None:
        record = run.clips.get(item)
        return None if record is None or record.file is None else str(files[run.name].file(record.file))

    rows: list[Changed] = []
    for row in _comparable(pairing):
        pairs, _ = pairs_of(pairing, row.measure, None)
        most = sorted((p for p in pairs if p.a != p.b), key=lambda p: (-abs(p.b - p.a), p.item))
        rows += [
            Changed(
                measure=row.measure,
                run=pairing.b.name,
                item=pair.item,
                seed=pairing.b.items[pair.item].seed,
                a=pair.a,
                b=pair.b,
                change=pair.b - pair.a,
                clip_a=clip(pairing.a, pair.item),
                clip_b=clip(pairing.b, pair.item),
            )
            for pair in most[:MOST_CHANGED]
        ]
    return rows


def _ranks(data: Sequence[RunData], confidence: float) -> tuple[list[RankRow], tuple[str, ...]]:
    """Rank the runs in every measure that all of them have alike and that has a better end."""
    tables: dict[str, dict[str, list[tuple[float, ...]]]] = {}
    better: dict[str, str] = {}
    names = sorted(set.intersection(*(set(run.measures) for run in data)))
    for name in names:
        about = [run.measures[name] for run in data]
        if not all(same_measure(about[0], other) for other in about[1:]):
            continue
        if about[0]["better"] == "neither" or about[0]["kind"] == "set":
            continue
        table: dict[str, list[tuple[float, ...]]] = {}
        for item in data[0].items.values():
            found = [value_of(run.scores.get((name, item.id))) for run in data]
            row = tuple(value for value in found if value is not None)
            if len(row) == len(data):
                table.setdefault(item.cluster, []).append(row)
        if len(table) > 1:
            tables[name], better[name] = table, about[0]["better"]
    if not tables:
        return [], ()
    ranking = rank_runs(tables, better, confidence, seed=("ranks", sorted(tables)))
    rows: list[RankRow] = []
    everything = [(None, ranking.overall), *ranking.by_measure.items()]
    for name, ranks in everything:
        n = None if name is None else sum(map(len, tables[name].values()))
        clusters = None if name is None else len(tables[name])
        rows += [
            RankRow(run=run.name, measure=name, n=n, clusters=clusters, **rank._asdict())
            for run, rank in zip(data, ranks, strict=True)
        ]
    return rows, tuple(f"ranks: {note}" for note in ranking.notes)


def _pareto(
    data: Sequence[RunData],
    values: Sequence[ValueRow],
    pairs: Sequence[PairRow],
    asked: tuple[str, str] | None,
) -> Pareto | None:
    """Find the runs that no other beats in quality and safety at once."""
    known = {row.measure: row for row in values if row.better != "neither"}
    for name in asked or ():
        if name not in {row.measure for row in values}:
            raise unknown_name("measure", name, sorted(known))
        if name not in known:
            raise UsageError(f"--pareto: neither end of {name} is better, so that no run is ahead in it")
    safe = next((name for name in sorted(known) if name.startswith("safety.")), None)
    good = next((name for name in _QUALITY if name in known), None)
    quality, safety = asked or (good, safe)
    if quality is None or safety is None:
        return None
    at = {(row.run, row.measure): row.value for row in values if row.value is not None}
    runs = [run.name for run in data if (run.name, quality) in at and (run.name, safety) in at]
    sign = {name: 1.0 if known[name].better == "higher" else -1.0 for name in (quality, safety)}

    def ahead(a: str, b: str) -> bool:
        gains = [sign[name] * (at[a, name] - at[b, name]) for name in (quality, safety)]
        return min(gains) >= 0 and max(gains) > 0

    surely = _surely(pairs, (quality, safety))
    points: list[ParetoPoint] = []
    for run in runs:
        beaten = tuple(other for other in runs if ahead(other, run))
        points.append(
            ParetoPoint(
                run=run,
                quality=at[run, quality],
                safety=at[run, safety],
                front=not beaten,
                dominated_by=beaten,
                surely_by=tuple(other for other in beaten if surely(other, run)),
            )
        )
    return Pareto(
        quality=quality,
        safety=safety,
        quality_better=known[quality].better,
        safety_better=known[safety].better,
        points=tuple(points),
    )


def _surely(pairs: Sequence[PairRow], measures: tuple[str, str]) -> Callable[[str, str], bool]:
    found = {(row.a, row.b, row.difference.measure): row.difference.direction for row in pairs}
    turned = {"better": "worse", "worse": "better"}

    def surely(ahead: str, behind: str) -> bool:
        said = [
            found.get((behind, ahead, name)) or turned.get(found.get((ahead, behind, name), ""), "")
            for name in measures
        ]
        return said == ["better", "better"]

    return surely


def _notes(runs: Sequence[RunData], shared: int, suites: Sequence[str]) -> list[str]:
    notes: list[str] = []
    if len(suites) > 1:
        sizes = ", ".join(
            f"{run.name} has {counted(len(run.items), 'item')} of {_suite(run)}" for run in runs
        )
        notes.append(
            f"the suites differ, and all numbers are of the {counted(shared, 'item')} that they share "
            f"({sizes}); values "
            "of sets are of other items and are left out"
        )
    elif any(len(run.items) != shared for run in runs):
        sizes = ", ".join(f"{run.name} {len(run.items)}" for run in runs)
        notes.append(f"all numbers are of the {counted(shared, 'item')} that all runs have ({sizes})")
    return notes
