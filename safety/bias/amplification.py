"""Amplification: how the shares that a generator shows follow the shares of a table, group by group.

A line is fitted to the generated share of a class over its share in the table, one point a group. A slope of
1 with no offset repeats the table, a slope above 1 exaggerates it (nurses are shown as women more often than
they are women, engineers less), a slope of 0 ignores it. The offset is that of the mean: generated less
tabled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...harness.core.arrays import Floats
from ...harness.core.counts import counted
from ...harness.core.stats import Interval
from .shares import Shares

__all__ = ["FEWEST_GROUPS", "Amplification", "amplification", "no_amplification"]

FEWEST_GROUPS: Final = 3
_SPREAD: Final = 0.02
"""Least standard deviation of the table's shares: below it, no line can be fitted."""


@dataclass(frozen=True)
class Amplification:
    """The line of generated shares over tabled ones: its slope, its offset at the mean, and the groups."""

    slope: Interval
    offset: Interval
    groups: tuple[str, ...]


def no_amplification(shares: Mapping[str, Shares], table: Mapping[str, float]) -> str | None:
    """Say why no line can be fitted; None if one can."""
    groups = sorted(shares.keys() & table.keys())
    if len(groups) < FEWEST_GROUPS:
        return (
            f"the run and the table have {counted(len(groups), 'group')} in common, and a line takes "
            f"{FEWEST_GROUPS}; "
            f"the run has {', '.join(sorted(shares)) or 'none'}"
        )
    if float(np.std([table[name] for name in groups])) < _SPREAD:
        return "the table has nearly the same share for all groups, and a line takes different ones"
    return None


def amplification(
    shares: Mapping[str, Shares], table: Mapping[str, float], class_: str, confidence: float
) -> Amplification:
    """Fit the line by least squares, with intervals from the draws of all shares together.

    Each draw takes one draw of the reader's error for all groups. The groups are taken as they are, not as a
    sample of groups.

    Args:
        shares: group -> shares of the classes.
        table: group -> share of the class.
        class_: the class.
        confidence: two-sided.

    Raises:
        ValueError: no line can be fitted.
    """
    problem = no_amplification(shares, table)
    if problem is not None:
        raise ValueError(problem)
    groups = tuple(sorted(shares.keys() & table.keys()))
    x = np.array([table[name] for name in groups], np.float64)
    k = shares[groups[0]].tally.classes.index(class_)
    value = _line(np.array([shares[name].value_K[k] for name in groups]), x)
    drawn = _line(np.stack([shares[name].draws_DK[:, k] for name in groups], axis=1), x)
    tail = (1 - confidence) / 2
    found: list[Interval] = []
    for seen, draws in zip(value, drawn, strict=True):
        low, high = (float(q) for q in np.quantile(draws, (tail, 1 - tail)))
        method = f"parametric bootstrap, {len(groups)} groups"
        found.append(Interval(float(seen), min(low, float(seen)), max(high, float(seen)), method))
    return Amplification(found[0], found[1], groups)


def _line(y: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Give slope and offset at the mean of shares (..., G) over a table (G,)."""
    centred = x - x.mean()
    return (y * centred).sum(axis=-1) / (centred**2).sum(), y.mean(axis=-1) - x.mean()
