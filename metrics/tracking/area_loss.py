"""The loss of a piece: the frame in which a thing's area drops, as where a biscuit is bitten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["AreaLoss", "largest_loss"]

_LEAST: Final = 0.06  # of a thing's area: the smallest bite
_BEFORE: Final = 3  # frames whose median area is that of the whole thing


@dataclass(frozen=True)
class AreaLoss:
    """From frame number ``at`` of the area's frames on, ``left`` of ``full`` pixels are left."""

    at: int
    full: float
    left: float


def largest_loss(area_K: NDArray[np.float64]) -> AreaLoss | None:
    """Find the largest drop from one frame to the next, where it is the loss of a piece.

    Example:
        >>> largest_loss(np.array([100.0, 100.0, 80.0, 80.0]))
        AreaLoss(at=2, full=100.0, left=80.0)
    """
    if len(area_K) < 2:
        return None
    at = int((area_K[:-1] - area_K[1:]).argmax()) + 1
    full, left = float(np.median(area_K[max(0, at - _BEFORE) : at])), float(area_K[at])
    return AreaLoss(at, full, left) if full - left >= _LEAST * full else None
