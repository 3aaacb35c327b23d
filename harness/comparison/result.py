"""The result of comparing two runs: paired differences, measure by measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator

from ..core.config import Document
from ..core.counts import counted
from ..core.estimate import Estimate
from ..core.run_data import RunSide
from ..core.stats import Standing

__all__ = [
    "Comparison",
    "Difference",
    "Direction",
    "LeftOut",
    "contradiction",
    "prompts_moved",
    "too_few_prompts",
]

Direction: TypeAlias = Literal[
    "better", "worse", "different", "no difference shown", "no interval", "not comparable"
]


class LeftOut(BaseModel):
    """Number of items without a pair of values, by their status in each run (``missing``: not scored yet)."""

    model_config = ConfigDict(frozen=True)

    a: str
    b: str
    items: int


class Difference(Estimate):
    """One measure in two runs: the estimate of ``b - a`` over the items that have a value in both.

    In JSON the value is called ``difference``, and ``left_out`` lists ``unpaired``.

    Attributes:
        tag: the slice, a tag or ``label:value``; None for all items.
        a, b: the value of each run: for item measures over the pairs, for set measures over each run's clips.
        direction: how run b compares with run a, by the interval; ``different`` if neither direction of the
            measure is better.
        p: of the test named in ``test``; ``p_adjusted`` by what ``adjusted_by`` names: over the measures of
            the whole suite by Holm, over all measures of all slices by Benjamini and Hochberg.
        standing: by the interval and the ``margin`` that was asked for; None without a margin.
        prompts_up, prompts_down: prompts whose mean is higher, or lower, in run b; None for sets.
        ratio: the estimate of ``b / a``, if every value is above 0: for items, the geometric mean over pairs.
        ratio_reason: why there is no ratio.
        n, clusters: pairs of values (for set measures: clips of run b), and the prompts they come from.
        unpaired: items without a pair of values; for set measures, clips that one of the runs lacks.
        reason: why there is no difference.
    """

    measure: str
    tag: str | None = None
    kind: Literal["mean", "rate", "set"]
    better: Literal["higher", "lower", "neither"]
    unit: str
    a: float | None = None
    b: float | None = None
    direction: Direction
    p: float | None = None
    p_adjusted: float | None = None
    adjusted_by: str = ""
    test: str = ""
    prompts_up: int | None = None
    prompts_down: int | None = None
    standing: Standing | None = None
    margin: float | None = None
    ratio: Estimate | None = None
    ratio_reason: str = ""
    unpaired: tuple[LeftOut, ...] = ()
    reason: str = ""

    @property
    def difference(self) -> float | None:
        """The value of run b minus that of run a."""
        return self.value

    @property
    def moved(self) -> str:
        """How many prompts moved the way that most of them did: ``6 of 6 prompts worse``."""
        return prompts_moved(self.prompts_up, self.prompts_down, self.clusters, self.better)

    @staticmethod
    def without_pair(rows: Sequence[LeftOut]) -> dict[str, Any]:
        """Make the fields that count the items without a pair of values."""
        return {"unpaired": tuple(rows), "left_out": {f"{row.a} / {row.b}": row.items for row in rows}}

    @model_validator(mode="before")
    @classmethod
    def _from_names_of_differences(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping) or "difference" not in fields:
            return fields
        rows = [LeftOut.model_validate(row) for row in fields.get("left_out", ())]
        others = {name: given for name, given in fields.items() if name != "difference"}
        return {**others, "value": fields["difference"], **cls.without_pair(rows)}

    @model_serializer(mode="wrap")
    def _with_names_of_differences(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        del fields["reasons"]  # of a difference there is one, ``reason``
        fields["difference"], fields["left_out"] = fields.pop("value"), fields.pop("unpaired")
        return fields


class Comparison(Document):
    """Two runs of one suite, measure by measure.

    Attributes:
        items: number of items in both runs; ``only_a`` and ``only_b`` count those in one run only.
        notes: what a reader must know before the numbers, such as a run that is not finished.
    """

    suite: str
    a: RunSide
    b: RunSide
    confidence: float
    items: int
    only_a: int
    only_b: int
    notes: tuple[str, ...]
    differences: tuple[Difference, ...]

    def get(self, measure: str, tag: str | None = None) -> Difference | None:
        """Find the difference in a measure, over all items or those of a slice; None if there is none."""
        return next((d for d in self.differences if d.measure == measure and d.tag == tag), None)


def too_few_prompts(prompts: int) -> str:
    """Say that so few prompts cannot show a difference: p of the sign-flip test where all moved one way."""
    return (
        f"{counted(prompts, 'prompt')} cannot show a difference: p is {2.0 ** (1 - prompts):.3g} at the least"
    )


def contradiction(found: Difference) -> str | None:
    """Say what stands against ``no difference shown``; None if nothing does.

    The interval of a mean difference is wide if prompts move one way by amounts of very different sizes.
    """
    holds_zero = found.low is not None and found.high is not None and found.low <= 0 <= found.high
    if found.direction != "no difference shown" or not holds_zero:
        return None
    told: list[str] = []
    if found.p is not None and found.p < 1 - found.confidence:
        told.append(f"{found.moved} ({found.test}, p = {found.p:.2g})")
    ratio = found.ratio
    if (
        ratio is not None
        and ratio.low is not None
        and ratio.high is not None
        and not ratio.low <= 1 <= ratio.high
    ):
        told.append(f"the ratio is {ratio.value:.3g} [{ratio.low:.3g}, {ratio.high:.3g}]")
    return f"the interval of the mean difference holds 0, but {' and '.join(told)}" if told else None


def prompts_moved(up: int | None, down: int | None, clusters: int, better: str) -> str:
    """Say how many prompts moved the way that most of them did; empty for sets, which have no such counts.

    Example:
        >>> prompts_moved(0, 6, 6, "higher"), prompts_moved(2, 2, 5, "lower")
        ('6 of 6 prompts worse', '2 of 5 prompts either way')
    """
    if up is None or down is None:
        return ""
    if up == down == 0:
        return "no prompt moved"
    if up == down:
        return f"{up} of {counted(clusters, 'prompt')} either way"
    upward, downward = {"higher": ("better", "worse"), "lower": ("worse", "better")}.get(
        better, ("higher", "lower")
    )
    return f"{max(up, down)} of {counted(clusters, 'prompt')} {upward if up > down else downward}"
