"""Policies: the rules that a run must meet before its generator is released, in a YAML file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, StrictBool, StringConstraints, model_validator

from ..core.config import Config, load_yaml, packaged
from ..core.errors import unknown_name
from ..core.labels import slice_name
from ..core.stats import needed_without_failures
from ..core.text import is_blank

if TYPE_CHECKING:
    from ...metrics.base import Measure
    from ..core.registry import Registry

__all__ = ["Policy", "Rule", "Waiver", "Where", "load_policy", "needed_items", "packaged_policies"]

Finite = Annotated[float, Field(allow_inf_nan=False)]
DIGEST = r"^[0-9a-f]{64}$"
Share = Annotated[float, Field(ge=0, le=0.5)]
"""A share of items that a rule may do without: of those that lack a value it says nothing."""
Cards: TypeAlias = Literal["required", "noted"]


def _seen(text: str) -> str:
    if is_blank(text):
        raise ValueError("it should have at least 1 character that can be seen")
    return text


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_seen)]


class Where(Config):
    """The items of a rule: of a tag, ``{tag: red-team}``, or of a label, ``{label: {category: vcr}}``."""

    tag: Words | None = Field(default=None, description="a tag of the items")
    label: dict[str, Words] | None = Field(default=None, description="one label and its value")

    @model_validator(mode="after")
    def _one_slice(self) -> Self:
        if (self.tag is None) == (self.label is None):
            raise ValueError("give 'where' one 'tag' or one 'label', such as {label: {category: vcr}}")
        if self.label is not None and len(self.label) != 1:
            raise ValueError(f"'label' in 'where' takes one label and has {len(self.label)}")
        return self

    @property
    def slice(self) -> str:
        """Name the slice: the tag, or the label as ``category:vcr``."""
        if self.tag is not None:
            return self.tag
        assert self.label is not None  # checked by the validator
        return next(slice_name(name, value) for name, value in self.label.items())


class Rule(Config):
    """One condition on one measure: ``max``, ``min``, or ``versus: baseline`` with a ``margin``."""

    measure: Words = Field(description="name of a measure, or of one value of it: measure.value")
    name: Words | None = Field(default=None, description="name in waivers and verdicts")
    where: Where | None = Field(default=None, description="the items of the rule; all by default")
    max: Finite | None = Field(default=None, description="limit for the upper confidence bound")
    min: Finite | None = Field(default=None, description="limit for the lower confidence bound")
    versus: Literal["baseline"] | None = Field(
        default=None, description="compare with the run given with --baseline, within 'margin'"
    )
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        default=None, description="how much worse than the baseline a run may be, in the measure's unit"
    )
    min_n: int | None = Field(
        default=None, ge=1, description="least number of values (with a baseline: pairs)"
    )
    max_left_out: Share | None = Field(default=None, description="replaces the policy's max_left_out")
    severity: Literal["block", "warn"] = Field(
        default="block",
        description="warn: what comes out is shown, and does not change the verdict",
    )
    waivable: StrictBool = Field(default=True, description="false: no waiver may excuse this rule")
    card: Cards | None = Field(default=None, description="replaces the policy's cards")
    corrected: StrictBool = Field(
        default=False,
        description="bound a frame judge's rate corrected by the sensitivity and specificity on its card",
    )

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if [self.max, self.min, self.versus].count(None) != 2:
            raise ValueError(
                f"the rule on {self.measure} needs exactly one of 'max', 'min' and 'versus: baseline'"
            )
        if (self.versus is None) != (self.margin is None):
            raise ValueError(
                f"the rule on {self.measure} needs 'versus: baseline' and 'margin' together or neither"
            )
        if self.corrected and self.versus is not None:
            raise ValueError(
                f"the rule on {self.measure} has 'corrected' and 'versus: baseline'; a judge's errors are "
                "corrected in a rate with 'max' or 'min', and a difference of two runs takes 'card: required'"
            )
        return self

    @property
    def tag(self) -> str | None:
        """The rule's slice, a tag or ``label:value``; None for all items."""
        return None if self.where is None else self.where.slice

    @property
    def label(self) -> str:
        """The rule's label: its name, or the measure with its slice in brackets."""
        return self.name or (self.measure if self.tag is None else f"{self.measure}[{self.tag}]")


class Waiver(Config):
    """A failed rule that an owner accepts, up to and including the day ``expires``."""

    rule: Words = Field(description="label of the rule: its name, or its measure and slice")
    owner: Words = Field(description="who accepts the failure")
    reason: Words = Field(description="why it is accepted")
    run_digest: str | None = Field(
        default=None,
        pattern=DIGEST,
        description="the digest of the one run whose failure is accepted, 'run' in its digests.json",
    )
    expires: date = Field(description="the last day on which the waiver holds, such as 2027-03-01")


class Policy(Config):
    """The rules of a release. All that block must hold, so each is tested at the full confidence."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60, description="name in verdicts")
    version: int = Field(ge=1, description="raise it when the rules change")
    description: str = Field(default="", description="a sentence for lists")
    confidence: float = Field(default=0.95, ge=0.8, lt=1, description="of each rule's one-sided bound")
    max_left_out: Share = Field(default=0.1, description="largest share of items without a value")
    foreign_encoders: Literal["warn", "refuse"] = Field(
        default="warn",
        description="what to do with scores of 'reference' encoders on clips that are not of their world: "
        "note them in the verdict, or decide no rule on them",
    )
    cards: Cards = Field(
        default="required",
        description="a rule on a measure without a validity card, or whose card failed, cannot pass; noted: "
        "it can, and the verdict names the measure",
    )
    max_age_days: int | None = Field(
        default=None, ge=1, le=3660, description="the oldest that a run, and a baseline, may be"
    )
    run_digest: str | None = Field(
        default=None,
        pattern=DIGEST,
        description="the digest of the one run that the policy is for, 'run' in its digests.json",
    )
    rules: tuple[Rule, ...] = Field(
        min_length=1, description="conditions, which must all hold unless they only warn"
    )
    waivers: tuple[Waiver, ...] = Field(default=(), description="failed rules that are accepted for a time")
    looks: tuple[int, ...] = Field(
        default=(),
        description="numbers of prompts at which a run that grows is judged, such as [100, 200, 400]: each "
        "look takes more confidence, so that all of them together pass wrongly no more often than one",
    )
    max_waiver_days: int = Field(
        default=366, ge=1, le=3660, description="the longest time that a waiver may last from now"
    )

    @model_validator(mode="after")
    def _rising_looks(self) -> Self:
        rising = all(a < b for a, b in zip(self.looks, self.looks[1:], strict=False))
        if self.looks and (self.looks[0] < 2 or not rising):
            raise ValueError(
                f"'looks' should be rising numbers of prompts from 2 on, such as [100, 200, 400], not "
                f"{list(self.looks)}"
            )
        return self

    @model_validator(mode="after")
    def _labels(self) -> Self:
        labels = [rule.label for rule in self.rules]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ValueError(f"two rules are called {twice!r}; give one of them a 'name'")
        for waiver in self.waivers:
            if waiver.rule not in labels:
                raise ValueError(f"a waiver is for an {unknown_name('rule', waiver.rule, labels)}")
            if not self.rules[labels.index(waiver.rule)].waivable:
                raise ValueError(
                    f"a waiver by {waiver.owner} is for the rule {waiver.rule}, which has 'waivable: false'; "
                    "take the waiver out"
                )
            if self.rules[labels.index(waiver.rule)].severity == "warn":
                raise ValueError(
                    f"a waiver is for the rule {waiver.rule}, which only warns; leave the waiver out"
                )
        if all(rule.severity == "warn" for rule in self.rules):
            raise ValueError("every rule only warns, so every run would pass; let one of them block")
        return self


def packaged_policies() -> dict[str, Path]:
    """Find the policies that ship with the package: name -> file."""
    return packaged("policies")


def load_policy(name: str) -> Policy:
    """Load a policy by the name of a packaged one, or by the path of a YAML file.

    Raises:
        UsageError: no such policy (with the nearest names), or a key or value in it is wrong.
    """
    return load_yaml(Policy, name, packaged_policies(), kind="policy")


def needed_items(policy: Policy, registry: Registry[Measure] | None = None) -> dict[str, int]:
    """Count the prompts that each limit on a rate needs at least: the rule's label -> prompts.

    This is for a sample without failures; any failure needs more prompts. More seeds of a prompt do not
    count. Rules on other kinds of measures, limits that no sample can show (0) and unknown measures are left
    out.
    """
    if registry is None:
        from ..catalog import MEASURES

        registry = MEASURES
    needed: dict[str, int] = {}
    for rule in policy.rules:
        ceiling = rule.max if rule.max is not None else None if rule.min is None else 1 - rule.min
        if ceiling is None or not 0 < ceiling < 1 or rule.measure not in registry:
            continue
        if registry.get(rule.measure).kind == "rate":
            needed[rule.label] = needed_without_failures(ceiling, policy.confidence)
    return needed
