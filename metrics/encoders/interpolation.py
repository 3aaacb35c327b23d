"""The ``interpolation`` encoder: how far inner frames are from the middle of their neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, EncoderOptions, Feature, Stream
from .flow import FlowEstimator, FlowSettings
from .registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["INTERPOLATION", "INTERPOLATION_COLUMNS", "InterpolationEncoder"]

_VERSION = 1
INTERPOLATION: Final = "interpolation"
INTERPOLATION_COLUMNS: Final = ("mean_abs_error",)
"""Mean of \\|interpolated - actual\\| over pixels and channels, in 8-bit levels (0 to 255)."""
_SETTINGS: Final = FlowSettings(longest=256)

Frame = NDArray[np.uint8]


class InterpolationEncoder(Encoder):
    """Interpolate frames 1, 3, 5 ... from their neighbours: float64 (K, 1), `INTERPOLATION_COLUMNS`.

    The optical flow between the neighbours (DIS, both ways) is halved as Jiang et al. 2018 ("Super SloMo",
    equation 4) do for the middle: F_0 = (F_10 - F_01) / 4 and F_1 = -F_0. Both neighbours are looked up along
    it and averaged. Frames are reduced to 256 pixels on their longer side.
    """

    name = INTERPOLATION

    def identity(self) -> Mapping[str, Json]:
        """List the estimator, its settings and the columns."""
        return {
            "version": _VERSION,
            "estimator": "DIS medium",
            **asdict(_SETTINGS),
            "columns": list(INTERPOLATION_COLUMNS),
        }

    @property
    def fewest_frames(self) -> int:
        """A frame between two others."""
        return 3

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _Middles()


class _Middles:
    def __init__(self) -> None:
        self._flow = FlowEstimator(_SETTINGS)
        self._held: list[Frame] = []
        self._rows: list[float] = []

    def push(self, window: Window) -> None:
        for frame_HWC in window.frames_THWC:
            self._held.append(self._flow.reduce(frame_HWC))
            if len(self._held) == 3:
                self._rows.append(self._error(*self._held))
                self._held = self._held[2:]

    def _error(self, first: Frame, middle: Frame, last: Frame) -> float:
        forward, backward = self._flow.between(first, last), self._flow.between(last, first)
        to_first = (backward - forward) / np.float32(4)
        halves = (
            self._flow.warp(frame.astype(np.float32), field)
            for frame, field in ((first, to_first), (last, -to_first))
        )
        interpolated = sum(halves, np.float32(0)) / 2
        return float(np.abs(interpolated - middle).mean(dtype=np.float64))

    def finish(self) -> Feature:
        return np.array(self._rows, np.float64).reshape(-1, len(INTERPOLATION_COLUMNS))


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return InterpolationEncoder()


ENCODERS.add(
    INTERPOLATION, EncoderEntry("inner frames against the middle of their neighbours, no weights", _build)
)
