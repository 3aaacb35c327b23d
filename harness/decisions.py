"""Decisions: where a value and its bounds lie to a limit, as pure functions.

PASS if the bound on the far side clears the limit, FAIL if the bound on the near side lies beyond it. A rate
also fails if its value lies beyond the limit in a sample that, had it been perfect, would have passed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from .core.stats import effective_sample_size, needed_at_rate, needed_without_failures, rate_bound
from .policy import Rule

__all__ = ["Outcome", "Side", "decide_rate", "decide_value", "side_of"]

Outcome: TypeAlias = Literal["PASS", "FAIL", "INCONCLUSIVE"]
Side: TypeAlias = Literal["max", "min", "both"]
CLOSE = 1e-12
"""How far beyond a limit, relatively, a bound is by rounding alone."""
MOST = 10_000_000
"""Prompts beyond which a need is not worth saying."""


def decide_rate(
    rule: Rule, values: Sequence[float], clusters: Sequence[str], confidence: float
) -> dict[str, Any]:
    """Decide a limit on a rate; a floor is the ceiling of the opposite."""
    ceiling = rule.max if rule.max is not None else 1 - (rule.min or 0.0)
    failing = list(values) if rule.max is not None else [1 - v for v in values]
    rate = math.fsum(failing) / len(failing)
    upper = rate_bound(failing, clusters, confidence, "upper")
    lower = rate_bound(failing, clusters, confidence, "lower")
    effective, prompts = effective_sample_size(failing, clusters), len(set(clusters))
    least = needed_without_failures(ceiling, confidence) if 0 < ceiling < 1 else None
    outcome = _outcome("max", lower, upper, ceiling)
    needed = None
    if outcome == "INCONCLUSIVE" and least is not None:
        if rate > ceiling:
            outcome = "FAIL" if prompts >= least else outcome
            needed = least
        else:
            trials = needed_at_rate(rate, ceiling, confidence)
            # Prompts are worth more trials the less their seeds agree; take that from this sample.
            needed = None if trials is None else max(least, math.ceil(trials * prompts / effective))
    return {
        "outcome": outcome,
        "value": rate if rule.max is not None else 1 - rate,
        "bound": upper if rule.max is not None else 1 - upper,
        "effective_n": effective,
        "needed": needed if outcome == "INCONCLUSIVE" else None,
        "method": "Clopper-Pearson, one-sided, at the effective sample size",
    }


def decide_value(
    side: Side, value: float, bounds: tuple[float, float], limit: float, prompts: int
) -> dict[str, Any]:
    """Decide a limit from a value and its lower and upper one-sided confidence bounds.

    With ``side`` "both", the limit is a distance from 0 that neither bound may pass.
    """
    low, high = bounds
    outcome = _outcome(side, low, high, limit)
    if side == "both":
        bound = high if abs(high) >= abs(low) else low
        room = limit - abs(value)
    else:
        bound = high if side == "max" else low
        room = limit - value if side == "max" else value - limit
    needed = None
    if outcome == "INCONCLUSIVE" and room > 0:
        # The interval shrinks with the square root of the number of prompts.
        # Capped before it is squared, which could overflow.
        ratio = min(math.sqrt(MOST), abs(bound - value) / room)
        needed = max(prompts + 1, math.ceil(min(MOST, prompts * ratio**2)))
    return {"outcome": outcome, "bound": bound, "needed": needed}


def side_of(rule: Rule) -> Side:
    """Say on which side of a rule's limit the values should lie."""
    return "max" if rule.max is not None else "min"


def _outcome(side: Side, low: float, high: float, limit: float) -> Outcome:
    if not all(math.isfinite(v) for v in (low, high, limit)):
        return "INCONCLUSIVE"
    slack = CLOSE * max(1.0, abs(limit))
    if side == "both":
        inside, outside = max(-low, high) <= limit + slack, max(low, -high) > limit + slack
    elif side == "max":
        inside, outside = high <= limit + slack, low > limit + slack
    else:
        inside, outside = low >= limit - slack, high < limit - slack
    return "PASS" if inside else "FAIL" if outside else "INCONCLUSIVE"
