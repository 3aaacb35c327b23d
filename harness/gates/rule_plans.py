"""Count the prompts that one rule of a policy needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict

from ..comparison.compare import difference, pairs_of
from ..comparison.power import FEW_PILOT
from ..core.counts import counted
from ..core.errors import UsageError
from ..core.pairing import Pairing
from ..core.run_data import RunData, value_of
from ..core.stats import (
    Bounds,
    difference_bounds,
    needed_without_failures,
    prompts_for_effect,
    prompts_for_rate,
    prompts_to_clear,
    spread_of_interval,
    unseen_prompts,
    with_seeds,
)
from ..judges.measure_cards import card_of
from ..policies.card_rules import NoCardError
from ..policies.checks import adding, find_measure, range_words, unknown_measure
from ..policies.decisions import Side, side_of, worse_side
from ..policies.policy import Policy, Rule
from .rule_results import rule_asks

if TYPE_CHECKING:
    from ...metrics.base import Measure, Value
    from ..core.registry import Registry
    from ..suites.suite import Suite

__all__ = ["Ground", "RulePlan", "plan_rule"]

SEEDS = (1, 2, 4, 8)

Expected: TypeAlias = Literal["pilot", "given", "no failure", ""]


class RulePlan(BaseModel):
    """What one rule of a policy needs.

    Attributes:
        rule, asks, severity: as of `RuleResult`.
        expected: the value that the count rests on (against a baseline, the difference from it), and
            ``expected_from`` where it is from; None where there is none.
        prompts: with a value of the measure, needed at ``seeds`` clips each; None where ``reason`` says why.
        by_seeds: clips a prompt -> prompts needed, as far as a pilot with several clips a prompt shows it.
        there: prompts of the suite in the rule's slice; ``enough`` whether they decide the rule: they are as
            many as needed, the suite takes the measure, and the pilot's card of it is what the policy asks
            for. None where that is not known.
        notes: what a reader must know of the count.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    measure: str
    tag: str | None
    asks: str
    severity: Literal["block", "warn"]
    expected: float | None = None
    expected_from: Expected = ""
    prompts: int | None = None
    seeds: int | None = None
    by_seeds: dict[int, int | None] = {}
    there: int | None = None
    enough: bool | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ground:
    """What a plan rests on.

    Attributes:
        pilot: a run whose values and spread are expected again; ``pairing`` is of it with a baseline.
        there: slice -> prompts of the suite; None without a suite.
        seeds: clips a prompt.
        expected: the rule's label -> its value, instead of the pilot's.
        suite: that is to be run.
    """

    policy: Policy
    registry: Registry[Measure]
    power: float
    pilot: RunData | None
    pairing: Pairing | None
    there: Mapping[str | None, int] | None
    seeds: int | None
    expected: Mapping[str, float]
    suite: Suite | None = None


class _Sample(NamedTuple):
    """Values (or paired differences) of a pilot, and the prompt of each."""

    values: list[float]
    clusters: list[str]


class _CannotPlan(Exception):
    """Say why there is no count."""


def plan_rule(rule: Rule, registry: Registry[Measure], ground: Ground) -> RulePlan:
    """Count the prompts that a rule needs, and say whether the suite has them.

    Raises:
        UsageError: the measure is not known, or the value that is expected is none that it can have.
    """
    found = find_measure(rule.measure, registry)
    if found is None:
        raise unknown_measure(rule.measure, registry)
    _check_expected(rule, *found, ground.expected.get(rule.label))
    base = RulePlan(
        rule=rule.label,
        measure=rule.measure,
        tag=rule.tag,
        asks=rule_asks(rule),
        severity=rule.severity,
        seeds=ground.seeds,
        there=None if ground.there is None else ground.there.get(rule.tag, 0),
    )
    try:
        planned = _planned(rule, found, base, ground)
    except _CannotPlan as why:
        planned = base.model_copy(update={"reason": str(why)})
    least = 0 if rule.min_n is None else math.ceil(rule.min_n / (ground.seeds or 1))
    if rule.min_n is not None and planned.prompts is not None and planned.prompts < least:
        note = f"the rule asks for {counted(rule.min_n, 'value')}"
        planned = planned.model_copy(update={"prompts": least, "notes": (*planned.notes, note)})
    lacks = _lacks(rule, found[0], base, ground, registry)
    if lacks:
        return planned.model_copy(update={"enough": False, "notes": (*planned.notes, *lacks)})
    if planned.prompts is None or base.there is None:
        return planned
    return planned.model_copy(update={"enough": planned.prompts <= base.there})


def _check_expected(rule: Rule, measure: Measure, of: Measure | Value, expected: float | None) -> None:
    """Refuse an expected value (against a baseline, a difference) that the measure cannot have."""
    if expected is None:
        return
    bounds: Bounds = (0.0, 1.0) if measure.kind == "rate" else of.bounds
    what = "all values"
    if rule.versus is not None:
        bounds, what = difference_bounds(bounds), "all differences"
    low, high = bounds
    if (low is not None and expected < low) or (high is not None and expected > high):
        raise UsageError(
            f"--expect {rule.label}={expected:g}: {what} of {rule.measure} lie {range_words(bounds)}"
        )


def _lacks(
    rule: Rule, measure: Measure, base: RulePlan, ground: Ground, registry: Registry[Measure]
) -> list[str]:
    """Say what keeps a rule from being decided, however many prompts there are."""
    suite, found = ground.suite, []
    if suite is not None and measure.name not in suite.measures:
        found.append(f"the suite does not take it; 'screentest run --measures +{measure.name}' does")
    if base.there == 0 and rule.tag is not None:
        found.append(f"the suite has no prompt of {rule.tag}")
    if suite is not None and measure.kind == "set" and rule.tag is not None and rule.tag not in suite.slices:
        found.append(f"it is of sets, and the suite does not name {rule.tag} under 'slices'")
    if ground.pilot is not None and rule.measure in ground.pilot.measures:
        found += _card_lacks(rule, ground.pilot, ground.policy, registry)
    return found


def _card_lacks(rule: Rule, pilot: RunData, policy: Policy, registry: Registry[Measure]) -> list[str]:
    """Say that the card behind the pilot's values would not let a rule pass that asks for one."""
    if (rule.card or policy.cards) != "required":
        return []
    try:
        card = card_of(pilot, rule.measure, registry, asked=rule.card == "required")
    except NoCardError as why:
        return [str(why)]
    return [card.failed] if card is not None and card.failed else []


def _planned(rule: Rule, found: tuple[Measure, Measure | Value], base: RulePlan, ground: Ground) -> RulePlan:
    kind, bounds = found[0].kind, found[1].bounds
    if rule.corrected:
        raise _CannotPlan("its bound is corrected by the card of a judge, which no count takes in")
    if kind == "set":
        return _of_set(rule, base, ground)
    given = ground.expected.get(rule.label)
    sample, lacks = None, ()
    try:
        sample = _pilot_sample(rule, ground)
    except _CannotPlan as why:
        if kind != "rate" or rule.versus is not None:
            raise
        lacks = (str(why),)
    if kind == "rate" and rule.versus is None and (sample is None or given is not None):
        planned = _of_rate(rule, base, ground, 0.0 if given is None else given, given is not None)
        return planned.model_copy(update={"notes": (*planned.notes, *lacks)})
    if sample is None:
        least = unseen_prompts(ground.policy.confidence)
        no_end = rule.versus is not None or bounds[1 if rule.max is not None else 0] is None
        floor = f", and {least} prompts at the least" if no_end and kind != "rate" else ""
        run = "a pilot run and its --baseline" if rule.versus is not None else "a pilot run"
        raise _CannotPlan(f"its spread is not known: it takes {run}{floor}")
    value = math.fsum(sample.values) / len(sample.values)
    told: Expected = "pilot"
    if given is not None:
        sample = _Sample([v + given - value for v in sample.values], sample.clusters)
        value, told = given, "given"
    if rule.versus is not None:
        bounds = (-1.0, 1.0) if kind == "rate" else (None, None)
        side = worse_side(found[1].better)
        assert rule.margin is not None  # checked by the policy
        limit = -rule.margin if side == "min" else rule.margin
    else:
        side = side_of(rule)
        limit = next(v for v in (rule.max, rule.min) if v is not None)
    prompts = len(set(sample.clusters))
    best = rule.versus is None and kind == "rate" and value == (0.0 if side == "max" else 1.0)
    notes = ["no clip of the pilot fails; any failure takes more"] if best else []
    notes += [f"rough: the pilot has {counted(prompts, 'prompt')} of it"] if prompts < FEW_PILOT else []
    if given is not None and rule.versus is None:
        low, high = bounds
        low, high = (-math.inf if low is None else low), (math.inf if high is None else high)
        sample = _Sample([min(high, max(low, v)) for v in sample.values], sample.clusters)
    by_seeds = {n: _needed(sample, n, side, limit, bounds, ground) for n in _known_seeds(sample)}
    seeds = ground.seeds
    if by_seeds and seeds is not None:
        needed = by_seeds.get(seeds) or _needed(sample, seeds, side, limit, bounds, ground)
    else:
        needed = _needed(sample, None, side, limit, bounds, ground)
        if seeds not in (None, 1):
            notes.append("the pilot has one clip a prompt, so what more of them would save is not known")
    return base.model_copy(
        update={
            "expected": value,
            "expected_from": told,
            "prompts": needed,
            "by_seeds": by_seeds,
            "reason": "" if needed else _never(told, ground.power),
            "notes": tuple(notes),
        }
    )


def _never(told: Expected, power: float) -> str:
    of = "value that is expected" if told == "given" else "pilot's value"
    return f"with the {of} no number of prompts passes with {power:.0%} probability"


def _of_rate(rule: Rule, base: RulePlan, ground: Ground, expected: float, given: bool) -> RulePlan:
    """Count the clips of different prompts that a rate needs, without a sample of it."""
    limit = next(v for v in (rule.max, rule.min) if v is not None)
    ceiling, failing = (limit, expected) if rule.max is not None else (1 - limit, 1 - expected)
    if not given:
        failing = 0.0
    if not 0 < ceiling < 1:
        raise _CannotPlan("no sample shows that a rate is 0" if ceiling == 0 else "every rate is within it")
    confidence = ground.policy.confidence
    if failing == 0:
        needed: int | None = needed_without_failures(ceiling, confidence)
    else:
        needed = prompts_for_rate(failing, ceiling, confidence, ground.power)
    notes = () if given else ("if no clip fails; any failure takes more",)
    if (ground.seeds or 1) > 1 and failing:
        notes = (*notes, "counted with one clip a prompt; more of them save little if they fail together")
    return base.model_copy(
        update={
            "expected": failing if rule.max is not None else 1 - failing,
            "expected_from": "given" if given else "no failure",
            "prompts": needed,
            "reason": "" if needed else _never("given", ground.power),
            "notes": notes,
        }
    )


def _pilot_sample(rule: Rule, ground: Ground) -> _Sample | None:
    """Take the values of a rule from the pilot; None without a pilot."""
    data, pairing = ground.pilot, ground.pairing
    if data is None or (rule.versus is not None and pairing is None):
        return None
    if rule.measure not in data.measures:
        how = adding(rule.measure, ground.registry, data.folder)
        raise _CannotPlan(f"the pilot {data.name} has no {rule.measure}; {how}")
    if pairing is not None and rule.versus is not None:
        if rule.measure not in pairing.a.measures:
            raise _CannotPlan(f"the baseline {pairing.a.name} has no {rule.measure}")
        pairs, _ = pairs_of(pairing, rule.measure, rule.tag)
        sample = _Sample([pair.b - pair.a for pair in pairs], [pair.cluster for pair in pairs])
    else:
        sample = _Sample([], [])
        for item in sorted(data.items.values(), key=lambda i: i.id):
            value = value_of(data.scores.get((rule.measure, item.id)))
            if value is not None and (rule.tag is None or rule.tag in item.slices):
                sample.values.append(value)
                sample.clusters.append(item.cluster)
    if len(set(sample.clusters)) < 2:
        raise _CannotPlan("the pilot has values of fewer than two prompts, which show no spread")
    return sample


def _known_seeds(sample: _Sample) -> tuple[int, ...]:
    return SEEDS if len(sample.clusters) > len(set(sample.clusters)) else ()


def _needed(
    sample: _Sample, seeds: int | None, side: Side, limit: float, bounds: Bounds, ground: Ground
) -> int | None:
    values, clusters = sample
    if seeds is not None:
        values = with_seeds(*sample, seeds, bounds)
        clusters = sorted(set(sample.clusters))
    confidence = ground.policy.confidence
    found: list[int | None] = []
    if side != "min":
        found.append(
            prompts_to_clear(values, clusters, confidence, "upper", limit, bounds, power=ground.power)
        )
    if side != "max":
        least = -limit if side == "both" else limit
        found.append(
            prompts_to_clear(values, clusters, confidence, "lower", least, bounds, power=ground.power)
        )
    known = [n for n in found if n is not None]
    return max(known) if len(known) == len(found) else None


def _of_set(rule: Rule, base: RulePlan, ground: Ground) -> RulePlan:
    """Count the prompts of a measure of sets: its standard error goes with the root of their number."""
    confidence = ground.policy.confidence
    if rule.versus is not None:
        if ground.pairing is None:
            raise _CannotPlan("its spread is not known: it takes a pilot run and its --baseline")
        for data in (ground.pairing.a, ground.pairing.b):
            if rule.measure not in data.measures:
                how = adding(rule.measure, ground.registry, data.folder)
                raise _CannotPlan(f"{data.name} has no {rule.measure}; {how}")
        row = difference(ground.pairing, rule.measure, rule.tag, 2 * confidence - 1)
        value, low, high, groups, why = row.value, row.low, row.high, row.clusters, row.reason
        assert rule.margin is not None  # checked by the policy
        side = worse_side(row.better)
        limit = -rule.margin if side == "min" else rule.margin
        wide = 2 * confidence - 1
    else:
        if ground.pilot is None:
            raise _CannotPlan("its spread is not known: it takes a pilot run")
        score = ground.pilot.sets.get((rule.measure, rule.tag))
        value, low, high, groups, why, wide = None, None, None, 0, "the pilot has no value of it", 0.95
        if score is not None:
            value, low, high, groups = score.value, score.low, score.high, score.clusters
            why, wide = score.reason, score.confidence
        limit, side = next(v for v in (rule.max, rule.min) if v is not None), side_of(rule)
    if value is None or low is None or high is None or groups < 2:
        raise _CannotPlan(why or "the pilot has no interval of it")
    expected = ground.expected.get(rule.label, value)
    spread = spread_of_interval(value, low, high, groups, wide)
    room = expected - limit if side == "min" else limit - (abs(expected) if side == "both" else expected)
    needed = prompts_for_effect(room, spread, confidence, ground.power) if spread > 0 else None
    told: Expected = "given" if rule.label in ground.expected else "pilot"
    notes: Sequence[str] = ("its error is taken to go with the root of the number of prompts",)
    if groups < FEW_PILOT:
        notes = (*notes, f"rough: the pilot has {counted(groups, 'prompt')} of it")
    return base.model_copy(
        update={
            "expected": expected,
            "expected_from": told,
            "prompts": needed,
            "reason": "" if needed else _never(told, ground.power),
            "notes": tuple(notes),
        }
    )
