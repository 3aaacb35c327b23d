"""Rates over the clips of a run, clustered by prompt, as sections of audits state them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ..harness.core.estimate import Estimate
from ..harness.core.items import Item
from ..harness.core.presentation import estimate_cell, level
from ..harness.core.run_data import RunData, value_of
from ..harness.core.stats import rate_interval

__all__ = ["rate_estimate", "rate_text"]


def rate_estimate(
    run: RunData, measure: str, confidence: float, chosen: Callable[[Item], bool] | None = None
) -> Estimate | None:
    """Estimate a rate over the clips of a run, clustered by prompt; None if it was not measured.

    Args:
        run: with the scores.
        measure: whose values are 0 or 1.
        confidence: of the interval.
        chosen: which items; None for all.
    """
    if measure not in run.measures:
        return None
    values: list[float] = []
    clusters: list[str] = []
    left_out: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for name, item in sorted(run.items.items()):
        if chosen is not None and not chosen(item):
            continue
        score = run.scores.get((measure, name))
        value = value_of(score)
        if value is None:
            left_out[run.status(measure, name)] += 1
            reasons[score.reason if score is not None and score.reason else "not scored yet"] += 1
        else:
            values.append(value)
            clusters.append(item.cluster)
    return Estimate.of(
        rate_interval(values, clusters, confidence),
        confidence,
        n=len(values),
        clusters=len(set(clusters)),
        left_out=dict(sorted(left_out.items())),
        reasons=dict(sorted(reasons.items())),
    )


def rate_text(estimate: Estimate, confidence: float, *, signed: bool = False) -> str:
    """Write an estimate for a sentence: its value, interval, sample, and what was left out.

    Args:
        estimate: a rate, or a difference of rates.
        confidence: of its interval.
        signed: whether a value above 0 has a plus: a difference.
    """
    cell = estimate_cell(estimate, signed=signed)
    if estimate.value is None:
        return f"no value ({cell.why or 'no clip'})"
    out = f", {cell.left_out} left out" if cell.left_out else ""
    return f"{cell.text} ({level(confidence)} interval, n {cell.n}{out})"
