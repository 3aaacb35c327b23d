"""Compare two runs of one suite, item by item: differences with intervals, clustered by prompt.

A difference is always ``b - a``. It uses only items with a value in both runs; every other item is counted
with its status in each run.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..core.counts import counted
from ..core.errors import UsageError, unknown_name
from ..core.estimate import Estimate
from ..core.pairing import Pairing, pair_runs
from ..core.parallel import in_threads
from ..core.run_data import SetScore, value_of
from ..core.stats import (
    Interval,
    benjamini_hochberg,
    cluster_bootstrap_mean,
    difference_bounds,
    holm,
    jackknife_interval,
    jackknife_ratio,
    newcombe_interval,
    ratio_interval,
    sign_counts,
    sign_flip_test,
    standing,
)
from ..judges.figures import notes_of_runs
from ..run_folder.store import RunStore, read_run
from .result import Comparison, Difference, Direction, LeftOut, contradiction, too_few_prompts

__all__ = [
    "SAME_CLIPS",
    "Comparison",
    "Difference",
    "LeftOut",
    "adjusted",
    "compare",
    "compare_pairing",
    "difference",
    "pairs_of",
]

SAME_CLIPS = "same clips"
"""The method of a difference that is 0 because both runs hold identical clips."""


def compare(
    a: RunStore, b: RunStore, confidence: float = 0.95, *, margins: Mapping[str, float] | None = None
) -> Comparison:
    """Compare run ``b`` with run ``a``: every measure, over all items and by slice.

    Args:
        confidence: of the two-sided intervals.
        margins: measure -> how much worse run ``b`` may be and still stand as ``non-inferior``.

    Raises:
        UsageError: the runs are of different suites, or have no item in common; a margin is of a measure that
            they have not, or that has no better end.
    """
    return compare_pairing(pair_runs(read_run(a), read_run(b)), confidence, margins=margins)


def compare_pairing(
    pairing: Pairing, confidence: float = 0.95, *, margins: Mapping[str, float] | None = None
) -> Comparison:
    """Compare the runs of a pairing; see `compare`."""
    names = sorted({*pairing.a.measures, *pairing.b.measures})
    _check_margins(margins or {}, pairing)
    whole = in_threads(lambda name: difference(pairing, name, None, confidence), names)
    whole = adjusted(whole, holm, "Holm")
    tagged = [
        (row.measure, tag)
        for row in whole
        if row.direction != "not comparable"
        for tag in (_set_slices(pairing, row.measure) if row.kind == "set" else pairing.slices())
    ]
    slices = in_threads(lambda of: difference(pairing, *of, confidence), tagged)
    slices = [row for row in slices if _applies(row)]
    slices = adjusted(slices, benjamini_hochberg, "Benjamini-Hochberg")
    rows: list[Difference] = []
    for row in whole:
        of_measure = [row, *(tagged for tagged in slices if tagged.measure == row.measure)]
        margin = (margins or {}).get(row.measure)
        rows.extend(one if margin is None else _standing(one, margin) for one in of_measure)
    left, right = pairing.a, pairing.b
    return Comparison(
        suite=f"{left.record['suite']['name']} v{left.record['suite']['version']}",
        a=left.about(),
        b=right.about(),
        confidence=confidence,
        items=len(pairing.items),
        only_a=len(left.items) - len(pairing.items),
        only_b=len(right.items) - len(pairing.items),
        notes=(*_notes(pairing), *notes_of_runs((pairing.a, pairing.b))),
        differences=tuple(rows),
    )


def difference(pairing: Pairing, measure: str, tag: str | None, confidence: float) -> Difference:
    """Compute the difference in one measure, over the shared items or those of a slice.

    If the runs did not measure the same thing, the direction is ``not comparable`` and ``reason`` says why.
    """
    fields = pairing.b.measures.get(measure) or pairing.a.measures.get(measure)
    if fields is None:
        raise UsageError(f"neither run has the measure {measure!r}")
    base = Difference(
        measure=measure,
        tag=tag,
        kind=fields["kind"],
        better=fields["better"],
        unit=fields["unit"],
        confidence=confidence,
        direction="not comparable",
        value=None,
        n=0,
    )
    reason = _why_not(pairing, measure)
    if reason is None and fields["kind"] == "set":
        reason = _why_not_set(pairing, measure, tag)
    if reason is not None:
        return base.model_copy(update={"reason": reason})
    taken = _of_sets if fields["kind"] == "set" else _of_items
    found = taken(base, pairing, fields["bounds"])
    note = contradiction(found)
    return found if note is None else found.model_copy(update={"notes": (*found.notes, note)})


def adjusted(
    rows: Sequence[Difference], adjust: Callable[[Sequence[float]], list[float]], name: str
) -> list[Difference]:
    """Adjust the p-values of rows for how many have one; ``name`` is of the method."""
    tested = [row for row in rows if row.p is not None]
    found = dict(zip(map(id, tested), adjust([row.p for row in tested if row.p is not None]), strict=True))
    told = {key: {"p_adjusted": p, "adjusted_by": name} for key, p in found.items()}
    return [row.model_copy(update=told.get(id(row), {})) for row in rows]


def _check_margins(margins: Mapping[str, float], pairing: Pairing) -> None:
    known = {**pairing.a.measures, **pairing.b.measures}
    for name, margin in margins.items():
        if name not in known:
            raise unknown_name("measure", name, sorted(known))
        if known[name]["better"] == "neither":
            raise UsageError(f"--margin {name}: neither end of {name} is better, so nothing is inferior")
        if not (math.isfinite(margin) and margin >= 0):
            raise UsageError(f"--margin {name}={margin:g}: a margin is a distance of 0 or more")


def _standing(row: Difference, margin: float) -> Difference:
    """Say whether a run is superior, or non-inferior by the margin; the prompts must be able to show it."""
    if row.better == "neither" or row.value is None:
        return row.model_copy(update={"margin": margin})
    found = standing(row.low, row.high, row.better, margin)
    needed = math.ceil(1 - math.log2(1 - row.confidence) - 1e-9)  # for a sign test to reach the confidence
    if found == "not shown" or row.kind == "set" or row.clusters >= needed:
        return row.model_copy(update={"margin": margin, "standing": found})
    why = (
        f"the interval alone says {found}, which is not shown: with {counted(row.clusters, 'prompt')} chance "
        f"gives as much too often; it takes {needed} at a confidence of {row.confidence:g}"
    )
    return row.model_copy(update={"margin": margin, "standing": "not shown", "notes": (*row.notes, why)})


class Pair(NamedTuple):
    """One item with its prompt's cluster and its value in both runs."""

    item: str
    cluster: str
    a: float
    b: float


def pairs_of(pairing: Pairing, measure: str, tag: str | None) -> tuple[list[Pair], tuple[LeftOut, ...]]:
    """Pair the values of one measure, sorted by item id, and count the items without a pair."""
    pairs: list[Pair] = []
    left_out: Counter[tuple[str, str]] = Counter()
    # Sorted by item id, so that the order of rows cannot change the last bit.
    for item in pairing.of_slice(tag):
        x = value_of(pairing.a.scores.get((measure, item.id)))
        y = value_of(pairing.b.scores.get((measure, item.id)))
        if x is None or y is None:
            left_out[pairing.a.status(measure, item.id), pairing.b.status(measure, item.id)] += 1
        else:
            pairs.append(Pair(item.id, item.cluster, x, y))
    return pairs, tuple(LeftOut(a=a, b=b, items=n) for (a, b), n in sorted(left_out.items()))


def _of_items(base: Difference, pairing: Pairing, bounds: Sequence[float | None]) -> Difference:
    pairs, missing = pairs_of(pairing, base.measure, base.tag)
    if not pairs:
        reason = "no item has a value in both runs"
        return base.model_copy(update={**Difference.without_pair(missing), "reason": reason})
    clusters = [pair.cluster for pair in pairs]
    changes = [pair.b - pair.a for pair in pairs]
    seed = ("compare", base.measure, base.tag or "")
    if not any(changes) and pairing.same_clips([pair.item for pair in pairs]):
        interval = Interval(0.0, 0.0, 0.0, SAME_CLIPS, ("both runs hold identical clips",))
    elif base.kind == "rate" and {v for pair in pairs for v in (pair.a, pair.b)} <= {0.0, 1.0}:
        first, second = [pair.a for pair in pairs], [pair.b for pair in pairs]
        interval = newcombe_interval(first, second, clusters, base.confidence)
    else:
        interval = cluster_bootstrap_mean(
            changes, clusters, base.confidence, seed=seed, bounds=difference_bounds(bounds)
        )
    p, test = sign_flip_test(changes, clusters, seed=seed) or (None, "")
    up, down = sign_counts(changes, clusters)
    ratio, no_ratio = _ratio_of_items(base, pairs, bounds)
    prompts = len(set(clusters))
    least = 2.0 ** (1 - prompts)  # p where every prompt moved one way
    notes = interval.notes
    if least > 1 - base.confidence and _excludes_zero(interval.low, interval.high):
        notes = (*notes, too_few_prompts(prompts))
    return base.model_copy(
        update={
            "a": math.fsum(pair.a for pair in pairs) / len(pairs),
            "b": math.fsum(pair.b for pair in pairs) / len(pairs),
            **_interval_fields(interval, base.better, shows=least <= 1 - base.confidence),
            "notes": notes,
            "p": p,
            "test": test,
            "prompts_up": up,
            "prompts_down": down,
            "ratio": ratio,
            "ratio_reason": no_ratio,
            "n": len(pairs),
            "clusters": prompts,
            **Difference.without_pair(missing),
        }
    )


def _ratio_of_items(
    base: Difference, pairs: Sequence[Pair], bounds: Sequence[float | None]
) -> tuple[Estimate | None, str]:
    reason = _why_no_ratio(base.kind, bounds, [value for pair in pairs for value in (pair.a, pair.b)])
    if reason:
        return None, reason
    a, b, clusters = [pair.a for pair in pairs], [pair.b for pair in pairs], [pair.cluster for pair in pairs]
    seed = ("compare ratio", base.measure, base.tag or "")
    interval = ratio_interval(a, b, clusters, base.confidence, seed=seed)
    return Estimate.of(interval, base.confidence, n=len(pairs), clusters=len(set(clusters))), ""


def _why_no_ratio(kind: str, bounds: Sequence[float | None], values: Sequence[float]) -> str:
    if kind == "rate":
        return "pairs of zeros and ones have no ratio"
    if bounds[0] is None or bounds[0] < 0:
        return "the range of the measure goes below 0"
    return "" if min(values) > 0 else "a value is 0"


def _of_sets(base: Difference, pairing: Pairing, bounds: Sequence[float | None]) -> Difference:
    """Jackknife the difference over the prompts of both runs.

    A prompt with clips in only one run is left out of that run; the other run's value does not change.
    """
    a, b = (side.sets[base.measure, base.tag] for side in (pairing.a, pairing.b))
    assert a.value is not None  # checked by _why_not_set
    assert b.value is not None
    prompts = {*a.leave_one_out, *b.leave_one_out}
    changes = {
        prompt: b.leave_one_out.get(prompt, b.value) - a.leave_one_out.get(prompt, a.value)
        for prompt in prompts
    }
    interval = jackknife_interval(b.value - a.value, changes, base.confidence)
    notes = list(interval.notes)
    if not (a.leave_one_out and b.leave_one_out):
        interval = Interval(interval.value, None, None, "none")
        notes = ["no interval: a run has no values without each of its prompts"]
    if a.n != b.n:
        notes.append(
            f"run a has {counted(a.n, 'clip')} and run b {b.n}: set values of unequal size are biased"
        )
    left_out = [LeftOut(a=s, b="-", items=n) for s, n in sorted(a.left_out.items()) if n]
    left_out += [LeftOut(a="-", b=s, items=n) for s, n in sorted(b.left_out.items()) if n]
    ratio, no_ratio = _ratio_of_sets(base, (a.value, b.value), (a, b), bounds)
    return base.model_copy(
        update={
            "a": a.value,
            "b": b.value,
            **_interval_fields(interval, base.better),
            "n": b.n,
            "clusters": len(prompts),
            "ratio": ratio,
            "ratio_reason": no_ratio,
            **Difference.without_pair(left_out),
            "notes": tuple(notes),
        }
    )


def _ratio_of_sets(
    base: Difference,
    values: tuple[float, float],
    sets: tuple[SetScore, SetScore],
    bounds: Sequence[float | None],
) -> tuple[Estimate | None, str]:
    a, b = sets
    reason = _why_no_ratio(base.kind, bounds, [*values, *a.leave_one_out.values(), *b.leave_one_out.values()])
    if not (a.leave_one_out and b.leave_one_out):
        reason = reason or "a run has no values without each of its prompts"
    if reason:
        return None, reason
    without = {
        prompt: (a.leave_one_out.get(prompt, values[0]), b.leave_one_out.get(prompt, values[1]))
        for prompt in {*a.leave_one_out, *b.leave_one_out}
    }
    interval = jackknife_ratio(*values, without, base.confidence)
    return Estimate.of(interval, base.confidence, n=b.n, clusters=len(without)), ""


def _interval_fields(interval: Interval, better: str, *, shows: bool = True) -> dict[str, Any]:
    return {
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "method": interval.method,
        "notes": interval.notes,
        "direction": _direction(interval.low, interval.high, better, shows=shows),
    }


def _excludes_zero(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and not low <= 0 <= high


def _direction(low: float | None, high: float | None, better: str, *, shows: bool) -> Direction:
    """Say how run b compares, by the interval; ``shows``: whether so many prompts can show a difference."""
    if low is None or high is None:
        return "no interval"
    if not (shows and _excludes_zero(low, high)):
        return "no difference shown"
    if better == "neither":
        return "different"
    return "better" if (low > 0) == (better == "higher") else "worse"


def _applies(row: Difference) -> bool:
    nowhere = all(x.a == x.b == "not_applicable" for x in row.unpaired)
    return row.n > 0 or (bool(row.unpaired) and not nowhere)


def _why_not(pairing: Pairing, measure: str) -> str | None:
    a, b = pairing.a.measures.get(measure), pairing.b.measures.get(measure)
    if a is None or b is None:
        lacks = pairing.a.name if a is None else pairing.b.name
        return f"{lacks} was not scored with it; 'screentest score' can do that"
    if a["version"] != b["version"]:
        return f"version {a['version']} in {pairing.a.name}, {b['version']} in {pairing.b.name}; score again"
    theirs, ours = a["encoders"], b["encoders"]
    differ = sorted(n for n in {*theirs, *ours} if theirs.get(n) != ours.get(n))
    if differ:
        return f"read through different encoders ({', '.join(differ)}); score both runs with the same ones"
    return None


def _set_slices(pairing: Pairing, measure: str) -> list[str]:
    """List the slices for which both runs have a set measure."""
    taken = [{tag for of, tag in side.sets if of == measure and tag} for side in (pairing.a, pairing.b)]
    return sorted(taken[0] & taken[1])


def _why_not_set(pairing: Pairing, measure: str, tag: str | None) -> str | None:
    for which in ("reference_set", "reference_sets"):
        ours, theirs = (side.measures[measure].get(which) for side in (pairing.a, pairing.b))
        if ours == theirs:
            continue
        return "measured against different reference sets"
    for side in (pairing.a, pairing.b):
        score = side.sets.get((measure, tag))
        if score is None:
            return f"{side.name} has no value of it " + ("yet" if tag is None else f"on {tag}")
        if score.value is None or not math.isfinite(score.value):
            return f"{side.name} has no value of it: {score.reason or score.status}"
    sizes = [side.sets[measure, tag].n_reference for side in (pairing.a, pairing.b)]
    if sizes[0] != sizes[1]:
        return f"measured against reference sets of {sizes[0]} and {sizes[1]} clips"
    return None


def _notes(pairing: Pairing) -> list[str]:
    notes: list[str] = []
    for side in (pairing.a, pairing.b):
        if side.without_clip:
            of = f"{side.without_clip} of {counted(len(side.items), 'item')}"
            notes.append(f"{side.name} is not finished: {of} without a clip so far")
        extra = len(side.items) - len(pairing.items)
        if extra:
            notes.append(
                f"{counted(extra, 'item is', 'items are')} in {side.name} only, and left out of item measures"
            )
    if any(set(pairing.a.items[item.id].slices) != set(item.slices) for item in pairing.items):
        notes.append(f"tags or labels differ between the runs; those of {pairing.b.name} are used")
    return notes
