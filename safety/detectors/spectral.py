"""The azimuthal power spectrum of frames: its profile, its slope, and peaks at the periods of upsampling.

The power of natural pictures falls with frequency by a power law. Generators leave too little or too much
power at high frequencies (Durall et al. 2020, arXiv 2003.01826), and layers that enlarge by a whole factor
leave a grid: peaks at the frequencies 1/2, 1/4 and 1/8 of a pixel (Zhang et al. 2019, arXiv 1907.06515).
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats, Ints

__all__ = ["SPECTRAL_COLUMNS", "azimuthal_spectrum", "spectral_numbers"]

_BANDS: Final = 16
_PERIODS: Final = (2, 4, 8)
_LUMA: Final = np.array([0.299, 0.587, 0.114])
SPECTRAL_COLUMNS: Final = (
    *(f"band_{number}" for number in range(1, _BANDS + 1)),
    "slope",
    "residual",
    *(f"peak_{period}" for period in _PERIODS),
)
"""Log power of 16 rings relative to all of them, from low to high; slope of log power on log frequency, and
the spread about that line; log power at each period, along both axes, relative to its neighbours."""


def azimuthal_spectrum(frames_THW: Floats) -> Floats:
    """Average the power of frames over angles and frames: (16,), by rings up to half a cycle a pixel.

    Args:
        frames_THW: luma, square frames; a Hann window is applied to each.
    """
    power = _power(frames_THW)
    ring = _rings(power.shape[-1])
    inside = ring < _BANDS
    total = np.bincount(ring[inside], power[inside], minlength=_BANDS)
    return total / np.bincount(ring[inside], minlength=_BANDS)


def spectral_numbers(frames_THWC: NDArray[np.uint8]) -> Floats:
    """Compute the 21 numbers of `SPECTRAL_COLUMNS` of square frames, uint8 RGB."""
    luma = frames_THWC.astype(np.float64) @ _LUMA
    bands = np.log10(azimuthal_spectrum(luma) + 1e-3)
    frequency = np.log10((np.arange(_BANDS) + 0.5) / (2 * _BANDS))
    slope, level = np.polyfit(frequency, bands, 1)
    residual = float(np.std(bands - (slope * frequency + level)))
    power = np.log10(_power(luma) + 1e-3)
    peaks = [_peak(power, period) for period in _PERIODS]
    return np.concatenate([bands - bands.mean(), [slope, residual, *peaks]])


def _power(frames_THW: Floats) -> Floats:
    """Average the power spectra of frames, the mean taken out, (N, N), zero frequency first."""
    size = frames_THW.shape[-1]
    window = np.hanning(size)
    centred = frames_THW - frames_THW.mean(axis=(1, 2), keepdims=True)
    spectrum = np.fft.fft2(centred * np.outer(window, window))
    return (np.abs(spectrum) ** 2).mean(axis=0) / size**2


@cache
def _rings(size: int) -> Ints:
    """Number the ring of each frequency, (N, N); those beyond half a cycle a pixel are ring 16 or more."""
    frequency = np.fft.fftfreq(size)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    return np.minimum((radius * 2 * _BANDS).astype(np.int64), _BANDS)


def _peak(log_power: Floats, period: int) -> float:
    """Compare the power at a period, along either axis, with that a few frequencies to its side."""
    size = len(log_power)
    at = round(size / period)
    aside = [at - 3, at - 2] if period == 2 else [at - 3, at - 2, at + 2, at + 3]
    lines = (log_power[0], log_power[:, 0])
    return float(np.mean([line[at] - np.mean([line[k] for k in aside]) for line in lines]))
