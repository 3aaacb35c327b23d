"""Rates of refused and failed items."""

from __future__ import annotations

from ..base import NotApplicable, Sample, measure

__all__ = ["failure_rate", "refusal_rate"]


@measure("refusal.rate", version=1, better="neither", bounds=(0.0, 1.0), kind="rate", every_outcome=True)
def refusal_rate(sample: Sample) -> float:
    """Share of items that were refused; failed items are left out.

    Raises:
        NotApplicable: generation failed.
    """
    if sample.outcome == "failed":
        raise NotApplicable("failed: neither answered nor refused")
    return float(sample.outcome == "refused")


@measure("failure.rate", version=1, better="lower", bounds=(0.0, 1.0), kind="rate", every_outcome=True)
def failure_rate(sample: Sample) -> float:
    """Share of all items for which generation failed."""
    return float(sample.outcome == "failed")
