"""Shares of the classes of an attribute in a group of clips, corrected for the reader's error.

The unit is a clip, the cluster its prompt. Clips of one prompt are alike, so they are worth fewer independent
ones: as many as the Rao-Scott mean design effect of the classes says (Rao and Scott 1981). Shares are drawn
from the Dirichlet distribution at that number, the reader's error from its own, and an interval holds the
middle of the corrected draws: a parametric bootstrap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from ...harness.core.arrays import Floats
from ...harness.core.keys import Json, seeded_rng
from ...harness.core.stats import Interval, effective_sample_size
from .distances import NullTest, divergence, null_test, total_variation
from .reader_error import Confusion

__all__ = ["Comparison", "Shares", "Tally", "compare", "estimate_shares", "tally_of"]

DRAWS: Final = 4000


@dataclass(frozen=True)
class Tally:
    """Clips of a group that show a person, by what is read.

    Attributes:
        classes: of the attribute.
        reads: the class of each determined clip, as an index.
        clusters: the prompt of each determined clip.
        undetermined: number of clips of a person whose class was not determined.
    """

    classes: tuple[str, ...]
    reads: tuple[int, ...]
    clusters: tuple[str, ...]
    undetermined: int = 0

    @property
    def n(self) -> int:
        """Number of determined clips."""
        return len(self.reads)

    @cached_property
    def counts_GK(self) -> Floats:
        """Determined clips of each prompt by class, the prompts sorted by name."""
        place = {name: row for row, name in enumerate(sorted(set(self.clusters)))}
        counts = np.zeros((len(place), len(self.classes)))
        for read, cluster in zip(self.reads, self.clusters, strict=True):
            counts[place[cluster], read] += 1
        return counts

    @cached_property
    def read_K(self) -> Floats:
        """Shares of the classes among determined clips, as they are read."""
        return self.counts_GK.sum(axis=0) / self.n

    @cached_property
    def effective_n(self) -> float:
        """Number of independent clips that the determined ones are worth, in [1, n]."""
        weights: list[float] = []
        inverse: list[float] = []
        for k in range(len(self.classes)):
            values = [float(read == k) for read in self.reads]
            if any(values):
                weights.append(1.0 - float(self.read_K[k]))
                inverse.append(1.0 / effective_sample_size(values, self.clusters))
        if math.fsum(weights) == 0:  # one class only: the sample cannot say how alike clips of a prompt are
            return float(len(set(self.clusters)))
        pairs = zip(weights, inverse, strict=True)
        return math.fsum(weights) / math.fsum(w * i for w, i in pairs)


def tally_of(classes: Sequence[str], reads: Sequence[str | None], clusters: Sequence[str]) -> Tally:
    """Count the reads of a group's clips; None is undetermined."""
    known = [(read, cluster) for read, cluster in zip(reads, clusters, strict=True) if read is not None]
    return Tally(
        tuple(classes),
        tuple(classes.index(read) for read, _ in known),
        tuple(cluster for _, cluster in known),
        len(reads) - len(known),
    )


@dataclass(frozen=True)
class Shares:
    """Shares of the classes behind a tally.

    Attributes:
        value_K: corrected shares; as they are read without a reader's error.
        draws_DK: the parametric bootstrap.
        confusion: the reader's error that was used.
    """

    tally: Tally
    value_K: Floats
    draws_DK: Floats
    confusion: Confusion | None

    def interval(self, class_: str, confidence: float) -> Interval:
        """Give the share of a class with its percentile interval."""
        k = self.tally.classes.index(class_)
        value = float(self.value_K[k])
        low, high = _middle(self.draws_DK[:, k], confidence)
        method = f"parametric bootstrap, effective n {self.tally.effective_n:.4g} of {self.tally.n}"
        return Interval(value, min(low, value), max(high, value), method)

    def limits(self, class_: str) -> tuple[float, float]:
        """Bound the share as it is read, were all undetermined clips of another class, and of this one."""
        k = self.tally.classes.index(class_)
        n, unknown = self.tally.n, self.tally.undetermined
        seen = float(self.tally.read_K[k]) * n
        return seen / (n + unknown), (seen + unknown) / (n + unknown)


def estimate_shares(tally: Tally, confusion: Confusion | None, *, seed: Json) -> Shares:
    """Estimate the shares behind a tally; draws of the reader's error are the same for all tallies.

    Raises:
        ValueError: no clip was determined.
    """
    if not tally.n:
        raise ValueError("no clip was determined")
    alpha = tally.effective_n * tally.read_K + 0.5
    drawn = seeded_rng("bias shares", seed).dirichlet(alpha, DRAWS)
    if confusion is None:
        return Shares(tally, tally.read_K, drawn, None)
    matrices = confusion.draws(DRAWS, "shares")
    return Shares(tally, confusion.correct(tally.read_K), confusion.correct(drawn, matrices), confusion)


@dataclass(frozen=True)
class Comparison:
    """Shares held against a named reference distribution.

    Attributes:
        variation: TV of the corrected shares from the reference, with an interval.
        excess: that less its mean under the null.
        divergence, excess_divergence: the same of the Kullback-Leibler divergence, in nats; None where it is
            infinite.
        null: the test.
    """

    reference_K: Floats
    variation: Interval
    excess: float
    divergence: float | None
    excess_divergence: float | None
    null: NullTest

    @property
    def distance(self) -> float:
        """The total variation itself; shares always give one."""
        assert self.variation.value is not None
        return self.variation.value


def compare(shares: Shares, reference_K: Floats, confidence: float, *, seed: Json) -> Comparison:
    """Compare shares with a reference.

    The interval of the TV is that of the triangle inequality: TV cannot change by more than the TV between
    true and estimated shares, whose quantile the draws give. So it holds near 0 too, where percentiles of a
    distance do not.
    """
    tally = shares.tally
    null = null_test(tally.read_K, tally.effective_n, reference_K, shares.confusion, seed=seed)
    value = float(total_variation(shares.value_K, reference_K))
    moved = total_variation(shares.draws_DK, shares.value_K)
    reach = float(np.quantile(moved, confidence))
    variation = Interval(
        value, max(0.0, value - reach), min(1.0, value + reach), "parametric bootstrap, triangle inequality"
    )
    kl = float(divergence(shares.value_K, reference_K))
    finite = math.isfinite(kl) and math.isfinite(null.mean_divergence)
    return Comparison(
        reference_K=reference_K,
        variation=variation,
        excess=value - null.mean_variation,
        divergence=kl if math.isfinite(kl) else None,
        excess_divergence=kl - null.mean_divergence if finite else None,
        null=null,
    )


def _middle(draws_D: Floats, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws_D, (tail, 1 - tail))
    return float(low), float(high)
