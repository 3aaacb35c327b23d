"""Strengths from pairwise votes (Bradley-Terry), and agreement between raters (Krippendorff's alpha)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from ..arrays import Floats
from .interval import Bounds, Interval, check_confidence
from .sets import jackknife_interval

__all__ = ["Ballot", "alpha_interval", "bradley_terry", "krippendorff_alpha", "nominal", "strengths"]

Ballot: TypeAlias = tuple[int, int, float]
"""A vote: the two that were compared, by number, and the first's share of it: 1, 0, or 0.5 for a tie."""
_STEPS, _CLOSE = 10_000, 1e-12
_SEPARATED = "one of them won, or lost, every vote against the others: its strength has no end"


def strengths(wins: Floats) -> Floats | None:
    """Fit the Bradley-Terry model by maximum likelihood: log strengths (K,), the first is 0.

    P(i beats j) = exp(s_i) / (exp(s_i) + exp(s_j)) (Bradley and Terry 1952), by the algorithm of Hunter
    (2004, equation 3).

    Args:
        wins: (K, K), how often i beat j; a tie is half a win for both.

    Returns:
        None if the fit has no finite end: somebody can be split off who won, or lost, every vote against the
        others (Hunter 2004, assumption 1).
    """
    number = len(wins)
    reach = (wins > 0).astype(int) + np.eye(number, dtype=int)
    for _ in range(max(1, math.ceil(math.log2(max(2, number))))):
        reach = (reach @ reach > 0).astype(int)
    if not (reach > 0).all():
        return None
    met, won = wins + wins.T, wins.sum(axis=1)
    strength = np.ones(number)
    for _ in range(_STEPS):
        share = met / (strength[:, None] + strength[None, :])
        new = won / share.sum(axis=1)
        new /= np.exp(np.log(new).mean())
        done = np.abs(np.log(new) - np.log(strength)).max() < _CLOSE
        strength = new
        if done:
            break
    logs = np.log(strength)
    return logs - logs[0]


def bradley_terry(
    ballots: Sequence[Ballot], clusters: Sequence[str], number: int, confidence: float
) -> list[Interval]:
    """Compute log strengths against the first of ``number``, with jackknife intervals by prompt.

    Args:
        ballots: the votes.
        clusters: the prompt of each.
        number: how many are compared.
        confidence: two-sided, in (0, 1).

    Returns:
        One a competitor; the first is 0 by definition. Without a finite fit, none has a value.
    """
    check_confidence(confidence)
    wins: dict[str, Floats] = {}
    for (first, second, share), cluster in zip(ballots, clusters, strict=True):
        table = wins.setdefault(cluster, np.zeros((number, number)))
        table[first, second] += share
        table[second, first] += 1 - share
    names = sorted(wins)
    total = sum((wins[name] for name in names), np.zeros((number, number)))
    fitted = strengths(total) if names else None
    if fitted is None:
        why = _SEPARATED if names else "no votes"
        return [Interval(None, None, None, "none", (why,))] * number
    without = {name: strengths(total - wins[name]) for name in names}
    zero = Interval(0.0, 0.0, 0.0, "the one that the others are compared with")
    found = [zero]
    for k in range(1, number):
        replicates = {name: float(fit[k]) for name, fit in without.items() if fit is not None}
        if len(replicates) < len(without):
            note = f"without one of the prompts, {_SEPARATED}"
            found.append(Interval(float(fitted[k]), None, None, "none", (note,)))
        else:
            found.append(_with_spread(float(fitted[k]), replicates, confidence))
    return found


def nominal(a: float, b: float) -> float:
    """Give the distance of categories: 0 between equal ones, else 1."""
    return float(a != b)


def krippendorff_alpha(
    units: Iterable[Sequence[float]], distance: Callable[[float, float], float] = nominal
) -> float | None:
    """Compute Krippendorff's alpha: 1 for full agreement, 0 for that of chance.

    1 - D_observed / D_expected over pairs of values of a unit, and over all pairs of values (Krippendorff
    2011, "Computing Krippendorff's Alpha-Reliability"). Units with fewer than two values count for neither.

    Args:
        units: the values that raters gave to each unit; a missing one is left out.
        distance: between two values: `nominal`, or the squared difference for an interval scale.

    Returns:
        None where it is not defined: no unit has two values, or all values are the same.
    """
    several = [unit for unit in units if len(unit) > 1]
    values = sorted({value for unit in several for value in unit})
    place = {value: k for k, value in enumerate(values)}
    coincidences = np.zeros((len(values), len(values)))
    for unit in several:
        counts = np.zeros(len(values))
        for value in unit:
            counts[place[value]] += 1
        coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    apart = np.array([[distance(a, b) for b in values] for a in values]).reshape(coincidences.shape)
    totals = coincidences.sum(axis=1)
    expected = float((np.outer(totals, totals) * apart).sum())
    if expected == 0:
        return None
    return 1 - (totals.sum() - 1) * float((coincidences * apart).sum()) / expected


def alpha_interval(
    units: Sequence[Sequence[float]],
    clusters: Sequence[str],
    confidence: float,
    distance: Callable[[float, float], float] = nominal,
) -> Interval:
    """Compute Krippendorff's alpha with a jackknife interval by prompt.

    Args:
        units: the values that raters gave to each unit.
        clusters: the prompt of each unit.
        confidence: two-sided, in (0, 1).
        distance: as for `krippendorff_alpha`.
    """
    value = krippendorff_alpha(units, distance)
    if value is None:
        why = "all votes are the same" if any(len(unit) > 1 for unit in units) else "no pair has two raters"
        return Interval(None, None, None, "none", (why,))
    pairs = [(unit, name) for unit, name in zip(units, clusters, strict=True) if len(unit) > 1]
    without: dict[str, float] = {}
    for cluster in sorted({name for _, name in pairs}):
        left = krippendorff_alpha([unit for unit, name in pairs if name != cluster], distance)
        if left is None:
            return Interval(value, None, None, "none", ("without one of the prompts, it is not defined",))
        without[cluster] = left
    return _with_spread(value, without, confidence, (-1.0, 1.0))


def _with_spread(
    value: float, without: Mapping[str, float], confidence: float, bounds: Bounds = (None, None)
) -> Interval:
    """Give the jackknife interval, but none where no prompt makes a difference: that is no certainty."""
    changes = without.values()
    if len(without) > 1 and max(changes) - min(changes) < 1e-9:
        return Interval(value, None, None, "none", ("the sample shows no spread: no interval can be given",))
    return jackknife_interval(value, without, confidence, bounds=bounds)
