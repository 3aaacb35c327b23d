"""The ``flow`` and ``dynamics`` encoders: apparent motion by dense optical flow, without weights.

The flow is OpenCV's DIS (Kroeger et al. 2016) on grey frames whose longer side is at most
`FlowSettings.longest` pixels. VBench and the warping-error papers use learned estimators (RAFT, FlowNet2), so
the numbers here are comparable among themselves and not with theirs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, EncoderOptions, Feature, Stream
from .registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = [
    "DYNAMICS_COLUMNS",
    "FLOW_COLUMNS",
    "DynamicsEncoder",
    "FlowEncoder",
    "FlowEstimator",
    "FlowSettings",
    "FramePairs",
    "sampling_stride",
    "top_motion",
]

Frame: TypeAlias = NDArray[np.uint8]
Field: TypeAlias = NDArray[np.float32]

_VERSION = 1
_PATCH = 8  # DIS's patch size
FLOW_COLUMNS = ("masked_error", "valid_share", "top_motion")
"""masked_error: sum over valid pixels of |warp(I_{t+1}) - I_t|^2 over RGB in [0, 1], divided by *all* pixels;
valid_share: share of pixels that are neither occluded, nor at a motion boundary, nor looked up outside the
frame (the warping error of the pair is masked_error / valid_share);
top_motion: mean of the largest 5 % of flow magnitudes, divided by min(H, W)."""
DYNAMICS_COLUMNS = ("top_motion", "seconds")
"""top_motion: as above, between frames about 1/8 s apart; seconds: their distance by the mean rate."""


@dataclass(frozen=True)
class FlowSettings:
    """What changes a flow field.

    Attributes:
        longest: frames whose longer side has more pixels are reduced to this.
        finest_scale: DIS stops at 1 / 2**finest_scale of the size and interpolates.
        rate: sampling rate of ``dynamics``, in frames a second.
    """

    longest: int = 512
    finest_scale: int = 1
    rate: float = 8.0


class _FlowFeature(Encoder):
    """Base of what reads optical flow.

    Attributes:
        columns: of the feature.
    """

    columns: ClassVar[tuple[str, ...]]

    def __init__(self, settings: FlowSettings | None = None) -> None:
        self._settings = settings or FlowSettings()

    def identity(self) -> Mapping[str, Json]:
        """List the estimator, its settings and the columns."""
        return {
            "version": _VERSION,
            "estimator": "DIS medium",
            **asdict(self._settings),
            "columns": list(self.columns),
        }


class FlowEncoder(_FlowFeature):
    """Compare each frame with the next one warped back along the flow: float64 (T - 1, 3), `FLOW_COLUMNS`.

    Occlusion and motion boundaries follow Ruder et al. 2016 (section 3.2), as in Lai et al. 2018.
    """

    name = "flow"
    columns = FLOW_COLUMNS

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return FramePairs(self._settings, stride=1, describe=_warp, columns=len(FLOW_COLUMNS))


class DynamicsEncoder(_FlowFeature):
    """Measure motion between frames about 1/8 s apart: float64 (P, 2), `DYNAMICS_COLUMNS`.

    Frames 0, s, 2s ... are taken, with s = fps / 8 rounded and at least 1 (VBench's sampling).
    """

    name = "dynamics"
    columns = DYNAMICS_COLUMNS

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        stride, seconds = sampling_stride(info, self._settings.rate)

        def describe(flow: FlowEstimator, first: Frame, second: Frame) -> tuple[float, ...]:
            return top_motion(flow.between(first, second)), seconds

        return FramePairs(self._settings, stride=stride, describe=describe, columns=len(DYNAMICS_COLUMNS))


def sampling_stride(info: ClipInfo, rate: float) -> tuple[int, float]:
    """Return the distance of frames taken at about ``rate`` a second: in frames, at least 1, and seconds."""
    if info.fps <= 0:
        return 1, 0.0
    stride = max(1, round(info.fps / rate))
    return stride, stride / info.fps


class FramePairs:
    """Describe frames 0, stride, 2 * stride ... in pairs of neighbours."""

    def __init__(self, settings: FlowSettings, *, stride: int, describe: Any, columns: int) -> None:
        self._flow = FlowEstimator(settings)
        self._stride = stride
        self._describe = describe
        self._columns = columns
        self._seen = 0
        self._last: Frame | None = None
        self._rows: list[tuple[float, ...]] = []

    def push(self, window: Window) -> None:
        """Take the next frames of the clip."""
        for frame_HWC in window.frames_THWC:
            if self._seen % self._stride == 0:
                frame = self._flow.reduce(frame_HWC)
                if self._last is not None:
                    self._rows.append(self._describe(self._flow, self._last, frame))
                self._last = frame
            self._seen += 1

    def finish(self) -> Feature:
        """Return a row a pair, (P, columns)."""
        return np.array(self._rows, np.float64).reshape(-1, self._columns)


class FlowEstimator:
    """DIS with scales that work for any frame size, from a single pixel upwards."""

    def __init__(self, settings: FlowSettings) -> None:
        import cv2

        self._cv2 = cv2
        self._settings = settings
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def reduce(self, frame_HWC: Frame) -> Frame:
        """Copy a frame, reduced by area if its longer side is above the limit."""
        height, width = frame_HWC.shape[:2]
        scale = self._settings.longest / max(height, width)
        if scale >= 1:
            return frame_HWC.copy()
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        return np.asarray(self._cv2.resize(frame_HWC, size, interpolation=self._cv2.INTER_AREA), np.uint8)

    def between(self, first: Frame, second: Frame) -> Field:
        """Estimate F, (H, W, 2), in pixels: what is at x in ``first`` is at x + F(x) in ``second``."""
        height, width = first.shape[:2]
        one, two = (self._grey(frame) for frame in (first, second))
        long, short = max(one.shape), min(one.shape)
        # DIS picks its coarsest scale like this; where the finest lies above it, it falls back on a choice
        # by width alone, which reads outside the memory of a short and wide frame.
        coarsest = min(int(math.log2(long / (4 * _PATCH)) + 0.5), int(math.log2(short / _PATCH)))
        self._dis.setFinestScale(max(0, min(self._settings.finest_scale, coarsest)))
        # No initial flow is given (None), which the library's type stubs leave out.
        flow: Any = self._dis.calc(one, two, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
        return np.asarray(flow, np.float32)[:height, :width]

    def warp(self, image: NDArray[Any], flow: Field) -> NDArray[Any]:
        """Look ``image`` up at x + F(x), bilinear; places outside take the nearest edge."""
        x, y = _lookup(flow)
        cv2 = self._cv2
        return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    def _grey(self, frame: Frame) -> Frame:
        cv2 = self._cv2
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        below, right = (max(0, 2 * _PATCH - side) for side in grey.shape)
        return np.asarray(cv2.copyMakeBorder(grey, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)


def _lookup(flow: Field) -> tuple[Field, Field]:
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x + flow[..., 0], y + flow[..., 1]


def _warp(estimator: FlowEstimator, first: Frame, second: Frame) -> tuple[float, ...]:
    forward = estimator.between(first, second)
    backward = estimator.between(second, first)
    valid = _valid(forward, estimator.warp(backward, forward))
    one, two = (frame.astype(np.float32) / np.float32(255) for frame in (first, second))
    error = np.square(estimator.warp(two, forward) - one).sum(axis=2, dtype=np.float64)
    return float(error[valid].sum() / valid.size), float(valid.mean()), top_motion(forward)


def _valid(flow: Field, back: Field) -> NDArray[np.bool_]:
    """Mark the pixels of the first frame that are visible in the second.

    ``back`` is the flow of the second frame at the pixel's new place; it should point back to the pixel.
    """
    flow_2, back_2 = (np.square(field).sum(axis=2) for field in (flow, back))
    occluded = np.square(flow + back).sum(axis=2) > 0.01 * (flow_2 + back_2) + 0.5
    gradient_2 = np.zeros_like(flow_2)
    for axis in (0, 1):
        if flow.shape[axis] > 1:
            gradient_2 += np.square(np.gradient(flow, axis=axis)).sum(axis=2)
    boundary = gradient_2 > 0.01 * flow_2 + 0.002
    height, width = flow_2.shape
    x, y = _lookup(flow)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return inside & ~occluded & ~boundary


def top_motion(flow: Field) -> float:
    """Average the largest 5 % of flow magnitudes, divided by min(H, W)."""
    magnitude = np.sqrt(np.square(flow.astype(np.float64)).sum(axis=2)).ravel()
    count = max(1, int(magnitude.size * 0.05))
    top = np.sort(magnitude)[-count:]
    return float(top.mean() / min(flow.shape[:2]))


def _build_flow(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return FlowEncoder()


def _build_dynamics(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return DynamicsEncoder()


ENCODERS.add(
    "flow", EncoderEntry("optical flow between neighbouring frames (OpenCV DIS), no weights", _build_flow)
)
ENCODERS.add("dynamics", EncoderEntry("optical flow between frames 1/8 s apart, no weights", _build_dynamics))
