"""Measures of the camera's motion and of what moves in front of it, apart.

`motion.dynamic_degree` is 1 for either; these two say which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.motion_parts import MOTION_PARTS
from .blank import BLANK, refuse_blank
from .motion import DYNAMIC_THRESHOLD

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["camera_motion", "object_motion"]

_NEEDS: Final = (MOTION_PARTS, BLANK)
_CELLS: Final = 0.6
"""Share of the 16 parts of the frame that must have detail: a plain ground shows no camera's motion."""
_AGREE: Final = 0.5
"""Share of the points with detail that must move with the camera."""
_UNIT: Final = "of the shorter side a second"


@measure(
    "motion.camera",
    version=1,
    needs=_NEEDS,
    better="neither",
    bounds=(0.0, None),
    unit=_UNIT,
    sees={"freeze": "falls"},
)
def camera_motion(sample: Sample) -> Scored:
    """Speed of the camera: how far the picture is moved by it, averaged over the frame, median over pairs.

    An affine motion of the whole picture is fitted to the optical flow between frames 1/8 s apart (see
    `MotionPartsEncoder`).

    Raises:
        NotApplicable: the ground has too little detail, no camera motion explains half of it, the clip has
            fewer than two sampled frames, or is blank.
    """
    return _speed(sample, 0)


@measure(
    "motion.object",
    version=1,
    needs=_NEEDS,
    better="neither",
    bounds=(0.0, None),
    unit=_UNIT,
    sees={"freeze": "falls"},
)
def object_motion(sample: Sample) -> Scored:
    """Speed of what moves before the camera: largest 5 % of the flow less the camera's, median over pairs.

    The evidence says whether the objects move by the rule of `motion.dynamic_degree`. A near part of a still
    scene that a moving camera passes counts as moving: it moves against the rest of the picture.

    Raises:
        NotApplicable: as `motion.camera`.
    """
    return _speed(sample, 1)


def _speed(sample: Sample, column: int) -> Scored:
    refuse_blank(sample)
    parts = np.asarray(sample.features[MOTION_PARTS], np.float64)
    if not len(parts):
        raise NotApplicable("fewer than two frames at 8 frames a second")
    agree, cells, seconds = (parts[:, k] for k in (2, 3, 4))
    if float(np.median(cells)) < _CELLS:
        raise NotApplicable(
            "the ground has too little detail to tell the camera's motion from that of things"
        )
    fitted = ~np.isnan(parts[:, 0]) & (agree >= _AGREE)
    if fitted.mean() < 0.5:
        raise NotApplicable("no camera motion explains half of the picture")
    of_pairs = parts[fitted, column]
    return Scored(float(np.median(of_pairs)) / float(seconds[0]), _evidence(of_pairs, fitted, agree))


def _evidence(
    of_pairs: NDArray[np.float64], fitted: NDArray[np.bool_], agree: NDArray[np.float64]
) -> dict[str, float | int | bool]:
    moving = int((of_pairs > DYNAMIC_THRESHOLD).sum())
    return {
        "moves": moving >= max(1, round((len(fitted) + 1) / 4)),
        "pairs": int(fitted.sum()),
        "pairs_left_out": int((~fitted).sum()),
        "agreeing_share": float(np.median(agree)),
    }
