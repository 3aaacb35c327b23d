"""Ranks of several runs on the same prompts, with intervals by the cluster bootstrap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..keys import Json, seeded_rng
from .clusters import blocks
from .interval import FEW, ROUGH, check_confidence

__all__ = ["Rank", "Ranking", "rank_runs", "ranks_of"]

RESAMPLES = 2_000


class Rank(NamedTuple):
    """A rank, 1 for the best, with its interval; ``first`` is the share of resamples in which it is 1."""

    rank: float
    low: float
    high: float
    first: float


class Ranking(NamedTuple):
    """The ranks of the runs by measure, and the mean of a run's ranks over the measures."""

    by_measure: dict[str, list[Rank]]
    overall: list[Rank]
    notes: tuple[str, ...]


def ranks_of(values: Floats, better: str) -> Floats:
    """Rank values (..., R): 1 is the best, and equal values share the mean of their ranks.

    Example:
        >>> ranks_of(np.array([0.5, 0.9, 0.5]), "higher").tolist()
        [2.5, 1.0, 2.5]
    """
    signed = values if better == "lower" else -values
    smaller = (signed[..., None, :] < signed[..., :, None]).sum(axis=-1)
    equal = (signed[..., None, :] == signed[..., :, None]).sum(axis=-1)
    return 1 + smaller + (equal - 1) / 2


def rank_runs(
    tables: Mapping[str, Mapping[str, Sequence[tuple[float, ...]]]],
    better: Mapping[str, str],
    confidence: float,
    *,
    seed: Json,
) -> Ranking:
    """Rank runs by the means of their values, each resample with the same prompts for all runs and measures.

    Args:
        tables: measure -> prompt -> a row a clip, of one value a run.
        better: measure -> ``higher`` or ``lower``.
        confidence: of the percentile intervals.
        seed: what the resampling is seeded by.

    Raises:
        ValueError: there is no measure, or a prompt without a row.
    """
    check_confidence(confidence)
    if not tables:
        raise ValueError("no measure, so nothing to rank by")
    names = sorted(tables)
    prompts = sorted({prompt for table in tables.values() for prompt in table})
    sums = {name: _sums(tables[name], prompts) for name in names}
    values = {name: table[:, :-1].sum(axis=0) / table[:, -1].sum() for name, table in sums.items()}
    ranks = {name: ranks_of(values[name], better[name]) for name in names}
    drawn: dict[str, list[Floats]] = {name: [] for name in names}
    rng = seeded_rng("ranks", seed)
    groups = len(prompts)
    for size in blocks(groups, RESAMPLES):
        picks = rng.integers(0, groups, size=(size, groups))
        times = np.zeros((size, groups))
        for row, chosen in zip(times, picks, strict=True):
            row += np.bincount(chosen, minlength=groups)
        for name in names:
            totals = np.einsum("bg,gk->bk", times, sums[name])  # no BLAS: the same to the last bit anywhere
            there = totals[:, -1:] > 0  # a resample may hold no prompt that the measure applies to
            means = totals[:, :-1] / np.where(there, totals[:, -1:], 1.0)
            drawn[name].append(np.where(there, ranks_of(means, better[name]), np.nan))
    found = {name: np.concatenate(drawn[name]) for name in names}
    mean = np.mean([found[name] for name in names], axis=0)
    overall = np.mean([ranks[name] for name in names], axis=0)
    return Ranking(
        {name: _ranks(ranks[name], found[name], confidence) for name in names},
        _ranks(overall, mean, confidence),
        (ROUGH,) if groups < FEW else (),
    )


def _sums(table: Mapping[str, Sequence[tuple[float, ...]]], prompts: Sequence[str]) -> Floats:
    """Sum a measure's rows by prompt, with their number in the last column: (G, R + 1)."""
    runs = len(next(iter(table.values()))[0])
    rows = np.zeros((len(prompts), runs + 1))
    for place, prompt in enumerate(prompts):
        of_prompt = sorted(table.get(prompt, ()))  # sorted, so that the order of rows changes no bit
        if of_prompt:
            rows[place, :-1] = np.array(of_prompt, dtype=np.float64).sum(axis=0)
            rows[place, -1] = len(of_prompt)
    return rows


def _ranks(ranks: Floats, resampled: Floats, confidence: float) -> list[Rank]:
    tail = (1 - confidence) / 2
    resampled = resampled[~np.isnan(resampled).any(axis=1)]
    ends = np.quantile(resampled, (tail, 1 - tail), axis=0, method="inverted_cdf")
    first = (resampled <= resampled.min(axis=1, keepdims=True)).mean(axis=0)
    return [
        Rank(float(rank), float(low), float(high), float(share))
        for rank, low, high, share in zip(ranks, *ends, first, strict=True)
    ]
