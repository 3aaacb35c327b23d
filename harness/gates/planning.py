"""Plan a gate before anything is generated: how many prompts each rule of a policy needs.

What a rule needs depends on what the generator will show, which nobody knows yet. It is taken from a pilot
run, from a value that the user expects, or, for a rate, from the best case, in which no clip fails. The
counts are those of the bounds that the gate itself computes (`rules`); `rule_plans` counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from ..core.config import Document
from ..core.errors import unknown_name
from ..core.pairing import Pairing
from ..core.run_data import RunData
from ..plan import suite_items
from ..policies.checks import check_policy
from ..policies.looks import find_look
from ..policies.policy import Policy
from .rule_plans import Ground, RulePlan, plan_rule

if TYPE_CHECKING:
    from ...metrics.base import Measure
    from ..core.registry import Registry
    from ..suites.suite import Suite

__all__ = ["GatePlan", "RulePlan", "plan_gate"]


class GatePlan(Document):
    """What a policy needs, rule by rule.

    Attributes:
        power: the probability that a rule passes with the prompts that are told, if its value is as expected.
        pilot, baseline, suite: names of what was given; empty without.
        too_few: labels of the rules that block and that the suite cannot decide.
        without_count: labels of the rules that block and of which it is not known what they need, or whether
            the suite has it; their ``reason`` or notes say why.
        notes: what a reader must know of all counts.
    """

    policy: str
    confidence: float
    power: float
    pilot: str = ""
    baseline: str = ""
    suite: str = ""
    too_few: tuple[str, ...] = ()
    without_count: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    rules: tuple[RulePlan, ...]

    @property
    def decided(self) -> bool:
        """Whether each rule that blocks has a count, and the suite, if there is one, has as many prompts."""
        return not self.too_few and not self.without_count


def plan_gate(
    policy: Policy,
    registry: Registry[Measure],
    *,
    power: float = 0.8,
    pilot: RunData | None = None,
    pairing: Pairing | None = None,
    suite: Suite | None = None,
    seeds: int | None = None,
    expected: Mapping[str, float] | None = None,
    today: date | None = None,
) -> GatePlan:
    """Count the prompts that each rule needs to pass with probability ``power``.

    Args:
        policy: to plan for; one with looks is planned for the last look that the suite has the prompts for.
        registry: the known measures.
        pilot: a run whose values and spread the next run is expected to have.
        pairing: the pilot with a baseline, for rules with ``versus: baseline``.
        suite: the suite that is to be run, to say whether it is large enough.
        seeds: clips a prompt; by default the suite's, else the pilot's.
        expected: the rule's label -> the value that is expected, instead of the pilot's.
        today: the day that waivers are checked at; by default the current day.

    Raises:
        UsageError: the gate would refuse the policy, as for an unknown measure; or a value is expected for a
            rule that it has not, or that the rule's measure cannot have.
    """
    recorded = {} if pilot is None else pilot.measures
    check_policy(policy, registry, recorded, today or datetime.now(UTC).date())
    labels = [rule.label for rule in policy.rules]
    for label in expected or {}:
        if label not in labels:
            raise unknown_name("rule", label, labels)
    known = suite if suite is not None and suite.prompts else None  # others get them from a generator
    total = None if known is None else len(known.prompts)
    policy, size, looks = _at_look(policy, total)
    ground = Ground(
        policy,
        registry,
        power,
        pilot,
        pairing,
        None if known is None else _counts(known, size),
        _seeds(suite, pilot, seeds),
        expected or {},
        suite,
    )
    rules = tuple(plan_rule(rule, registry, ground) for rule in policy.rules)
    block = [rule for rule in rules if rule.severity == "block"]
    notes = [looks] if looks else []
    if suite is not None and known is None:
        notes.append(f"the prompts of {suite.name} come with its generator, so their number is not known")
    return GatePlan(
        policy=f"{policy.name} v{policy.version}",
        confidence=policy.confidence,
        power=power,
        pilot="" if pilot is None else pilot.name,
        baseline="" if pairing is None else pairing.a.name,
        suite="" if suite is None else f"{suite.name} v{suite.version}",
        too_few=tuple(rule.rule for rule in block if rule.enough is False),
        without_count=tuple(
            rule.rule for rule in block if rule.enough is None and (rule.prompts is None or suite is not None)
        ),
        notes=tuple(notes),
        rules=rules,
    )


def _at_look(policy: Policy, total: int | None) -> tuple[Policy, int | None, str]:
    """Take the policy at the confidence of the last look that a suite of ``total`` prompts has.

    Returns:
        the policy, the prompts of the look (None where all of the suite count) and a note.
    """
    if not policy.looks:
        return policy, None, ""
    there = [size for size in policy.looks if total is None or size <= total]
    sizes = ", ".join(map(str, policy.looks))
    if not there:
        return policy, 0, f"the policy is judged at {sizes} prompts, and the suite has {total}: at no look"
    look = find_look(policy, there[-1])
    assert look is not None  # the policy has looks
    note = f"counted for the look at {there[-1]} prompts, at {100 * look.confidence:.5g} % confidence"
    return policy.model_copy(update={"confidence": look.confidence}), there[-1], note


def _counts(suite: Suite, size: int | None) -> dict[str | None, int]:
    """Count the prompts of a suite, or the first ``size`` of them, by slice."""
    members: dict[str | None, set[str]] = {None: set()}
    first: set[str] = set()
    for item in suite_items(suite):
        if size is not None and item.cluster not in first and len(first) == size:
            continue
        first.add(item.cluster)
        for name in (None, *item.slices):
            members.setdefault(name, set()).add(item.cluster)
    return {name: len(clusters) for name, clusters in members.items()}


def _seeds(suite: Suite | None, pilot: RunData | None, asked: int | None) -> int | None:
    if asked is not None:
        return asked
    if suite is not None:
        return suite.seeds
    if pilot is None or not pilot.items:
        return None
    return max(1, round(len(pilot.items) / len({item.cluster for item in pilot.items.values()})))
