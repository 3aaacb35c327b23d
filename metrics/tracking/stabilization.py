"""Stabilization: frames as one still camera in an even light would have taken them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import NotApplicable

__all__ = ["View", "stabilize"]

_Frames = NDArray[np.uint8]
_F = NDArray[np.float64]
_F32 = NDArray[np.float32]
_CORNERS: Final = 240
_PARTS: Final = 4  # rows and columns of a frame, each with as many corners at most
_AGREES: Final = 1.0  # pixels: largest residual of a corner that agrees with the camera's motion
_FEWEST: Final = 8  # corners
_STILL: Final = 0.12  # pixels: a median motion from frame to frame below this is none
_LARGEST: Final = 2.0  # frames: sides of the canvas at most
_EVEN: Final = 0.03  # logarithm of a gain: less is no change of the light
_ROUNDS: Final = 2
_EXPLAINS: Final = 0.6  # of what no motion leaves: a motion that leaves more is noise
_MOST: Final = 0.5  # of the corners
_CUT: Final = 0.35  # of the corners: if fewer can be followed and the colors change, there is a cut
_OTHER: Final = 0.5  # correlation of two histograms of color: below this a frame shows something else


@dataclass(frozen=True)
class View:
    """A clip of T frames on a canvas that a still camera would see.

    Attributes:
        even_THWC: the frames with the changes of the light taken out.
        steady_THWC: the same on the canvas; where a frame shows nothing of it, the median over time.
        to_canvas_T33: homographies from each frame to the canvas.
        light_3: by how much brighter than ``even_THWC`` the brightest frame is, by channel.
        camera_T4: shift, logarithm of the zoom, and agreement, as of `Tracks.camera_T4`.
        moves: whether the camera moves.
    """

    even_THWC: _Frames
    steady_THWC: _Frames
    to_canvas_T33: _F
    light_3: _F
    camera_T4: _F
    moves: bool

    def lit(self, t: int) -> _Frames:
        """Draw frame ``t`` in the light of the brightest frame, in which things show their colors best."""
        if np.all(self.light_3 == 1):
            return self.even_THWC[t]
        return np.rint(self.even_THWC[t] * self.light_3).clip(0, 255).astype(np.uint8)

    def seen_from(self, canvas_HWC: _F32, t: int) -> _F32:
        """Draw what is on the canvas as frame ``t`` sees it."""
        import cv2

        if not self.moves:
            return canvas_HWC
        height, width = self.even_THWC.shape[1:3]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpPerspective(canvas_HWC, self.to_canvas_T33[t], (width, height), flags=flags)
        return np.asarray(seen, np.float32)

    def known(self, t: int) -> NDArray[np.bool_]:
        """Mark the pixels of frame ``t`` that lie on the canvas, (H, W)."""
        import cv2

        height, width = self.even_THWC.shape[1:3]
        if not self.moves:
            return np.ones((height, width), bool)
        whole = np.full(self.steady_THWC.shape[1:3], 255, np.uint8)
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpPerspective(whole, self.to_canvas_T33[t], (width, height), flags=flags)) > 0


def stabilize(frames_THWC: _Frames) -> View:
    """Take the camera's motion and the changes of the light out of a clip, uint8 RGB (T, H, W, 3).

    Raises:
        NotApplicable: there is a cut, or the camera's motion cannot be followed.
    """
    import cv2

    steps, agree = _steps(frames_THWC)
    height, width = frames_THWC.shape[1:3]
    chain = np.stack([np.eye(3)] * len(frames_THWC))  # from each frame to the first
    for t, step in enumerate(steps):
        chain[t + 1] = chain[t] @ np.linalg.inv(step)
    if all(np.array_equal(step, np.eye(3)) for step in steps):
        gains = _gains(frames_THWC, np.ones(frames_THWC.shape[:3], bool))
        even, light = _divided(frames_THWC, gains), _brightest(gains)
        return View(even, even, chain, light, _camera(chain, agree, (height, width)), moves=False)
    to_middle = _refined(frames_THWC, np.linalg.inv(chain[len(chain) // 2]) @ chain)
    camera = _camera(np.linalg.inv(to_middle[0]) @ to_middle, agree, (height, width))
    to_canvas, size = _canvas(to_middle, (height, width))
    steady = np.empty((len(frames_THWC), size[1], size[0], 3), np.uint8)
    known = np.empty(steady.shape[:3], bool)
    whole = np.full((height, width), 255, np.uint8)
    for t, frame in enumerate(frames_THWC):
        steady[t] = cv2.warpPerspective(frame, to_canvas[t], size, flags=cv2.INTER_LINEAR)
        known[t] = np.asarray(cv2.warpPerspective(whole, to_canvas[t], size, flags=cv2.INTER_NEAREST)) > 0
    gains = _gains(steady, known)
    even = _divided(frames_THWC, gains)
    steady = _divided(steady, gains)
    middle_HWC = _median(steady, known)
    for t in range(len(steady)):
        steady[t][~known[t]] = middle_HWC[~known[t]]
    return View(even, steady, to_canvas, _brightest(gains), camera, moves=True)


def _steps(frames_THWC: _Frames) -> tuple[list[_F], list[float]]:
    """Fit the camera's motion from each frame to the next, and the share of the corners that agree."""
    import cv2

    grays = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8) for frame in frames_THWC]
    steps: list[_F] = []
    shares: list[float] = []
    for t in range(len(grays) - 1):
        start, end, tried = _corners(grays[t], grays[t + 1])
        if tried >= _FEWEST and len(start) < _CUT * tried and _differs(frames_THWC[t], frames_THWC[t + 1]):
            raise NotApplicable(f"there is a cut before frame {t + 1}; give each shot as a clip of its own")
        if len(start) < _FEWEST:
            steps.append(np.eye(3))
            shares.append(np.nan)
            continue
        step, share = _fit(start, end)
        steps.append(step)
        shares.append(share)
    return steps, shares


def _corners(gray: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[_F, _F, int]:
    """Follow corners to the next frame and back: those that come back, and how many were tried."""
    import cv2

    corners = _spread_corners(gray)
    if not len(corners):
        return np.empty((0, 2)), np.empty((0, 2)), 0
    settings: dict[str, Any] = {"winSize": (15, 15), "maxLevel": 3}
    there, found, _ = cv2.calcOpticalFlowPyrLK(gray, after, corners, np.empty_like(corners), **settings)
    back, again, _ = cv2.calcOpticalFlowPyrLK(after, gray, there, np.empty_like(corners), **settings)
    away = np.linalg.norm(np.asarray(back - corners).reshape(-1, 2), axis=1)
    good = (np.asarray(found).ravel() > 0) & (np.asarray(again).ravel() > 0) & (away < 0.7)
    start, end = (np.asarray(points, np.float64).reshape(-1, 2)[good] for points in (corners, there))
    return start, end, len(corners)


def _spread_corners(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
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


def _differs(one: _Frames, two: _Frames) -> bool:
    import cv2

    bins = [8, 8, 8]
    pair = [cv2.calcHist([f], [0, 1, 2], None, bins, [0, 256] * 3) for f in (one, two)]
    return float(cv2.compareHist(pair[0], pair[1], cv2.HISTCMP_CORREL)) < _OTHER


def _fit(start: _F, end: _F) -> tuple[_F, float]:
    """Fit no motion, a similarity, or a homography: the simplest that explains most of the corners."""
    import cv2

    moved = np.linalg.norm(end - start, axis=1)
    still = np.eye(3), float(np.mean(moved < _AGREES))
    rests = float(np.median(moved))
    if rests < _STILL:
        return still
    # OpenCV's stubs do not know that these give None where nothing fits.
    similar: Any
    whole: Any
    kept: Any
    similar, kept = cv2.estimateAffinePartial2D(start, end, ransacReprojThreshold=_AGREES, confidence=0.999)
    found: list[tuple[_F, float]] = []
    if similar is not None and kept is not None:
        found.append((np.vstack([np.asarray(similar, np.float64), [0, 0, 1]]), float(np.mean(kept))))
    if len(start) >= 2 * _FEWEST:
        whole, kept = cv2.findHomography(start, end, cv2.RANSAC, _AGREES, confidence=0.999)
        if whole is not None:
            found.append((np.asarray(whole, np.float64), float(np.mean(kept)) - 0.15))  # it has more freedom
    if not found:
        return still
    best, share = max(found, key=lambda pair: pair[1])
    left = float(np.median(np.linalg.norm(_seen(start, best) - end, axis=1)))
    center, size = start.mean(axis=0), max(float(np.ptp(start, axis=0).max()), 1.0)
    away = float(np.linalg.norm(_seen(center[None], best)[0] - center))
    if left > _EXPLAINS * rests or away > size:  # noise, or a fit that no camera makes in one frame
        return still
    return best, share


def _seen(points_P2: _F, matrix_33: _F) -> _F:
    """Map points by a homography."""
    flat = np.concatenate([points_P2, np.ones((len(points_P2), 1))], axis=1) @ matrix_33.T
    return flat[:, :2] / flat[:, 2:]


def _refined(frames_THWC: _Frames, to_middle_T33: _F) -> _F:
    """Register each frame with the middle one directly, from where the steps have put it."""
    import cv2

    grays = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8) for frame in frames_THWC]
    middle = len(grays) // 2
    corners = _spread_corners(grays[middle])
    if not len(corners):
        return to_middle_T33
    start = np.asarray(corners, np.float64).reshape(-1, 2)
    refined = to_middle_T33.copy()
    for t, gray in enumerate(grays):
        if t == middle:
            continue
        guess = _seen(start, np.linalg.inv(to_middle_T33[t])).astype(np.float32)[:, None]
        height, width = gray.shape
        inside = ((guess >= 0) & (guess < (width, height))).all(axis=(1, 2))
        if inside.sum() < 2 * _FEWEST:
            continue
        at, near = (np.array(p[inside].reshape(-1, 2), order="C").reshape(-1, 1, 2) for p in (corners, guess))
        end, found, _ = cv2.calcOpticalFlowPyrLK(
            grays[middle], gray, at, near, winSize=(15, 15), maxLevel=1, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
        )
        good = np.asarray(found).ravel() > 0
        if good.sum() < 2 * _FEWEST:
            continue
        matrix: Any
        matrix, kept = cv2.findHomography(end[good], at[good], cv2.RANSAC, _AGREES, confidence=0.999)
        if matrix is not None and float(np.mean(kept)) > _MOST:
            refined[t] = matrix
    return refined


def _camera(chain_T33: _F, shares: list[float], size: tuple[int, int]) -> _F:
    """Describe the camera's path by the way of the frame's middle and the change of areas around it."""
    height, width = size
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    path = np.zeros((len(chain_T33), 4))
    agreed = 1.0
    for t, to_first in enumerate(chain_T33):
        here = np.linalg.inv(to_first)
        points = middle + np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        seen = _seen(points, here)
        area = abs(float(np.linalg.det(seen[1:] - seen[0])))
        if t:
            agreed = min(agreed, shares[t - 1])
            if np.isnan(shares[t - 1]):
                agreed = np.nan
        path[t] = (*(seen[0] - middle), 0.5 * np.log(max(area, 1e-6)), agreed)
    return path


def _canvas(to_middle_T33: _F, size: tuple[int, int]) -> tuple[_F, tuple[int, int]]:
    """Lay the frames of a clip on a canvas that holds most of them: homographies, and (width, height)."""
    height, width = size
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]], float)
    seen = corners @ to_middle_T33.transpose(0, 2, 1)
    flat = (seen[..., :2] / seen[..., 2:]).reshape(-1, 2)
    more = (_LARGEST - 1) / 2 * np.array([width, height])
    low = np.maximum(np.floor(flat.min(axis=0)), -more)
    high = np.minimum(np.ceil(flat.max(axis=0)), np.array([width, height]) + more)
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]])
    return shift @ to_middle_T33, (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)


def _median(frames_THWC: _Frames, known_THW: NDArray[np.bool_]) -> _Frames:
    picked = slice(None, None, max(1, len(frames_THWC) // 48))
    values = frames_THWC[picked].astype(np.float32)
    if known_THW[picked].all():
        return np.median(values, axis=0).astype(np.uint8)
    values[~known_THW[picked]] = np.nan
    empty = ~known_THW[picked].any(axis=0)
    values[0][empty] = 0.0
    return np.nanmedian(values, axis=0).astype(np.uint8)


def _gains(steady_THWC: _Frames, known_THW: NDArray[np.bool_]) -> _F:
    """Estimate how bright each frame is, by channel, as a factor of the median over time, (T, 3)."""
    gains = np.ones((len(steady_THWC), 3))
    for _ in range(_ROUNDS):
        middle = np.maximum(_median(_divided(steady_THWC, gains), known_THW).astype(np.float32), 1.0)
        bright = middle.min(axis=2) > 12
        for t, frame in enumerate(steady_THWC):
            at = bright & known_THW[t] & (frame.max(axis=2) < 250)
            if at.sum() > 50:
                gains[t] = np.median(frame[at] / middle[at], axis=0)
    return gains if float(np.abs(np.log(np.maximum(gains, 1e-3))).max()) > _EVEN else np.ones_like(gains)


def _brightest(gains_T3: _F) -> _F:
    return gains_T3[int(gains_T3.mean(axis=1).argmax())]


def _divided(frames_THWC: _Frames, gains_T3: _F) -> _Frames:
    if np.all(gains_T3 == 1):
        return frames_THWC
    scaled = frames_THWC / np.maximum(gains_T3, 0.05)[:, None, None]
    return np.rint(scaled).clip(0, 255).astype(np.uint8)
