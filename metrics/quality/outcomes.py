"""What came back at all: refusals and failures as measures of their own."""

from __future__ import annotations

from ..base import NotApplicable, Sample, measure

__all__ = ["failure_rate", "refusal_rate"]


@measure("refusal.rate", version=1, better="neither", bounds=(0.0, 1.0), kind="rate", every_outcome=True)
def refusal_rate(sample: Sample) -> float:
    """Share of answered items that were refused; failed ones were not answered and are left out.

    Raises:
        NotApplicable: nothing came back for the item.
    """
    if sample.outcome == "failed":
        raise NotApplicable("failed: neither answered nor refused")
    return float(sample.outcome == "refused")


@measure("failure.rate", version=1, better="lower", bounds=(0.0, 1.0), kind="rate", every_outcome=True)
def failure_rate(sample: Sample) -> float:
    """Share of all items for which nothing came back."""
    return float(sample.outcome == "failed")
