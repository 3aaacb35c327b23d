"""Decide whether a value keeps to a limit, from its confidence bounds; pure functions.

PASS if even the worse bound keeps to the limit; FAIL if even the better bound breaks it; else INCONCLUSIVE. A
rate also fails if its value breaks the limit in a sample that, without any failure, would have passed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from ..core.counts import counted
from ..core.stats import (
    Bounds,
    effective_sample_size,
    mean_bound,
    needed_without_failures,
    prompts_to_clear,
    rate_bound,
    unseen_prompts,
)
from .policy import Rule

__all__ = ["Outcome", "Side", "decide_mean", "decide_rate", "decide_value", "side_of", "worse_side"]

Outcome: TypeAlias = Literal["PASS", "FAIL", "INCONCLUSIVE"]
Side: TypeAlias = Literal["max", "min", "both"]
BoundSide: TypeAlias = Literal["upper", "lower"]
CLOSE = 1e-12
"""Relative tolerance for a bound that exceeds a limit by rounding."""
MOST = 10_000_000
"""Largest number of prompts that is reported as needed."""


def decide_rate(
    rule: Rule, values: Sequence[float], clusters: Sequence[str], confidence: float
) -> dict[str, Any]:
    """Decide a limit on a rate; a minimum is a maximum of the opposite rate."""
    ceiling = rule.max if rule.max is not None else 1 - (rule.min or 0.0)
    failing = list(values) if rule.max is not None else [1 - v for v in values]
    rate = math.fsum(failing) / len(failing)
    upper = rate_bound(failing, clusters, confidence, "upper")
    lower = rate_bound(failing, clusters, confidence, "lower")
    prompts = len(set(clusters))
    least = needed_without_failures(ceiling, confidence) if 0 < ceiling < 1 else None
    outcome = _outcome("max", lower, upper, ceiling)
    bound = lower if outcome == "FAIL" else upper  # the one that decided
    needed = None
    if outcome == "INCONCLUSIVE" and least is not None:
        if rate > ceiling:
            outcome = "FAIL" if prompts >= least else outcome
            needed = least
        else:
            needed = prompts_to_clear(failing, clusters, confidence, "upper", ceiling, (0.0, 1.0))
    one_each = len(failing) == prompts
    return {
        "outcome": outcome,
        "value": rate if rule.max is not None else 1 - rate,
        "bound": bound if rule.max is not None else 1 - bound,
        "effective_n": effective_sample_size(failing, clusters),
        "needed": needed if outcome == "INCONCLUSIVE" else None,
        "method": f"{'Clopper-Pearson' if one_each else 'Gaffke'}, one-sided, over "
        f"{counted(prompts, 'prompt')}",
    }


def decide_mean(
    side: Side,
    values: Sequence[float],
    clusters: Sequence[str],
    limit: float,
    confidence: float,
    bounds: Bounds,
) -> dict[str, Any]:
    """Decide a limit on the mean of clustered values by its one-sided bounds (`mean_bound`).

    With ``side`` "both", the limit is a distance from 0 that neither bound may pass. If the values have no
    bound on the side that decides, ``bound`` is None, the outcome is INCONCLUSIVE and a note says why.
    """
    prompts = len(set(clusters))
    value = math.fsum(values) / len(values)
    low = mean_bound(values, clusters, confidence, "lower", bounds)
    high = mean_bound(values, clusters, confidence, "upper", bounds)
    evidence: dict[str, Any] = {
        "value": value,
        "method": f"Gaffke, one-sided, over {counted(prompts, 'prompt')}",
    }
    far = {"max": (high,), "min": (low,), "both": (low, high)}[side]
    if None in far:
        least = unseen_prompts(confidence)
        note = (
            f"under {least} prompts, a mean without an end to its range has no bound at this confidence"
            if prompts < least
            else "all prompts have the same value, and the measure's range has no end: no bound"
        )
        # The better bound can still show that the limit is broken.
        near = {"max": low, "min": high, "both": None}[side]
        failed = near is not None and _outcome(side, near, near, limit) == "FAIL"
        return evidence | {
            "outcome": "FAIL" if failed else "INCONCLUSIVE",
            "bound": near if failed else None,
            "needed": None if failed or prompts >= least else least,
            "notes": (note,),
        }
    # A better bound that does not exist counts as infinitely far out, so that it decides nothing.
    decided = decide_value(
        side, value, (value if low is None else low, value if high is None else high), limit, prompts
    )
    if (low is None or high is None) and decided["outcome"] == "FAIL":
        decided["outcome"] = "INCONCLUSIVE"
    if decided["outcome"] == "INCONCLUSIVE":

        def clear(bound: BoundSide, at: float) -> int | None:
            return prompts_to_clear(values, clusters, confidence, bound, at, bounds)

        needed = _needed(side, limit, clear)
        decided["needed"] = None if needed is None else max(needed, prompts + 1)
    return evidence | decided


def _needed(side: Side, limit: float, clear: Callable[[BoundSide, float], int | None]) -> int | None:
    """Count the prompts that would clear the limit, if they were spread like these.

    ``clear`` counts them for one bound and the limit that it has to keep.
    """
    needs: list[int | None] = []
    if side != "min":
        needs.append(clear("upper", limit))
    if side != "max":
        needs.append(clear("lower", -limit if side == "both" else limit))
    known = [n for n in needs if n is not None]
    return max(known) if len(known) == len(needs) else None


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
        bound = high if (side == "max") != (outcome == "FAIL") else low  # the one that decided
        room = limit - value if side == "max" else value - limit
    needed = None
    if outcome == "INCONCLUSIVE" and room > 0:
        # The interval shrinks with the square root of the number of prompts.
        # Capped before squaring, which could overflow.
        ratio = min(math.sqrt(MOST), abs(bound - value) / room)
        needed = max(prompts + 1, math.ceil(min(MOST, prompts * ratio**2)))
    return {"outcome": outcome, "bound": bound, "needed": needed}


def side_of(rule: Rule) -> Side:
    """Return the kind of a rule's limit: a maximum, a minimum, or a distance on both sides."""
    return "max" if rule.max is not None else "min"


def worse_side(better: str) -> Side:
    """Return the side on which a difference from a baseline is limited: where a run is worse, or both."""
    if better == "neither":
        return "both"
    return "min" if better == "higher" else "max"


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
