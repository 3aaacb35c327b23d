"""Ensembles of prompt classifiers: combined by a rule, or by a stack fitted to labelled prompts.

A configuration file names the members, each as for ``--classifier``::

    name: two-eyes
    ensemble:
      members: [ngram, toxicity.yaml]
      rule: any
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from ...harness.core.arrays import Floats
from ...harness.core.config import Config
from ...harness.core.errors import UsageError
from ...harness.core.keys import digest
from ..calibration import Calibration, Isotonic, logit, sigmoid
from ..harms import TAXONOMY_IDS
from ..taxonomy import load_taxonomy
from .classifier import Judged, PromptClassifier

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["EnsembleClassifier", "EnsembleConfig", "Rule", "Stack"]

Rule = Literal["any", "mean", "stack"]
_EVEN = Calibration(1.0, 0.0)


class Stack(Config):
    """A logistic regression over the members' log-odds, with its calibration.

    Attributes:
        member_digests: the members that it was fitted to; it works only with these.
        weights, bias: of the log-odds; weights are at least 0, so that no member's alarm lowers the score.
        temperature: divides the log-odds of the stack; or
        isotonic: (scores, probabilities), used instead.
        threshold: at which ``fpr`` of the harmless prompts are flagged, out of fold.
        n, n_harmful, data_sha256: the data that it was fitted to.
    """

    member_digests: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float
    temperature: float | None = Field(None, gt=0)
    isotonic: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    threshold: float = Field(ge=0, le=1)
    fpr: float = Field(ge=0, lt=1)
    n: int
    n_harmful: int
    data_sha256: str

    @model_validator(mode="after")
    def _whole(self) -> Stack:
        if len(self.weights) != len(self.member_digests) or min(self.weights, default=-1.0) < 0:
            raise ValueError("a stack has a weight of at least 0 for each member")
        if (self.temperature is None) == (self.isotonic is None):
            raise ValueError("a stack has either a temperature or an isotonic map")
        if self.isotonic is not None:
            scores, probabilities = map(np.array, self.isotonic)
            if len(scores) != len(probabilities) or not len(scores):
                raise ValueError("the isotonic map has as many scores as probabilities, and some")
            if (np.diff(scores) <= 0).any() or (np.diff(probabilities) < 0).any():
                raise ValueError("the isotonic map should rise")
        return self

    @property
    def calibration(self) -> Calibration | Isotonic:
        """The calibration from the stack's log-odds to a probability."""
        if self.isotonic is not None:
            return Isotonic(*self.isotonic)
        return Calibration(1.0 / (self.temperature or 1.0), 0.0)


class EnsembleConfig(Config):
    """The members of an ensemble, and how their scores are combined."""

    members: tuple[str, ...] = Field(min_length=2)
    rule: Rule
    stack: Stack | None = Field(None, description="as `screentest train prompt-stack` writes it")

    @model_validator(mode="after")
    def _stack_or_not(self) -> EnsembleConfig:
        if (self.rule == "stack") != (self.stack is not None):
            raise ValueError(
                "rule: stack and the section 'stack' go together; `screentest train prompt-stack` writes both"
            )
        if self.stack is not None and len(self.stack.weights) != len(self.members):
            raise ValueError("the stack was fitted to another number of members")
        return self


class EnsembleClassifier(PromptClassifier):
    """Classify prompts by every member, and combine the scores.

    - ``any`` flags what any member flags: log-odds are shifted so that each member's threshold is at even
    odds,
      and the highest counts. Its scores rank prompts; they are not calibrated.
    - ``mean`` averages the shifted log-odds, likewise.
    - ``stack`` gives the calibrated probability of the fitted regression.

    Members that score different harms are mapped to the categories of the taxonomy. The columns of single
    harms are the highest (``any``) or mean log-odds of the members that know the harm. If a member fails for
    a prompt, the ensemble fails, too.

    Raises:
        UsageError: a stack was fitted to other members than these.
    """

    def __init__(
        self,
        members: Sequence[PromptClassifier],
        rule: Rule,
        *,
        name: str | None = None,
        stack: Stack | None = None,
    ) -> None:
        self.name = name or f"{rule}({', '.join(member.name for member in members)})"
        digests = tuple(member.digest for member in members)
        if stack is not None and stack.member_digests != digests:
            raise UsageError(
                f"the stack {self.name!r} was fitted to other versions of its members; fit it again with "
                "`screentest train prompt-stack`"
            )
        self.threshold = 0.5 if stack is None else stack.threshold
        self._members, self._rule, self._stack = tuple(members), rule, stack
        self.harms, self._columns = _together([member.harms for member in members])
        fields: dict[str, Json] = {"rule": rule, "members": digests}
        if stack is not None:
            fields["stack"] = stack.model_dump(mode="json", exclude={"fpr", "n", "n_harmful", "data_sha256"})
        self.digest = digest("prompt-combination", fields)

    def _classify(self, texts: Sequence[str]) -> Judged:
        """Classify prompts by every member."""
        judged = [member.classify(texts) for member in self._members]
        score = self._score([j.score for j in judged])
        harms = self._harms([j.harms for j in judged])
        failed = {
            row: f"{member.name}: {reason}"
            for member, j in zip(reversed(self._members), reversed(judged), strict=True)
            for row, reason in j.failed.items()
        }
        read = ~np.all([np.isnan(j.score) for j in judged], axis=0)
        for row in np.flatnonzero(np.isnan(score) & read).tolist():
            failed.setdefault(row, "a member gave no score")
        found = {
            row: tuple(name for j in judged for name in j.found.get(row, ()))
            for row in sorted({row for j in judged for row in j.found})
        }
        return Judged(score, harms, score >= self.threshold, failed, found)

    def usage(self) -> dict[str, float]:
        """Return the costs of the members, under their names."""
        return {f"{m.name} {what}": value for m in self._members for what, value in m.usage().items()}

    def _score(self, scores: list[Floats]) -> Floats:
        odds = np.stack([logit(score) for score in scores])  # members, n; NaN stays NaN
        if self._stack is not None:
            z = np.array(self._stack.weights) @ odds + self._stack.bias
            known = ~np.isnan(z)
            out = np.full_like(z, np.nan)
            out[known] = self._stack.calibration(z[known])
            return out
        moved = odds - logit(np.array([[member.threshold] for member in self._members]))
        return _EVEN(moved.max(0) if self._rule == "any" else moved.mean(0))

    def _harms(self, harms: list[Floats]) -> Floats:
        n = len(harms[0])
        odds = np.full((len(harms), n, len(self.harms)), np.nan)
        for member, columns in enumerate(self._columns):
            for target, own in columns.items():
                odds[member, :, target] = np.fmax.reduce(logit(harms[member][:, own]), axis=1)
        if self._rule == "any":
            return sigmoid(np.fmax.reduce(odds, axis=0))
        known = ~np.isnan(odds)
        count = known.sum(0)
        total = np.where(known, odds, 0.0).sum(0)
        return sigmoid(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _together(harms: list[tuple[str, ...]]) -> tuple[tuple[str, ...], list[dict[int, list[int]]]]:
    """Return the common columns, and for each member: common column -> its own columns."""
    if len(set(harms)) == 1:
        return harms[0], [{k: [k] for k in range(len(harms[0]))}] * len(harms)
    ids = [[TAXONOMY_IDS.get(harm, (harm,)) for harm in own] for own in harms]
    found: set[Any] = {category for own in ids for names in own for category in names}
    every = tuple(category for category in load_taxonomy().ids if category in found)
    columns = [
        {k: [i for i, names in enumerate(own) if category in names] for k, category in enumerate(every)}
        for own in ids
    ]
    return every, [{k: own for k, own in of_member.items() if own} for of_member in columns]
