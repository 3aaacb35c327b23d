"""Sums of values by prompt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..arrays import Floats

__all__ = ["blocks", "by_cluster", "spread_of_prompts"]

_BLOCK = 200_000
"""Draws in a block of resamples: small enough for a processor's cache."""


def by_cluster(values: Sequence[float], clusters: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum and count values by cluster, the clusters sorted by name: two arrays (G,).

    Raises:
        ValueError: a value is not finite, or there are not as many clusters as values.
    """
    members: dict[str, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        if not math.isfinite(value):
            raise ValueError(f"{value} among the values: leave it out and count it as left out")
        members.setdefault(cluster, []).append(value)
    names = sorted(members)
    sums = np.array([math.fsum(members[name]) for name in names], dtype=np.float64)
    counts = np.array([len(members[name]) for name in names], dtype=np.float64)
    return sums, counts


def blocks(groups: int, total: int) -> Iterator[int]:
    """Cut ``total`` resamples of ``groups`` clusters into blocks of bounded memory."""
    block = max(1, _BLOCK // groups)
    for start in range(0, total, block):
        yield min(block, total - start)


def spread_of_prompts(values: Sequence[float], clusters: Sequence[str]) -> float:
    """Give the standard deviation that makes ``spread / sqrt(G)`` the standard error of the pooled mean.

    With equally many values a prompt it is that of the prompts' means. 0 for fewer than two prompts.
    """
    sums, counts = by_cluster(values, clusters)
    groups = len(sums)
    if groups < 2:
        return 0.0
    residuals = sums - counts * (math.fsum(sums) / math.fsum(counts))
    return groups * math.sqrt(math.fsum(residuals**2) / (groups - 1)) / math.fsum(counts)
