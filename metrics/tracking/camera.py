"""Camera motion: shift and zoom of the view, fitted to points that are tracked on the background."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["CameraPath", "fit_similarity"]

_F = NDArray[np.float64]
_Step: TypeAlias = tuple[float, float, float, float]
"""Shift (x, y) in pixels, logarithm of the zoom, and the share of points that agree."""
_LONGEST: Final = 256
_POINTS: Final = 120
_CONTRAST: Final = 10.0  # levels: least contrast of a background point with its surroundings
_BLUR: Final = 0.8  # pixels: finer detail counts as noise
_AROUND: Final = 4.0  # pixels: radius of the surroundings of a point
_FEWEST: Final = 3
"""Two points give four numbers for three parameters, so they agree by chance. They can only confirm that the
camera continues the motion of the step before."""
_GOES_ON: Final = (0.75, 0.02)  # pixels, and logarithm of the zoom: largest difference of two steps of a move
_SPAN: Final = 0.3  # of the longer side: points closer to each other than that may be on one thing
_AS_ONE: Final = 0.5  # of the points: if fewer agree, they are not on the background
_SALIENT: Final = 4.0  # standard deviations of the noise
_SETTLED: Final = 1e-3  # pixels: a smaller change of the shift ends the fit
_AGREES: Final = 0.4  # pixels: largest residual of a point that agrees with the camera's motion


class CameraPath:
    """Estimate the camera's motion from the background of a clip, block after block.

    Corners of the background are tracked from each frame to the next (Lucas and Kanade 1981, in pyramids). A
    shift and a zoom are fitted to their displacements and accumulated over the frames.
    """

    def __init__(self) -> None:
        self._last: _View | None = None
        self._path: list[_Step] = []
        self._before: _Step | None = None

    def push(self, frames_THWC: NDArray[np.uint8], things_THW: NDArray[np.bool_] | None) -> None:
        """Take the next frames, and the mask of their object pixels."""
        for t, frame in enumerate(frames_THWC):
            things = None if things_THW is None else things_THW[t]
            self._add(_View(frame, things), scale=max(frame.shape[:2]) / _LONGEST)

    def _add(self, view: _View, *, scale: float) -> None:
        if self._last is None:
            self._path.append((0.0, 0.0, 0.0, np.nan))
        else:
            step = _step(self._last, view, self._before)
            self._before = step
            x, y, zoom, agreed = self._path[-1]
            if step is None or (agreed != agreed and len(self._path) > 1):
                self._path.append((x, y, zoom, np.nan))  # once lost, the distance since then is not known
            else:
                dx, dy, dz, agree = step
                grown = float(np.exp(dz))
                back = max(scale, 1.0)
                both = agree if agreed != agreed else min(agree, agreed)
                self._path.append((grown * x + back * dx, grown * y + back * dy, zoom + dz, both))
        self._last = view

    def finish(self) -> _F:
        """Return shift (x, y), logarithm of the zoom and agreement at each frame: (T, 4).

        All are NaN if there was nothing to track in the first frame. If the background is lost later, shift
        and zoom keep their last values and the agreement is NaN.
        """
        path = np.array(self._path, np.float64).reshape(-1, 4)
        if len(path) > 1:
            path[0, 3] = path[1, 3]
        if np.isnan(path[:, 3]).all():
            path[:] = np.nan
        return path


class _View:
    """A frame in gray at a reduced size, and the mask of its background without objects."""

    def __init__(self, frame: NDArray[np.uint8], things: NDArray[np.bool_] | None) -> None:
        import cv2

        gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
        free = np.ones(gray.shape, np.uint8) if things is None else (~things).astype(np.uint8)
        scale = _LONGEST / max(gray.shape)
        if scale < 1:
            size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
            gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
            free = np.asarray(cv2.resize(free, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        self._gray = gray
        self.free = np.asarray(cv2.erode(free, np.ones((5, 5), np.uint8), borderValue=1), np.uint8)

    @cached_property
    def bare(self) -> bool:
        """Whether the background is too uniform to track."""
        background = self._gray[self.free > 0]
        return not len(background) or int(background.max()) - int(background.min()) < _CONTRAST

    @cached_property
    def painted(self) -> NDArray[np.uint8]:
        """The smoothed gray frame, with objects painted over so that their edges are not tracked."""
        import cv2

        covered = np.where(self.free, self._gray, _surroundings(self._gray, self.free)).astype(np.uint8)
        return np.asarray(cv2.GaussianBlur(covered, (0, 0), _BLUR), np.uint8)


def _surroundings(gray: NDArray[np.uint8], free: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Average the free background around every pixel; if there is none, over the whole frame."""
    import cv2

    weight = np.asarray(cv2.GaussianBlur(free.astype(np.float32), (0, 0), _AROUND))
    total = np.asarray(cv2.GaussianBlur(gray.astype(np.float32) * free, (0, 0), _AROUND))
    mean = float(gray[free > 0].mean()) if free.any() else 0.0
    return np.where(weight > 1e-3, total / np.maximum(weight, 1e-3), mean).astype(np.float32)


def _step(view: _View, after: _View, before: _Step | None) -> _Step | None:
    """Fit one step of the camera, after the one ``before``.

    Any corner of the background is tracked. If these do not move alike, because they are noise, only corners
    that exceed the noise are. None if those do not move alike either.
    """
    import cv2

    if view.bare:
        return None
    gray, free = view.painted, view.free
    detail = np.abs(gray - _surroundings(gray, free)) * free
    if detail.max(initial=0) < _CONTRAST:
        return None  # nothing to follow
    pair = gray, after.painted
    step = _follow(pair, free, after.free, before)
    if step is None:
        noise = 1.4826 * float(np.median(detail[free > 0]))
        salient = (detail > max(_CONTRAST, _SALIENT * noise)).astype(np.uint8)
        near = np.asarray(cv2.dilate(salient, np.ones((3, 3), np.uint8)))
        step = _follow(pair, np.minimum(free, near), after.free, before)
    return step


def _follow(
    pair: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    free: NDArray[np.uint8],
    free_after: NDArray[np.uint8],
    before: _Step | None,
) -> _Step | None:
    """Track the corners in a mask to the next frame; None if too few move alike, or all are close by."""
    import cv2

    gray, after = pair
    # None where there is no corner, which the library's type stubs leave out.
    corners: Any = cv2.goodFeaturesToTrack(gray, _POINTS, 0.02, 4, mask=free)
    if corners is None or len(corners) < 2:
        return None
    empty = np.empty_like(corners)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(gray, after, corners, empty, winSize=(9, 9), maxLevel=2)
    height, width = gray.shape
    start, end = np.asarray(corners)[:, 0].astype(np.float64), np.asarray(moved)[:, 0].astype(np.float64)
    inside = (end >= 0).all(axis=1) & (end[:, 0] <= width - 1) & (end[:, 1] <= height - 1)
    good = inside & (np.asarray(found)[:, 0] > 0)
    at = np.rint(end[good]).astype(int)
    good[good] = free_after[np.clip(at[:, 1], 0, height - 1), np.clip(at[:, 0], 0, width - 1)] > 0
    count = int(good.sum())
    if count < 2:
        return None
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    fit = fit_similarity(start[good] - middle, end[good] - middle)
    wide = np.ptp(start[good], axis=0).max() >= _SPAN * max(height, width)
    if not (count >= _FEWEST and wide) and not (before is not None and _goes_on(before, fit)):
        return None
    return fit if fit[3] >= max(_AS_ONE, min(_FEWEST, count) / count) else None


def _goes_on(one: _Step, two: _Step) -> bool:
    away, zoomed = np.hypot(two[0] - one[0], two[1] - one[1]), abs(two[2] - one[2])
    return bool(away < _GOES_ON[0] and zoomed < _GOES_ON[1])


def fit_similarity(start_P2: _F, end_P2: _F) -> tuple[float, float, float, float]:
    """Fit ``end = zoom * start + shift`` to most of the points: shift, log zoom, and the share that agrees.

    Iteratively reweighted least squares with Cauchy weights, starting from the median shift, without
    rotation.
    """
    moves = end_P2 - start_P2
    shift, zoom = np.median(moves, axis=0), 1.0
    for _ in range(12):
        away = np.square(end_P2 - zoom * start_P2 - shift).sum(axis=1)
        weight = 1.0 / (1.0 + away / max(float(np.median(away)), 0.01))
        total = weight.sum()
        center, goal = weight @ start_P2 / total, weight @ end_P2 / total
        spread = float(weight @ np.square(start_P2 - center).sum(axis=1))
        if spread > 1e-6:
            zoom = float(weight @ ((start_P2 - center) * (end_P2 - goal)).sum(axis=1)) / spread
            zoom = float(np.clip(zoom, 0.5, 2.0))
        before, shift = shift, goal - zoom * center
        if np.abs(shift - before).max() < _SETTLED:
            break
    away = np.sqrt(np.square(end_P2 - zoom * start_P2 - shift).sum(axis=1))
    return float(shift[0]), float(shift[1]), float(np.log(zoom)), float((away < _AGREES).mean())
