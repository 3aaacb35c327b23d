"""Measures of even motion: smoothness by interpolation, and jerk along the optical flow."""

from __future__ import annotations

from typing import Final

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.interpolation import INTERPOLATION
from ..encoders.paths import PATHS
from .blank import BLANK, refuse_blank

__all__ = ["jerk", "smoothness"]

_MOVING: Final = 0.002
"""Share of the points that must move at least, on average: fewer are noise."""


@measure(
    "motion.smoothness",
    version=1,
    needs=(INTERPOLATION, BLANK),
    better="higher",
    bounds=(0.0, 1.0),
    sees={"shuffle": "falls", "drop": "falls", "repeat": "falls"},
)
def smoothness(sample: Sample) -> Scored:
    """Likeness of frames 1, 3, 5 ... to the middle of their neighbours: (255 - mean |error|) / 255.

    VBench (Huang et al. 2024, "motion smoothness") interpolates by a learned network (AMT), here the optical
    flow does (see `InterpolationEncoder`), so the numbers of the two must not be mixed. A still clip scores
    1, and blur raises it; noise lowers it without any motion. On real clips held frames raise it, too: read
    `motion.jerk` for uneven motion.

    Raises:
        NotApplicable: the clip has fewer than three frames, or is blank.
    """
    refuse_blank(sample)
    error_K = sample.features[INTERPOLATION][:, 0]
    if not len(error_K):
        raise NotApplicable("fewer than three frames")
    worst = int(error_K.argmax())
    return Scored(
        float((255.0 - error_K.mean()) / 255.0),
        {"worst_frame": 2 * worst + 1, "worst_value": float((255.0 - error_K[worst]) / 255.0)},
    )


@measure(
    "motion.jerk",
    version=1,
    needs=(PATHS, BLANK),
    better="lower",
    bounds=(0.0, 1.0),
    sees={"shuffle": "rises", "drop": "rises", "repeat": "rises", "warp": "rises"},
)
def jerk(sample: Sample) -> Scored:
    """Unevenness of motion: sum of |v3 - 2 v2 + v1| over that of |v1| + 2 |v2| + |v3|, from 0 to 1.

    v1, v2 and v3 are three steps in a row of points that follow the optical flow. Constant velocity and
    constant acceleration have 0, steps to and fro have 1. It is a ratio, so that it depends neither on the
    size of the frame nor on how fast things are. Frames that are held make it large: motion that stops and
    starts is uneven.

    Raises:
        NotApplicable: the clip has fewer than four frames, nothing moves, or it is blank.
    """
    refuse_blank(sample)
    travel_T, change_T, moving_T = sample.features[PATHS].T
    if not len(travel_T):
        raise NotApplicable("fewer than four frames")
    travel = float(travel_T.sum())
    if float(moving_T.mean()) < _MOVING or travel <= 0:
        raise NotApplicable("nothing moves")
    worst = int(change_T.argmax())
    return Scored(
        min(1.0, float(change_T.sum()) / travel),
        {"moving_share": float(moving_T.mean()), "worst_frames": [worst, worst + 3]},
    )
