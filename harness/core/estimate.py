"""Estimates: a value with its interval, what it rests on, and what was left out and why."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from .stats import Interval

__all__ = ["Estimate", "RunEstimate"]


class Estimate(BaseModel):
    """One value with its two-sided confidence interval.

    Attributes:
        value: None where nothing gave one; ``reasons`` say why.
        low, high: the interval; None where there is no evidence for one.
        confidence: of the interval, in (0, 1).
        n, clusters: values that went in, and the prompts (scenes, clips) that they came from.
        left_out: what gave no value, counted by status.
        reasons: why, counted.
        method: how the interval was made; ``none`` where there is none.
        notes: what a reader must know.
    """

    model_config = ConfigDict(frozen=True)

    value: float | None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    n: int = 0
    clusters: int = 0
    left_out: dict[str, int] = {}
    reasons: dict[str, int] = {}
    method: str = "none"
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, interval: Interval, confidence: float, **more: Any) -> Self:
        """Make an estimate of an interval, with what the interval does not know: n, clusters, left_out ..."""
        return cls(
            value=interval.value, low=interval.low, high=interval.high, confidence=confidence,
            method=interval.method, notes=interval.notes, **more,
        )  # fmt: skip


class RunEstimate(Estimate):
    """One value of a whole run, or of a slice of it, with what two runs are compared through.

    Attributes:
        n_reference: reference clips that it was held against; None where it needs none.
        leave_one_out: cluster, or group of clusters -> the value without its clips. The differences of two
            runs, cluster by cluster, give the paired jackknife interval.
    """

    n_reference: int | None = None
    leave_one_out: dict[str, float] = {}
