"""The result of comparing several runs: with a baseline, pair by pair, by rank, by step, by trade-off."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..core.config import Document
from ..core.estimate import Estimate
from ..core.run_data import RunSide
from .result import Comparison, Difference

__all__ = ["Changed", "ManyComparison", "PairRow", "Pareto", "ParetoPoint", "RankRow", "Tally", "ValueRow"]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class PairRow(_Row):
    """One measure in one pair of runs, over all items: ``b`` minus ``a``, p adjusted over all pairs."""

    a: str
    b: str
    difference: Difference


class Tally(_Row):
    """Items on which run ``b`` is better than run ``a``, worse, or equal."""

    a: str
    b: str
    measure: str
    tag: str | None
    wins: int
    losses: int
    ties: int


class Changed(_Row):
    """An item whose value changed most from the baseline, with the stored clip of each run, if any."""

    measure: str
    run: str
    item: str
    seed: int
    a: float
    b: float
    change: float
    clip_a: str | None
    clip_b: str | None


class ValueRow(Estimate):
    """The value of one run in one measure over the shared items: the mean of all its seeds, never the best.

    Attributes:
        step: training step of the run's checkpoint.
        between, within: standard deviations between prompts, and among the seeds of a prompt; None where
            there is no value a clip, or no second prompt or seed.
    """

    run: str
    measure: str
    kind: Literal["mean", "rate", "set"]
    better: Literal["higher", "lower", "neither"]
    unit: str
    step: int | None = None
    between: float | None = None
    within: float | None = None


class RankRow(_Row):
    """The rank of a run, 1 for the best, with its interval.

    Attributes:
        measure: None for the mean of its ranks over all measures.
        first: share of resamples in which it ranks first.
        n, clusters: items with a value in all runs, and their prompts; None for the mean of ranks.
    """

    run: str
    measure: str | None
    rank: float
    low: float
    high: float
    first: float
    n: int | None
    clusters: int | None


class ParetoPoint(_Row):
    """A run by two measures; ``front`` if no other run is better in one and at least as good in the other.

    Attributes:
        dominated_by: runs that are better in one and at least as good in the other.
        surely_by: those of them whose paired differences exclude 0 in both.
    """

    run: str
    quality: float
    safety: float
    front: bool
    dominated_by: tuple[str, ...] = ()
    surely_by: tuple[str, ...] = ()


class Pareto(_Row):
    """Runs by a measure of quality and one of safety."""

    quality: str
    safety: str
    quality_better: str
    safety_better: str
    points: tuple[ParetoPoint, ...]


class ManyComparison(Document):
    """Several runs, compared.

    Attributes:
        suites: of the runs; several only where they meet in the items that they share, ``intersection``.
        runs: in the order given, under the names of all rows; ``steps`` are of those that have one.
        items: number of items in all runs.
        against: each run compared with the baseline, by measure and slice; p by Holm over all runs and
            measures, and over slices by Benjamini and Hochberg.
        pairs: all pairs over all items, p by Holm over all pairs and measures.
        notes: what a reader must know before the numbers.
    """

    suites: tuple[str, ...]
    intersection: bool
    baseline: str
    runs: tuple[RunSide, ...]
    steps: dict[str, int]
    confidence: float
    items: int
    notes: tuple[str, ...]
    values: tuple[ValueRow, ...]
    against: tuple[Comparison, ...]
    pairs: tuple[PairRow, ...]
    tallies: tuple[Tally, ...]
    ranks: tuple[RankRow, ...]
    changed: tuple[Changed, ...]
    pareto: Pareto | None = None

    def value(self, run: str, measure: str) -> ValueRow | None:
        """Find the value of a run in a measure; None if there is none."""
        return next((v for v in self.values if v.run == run and v.measure == measure), None)
