"""Resize 8-bit frames exactly as Pillow or as torch's 8-bit kernels do, on any device.

Both compute with whole numbers: the filter's weights are rounded to a number of bits, and the sum over the
places that an output pixel sees is rounded to a level once an axis. Doing the same sums gives the same
levels, where a resize in floating point is a level off at the ties.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

__all__ = ["Arithmetic", "resample"]

Arithmetic: TypeAlias = Literal["pillow", "torch"]
"""Whose rounding of the weights: Pillow's, to 22 bits, or torch's, to as many as fit into 16-bit integers."""

_BAND: Final = 32
"""Output pixels that are computed at once: they see a narrow part of the input, and no sum is over all."""
_BITS: Final = 22  # 32, less 8 of a level and 2 for the filter's negative parts


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution with a = -0.5."""
    x = np.abs(x)
    near = ((1.5 * x) - 2.5) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


_FILTERS: Final[Mapping[str, tuple[float, Callable[[NDArray[np.float64]], NDArray[np.float64]]]]] = {
    "bilinear": (1.0, _triangle),
    "bicubic": (2.0, _cubic),
}


def resample(
    x_TCHW: torch.Tensor, size: tuple[int, int], kind: str, arithmetic: Arithmetic = "pillow"
) -> torch.Tensor:
    """Resize frames of whole levels to (height, width), the width first, as the same type.

    Args:
        x_TCHW: levels 0 to 255, of any type.
        size: height and width.
        kind: ``bilinear`` or ``bicubic``, antialiased.
        arithmetic: whose.
    """
    import torch

    levels = x_TCHW
    for axis, wanted in ((3, size[1]), (2, size[0])):
        if levels.shape[axis] != wanted:
            weights_IO, bands, bits = _weights(levels.shape[axis], wanted, kind, arithmetic)
            weights = torch.from_numpy(weights_IO).to(levels.device)
            made = [_band(levels, axis, weights, band, bits) for band in bands]
            levels = torch.cat(made, dim=axis).to(levels.dtype)
    return levels


def _band(levels: torch.Tensor, axis: int, weights_IO: torch.Tensor, band: _Band, bits: int) -> torch.Tensor:
    """Sum up a band of output pixels; whole numbers this small are exact in float64."""
    weights_io = weights_IO[band.first : band.stop, band.start : band.end]
    seen = levels.narrow(axis, band.first, band.stop - band.first).double()
    total = seen @ weights_io if axis == 3 else weights_io.T @ seen
    return ((total + (1 << (bits - 1))) / (1 << bits)).floor().clamp_(0, 255)


class _Band(NamedTuple):
    """Output pixels from ``start`` to ``end``, and the input pixels that they see, ``first`` to ``stop``."""

    start: int
    end: int
    first: int
    stop: int


@lru_cache(maxsize=64)
def _weights(
    given: int, wanted: int, kind: str, arithmetic: Arithmetic
) -> tuple[NDArray[np.float64], tuple[_Band, ...], int]:
    """Return the weights (given, wanted) as whole numbers, their bands, and the bits of a weight."""
    reach, filtered = _FILTERS[kind]
    scale = given / wanted
    stretch = max(scale, 1.0)
    support = reach * stretch
    centers = (np.arange(wanted) + 0.5) * scale
    first = np.maximum((centers - support + 0.5).astype(np.int64), 0)
    stop = np.minimum((centers + support + 0.5).astype(np.int64), given)
    offsets = np.arange(math.ceil(support) * 2 + 1)
    places = first[:, None] + offsets
    inside = places < stop[:, None]
    weights = np.where(inside, filtered((places - centers[:, None] + 0.5) * (1.0 / stretch)), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    bits = _BITS if arithmetic == "pillow" else _bits_of_16(float(weights.max()))
    whole = np.trunc(weights * (1 << bits) + np.where(weights < 0, -0.5, 0.5))
    matrix = np.zeros((given, wanted))
    outputs = np.broadcast_to(np.arange(wanted)[:, None], places.shape)
    matrix[places[inside], outputs[inside]] = whole[inside]
    starts = range(0, wanted, _BAND)
    ends = [min(start + _BAND, wanted) for start in starts]
    bands = (_Band(a, b, int(first[a]), int(stop[b - 1])) for a, b in zip(starts, ends, strict=True))
    return matrix, tuple(bands), bits


def _bits_of_16(largest: float) -> int:
    """Count the bits with which the largest weight still fits into a 16-bit integer."""
    bits = 0
    while bits < _BITS and int(0.5 + largest * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    return bits
