"""Looks at a run that grows: which look of its policy a run is, and the confidence that it takes.

A suite is run in growing parts (``--limit 100``, then ``--limit 200 --reuse``), and each part is gated. The
policy names the sizes at which that is done, so that a verdict depends on nothing but the run and the
policy. A policy that is judged at fewer of its looks, or stops at an early PASS or FAIL, errs less, never
more.
"""

from __future__ import annotations

from typing import NamedTuple

from ..core.errors import UsageError
from ..core.stats import look_confidences
from .policy import Policy

__all__ = ["Look", "find_look"]


class Look(NamedTuple):
    """One look of a policy: its number from 1, of how many, its prompts of how many, and its confidence."""

    number: int
    looks: int
    prompts: int
    planned: int
    confidence: float

    def sentence(self, whole: float) -> str:
        """Say which look it is, and at which confidence it is judged; ``whole`` is that of the policy."""
        return (
            f"look {self.number} of {self.looks}, {self.prompts} of {self.planned} prompts: each bound is at "
            f"{100 * self.confidence:.5g} % confidence, so that all looks together err as one at "
            f"{100 * whole:g} % (Lan-DeMets spending, O'Brien-Fleming)"
        )


def find_look(policy: Policy, prompts: int) -> Look | None:
    """Find the look that a run of so many prompts is; None for a policy without looks.

    Raises:
        UsageError: the policy has looks, and none at this size.
    """
    if not policy.looks:
        return None
    if prompts not in policy.looks:
        planned = ", ".join(map(str, policy.looks))
        raise UsageError(
            f"the policy {policy.name} is judged at {planned} prompts and the run has {prompts}; run as many "
            "as a look has ('screentest run --limit'), or take 'looks' out of the policy"
        )
    number = policy.looks.index(prompts)
    shares = [count / policy.looks[-1] for count in policy.looks[: number + 1]]
    confidence = look_confidences(shares, policy.confidence)[-1]
    return Look(number + 1, len(policy.looks), prompts, policy.looks[-1], confidence)
