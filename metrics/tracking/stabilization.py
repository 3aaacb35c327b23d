"""Stabilization: frames as one still camera in an even light would have taken them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import NotApplicable
from .medians import largest_channel, median_levels
from .recent import content_key, recently
from .registration import AGREES, FEWEST, Step, mapped, spread_corners, steps_between

__all__ = ["View", "stabilize"]

_Frames = NDArray[np.uint8]
_F = NDArray[np.float64]
_F32 = NDArray[np.float32]
_LARGEST: Final = 2.0  # frames: sides of the canvas at most
_EVEN: Final = 0.03  # logarithm of a gain: less is no change of the light
_ROUNDS: Final = 2
_MOST: Final = 0.5  # of the corners


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
        levels = np.arange(256, dtype=np.uint8)[:, None] * self.light_3
        return _looked_up(self.even_THWC[t : t + 1], np.rint(levels).clip(0, 255).astype(np.uint8)[None])[0]

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


def stabilize(frames_THWC: _Frames, steps: Sequence[Step] | None = None) -> View:
    """Take the camera's motion and the changes of the light out of a clip, uint8 RGB (T, H, W, 3).

    The motion and the light of the last clips are kept, so that all that read a clip share them.

    Args:
        frames_THWC: the clip.
        steps: from each frame to the next, if they are known.

    Raises:
        NotApplicable: there is a cut.
    """
    import cv2

    steps = steps_between(frames_THWC) if steps is None else steps
    cut = next((t + 1 for t, step in enumerate(steps) if step.cut), None)
    if cut is not None:
        raise NotApplicable(f"there is a cut before frame {cut}; give each shot as a clip of its own")
    key = content_key(frames_THWC)
    shares = [step.share for step in steps]
    height, width = frames_THWC.shape[1:3]
    chain = np.stack([np.eye(3)] * len(frames_THWC))  # from each frame to the first
    for t, step in enumerate(steps):
        chain[t + 1] = chain[t] @ np.linalg.inv(step.matrix_33)
    if all(np.array_equal(step.matrix_33, np.eye(3)) for step in steps):
        whole = np.ones(frames_THWC.shape[:3], bool)
        gains = recently(("gains", key), lambda: _gains(frames_THWC, whole))
        even, light = _divided(frames_THWC, gains), _brightest(gains)
        return View(even, even, chain, light, _camera(chain, shares, (height, width)), moves=False)
    to_first = np.linalg.inv(chain[len(chain) // 2]) @ chain
    to_middle = recently(("middle", key), lambda: _refined(frames_THWC, to_first))
    camera = _camera(np.linalg.inv(to_middle[0]) @ to_middle, shares, (height, width))
    to_canvas, size = _canvas(to_middle, (height, width))
    steady = np.empty((len(frames_THWC), size[1], size[0], 3), np.uint8)
    known = np.empty(steady.shape[:3], bool)
    full = np.full((height, width), 255, np.uint8)
    for t, frame in enumerate(frames_THWC):
        steady[t] = cv2.warpPerspective(frame, to_canvas[t], size, flags=cv2.INTER_LINEAR)
        known[t] = np.asarray(cv2.warpPerspective(full, to_canvas[t], size, flags=cv2.INTER_NEAREST)) > 0
    gains = recently(("gains", key), lambda: _gains(steady, known))
    even = _divided(frames_THWC, gains)
    steady = _divided(steady, gains)
    middle_HWC = _median(steady, known)
    for t in range(len(steady)):
        steady[t][~known[t]] = middle_HWC[~known[t]]
    return View(even, steady, to_canvas, _brightest(gains), camera, moves=True)


def _refined(frames_THWC: _Frames, to_middle_T33: _F) -> _F:
    """Register each frame with the middle one directly, from where the steps have put it."""
    import cv2

    grays = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8) for frame in frames_THWC]
    middle = len(grays) // 2
    corners = spread_corners(grays[middle])
    if not len(corners):
        return to_middle_T33
    start = np.asarray(corners, np.float64).reshape(-1, 2)
    refined = to_middle_T33.copy()
    for t, gray in enumerate(grays):
        if t == middle:
            continue
        guess = mapped(start, np.linalg.inv(to_middle_T33[t])).astype(np.float32)[:, None]
        height, width = gray.shape
        inside = ((guess >= 0) & (guess < (width, height))).all(axis=(1, 2))
        if inside.sum() < 2 * FEWEST:
            continue
        at, near = (np.array(p[inside].reshape(-1, 2), order="C").reshape(-1, 1, 2) for p in (corners, guess))
        end, found, _ = cv2.calcOpticalFlowPyrLK(
            grays[middle], gray, at, near, winSize=(15, 15), maxLevel=1, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
        )
        good = np.asarray(found).ravel() > 0
        if good.sum() < 2 * FEWEST:
            continue
        matrix: Any
        matrix, kept = cv2.findHomography(end[good], at[good], cv2.RANSAC, AGREES, confidence=0.999)
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
        seen = mapped(points, here)
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


def _picked(count: int) -> slice:
    return slice(None, None, max(1, count // 48))


def _median(frames_THWC: _Frames, known_THW: NDArray[np.bool_]) -> _Frames:
    at = _picked(len(frames_THWC))
    return median_levels(frames_THWC[at], known_THW[at]).astype(np.uint8)


def _gains(steady_THWC: _Frames, known_THW: NDArray[np.bool_]) -> _F:
    """Estimate how bright each frame is, by channel, as a factor of the median over time, (T, 3)."""
    gains = np.ones((len(steady_THWC), 3))
    at = _picked(len(steady_THWC))
    for _ in range(_ROUNDS):
        middle = median_levels(_divided(steady_THWC[at], gains[at]), known_THW[at])
        middle = np.maximum(np.floor(middle), 1.0)
        bright = middle.min(axis=2) > 12
        for t, frame in enumerate(steady_THWC):
            shown = bright & known_THW[t] & (largest_channel(frame) < 250)
            if shown.sum() > 50:
                gains[t] = np.median(frame[shown] / middle[shown], axis=0)
    return gains if float(np.abs(np.log(np.maximum(gains, 1e-3))).max()) > _EVEN else np.ones_like(gains)


def _brightest(gains_T3: _F) -> _F:
    return gains_T3[int(gains_T3.mean(axis=1).argmax())]


def _divided(frames_THWC: _Frames, gains_T3: _F) -> _Frames:
    if np.all(gains_T3 == 1):
        return frames_THWC
    levels = np.arange(256, dtype=np.uint8)[:, None] / np.maximum(gains_T3, 0.05)[:, None]
    return _looked_up(frames_THWC, np.rint(levels).clip(0, 255).astype(np.uint8))


def _looked_up(frames_THWC: _Frames, tables_TL3: _Frames) -> _Frames:
    """Put the levels of a table, of 256 for each channel, in place of those of each frame."""
    import cv2

    changed = np.empty_like(frames_THWC)
    for frame, table, after in zip(frames_THWC, tables_TL3, changed, strict=True):
        after[:] = cv2.LUT(frame, np.ascontiguousarray(table[None]))
    return changed
