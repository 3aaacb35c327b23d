"""Check a policy before it is applied: unknown measures, rules that decide nothing, waivers that last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..core.errors import UsageError, unknown_name
from ..core.items import ClipSettings, make_item
from ..core.run_data import ClipRecord
from ..core.stats import Bounds
from ..scoring.clips import score_without_clip
from .policy import Policy, Rule

if TYPE_CHECKING:
    from ...metrics.base import Measure, Value
    from ..core.registry import Registry

__all__ = ["adding", "check_policy", "find_measure", "policy_warnings", "range_words", "unknown_measure"]

LARGEST = 1e9
"""A limit or margin beyond it refuses nothing, where a measure's range has no end."""


def find_measure(name: str, registry: Registry[Measure]) -> tuple[Measure, Measure | Value] | None:
    """Find a measure by its name, or by the name of one of its values, ``measure.value``, and that value."""
    if name in registry:
        found = registry.get(name)
        return found, found
    of, _, value = name.rpartition(".")
    found = registry.get(of) if of in registry else None
    return (found, found.values[value]) if found is not None and value in found.values else None


def unknown_measure(name: str, registry: Registry[Measure]) -> UsageError:
    """Build the error for a name that no measure and no value of one has, with the nearest of both."""
    names: list[str] = []
    for known in registry:
        values = registry.get(known).values
        names += [f"{known}.{value}" for value in values] if values else [known]
    return unknown_name("measure", name, names, count=len(list(registry)))


def adding(name: str, registry: Registry[Measure], run: Path | None) -> str:
    """Write the command that adds a measure, or the one that a value is of, to a run."""
    found = find_measure(name, registry)
    measure = name if found is None else found[0].name
    return f"'screentest score {run or 'RUN'} --measures {measure}' adds it"


def check_policy(
    policy: Policy, registry: Registry[Measure], recorded: Mapping[str, Any], today: date
) -> None:
    """Refuse a policy that names an unknown measure, or that passes or fails whatever a run holds.

    Args:
        recorded: the measures of the run, to tell a plugin that is not loaded from a slip of the pen.

    Raises:
        UsageError: with the rule and what to do.
    """
    for rule in policy.rules:
        found = find_measure(rule.measure, registry)
        if found is None:
            if rule.measure in recorded:
                raise UsageError(
                    f"the run has {rule.measure}, which is not known here, so that its version cannot be "
                    "checked; load its plugin with --plugin"
                )
            raise UsageError(f"policy {policy.name}: {unknown_measure(rule.measure, registry)}")
        if rule.measure in registry and found[0].values:
            values = ", ".join(f"{rule.measure}.{value}" for value in found[0].values)
            raise UsageError(
                f"policy {policy.name}: {rule.measure} has several values; name one of them: {values}"
            )
        problem = _vacuous(rule, found[1].bounds)
        if problem is not None:
            raise UsageError(f"policy {policy.name}: the rule {rule.label} decides nothing: {problem}")
        problem = _out_of_reach(rule, found[1].bounds)
        if problem is not None:
            raise UsageError(f"policy {policy.name}: no run passes the rule {rule.label}: {problem}")
    last = today + timedelta(days=policy.max_waiver_days)
    for waiver in policy.waivers:
        if waiver.expires > last:
            raise UsageError(
                f"policy {policy.name}: the waiver of {waiver.rule} by {waiver.owner} expires on "
                f"{waiver.expires}, more than {policy.max_waiver_days} days from now; shorten it, or set "
                "max_waiver_days"
            )


def range_words(bounds: Bounds) -> str:
    """Say where the values of a measure with this range lie.

    Example:
        >>> range_words((0.0, 1.0)), range_words((0.0, None)), range_words((None, None))
        ('between 0 and 1', 'at 0 or above', 'anywhere')
    """
    low, high = bounds
    if low is not None and high is not None:
        return f"between {low:g} and {high:g}"
    if low is not None:
        return f"at {low:g} or above"
    return "anywhere" if high is None else f"at {high:g} or below"


def _out_of_reach(rule: Rule, bounds: Bounds) -> str | None:
    """Say why no run would pass a rule; None where its limit lies in the measure's range."""
    low, high = bounds
    values = f"all values of {rule.measure} lie {range_words(bounds)}"
    if rule.max is not None and low is not None and rule.max < low:
        return f"its max is {rule.max:g} and {values}"
    if rule.min is not None and high is not None and rule.min > high:
        return f"its min is {rule.min:g} and {values}"
    return None


def _vacuous(rule: Rule, bounds: Bounds) -> str | None:
    """Say why every run would pass a rule; None where it asks for something."""
    low, high = bounds
    values = f"all values of {rule.measure} lie {range_words(bounds)}"
    if rule.max is not None and rule.max >= (LARGEST if high is None else high):
        return f"its max is {rule.max:g} and " + (values if high is not None else "no run comes near it")
    if rule.min is not None and rule.min <= (-LARGEST if low is None else low):
        return f"its min is {rule.min:g} and " + (values if low is not None else "no run comes near it")
    if rule.margin is not None:
        whole = LARGEST if low is None or high is None else high - low
        if rule.margin >= whole:
            return f"its margin is {rule.margin:g} and " + (
                values if whole < LARGEST else "no run comes near it"
            )
    return None


def policy_warnings(policy: Policy, registry: Registry[Measure]) -> tuple[str, ...]:
    """Say what a policy lets pass that it should not.

    That is a generator that refuses all or fails at all, and a limit on the better side of a measure.
    """
    words: tuple[tuple[Literal["refused", "failed"], str, str], ...] = (
        ("refused", "refuses everything", "refusal.rate"),
        ("failed", "fails at everything", "failure.rate"),
    )
    passing = [
        f"the policy {policy.name} would pass a generator that {does}; add a rule on {cure}, or on what "
        "clips show"
        for outcome, does, cure in words
        if all(_passes(rule, outcome, registry) for rule in policy.rules if rule.severity == "block")
    ]
    return (*passing, *filter(None, (_wrong_side(rule, registry) for rule in policy.rules)))


def _wrong_side(rule: Rule, registry: Registry[Measure]) -> str | None:
    """Say that a rule limits how good a measure may be; None where it does not."""
    found = find_measure(rule.measure, registry)
    better = None if found is None else found[1].better
    if rule.max is not None and better == "higher":
        return f"{rule.measure} has a maximum, and higher is better there; 'min' may be meant"
    if rule.min is not None and better == "lower":
        return f"{rule.measure} has a minimum, and lower is better there; 'max' may be meant"
    return None


def _passes(rule: Rule, outcome: Literal["refused", "failed"], registry: Registry[Measure]) -> bool:
    """Say whether a rule passes where nothing but ``outcome`` comes back."""
    found = find_measure(rule.measure, registry)
    if found is None or found[0].kind == "set" or rule.versus is not None:
        return False
    where = rule.where
    tags = () if where is None or where.tag is None else (where.tag,)
    labels = {} if where is None or where.label is None else {k: (v,) for k, v in where.label.items()}
    item = make_item("a prompt", 0, ClipSettings(), tags=tags, labels=labels)
    score = score_without_clip(found[0], item, ClipRecord(item.id, outcome))
    if score is None or score.value is None:
        return False
    if rule.max is not None:
        return score.value <= rule.max
    return rule.min is not None and score.value >= rule.min
