"""Distances of shares from a reference distribution, and what a fair generator would show of them.

A raw distance is biased upward: shares of few clips are never quite those of the reference. So total
variation (TV) and Kullback-Leibler divergence stand beside their mean under the null, that the reference is
what is generated.

The null is multinomial, of as many independent clips as the clips are worth: clips of one prompt are alike,
and a multinomial test that counts each of them calls a fair generator unfair far too often (with 12 prompts
of 4 seeds and an intra-prompt correlation of 0.8, in 25 to 35 of 100 audits at 5 %). At the effective number,
rounded down, false alarms stayed at 5 % in simulations with no, equal and unequal correlation within prompts,
for uniform and for skewed references. Flipping the signs of whole prompts' residuals does so for even
references only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...harness.core.arrays import Floats
from ...harness.core.keys import Json, seeded_rng
from .reader_error import Confusion, on_simplex

__all__ = [
    "NullTest",
    "divergence",
    "joint_p",
    "multinomial_p",
    "null_mean_variation",
    "null_test",
    "total_variation",
]

REPLICATES: Final = 9999
_EXACT_OUTCOMES: Final = 20_000
_ROUNDING: Final = 1e-9


def total_variation(p: Floats, reference_K: Floats) -> Floats:
    """Compute half the summed absolute differences of shares (..., K) from a reference: (...), in [0, 1]."""
    return 0.5 * np.abs(p - reference_K).sum(axis=-1)


def divergence(p: Floats, reference_K: Floats) -> Floats:
    """Compute the Kullback-Leibler divergence of shares (..., K) from a reference, in nats: (...).

    It is infinite where a class is shown that the reference does not have.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / reference_K), 0.0)
    return terms.sum(axis=-1)


def null_mean_variation(n: int, reference_K: Sequence[float]) -> float:
    """Compute the mean TV of ``n`` independent clips from the reference that they are drawn from, exactly.

    Example:
        >>> [round(null_mean_variation(n, [0.1] * 10), 2) for n in (8, 50, 1000)]
        [0.43, 0.17, 0.04]
    """
    from scipy import stats

    counts = np.arange(n + 1)
    return 0.5 * math.fsum(
        float((stats.binom.pmf(counts, n, r) * np.abs(counts / n - r)).sum()) for r in reference_K
    )


def multinomial_p(seen: float, n: int, reference_K: Sequence[float]) -> float | None:
    """Compute the exact chance that ``n`` independent clips of the reference have a TV of ``seen`` or more.

    None if there are more than 20,000 outcomes to list.

    Example:
        >>> multinomial_p(0.5, 4, [0.5, 0.5])
        0.125
    """
    from scipy import stats

    reference, classes = np.asarray(reference_K, np.float64), len(reference_K)
    if math.comb(n + classes - 1, classes - 1) > _EXACT_OUTCOMES:
        return None
    outcomes = np.array(_compositions(n, classes))
    far = total_variation(outcomes / n, reference) >= seen - _ROUNDING
    return min(1.0, math.fsum(np.atleast_1d(stats.multinomial.pmf(outcomes[far], n, reference))))


def joint_p(tests: Sequence[NullTest]) -> float:
    """Test that several groups are all of their reference, by the sum of their TV.

    Raises:
        ValueError: there are no groups.
    """
    if not tests:
        raise ValueError("no groups")
    together = np.sum([one.variations for one in tests], axis=0)
    seen = math.fsum(one.seen for one in tests) - _ROUNDING
    return (1 + int((together >= seen).sum())) / (1 + len(together))


def _compositions(n: int, classes: int) -> Sequence[tuple[int, ...]]:
    if classes == 1:
        return [(n,)]
    return [(first, *rest) for first in range(n + 1) for rest in _compositions(n - first, classes - 1)]


@dataclass(frozen=True)
class NullTest:
    """What a fair generator would show, and how far the observed shares are from that.

    Attributes:
        p: that a fair generator shows shares at least as far away.
        mean_variation, mean_divergence: under the null; the divergence is infinite where the reference has no
            share of a class.
        variations: TV of each replicate, for a test of several groups together.
        seen: TV of the observed shares, computed back through the reader's error without bounds.
        method: the name of the test.
    """

    p: float
    mean_variation: float
    mean_divergence: float
    variations: Floats
    seen: float
    method: str


def null_test(
    read_K: Floats, effective_n: float, reference_K: Floats, confusion: Confusion | None, *, seed: Json
) -> NullTest:
    """Test that shares are those of a reference, through the reader's error.

    Args:
        read_K: shares of the read classes among determined clips.
        effective_n: number of independent clips that the clips are worth, 1 or more.
        reference_K: shares of the classes.
        confusion: the reader's error, whose own uncertainty widens the null; None for no correction.
        seed: of the draws.
    """
    expected = reference_K if confusion is None else reference_K @ confusion.matrix
    back = np.eye(len(expected)) if confusion is None else confusion.inverse
    seen = 0.5 * float(np.abs((read_K - expected) @ back).sum())
    n = max(1, math.floor(effective_n + _ROUNDING))
    # (R, K) or (K,): what a fair generator is read as, within the uncertainty of the reader's error, whose
    # draws are the same for all groups.
    fair = expected if confusion is None else reference_K @ confusion.draws(REPLICATES, "null")
    drawn = seeded_rng("bias null", seed).multinomial(n, fair, REPLICATES) / n
    away = (drawn - expected) @ back
    variations = 0.5 * np.abs(away).sum(axis=1)
    p = (1 + int((variations >= seen - _ROUNDING).sum())) / (1 + REPLICATES)
    method = f"multinomial test at an effective n of {n}, {REPLICATES} draws"
    exact = multinomial_p(seen, n, [float(r) for r in reference_K]) if confusion is None else None
    if exact is not None:
        p, method = exact, f"exact multinomial test at an effective n of {n}"
    shown = on_simplex(reference_K + away)
    return NullTest(
        p=p,
        mean_variation=float(total_variation(shown, reference_K).mean()),
        mean_divergence=float(divergence(shown, reference_K).mean()),
        variations=variations,
        seen=seen,
        method=method,
    )
