"""Tone mapping: how HDR pictures (PQ and HLG) become BT.709 of standard dynamic range.

1. The signal becomes light in cd/m2: PQ by SMPTE ST 2084; HLG by Recommendation ITU-R BT.2100, with the
   OOTF of a display of 1,000 cd/m2 (gamma 1.2).
2. BT.2020 primaries become BT.709 primaries (BT.2087); what lies outside of them is clipped.
3. The largest of the three components is compressed by the curve of Report ITU-R BT.2390 (section 5.4.1)
   from a peak of 1,000 cd/m2 to 203 cd/m2, the white of BT.2408; the other two keep their ratio to it.
4. Light is encoded for a display of BT.1886: value = (light / 203) ^ (1 / 2.4).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TRANSFERS", "WHITE_CODE", "tone_map"]

TRANSFERS = {16: "PQ", 18: "HLG"}
"""Transfer characteristics of ITU-T H.273 that are of high dynamic range."""

WHITE_CODE = 65283
"""What FFmpeg's scaler gives for the signal 1 where it writes 16 bits a channel: 255 * 256 + 3, not 65535."""

_PEAK, _WHITE = 1000.0, 203.0

# SMPTE ST 2084:2014, section 5.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32

# ITU-R BT.2100-2, table 5: the constants of HLG.
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073

_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
# ITU-R BT.2087-0, the matrix M2 inverted: linear light of BT.2020 to that of BT.709.
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)

_Floats = NDArray[np.floating[Any]]


def tone_map(signal_HWC: NDArray[np.uint16], transfer: int, *, wide: bool) -> NDArray[np.uint8]:
    """Turn a picture of high dynamic range, uint16 RGB (H, W, 3), into BT.709 uint8 RGB (H, W, 3).

    Args:
        signal_HWC: the picture as it is coded, not linear; the signal 1 is `WHITE_CODE`.
        transfer: a key of `TRANSFERS`.
        wide: whether its primaries are those of BT.2020, rather than those of BT.709 already.
    """
    light = _light_of_codes(transfer)[signal_HWC]
    if TRANSFERS[transfer] == "HLG":
        luma = light @ _LUMA_2020
        light *= (_PEAK * np.maximum(luma, 1e-6) ** 0.2)[..., None]
    if wide:
        light = light @ _TO_709.T
    np.clip(light, 0.0, _PEAK, out=light)
    largest = light.max(axis=2)
    levels, compressed = _curve()
    ratio = np.interp(largest, levels, compressed).astype(np.float32) / np.maximum(largest, 1e-6)
    value = np.clip(light * ratio[..., None] / _WHITE, 0.0, 1.0) ** np.float32(1 / 2.4)
    return np.rint(255 * value).astype(np.uint8)


@cache
def _light_of_codes(transfer: int) -> NDArray[np.float32]:
    """Tabulate the light of each 16-bit code: cd/m2 for PQ, scene light in [0, 1] for HLG."""
    signal = np.minimum(np.arange(65536) / WHITE_CODE, 1)
    if TRANSFERS[transfer] == "PQ":
        return _light_of_pq(signal).astype(np.float32)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - _C) / _A) + _B) / 12).astype(np.float32)


def _light_of_pq(signal: _Floats) -> _Floats:
    root = signal ** (1 / _M2)
    return 10_000 * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)


def _pq_of_light(light: _Floats) -> _Floats:
    power = (light / 10_000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


@cache
def _curve() -> tuple[_Floats, _Floats]:
    """Tabulate the curve of BT.2390 for black at 0: light in, light out, both cd/m2."""
    source, target = (float(_pq_of_light(np.array(peak))) for peak in (_PEAK, _WHITE))
    signal = np.linspace(0, 1, 4096)
    top = target / source
    knee = 1.5 * top - 0.5
    t = np.maximum(signal - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * top
    )
    bent = np.where(signal < knee, signal, spline)
    return _light_of_pq(signal * source), _light_of_pq(bent * source)
