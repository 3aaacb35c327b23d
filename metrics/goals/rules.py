"""What the rules of a puzzle find: how far from its tolerance a clip is, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.colors import GOAL_COLORS
from .encoder import HUE_COLUMNS

__all__ = ["LOST", "Broken", "Region", "Verdict", "region_of"]

_F = NDArray[np.float64]
LOST: Final = 3.0
"""Of a thing that is gone at the end: three times what is tolerated."""
_SEEN: Final = 0.25  # of its area at first: a smaller region is a speck
_FIRST: Final = 3  # frames


@dataclass(frozen=True)
class Broken:
    """What one rule found.

    Attributes:
        rule: its name.
        ratio: how far from right the clip is, in tolerances: above 1 the rule is broken.
        frame: the first or worst frame at fault; None where there is none.
    """

    rule: str
    ratio: float
    frame: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What all rules of a puzzle found; the first says whether the goal is reached."""

    rules: tuple[Broken, ...]

    @property
    def worst(self) -> Broken:
        """The rule whose ratio is the largest."""
        return max(self.rules, key=lambda one: one.ratio)

    @property
    def reached(self) -> bool:
        """Whether the goal is reached, however it was."""
        return self.rules[0].ratio <= 1

    @property
    def solved(self) -> bool:
        """Whether the goal is reached and no rule is broken."""
        return self.worst.ratio <= 1


@dataclass(frozen=True)
class Region:
    """The region of one color over T frames, in heights of the picture; see `HUE_COLUMNS`."""

    seen_T: NDArray[np.bool_]
    values_TC: _F

    def __getitem__(self, names: str | Sequence[str]) -> _F:
        """Take a column (T,), or several (T, K)."""
        if isinstance(names, str):
            return self.values_TC[:, HUE_COLUMNS.index(names)]
        return self.values_TC[:, [HUE_COLUMNS.index(name) for name in names]]

    @property
    def unseen(self) -> float:
        """Share of the frames in which it is not seen."""
        return 1 - float(self.seen_T.mean())


def region_of(regions_TKC: _F, color: str) -> Region:
    """Take the region of a color; specks much smaller than it was at first do not count."""
    values = regions_TKC[:, GOAL_COLORS.index(color)]
    area = values[:, 0]
    first = area[:_FIRST]
    usual = float(np.median(first[first > 0])) if (first > 0).any() else 0.0
    return Region(area > _SEEN * usual if usual else np.zeros(len(area), bool), values)
