"""Plan a gate before anything is generated: how many prompts each rule of a policy needs.

What a rule needs depends on what the generator will show, which nobody knows yet. It is taken from a pilot
run, from a value that the user expects, or, for a rate, from the best case, in which no clip fails. The
counts are those of the bounds that the gate itself computes (`rules`); `rule_plans` counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .core.config import Document
from .core.errors import unknown_name
from .core.pairing import Pairing
from .core.run_data import RunData
from .plan import suite_items
from .policy import Policy
from .rule_plans import Ground, RulePlan, plan_rule

if TYPE_CHECKING:
    from ..metrics.base import Measure
    from .core.registry import Registry
    from .suite import Suite

__all__ = ["GatePlan", "RulePlan", "plan_gate"]


class GatePlan(Document):
    """What a policy needs, rule by rule.

    Attributes:
        power: the probability that a rule passes with the prompts that are told, if its value is as expected.
        pilot, baseline, suite: names of what was given; empty without.
    """

    policy: str
    confidence: float
    power: float
    pilot: str = ""
    baseline: str = ""
    suite: str = ""
    rules: tuple[RulePlan, ...]

    @property
    def enough(self) -> bool:
        """Whether the suite has what every rule that blocks needs, as far as that is known."""
        return all(rule.enough is not False for rule in self.rules if rule.severity == "block")


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
) -> GatePlan:
    """Count the prompts that each rule needs to pass with probability ``power``.

    Args:
        registry: the known measures.
        pilot: a run whose values and spread the next run is expected to have.
        pairing: the pilot with a baseline, for rules with ``versus: baseline``.
        suite: the suite that is to be run, to say whether it is large enough.
        seeds: clips a prompt; by default the suite's, else the pilot's.
        expected: the rule's label -> the value that is expected, instead of the pilot's.

    Raises:
        UsageError: the policy has an unknown measure, or a value is expected for a rule that it has not.
    """
    labels = [rule.label for rule in policy.rules]
    for label in expected or {}:
        if label not in labels:
            raise unknown_name("rule", label, labels)
    ground = Ground(
        policy, power, pilot, pairing, _counts(suite), _seeds(suite, pilot, seeds), expected or {}
    )
    return GatePlan(
        policy=f"{policy.name} v{policy.version}",
        confidence=policy.confidence,
        power=power,
        pilot="" if pilot is None else pilot.name,
        baseline="" if pairing is None else pairing.a.name,
        suite="" if suite is None else f"{suite.name} v{suite.version}",
        rules=tuple(plan_rule(rule, registry, ground) for rule in policy.rules),
    )


def _counts(suite: Suite | None) -> dict[str | None, int] | None:
    """Count a suite's prompts by slice; None without a suite, or where its prompts are not known yet."""
    if suite is None or not suite.prompts:
        return None
    members: dict[str | None, set[str]] = {None: set()}
    for item in suite_items(suite):
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
