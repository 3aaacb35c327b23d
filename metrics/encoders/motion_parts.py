"""The ``motion-parts`` encoder: optical flow split into the camera's part and the rest, without weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, EncoderOptions, Stream
from .flow import FlowEstimator, FlowSettings, FramePairs, sampling_stride, top_motion
from .registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo

__all__ = ["MOTION_PARTS", "MOTION_PARTS_COLUMNS", "MotionPartsEncoder"]

_VERSION = 1
MOTION_PARTS: Final = "motion-parts"
MOTION_PARTS_COLUMNS: Final = ("camera", "object", "agree", "cells", "seconds")
"""camera: mean length of the camera's flow over the frame; object: mean of the largest 5 % of what is left of
the flow; both in shares of min(H, W), NaN where no camera motion could be fitted; agree: share of the points
with detail that the camera's motion explains; cells: share of the 16 parts of the frame that have such
points; seconds: between the two frames."""
_SETTINGS: Final = FlowSettings(longest=128)
_SPACING: Final = 6  # pixels between points
_DETAIL: Final = 6.0  # levels: standard deviation of the surroundings of a point with detail
_AROUND: Final = 9  # pixels: side of the surroundings
_AGREES: Final = 0.75  # pixels: largest residual of a point that moves with the camera
_FEWEST: Final = 12  # points, four times as many as the fit needs
_CELLS: Final = 4

Frame = NDArray[np.uint8]
Field = NDArray[np.float32]


class MotionPartsEncoder(Encoder):
    """Split the motion between frames about 1/8 s apart: float64 (P, 5), columns `MOTION_PARTS_COLUMNS`.

    An affine motion of the whole picture is fitted by RANSAC to the flow (DIS) at points with detail: shift,
    zoom, rotation and shear. Frames are sampled as by ``dynamics``.
    """

    name = MOTION_PARTS

    def identity(self) -> Mapping[str, Json]:
        """List the estimator, its settings, the points and the columns."""
        return {
            "version": _VERSION,
            "estimator": "DIS medium",
            **asdict(_SETTINGS),
            "points": [_SPACING, _DETAIL, _AROUND, _AGREES, _FEWEST, _CELLS],
            "columns": list(MOTION_PARTS_COLUMNS),
        }

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        stride, seconds = sampling_stride(info, _SETTINGS.rate)

        def describe(flow: FlowEstimator, first: Frame, second: Frame) -> tuple[float, ...]:
            return (*_split(flow.between(first, second), _points(first)), seconds)

        columns = len(MOTION_PARTS_COLUMNS)
        return FramePairs(_SETTINGS, stride=stride, describe=describe, columns=columns)


def _points(frame: Frame) -> NDArray[np.intp]:
    """List the points (P, 2), row and column, whose surroundings have detail."""
    import cv2

    gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32)
    size = (_AROUND, _AROUND)
    mean, square = (np.asarray(cv2.blur(one, size), np.float64) for one in (gray, gray * gray))
    spread = np.sqrt(np.maximum(square - mean * mean, 0))
    grid = np.zeros(gray.shape, bool)
    grid[_SPACING // 2 :: _SPACING, _SPACING // 2 :: _SPACING] = True
    return np.argwhere(grid & (spread > _DETAIL))


def _split(flow: Field, points_P2: NDArray[np.intp]) -> tuple[float, float, float, float]:
    import cv2

    height, width = flow.shape[:2]
    cells = {(y * _CELLS // height, x * _CELLS // width) for y, x in points_P2.tolist()}
    spread = len(cells) / _CELLS**2
    if len(points_P2) < _FEWEST:
        return math.nan, math.nan, 0.0, spread
    start = points_P2[:, ::-1].astype(np.float32)
    end = start + flow[points_P2[:, 0], points_P2[:, 1]]
    # The library's type stubs have no None, which is what comes where no fit is found.
    fitted: Any = cv2.estimateAffine2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=_AGREES)
    matrix, agreeing = fitted
    if matrix is None:
        return math.nan, math.nan, 0.0, spread
    y, x = np.mgrid[:height, :width].astype(np.float64)
    places = np.stack([x, y, np.ones_like(x)], axis=-1)
    camera = places @ np.asarray(matrix, np.float64).T - places[..., :2]
    lengths = np.sqrt(np.square(camera).sum(axis=-1))
    rest = top_motion((flow - camera).astype(np.float32))
    return float(lengths.mean() / min(height, width)), rest, float(np.mean(agreeing)), spread


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return MotionPartsEncoder()


ENCODERS.add(MOTION_PARTS, EncoderEntry("optical flow of the camera and of the rest, no weights", _build))
