"""The power of a comparison: the least effect that it can show, and the prompts that an effect takes."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from ..core.config import Document
from ..core.counts import counted
from ..core.errors import unknown_name
from ..core.pairing import Pairing
from ..core.stats import detectable_effect, prompts_for_effect, spread_of_interval, spread_of_prompts
from .compare import SAME_CLIPS, pairs_of
from .result import Comparison, Difference, too_few_prompts

__all__ = ["FEW_PILOT", "ComparisonPower", "EffectPower", "power_of", "prompts_for_p"]

FEW_PILOT = 20
"""Prompts under which a pilot's spread is rough."""


class EffectPower(BaseModel):
    """What a comparison can show of one measure.

    Attributes:
        n, clusters: pairs of values, and the prompts that they come from.
        spread: standard deviation of the prompts' differences.
        detectable: the least true difference whose interval excludes 0 with the power; ``of_value`` is it as
            a share of run a's value.
        effect: the difference that is asked about; by default the one that was seen.
        prompts: needed to show it; no fewer than those with which p can fall to 1 - confidence.
        reason: why there is no number.
        notes: what bounds the numbers, and that few prompts give a rough estimate.
    """

    model_config = ConfigDict(frozen=True)

    measure: str
    unit: str
    n: int
    clusters: int
    difference: float | None = None
    spread: float | None = None
    detectable: float | None = None
    of_value: float | None = None
    effect: float | None = None
    prompts: int | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()


class ComparisonPower(Document):
    """What a comparison of two runs can show, measure by measure, with probability ``power``."""

    a: str
    b: str
    confidence: float
    power: float
    measures: tuple[EffectPower, ...]


def power_of(
    comparison: Comparison, pairing: Pairing, power: float = 0.8, effects: Mapping[str, float] | None = None
) -> ComparisonPower:
    """Compute what a comparison can show over all items.

    Args:
        comparison: of the runs of ``pairing``.
        power: probability that the two-sided interval excludes 0 on the side of the effect.
        effects: measure -> the difference to count the prompts for.

    Raises:
        UsageError: an effect is of a measure that was not compared.
    """
    rows = [row for row in comparison.differences if row.tag is None]
    names = [row.measure for row in rows]
    for name in effects or {}:
        if name not in names:
            raise unknown_name("measure", name, names)
    tests = sum(row.p is not None for row in rows)
    return ComparisonPower(
        a=comparison.a.name,
        b=comparison.b.name,
        confidence=comparison.confidence,
        power=power,
        measures=tuple(_of_row(row, pairing, power, (effects or {}).get(row.measure), tests) for row in rows),
    )


def prompts_for_p(confidence: float, tests: int = 1) -> int:
    """Count the prompts with which p of the two-sided sign-flip test can fall to 1 - confidence.

    It is 2 ** (1 - n) where all n prompts move one way, times ``tests`` as adjusted by Holm.

    Example:
        >>> prompts_for_p(0.95), prompts_for_p(0.95, tests=5)
        (6, 8)
    """
    prompts = 2
    while tests * 2.0 ** (1 - prompts) > 1 - confidence:
        prompts += 1
    return prompts


def _of_row(row: Difference, pairing: Pairing, power: float, asked: float | None, tests: int) -> EffectPower:
    base = EffectPower(
        measure=row.measure,
        unit=row.unit,
        n=row.n,
        clusters=row.clusters,
        difference=row.value,
        effect=row.value if asked is None else asked,
    )
    spread = _spread(row, pairing)
    if isinstance(spread, str):
        return base.model_copy(update={"reason": spread})
    one_sided = 1 - (1 - row.confidence) / 2
    tested = row.p is not None
    least, notes = None, list[str]()
    if tested and row.clusters < prompts_for_p(row.confidence):
        notes.append(too_few_prompts(row.clusters))
    else:
        least = detectable_effect(spread, row.clusters, one_sided, power)
    needed = prompts_for_effect(abs(base.effect or 0.0), spread, one_sided, power)
    floor = prompts_for_p(row.confidence, tests)
    if tested and needed is not None and needed < floor:
        needed = floor
        over = f", adjusted for {tests} measures (Holm)," if tests > 1 else ""
        notes.append(f"with fewer than {floor} prompts p{over} cannot be {1 - row.confidence:.3g} or less")
    if row.clusters < FEW_PILOT:
        notes.append(f"rough: the runs have {counted(row.clusters, 'prompt')} of it")
    why = "" if needed else "no number of prompts shows a difference of 0"
    return base.model_copy(
        update={
            "spread": spread,
            "detectable": least,
            "of_value": least / abs(row.a) if row.a and least is not None else None,
            "prompts": needed,
            "reason": why,
            "notes": tuple(notes),
        }
    )


def _spread(row: Difference, pairing: Pairing) -> float | str:
    """Give the standard deviation of the prompts' differences, or say why there is none."""
    if row.value is None:
        return row.reason or "there is no difference"
    if row.clusters < 2:
        return "one prompt shows no spread"
    if row.method == SAME_CLIPS:
        return "both runs hold identical clips"
    if row.kind == "set":
        if row.low is None or row.high is None:
            return "there is no interval"
        spread = spread_of_interval(row.value, row.low, row.high, row.clusters, row.confidence)
    else:
        pairs, _ = pairs_of(pairing, row.measure, row.tag)
        spread = spread_of_prompts([pair.b - pair.a for pair in pairs], [pair.cluster for pair in pairs])
    return spread if spread > 0 else "all prompts differ by the same amount: the sample shows no spread"
