"""The ``frame-quality`` encoder: blur, block edges, noise and borders of frames, without weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..frame_sampling import Sampling
from .base import Encoder, EncoderOptions, Feature, FrameEncoder
from .registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["FRAME_QUALITY", "FRAME_QUALITY_COLUMNS", "SMALLEST", "FrameQualityEncoder"]

_VERSION = 1
FRAME_QUALITY: Final = "frame-quality"
FRAME_QUALITY_COLUMNS: Final = ("blur", "block_edges", "noise", "top", "bottom", "left", "right")
"""Of a frame: its blur; how much larger steps are at the edges of 8 x 8 blocks; its noise, in 8-bit levels;
and the widths of a border of one color at each side. NaN where a frame does not show it."""
SMALLEST: Final = 32
"""Frames under so many pixels, high or wide, have no statistics of texture."""

_BLOCK = 8
_REACH = 11
_BORDER = 6.0

_F = NDArray[np.float32]


class FrameQualityEncoder(FrameEncoder):
    """Describe the picture quality of sampled frames: float64 (T, 7), columns `FRAME_QUALITY_COLUMNS`.

    All are of luma (ITU-R BT.601), at the size of the file: a block edge is where the file has it.

    - ``blur``: Crete et al. 2007, "The blur effect": how little of the neighbouring differences a further
      blur of 11 pixels takes away; 0 for sharp, near 1 for blurred, the worse of rows and columns.
    - ``block_edges``: median over lines of the mean absolute difference across the edges of 8 x 8 blocks,
      relative to the one within blocks (0.5 levels are added to the divisor), less 1; both ways averaged.
    - ``noise``: Immerkaer 1996, "Fast noise variance estimation": the standard deviation that the difference
      of two Laplacians shows. Fine texture and dithering count too.
    - the borders: lines of the corner's color up to a line that differs from it over half its length, as the
      picture within a letterbox does. A thing on a plain ground does not make a border.
    """

    name = FRAME_QUALITY
    sampling = Sampling()

    def identity(self) -> Mapping[str, Json]:
        """List the version, the columns and the sampling of frames."""
        return {
            "version": _VERSION,
            "columns": list(FRAME_QUALITY_COLUMNS),
            "sampling": asdict(self.sampling or Sampling()),
        }

    def encode_frames(self, frames_THWC: NDArray[np.uint8]) -> Feature:
        """Encode frames, uint8 RGB (T, H, W, 3), to (T, 7)."""
        rows = [_describe(frame_HWC) for frame_HWC in frames_THWC]
        return np.array(rows, np.float64).reshape(-1, len(FRAME_QUALITY_COLUMNS))


def _describe(frame_HWC: NDArray[np.uint8]) -> tuple[float, ...]:
    import cv2

    luma_HW = np.asarray(cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY), np.float32)
    height, width = luma_HW.shape
    borders = _borders(luma_HW)
    if min(height, width) < SMALLEST:
        return (*[math.nan] * 3, *borders)
    return _blur(luma_HW), _block_edges(luma_HW), _noise(luma_HW), *borders


def _blur(luma_HW: _F) -> float:
    import cv2

    worst = math.nan
    for axis, size in ((0, (1, _REACH)), (1, (_REACH, 1))):
        again_HW = np.asarray(cv2.blur(luma_HW, size, borderType=cv2.BORDER_REPLICATE))
        steps, steps_again = (np.abs(np.diff(one, axis=axis)) for one in (luma_HW, again_HW))
        whole = float(steps.sum(dtype=np.float64))
        if whole > 0:
            lost = float(np.maximum(0, steps - steps_again).sum(dtype=np.float64))
            worst = np.fmax(worst, 1 - lost / whole)
    return float(worst)


def _block_edges(luma_HW: _F) -> float:
    found: list[float] = []
    for axis in (0, 1):
        steps = np.abs(np.diff(luma_HW, axis=axis)).mean(axis=1 - axis, dtype=np.float64)
        at_edge = np.arange(len(steps)) % _BLOCK == _BLOCK - 1
        edge, within = float(np.median(steps[at_edge])), float(np.median(steps[~at_edge]))
        found.append((edge - within) / (within + 0.5))
    return float(np.mean(found))


def _noise(luma_HW: _F) -> float:
    import cv2

    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.asarray(cv2.filter2D(luma_HW, -1, kernel))[1:-1, 1:-1]
    return float(math.sqrt(math.pi / 2) * np.abs(response).mean(dtype=np.float64) / 6)


def _borders(luma_HW: _F) -> tuple[int, int, int, int]:
    """Measure the borders at the top, bottom, left and right."""

    def width(lines: _F) -> int:
        unlike = np.abs(lines - lines[0, 0]) > _BORDER
        plain = int(unlike.any(axis=1).argmax())  # 0 also if all lines are plain
        inside = min(plain + 1, len(lines) - 1)  # coding softens the first line of the picture
        return plain if unlike[inside].mean() >= 0.5 else 0

    return width(luma_HW), width(luma_HW[::-1]), width(luma_HW.T), width(luma_HW.T[::-1])


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return FrameQualityEncoder()


ENCODERS.add(FRAME_QUALITY, EncoderEntry("blur, block edges, noise and borders, no weights", _build))
