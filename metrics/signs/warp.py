"""A picture that bends: its parts move as no rigid scene does before any camera."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import NotApplicable
from ..encoders.epipolar import FEWEST_MATCHES, STILL, describe_views
from .findings import Sign

__all__ = ["warping"]

_FOLLOWED: Final = 0.35  # of the corners: of fewer, it is a cut, or too much is hidden
_COVERED: Final = 0.6  # of 16 parts of the picture: with points in fewer, they are of one thing
_BRIGHT: Final = 110.0  # levels: the mean of each frame, so that a change of the light moves nothing


def warping(frames_THWC: NDArray[np.uint8], stride: int) -> Sign | None:
    """Find how much of the picture moves as no rigid scene does; None where it stays in place.

    Corners are followed over ``stride`` frames, and the epipolar geometry of a camera that moves is fitted to
    them. The strength is the share that does not agree to a pixel, median over the pairs of frames; a pair
    between which most of the picture stays in place agrees. A cut leaves its pair out.

    Args:
        frames_THWC: uint8 RGB.
        stride: frames, about half a second.

    Raises:
        NotApplicable: too little can be followed, or the clip is shorter than that.
    """
    import cv2

    grays = np.stack([_even(np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))) for frame in frames_THWC])
    pairs = describe_views(grays, stride)
    inliers, motion = pairs[:, 0], pairs[:, 3]
    still = (motion < STILL) & (pairs[:, 2] >= FEWEST_MATCHES)
    off = np.where(still, 0.0, np.where(pairs[:, 5] >= _FOLLOWED, 1 - inliers, np.nan))
    off[pairs[:, 6] < _COVERED] = np.nan
    known = np.flatnonzero(~np.isnan(off))
    if not len(known) or len(known) < 0.5 * len(off):
        raise NotApplicable(
            f"fewer than {FEWEST_MATCHES} points, or none in most parts of the picture, can be followed for "
            "half a second"
        )
    strength = float(np.median(off[known]))
    if strength <= 0:
        return None
    worst = int(known[off[known].argmax()])
    height, width = frames_THWC.shape[1:3]
    return Sign(strength, worst * stride, (0, 0, width, height), "bends")


def _even(gray_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    mean = max(float(gray_HW.mean()), 1.0)
    return np.rint(gray_HW * (_BRIGHT / mean)).clip(0, 255).astype(np.uint8)
