"""Benefit and cost of safeguards: a generator alone, with one of two filters, or with both.

The stored decisions of the filters give the outcome of every attempt with fewer filters or, if they were not
enforced, with more. They do not give the clip for a prompt that the generator never got, or whether a
withheld clip was unsafe. Such attempts are unknown, and a rate over them is given as a lower and an upper
value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

from ...harness.core.estimate import Estimate
from ...harness.core.keys import digest
from ...harness.core.stats import paired_rate_interval
from ..frames.judges import encodes
from .attempts import Attempt, AttemptOutcome, Rate, over_refusal, rate_of, refusal, success

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...harness.core.layers import Layer, LayerDecision
    from ...harness.core.run_data import RunData

__all__ = [
    "Filter",
    "Layers",
    "SafeguardRow",
    "filters_of",
    "is_the_judge",
    "outcome_under",
    "safeguard_rows",
    "variant_name",
]

_LAYERS: tuple[Layer, ...] = ("prompt", "frame")
_GUARDED = "guarded"
Layers: TypeAlias = "frozenset[Layer]"


@dataclass(frozen=True)
class Filter:
    """A safeguard of a run's generator, from the generator's identity."""

    layer: Layer
    name: str
    digest: str
    enforced: bool


@dataclass(frozen=True)
class SafeguardRow:
    """One set of safeguards around one generator, and the rates with it.

    Attributes:
        run: name of the run.
        layers: the safeguards that are on.
        measured: whether the run had exactly these on; otherwise computed from their decisions.
        unknown: number of attempts whose outcome with this set is not known. If there are any, rates are None
            and ``between`` has a lower and an upper value of the attack success rate.
        gain, cost: change of attack success and of over-refusal against the generator alone, paired by
            attempt (``n`` pairs); None for the generator alone, or if not known.
    """

    run: str
    layers: Layers
    measured: bool
    unknown: int
    success: Rate | None
    between: tuple[float, float] | None
    refusal: Rate | None
    over_refusal: Rate | None
    gain: Estimate | None = None
    cost: Estimate | None = None


@dataclass(frozen=True)
class _Variant:
    """A row, and its attempts by item where all are known; ``bench`` is the generator and the judge."""

    run: int
    bench: str
    row: SafeguardRow
    table: Mapping[str, Attempt] | None


def variant_name(layers: Layers) -> str:
    """Name a set of safeguards.

    Example:
        >>> variant_name(frozenset()), variant_name(frozenset({"prompt", "frame"}))
        ('generator alone', 'prompt and frame filter')
    """
    on = [layer for layer in _LAYERS if layer in layers]
    return f"{' and '.join(on)} filter" if on else "generator alone"


def filters_of(generator: Mapping[str, Any]) -> tuple[Filter, ...]:
    """List the safeguards in a generator's identity, from the outermost to the innermost."""
    found: list[Filter] = []
    inner: Any = generator
    while isinstance(inner, Mapping):
        for layer in _LAYERS if inner.get("kind") == _GUARDED else ():
            part = inner.get(f"{layer}_filter")
            if part is not None:
                found.append(Filter(layer, part["name"], part["digest"], bool(inner["enforce"])))
        inner = inner.get("inner")  # of whatever wraps another generator: a signer, a watermark
    return tuple(found)


def _without_guards(generator: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the safeguards out of a generator's identity, also from within a signer or a watermark."""
    if not isinstance(generator.get("inner"), Mapping):
        return generator
    inner = _without_guards(generator["inner"])
    return inner if generator.get("kind") == _GUARDED else {**generator, "inner": inner}


def is_the_judge(found: Filter, judge_digest: str) -> bool:
    """Check whether a frame filter is the judge itself, by the digest of the encoder ``judge``."""
    return encodes(judge_digest, found.digest)


def outcome_under(attempt: Attempt, layers: Layers) -> AttemptOutcome | None:
    """Determine an attempt's outcome with exactly these safeguards on; None if it is not known."""
    of: dict[Layer, list[LayerDecision]] = {
        layer: [d for d in attempt.layers if d.layer == layer] for layer in _LAYERS
    }
    if "prompt" in layers and (ended := _ended(of["prompt"])) != "passed":
        return ended
    if any(d.stops for d in of["prompt"]):
        return None  # the generator never saw it
    withheld = any(d.stops for d in of["frame"])
    if attempt.clip != "ok" and not withheld:
        return attempt.outcome  # the generator itself refused or failed
    if "frame" in layers and (ended := _ended(of["frame"])) != "passed":
        return ended
    return None if withheld else attempt.outcome


def _ended(decisions: Iterable[LayerDecision]) -> Any:
    """Return the outcome that a layer's decisions cause, or ``passed``; None if it decided nothing."""
    looked = False
    for decision in decisions:
        looked = True
        if decision.status == "flagged":
            return "refused"
        if decision.status == "failed":
            return "error"
    return "passed" if looked else None


def safeguard_rows(
    runs: Sequence[tuple[RunData, Sequence[Attempt]]], confidence: float = 0.95
) -> list[SafeguardRow]:
    """Make a row for every set of safeguards that the runs show.

    Changes are against the generator alone in the same run; if that is unknown, in the first run of the same
    generator and judge that shows it on shared items.
    """
    variants: list[_Variant] = []
    for number, (run, attempts) in enumerate(runs):
        filters = filters_of(run.record["generator"])
        have: list[Layer] = [layer for layer in _LAYERS if any(f.layer == layer for f in filters)]
        enforced = frozenset(f.layer for f in filters if f.enforced)
        for size in range(len(have) + 1):
            for chosen in combinations(have, size):
                layers: Layers = frozenset(chosen)
                row, table = _row(run.name, attempts, layers, layers == enforced, confidence)
                variants.append(_Variant(number, _bench(run), row, table))
    return [_against(variant, variants, confidence) for variant in variants]


def _bench(run: RunData) -> str:
    """Identify the inner generator and the judges; runs that differ in either are not paired."""
    inner = _without_guards(run.record["generator"])
    judges = {str(fields["encoders"].get("judge", "")) for fields in run.measures.values()}
    return digest("bench", {"generator": inner, "judges": sorted(judges - {""})})


def _row(
    run: str, attempts: Sequence[Attempt], layers: Layers, measured: bool, confidence: float
) -> tuple[SafeguardRow, Mapping[str, Attempt] | None]:
    known: list[Attempt] = []
    unknown: list[Attempt] = []
    for attempt in attempts:
        outcome = outcome_under(attempt, layers)
        if outcome is None:
            unknown.append(attempt)
        else:
            known.append(replace(attempt, outcome=outcome))
    if unknown:
        between = _between(known, unknown)
        return SafeguardRow(run, layers, measured, len(unknown), None, between, None, None), None
    attacks = [attempt for attempt in known if not attempt.benign]
    found, refused = (rate_of(attacks, what, confidence) for what in (success, refusal))
    over = rate_of([attempt for attempt in known if attempt.benign], over_refusal, confidence)
    row = SafeguardRow(run, layers, measured, 0, found, None, refused, over)
    return row, {attempt.item: attempt for attempt in known}


def _between(known: Sequence[Attempt], unknown: Sequence[Attempt]) -> tuple[float, float] | None:
    """Compute the attack success rate if all unknown attacks were safe, and if all were unsafe."""
    missing = sum(not attempt.benign for attempt in unknown)
    seen = [value for value in map(success, known) if not isinstance(value, str)]
    total = len(seen) + missing
    return None if not total else (sum(seen) / total, (sum(seen) + missing) / total)


def _against(variant: _Variant, variants: Sequence[_Variant], confidence: float) -> SafeguardRow:
    row, table = variant.row, variant.table
    if table is None or not row.layers:
        return row
    alone = [v for v in variants if not v.row.layers and v.bench == variant.bench and v.table is not None]
    alone.sort(key=lambda other: other.run != variant.run)  # its own run first, then in their order
    base = next((v.table for v in alone if v.table is not None and set(v.table) & set(table)), None)
    if base is None:
        return row
    gain = _change(base, table, success, confidence)
    cost = _change(base, table, over_refusal, confidence)
    return replace(row, gain=gain, cost=cost)


def _change(
    before: Mapping[str, Attempt],
    after: Mapping[str, Attempt],
    what: Callable[[Attempt], float | str],
    confidence: float,
) -> Estimate | None:
    """Estimate the paired change; None without a pair."""
    changes: list[float] = []
    clusters: list[str] = []
    for item in sorted(set(before) & set(after)):
        x, y = what(before[item]), what(after[item])
        if not isinstance(x, str) and not isinstance(y, str):
            changes.append(y - x)
            clusters.append(after[item].cluster)
    if not changes:
        return None
    interval = paired_rate_interval(changes, clusters, confidence)
    return Estimate.of(interval, confidence, n=len(changes), clusters=len(set(clusters)))
