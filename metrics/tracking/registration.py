"""Registration: how the camera moves from each frame of a clip to the next, and where there is a cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.shots import UNLIKE, change_between
from .recent import content_key, recently

__all__ = ["AGREES", "FEWEST", "Step", "mapped", "shots_between", "spread_corners", "steps_between"]

_Frames = NDArray[np.uint8]
_F = NDArray[np.float64]
_CORNERS: Final = 240
_PARTS: Final = 4  # rows and columns of a frame, each with as many corners at most
AGREES: Final = 1.0  # pixels: largest residual of a corner that agrees with the camera's motion
FEWEST: Final = 8  # corners
_STILL: Final = 0.12  # pixels: a median motion from frame to frame below this is none
_EXPLAINS: Final = 0.6  # of what no motion leaves: a motion that leaves more is noise
_CUT: Final = 0.35  # of the corners: if fewer can be followed and the picture changes, there is a cut
_LOST: Final = (
    0.05  # of the corners: if fewer can be followed, half as large a change of the picture is a cut
)
_OTHER: Final = 0.5  # correlation of two histograms of color: below this a frame shows something else


@dataclass(frozen=True)
class Step:
    """From one frame to the next.

    Attributes:
        matrix_33: the camera's motion, a homography.
        share: of the corners that agree with it; NaN where too few can be followed.
        cut: whether the next frame begins another shot.
    """

    matrix_33: _F
    share: float
    cut: bool = False


def steps_between(frames_THWC: _Frames) -> Sequence[Step]:
    """Fit the camera's motion from each frame to the next, uint8 RGB (T, H, W, 3): T - 1 steps.

    What was found of the last clips is kept, so that all that read a clip share it.
    """
    return recently(("steps", content_key(frames_THWC)), lambda: _steps(frames_THWC))


def shots_between(steps: Sequence[Step]) -> list[tuple[int, int]]:
    """List the shots of a clip: the first frame of each, and that after its last.

    Example:
        >>> shots_between([Step(np.eye(3), 1.0), Step(np.eye(3), 1.0, cut=True), Step(np.eye(3), 1.0)])
        [(0, 2), (2, 4)]
    """
    starts = [0, *(t + 1 for t, step in enumerate(steps) if step.cut)]
    return list(zip(starts, [*starts[1:], len(steps) + 1], strict=True))


def _steps(frames_THWC: _Frames) -> tuple[Step, ...]:
    import cv2

    grays = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8) for frame in frames_THWC]
    steps: list[Step] = []
    for t in range(len(grays) - 1):
        start, end, tried = _corners(grays[t], grays[t + 1])
        followed = len(start) / max(tried, 1)
        if tried >= FEWEST and followed < _CUT and _differs(frames_THWC[t], frames_THWC[t + 1], followed):
            steps.append(Step(np.eye(3), np.nan, cut=True))
        elif len(start) < FEWEST:
            steps.append(Step(np.eye(3), np.nan))
        else:
            steps.append(Step(*_fit(start, end)))
    return tuple(steps)


def _corners(gray: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[_F, _F, int]:
    """Follow corners to the next frame and back: those that come back, and how many were tried."""
    import cv2

    corners = spread_corners(gray)
    if not len(corners):
        return np.empty((0, 2)), np.empty((0, 2)), 0
    settings: dict[str, Any] = {"winSize": (15, 15), "maxLevel": 3}
    there, found, _ = cv2.calcOpticalFlowPyrLK(gray, after, corners, np.empty_like(corners), **settings)
    back, again, _ = cv2.calcOpticalFlowPyrLK(after, gray, there, np.empty_like(corners), **settings)
    away = np.linalg.norm(np.asarray(back - corners).reshape(-1, 2), axis=1)
    good = (np.asarray(found).ravel() > 0) & (np.asarray(again).ravel() > 0) & (away < 0.7)
    start, end = (np.asarray(points, np.float64).reshape(-1, 2)[good] for points in (corners, there))
    return start, end, len(corners)


def spread_corners(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Find the best corners of each part of a frame, (P, 1, 2), so that no thing of much detail has most."""
    import cv2

    height, width = gray.shape
    found: list[NDArray[np.float32]] = []
    for row in range(_PARTS):
        for column in range(_PARTS):
            top, left = row * height // _PARTS, column * width // _PARTS
            part = gray[top : (row + 1) * height // _PARTS, left : (column + 1) * width // _PARTS]
            corners: Any = cv2.goodFeaturesToTrack(
                part, _CORNERS // _PARTS**2, 0.05, 4
            )  # None: there are none
            if corners is not None:
                found.append(np.asarray(corners, np.float32) + np.array([left, top], np.float32))
    return np.concatenate(found) if found else np.empty((0, 1, 2), np.float32)


def _differs(one: _Frames, two: _Frames, followed: float) -> bool:
    """Say whether two frames are of other colors, or have them in other places."""
    import cv2

    if change_between(one, two) >= (UNLIKE if followed >= _LOST else UNLIKE / 2):
        return True

    bins = [8, 8, 8]
    pair = [cv2.calcHist([f], [0, 1, 2], None, bins, [0, 256] * 3) for f in (one, two)]
    return float(cv2.compareHist(pair[0], pair[1], cv2.HISTCMP_CORREL)) < _OTHER


def _fit(start: _F, end: _F) -> tuple[_F, float]:
    """Fit no motion, a similarity, or a homography: the simplest that explains most of the corners."""
    import cv2

    moved = np.linalg.norm(end - start, axis=1)
    still = np.eye(3), float(np.mean(moved < AGREES))
    rests = float(np.median(moved))
    if rests < _STILL:
        return still
    # OpenCV's stubs do not know that these give None where nothing fits.
    similar: Any
    whole: Any
    kept: Any
    similar, kept = cv2.estimateAffinePartial2D(start, end, ransacReprojThreshold=AGREES, confidence=0.999)
    found: list[tuple[_F, float]] = []
    if similar is not None and kept is not None:
        found.append((np.vstack([np.asarray(similar, np.float64), [0, 0, 1]]), float(np.mean(kept))))
    if len(start) >= 2 * FEWEST:
        whole, kept = cv2.findHomography(start, end, cv2.RANSAC, AGREES, confidence=0.999)
        if whole is not None:
            found.append((np.asarray(whole, np.float64), float(np.mean(kept)) - 0.15))  # it has more freedom
    if not found:
        return still
    best, share = max(found, key=lambda pair: pair[1])
    left = float(np.median(np.linalg.norm(mapped(start, best) - end, axis=1)))
    center, size = start.mean(axis=0), max(float(np.ptp(start, axis=0).max()), 1.0)
    away = float(np.linalg.norm(mapped(center[None], best)[0] - center))
    if left > _EXPLAINS * rests or away > size:  # noise, or a fit that no camera makes in one frame
        return still
    return best, share


def mapped(points_P2: _F, matrix_33: _F) -> _F:
    """Map points by a homography."""
    flat = np.concatenate([points_P2, np.ones((len(points_P2), 1))], axis=1) @ matrix_33.T
    return flat[:, :2] / flat[:, 2:]
