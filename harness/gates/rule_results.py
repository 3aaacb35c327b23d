"""The outcome of one rule of a policy, with its evidence, and the sentence that tells it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..core.counts import counted
from ..policies.decisions import Outcome
from ..policies.policy import Rule

__all__ = ["RuleResult", "rule_asks", "rule_sentence"]


class RuleResult(BaseModel):
    """The outcome of one rule, with its evidence.

    Attributes:
        rule: the rule's label; ``asks`` is its condition in words.
        severity: ``warn`` for a rule whose outcome does not change the verdict.
        outcome: as measured; a waiver does not change it.
        value: of the run; against a baseline, the difference ``run - baseline`` over pairs, where
            ``run_value`` and ``baseline_value`` are the values of the two runs.
        bound: the one-sided confidence bound that was compared with ``limit``.
        n, clusters: number of values (or pairs), and of the prompts that they come from.
        effective_n: number of independent trials that equals a rate's clustered sample.
        needed: prompts with which the rule could be decided: a minimum, or an estimate from this run.
        left_out: items without a value, by status; ``left_out_share`` is their share of the rule's items.
        waiver: who waived a failed rule, why and until when.
        card: names the card of the measure, or of the frame judge behind it: what was measured of its errors.
        uncarded: why there is no such card, or why it failed; empty if one holds or none is needed.
        apparent: the judge's rate, where ``value`` is corrected for its errors.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    measure: str
    tag: str | None
    asks: str
    severity: Literal["block", "warn"] = "block"
    outcome: Outcome = "INCONCLUSIVE"
    value: float | None = None
    run_value: float | None = None
    baseline_value: float | None = None
    bound: float | None = None
    limit: float
    confidence: float
    n: int = 0
    clusters: int = 0
    effective_n: float | None = None
    needed: int | None = None
    left_out: dict[str, int] = {}
    left_out_share: float | None = None
    method: str = ""
    sentence: str = ""
    waiver: str | None = None
    card: str | None = None
    uncarded: str = ""
    apparent: float | None = None
    notes: tuple[str, ...] = ()


def rule_asks(rule: Rule) -> str:
    """Say what a rule asks for."""
    if rule.versus is not None:
        return f"no worse than the baseline by more than {rule.margin:g}"
    return f"at most {rule.max:g}" if rule.max is not None else f"at least {rule.min:g}"


def rule_sentence(result: RuleResult, rule: Rule) -> str:
    """Describe a decided rule in words: the value, its bound, the limit and the sample."""
    what = "" if result.tag is None else f" on {result.tag}"
    values = counted(result.n, "value" if rule.versus is None else "pair")
    sample = f"{values} of {counted(result.clusters, 'prompt')}"
    assert result.bound is not None  # of a rule that was decided
    assert result.value is not None
    end = "upper" if result.bound >= result.value else "lower"
    sure = f"{end} bound {result.bound:.4g} at {100 * result.confidence:g} % confidence"
    if rule.versus is None:
        judged = "" if result.apparent is None else f" (as judged {result.apparent:.4g}), corrected"
        found = f"{result.measure}{what} is {result.value:.4g}{judged}, {sure}, {result.asks} asked"
    else:
        found = (
            f"{result.measure}{what} is {result.run_value:.4g} and was {result.baseline_value:.4g}, "
            f"difference {result.value:+.4g}, {sure}, margin {result.limit:g}"
        )
    if result.outcome != "INCONCLUSIVE":
        return f"{found} ({sample})"
    enough = "" if result.needed is None else f"; about {counted(result.needed, 'prompt')} could decide it"
    return f"{found} ({sample}): too few to decide{enough}"
