"""Geometry of a clip's path through a feature space: second-order differences, distances and angles.

- D3 (Zheng et al. 2025, arXiv 2508.00701) needs no training: the spread of the second differences along the
  path, which is *higher* for real clips.
- ReStraV (Interno et al. 2025, arXiv 2507.00583) describes how straight the path is by 21 numbers: the first
  7 step lengths and the first 6 turning angles, and of each of the two the mean, the least, the largest and
  the variance over all of the clip.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ...harness.core.arrays import Floats

__all__ = ["PATH_COLUMNS", "second_difference_spread", "straightness"]

_STEPS: Final = 7
PATH_COLUMNS: Final = (
    *(f"distance_{number}" for number in range(1, _STEPS + 1)),
    *(f"angle_{number}" for number in range(1, _STEPS)),
    *(f"{what}_{of}" for what in ("distance", "angle") for of in ("mean", "min", "max", "variance")),
)
"""Names of the 21 numbers of `straightness`; angles in radians."""


def second_difference_spread(rows_TD: Floats) -> float:
    """Compute D3's score, the standard deviation of the second differences of step lengths.

    ``d1_t = |f_t - f_t+1|``, ``d2_t = d1_t+1 - d1_t``, and the score is ``std(d2)``.

    Args:
        rows_TD: a feature a frame, at least 4 frames.

    Raises:
        ValueError: fewer than 4 frames.

    Example:
        >>> path = np.cumsum([0.0, 1.0, 3.0, 4.0, 6.0])[:, None]
        >>> round(second_difference_spread(path), 3)
        1.247
    """
    if len(rows_TD) < 4:
        raise ValueError("the spread of second differences needs 4 frames at least")
    first = np.linalg.norm(np.diff(rows_TD, axis=0), axis=1)
    return float(np.diff(first).std())


def straightness(rows_TD: Floats) -> Floats:
    """Compute the 21 numbers of `PATH_COLUMNS`, (21,).

    A step of no length has no direction; the angle beside it counts as a right one, which says neither
    straight on nor back.

    Args:
        rows_TD: a feature a frame, at least 8 frames.

    Raises:
        ValueError: fewer than 8 frames.
    """
    if len(rows_TD) <= _STEPS:
        raise ValueError(f"the geometry of a path needs {_STEPS + 1} frames at least")
    steps_TD = np.diff(rows_TD, axis=0)
    distance_T = np.linalg.norm(steps_TD, axis=1)
    both = distance_T[1:] * distance_T[:-1]
    dots = (steps_TD[1:] * steps_TD[:-1]).sum(axis=1)
    cosine_T = np.divide(dots, both, out=np.zeros_like(dots), where=both > 1e-20)
    angle_T = np.arccos(np.clip(cosine_T, -1.0, 1.0))
    summary = [
        value
        for series in (distance_T, angle_T)
        for value in (series.mean(), series.min(), series.max(), series.var())
    ]
    return np.concatenate([distance_T[:_STEPS], angle_T[: _STEPS - 1], summary])
