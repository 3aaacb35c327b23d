"""Estimates: a value with its confidence interval, its sample size, and what was left out and why."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from .stats import Interval

__all__ = ["Estimate", "RunEstimate"]


class Estimate(BaseModel):
    """One value with its two-sided confidence interval.

    Attributes:
        value: None if there is none; ``reasons`` say why.
        low, high: the interval; None if the data give none.
        confidence: of the interval, in (0, 1).
        n, clusters: number of values, and of the prompts (scenes, clips) that they come from.
        left_out: number of items without a value, by status.
        reasons: number of items without a value, by reason.
        method: how the interval was computed; ``none`` if there is none.
        notes: what a reader must know.
    """

    model_config = ConfigDict(frozen=True)

    value: float | None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    n: int
    clusters: int = 0
    left_out: dict[str, int] = {}
    reasons: dict[str, int] = {}
    method: str = "none"
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, interval: Interval, confidence: float, **more: Any) -> Self:
        """Make an estimate from an interval; ``more`` gives the other fields: n, clusters, left_out ..."""
        return cls(
            value=interval.value, low=interval.low, high=interval.high, confidence=confidence,
            method=interval.method, notes=interval.notes, **more,
        )  # fmt: skip


class RunEstimate(Estimate):
    """One value of a whole run or of a slice, with what a comparison of two runs needs.

    Attributes:
        n_reference: number of reference clips; None if the measure uses no reference set.
        leave_one_out: cluster (or group of clusters) -> the value without its clips. The differences between
            two runs, cluster by cluster, give the paired jackknife interval.
    """

    n_reference: int | None = None
    leave_one_out: dict[str, float] = {}
