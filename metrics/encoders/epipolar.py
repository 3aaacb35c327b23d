"""The ``epipolar`` encoder: how well two frames can be views of one rigid scene, without weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, EncoderOptions, Feature, Stream
from .flow import sampling_stride
from .registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = [
    "EPIPOLAR",
    "EPIPOLAR_COLUMNS",
    "FEWEST_MATCHES",
    "STILL",
    "EpipolarEncoder",
    "describe_views",
    "sampson_distances",
]

_VERSION = 1
EPIPOLAR: Final = "epipolar"
EPIPOLAR_COLUMNS: Final = ("inliers", "sampson", "matches", "motion", "homography", "seconds")
"""inliers: share of the matches whose Sampson distance to the fitted epipolar geometry is at most 1 pixel;
sampson: the median of that distance over all matches, in pixels of the frame, whose longer side is first
reduced to 512 if it is more; both NaN with fewer than `FEWEST_MATCHES` matches, or a median motion under
`STILL`; matches: how many points were followed; motion: their median shift, in shares of min(H, W);
homography: share that one plane, or a camera that only turns, explains as well; seconds: between the two
frames."""
FEWEST_MATCHES: Final = 40
STILL: Final = 0.01
_RATE: Final = 2.0
_LONGEST: Final = 512
_CORNERS: Final = 400
_RETURNS: Final = 1.0  # pixels: how near a point that is followed there and back must come to its start
_NEAR: Final = 1.0  # pixels: Sampson distance of a match that agrees

_F = NDArray[np.float64]
_Gray = NDArray[np.uint8]


class EpipolarEncoder(Encoder):
    """Fit epipolar geometry to frames about 1/2 s apart: float64 (P, 6), columns `EPIPOLAR_COLUMNS`.

    Corners (Shi and Tomasi 1994) are followed from frame to frame (Lucas and Kanade 1981, in pyramids, there
    and back), and a fundamental matrix is fitted by MAGSAC++ (Barath et al. 2020, OpenCV's USAC). The
    distance is Sampson's (Hartley and Zisserman 2003, section 11.4.3). Matches that stay in place and matches
    along their epipolar lines agree with any camera, so things that move so are not noticed.
    """

    name = EPIPOLAR

    def identity(self) -> Mapping[str, Json]:
        """List the version, the settings and the columns."""
        return {
            "version": _VERSION,
            "settings": [_RATE, _LONGEST, _CORNERS, _RETURNS, _NEAR, FEWEST_MATCHES, STILL],
            "columns": list(EPIPOLAR_COLUMNS),
        }

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        return _Views(*sampling_stride(info, _RATE))


class _Views:
    def __init__(self, stride: int, seconds: float) -> None:
        self._stride, self._seconds = stride, seconds
        self._seen = 0
        self._last: _Gray | None = None
        self._start = self._end = np.empty((0, 2), np.float32)
        self._rows: list[tuple[float, ...]] = []

    def push(self, window: Window) -> None:
        for frame_HWC in window.frames_THWC:
            gray = _reduced(frame_HWC)
            if self._last is not None:
                self._start, self._end = _follow(self._last, gray, self._start, self._end)
            if self._seen % self._stride == 0:
                if self._last is not None:
                    row = _describe(self._start.astype(np.float64), self._end.astype(np.float64), gray.shape)
                    self._rows.append((*row, self._seconds))
                self._start = self._end = _corners(gray)
            self._last = gray
            self._seen += 1

    def finish(self) -> Feature:
        return np.array(self._rows, np.float64).reshape(-1, len(EPIPOLAR_COLUMNS))


def describe_views(grays_THW: NDArray[np.uint8], stride: int) -> _F:
    """Fit epipolar geometry to gray frames ``stride`` apart: (P, 7).

    The columns are `EPIPOLAR_COLUMNS`, but instead of the last one the share of the corners that could be
    followed, and that of the 16 parts of the frame that have one of these.
    """
    rows: list[tuple[float, ...]] = []
    for first in range(0, len(grays_THW) - stride, stride):
        start = here = corners = _corners(grays_THW[first])
        for t in range(first, first + stride):
            start, here = _follow(grays_THW[t], grays_THW[t + 1], start, here)
        row = _describe(start.astype(np.float64), here.astype(np.float64), grays_THW.shape[1:])
        parts = {tuple(part) for part in (start * 4 // grays_THW.shape[:0:-1]).astype(int).tolist()}
        rows.append((*row, len(here) / max(len(corners), 1), len(parts) / 16))
    return np.array(rows, np.float64).reshape(-1, len(EPIPOLAR_COLUMNS) + 1)


def _reduced(frame_HWC: NDArray[np.uint8]) -> _Gray:
    import cv2

    gray = np.asarray(cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY), np.uint8)
    scale = _LONGEST / max(gray.shape)
    if scale >= 1:
        return gray
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)


def _corners(gray: _Gray) -> NDArray[np.float32]:
    import cv2

    # None where there is no corner, which the library's type stubs leave out.
    found: Any = cv2.goodFeaturesToTrack(gray, _CORNERS, 0.01, max(3, min(gray.shape) / 64))
    return np.empty((0, 2), np.float32) if found is None else np.asarray(found, np.float32)[:, 0]


def _follow(
    before: _Gray, after: _Gray, start: NDArray[np.float32], here: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Follow points to the next frame; those that do not come back to where they were are dropped."""
    import cv2

    if not len(here):
        return start, here
    settings: dict[str, Any] = {"winSize": (15, 15), "maxLevel": 3}
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, here, np.empty_like(here), **settings)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, np.empty_like(here), **settings)
    there, back = np.asarray(there, np.float32), np.asarray(back, np.float32)
    height, width = after.shape
    kept = (np.asarray(found)[:, 0] > 0) & (np.asarray(returned)[:, 0] > 0)
    kept &= np.square(back - here).sum(axis=1) <= _RETURNS**2
    kept &= (there >= 0).all(axis=1) & (there[:, 0] <= width - 1) & (there[:, 1] <= height - 1)
    return start[kept], there[kept]


def _describe(start: _F, end: _F, shape: tuple[int, ...]) -> tuple[float, ...]:
    import cv2

    side = min(shape)
    motion = float(np.median(np.sqrt(np.square(end - start).sum(axis=1)))) / side if len(start) else 0.0
    if len(start) < FEWEST_MATCHES or motion < STILL:
        return math.nan, math.nan, float(len(start)), motion, math.nan
    fundamental: Any = None
    # It raises where no sample of the matches gives a model.
    with suppress(cv2.error):
        fundamental = cv2.findFundamentalMat(start, end, cv2.USAC_MAGSAC, _NEAR, 0.999, 10_000)[0]
    if fundamental is None or np.shape(fundamental) != (3, 3):
        return math.nan, math.nan, float(len(start)), motion, math.nan
    distances = sampson_distances(np.asarray(fundamental, np.float64), start, end)
    plane: Any = None
    with suppress(cv2.error):
        plane = cv2.findHomography(start, end, cv2.USAC_MAGSAC, _NEAR)[1]
    explained = 0.0 if plane is None else float(np.mean(plane))
    inliers = float((distances <= _NEAR).mean())
    return inliers, float(np.median(distances)), float(len(start)), motion, explained


def sampson_distances(fundamental_33: _F, start_P2: _F, end_P2: _F) -> _F:
    """Return the Sampson distance of each match to an epipolar geometry, in pixels: (P,).

    It is the first-order distance of (x, x') to the nearest pair with x'^T F x = 0.
    """
    one, two = (np.concatenate([p, np.ones((len(p), 1))], axis=1) for p in (start_P2, end_P2))
    lines_two, lines_one = one @ fundamental_33.T, two @ fundamental_33
    residual = (two * lines_two).sum(axis=1)
    slope = np.square(lines_two[:, :2]).sum(axis=1) + np.square(lines_one[:, :2]).sum(axis=1)
    return np.abs(residual) / np.sqrt(np.maximum(slope, np.finfo(np.float64).tiny))


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return EpipolarEncoder()


ENCODERS.add(EPIPOLAR, EncoderEntry("two frames as views of one rigid scene, no weights", _build))
