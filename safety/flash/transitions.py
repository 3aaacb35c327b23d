"""Transitions of each cell of a picture: changes between the peaks and valleys of what it shows over time.

Two transitions one after the other, in opposite directions, are a flash. A change may take many frames.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_CHANGE", "LEAST_CHROMA", "LINEAR", "LuminanceTransitions", "RedTransitions"]

LEAST_CHANGE: Final = 0.10
"""Of relative luminance, which ends at 1: from here on a change counts."""
DARK: Final = 0.80
"""Relative luminance of the darker state: from here on up a change does not count."""
SATURATED: Final = 0.8
"""Share of red in R + G + B, of linear values, from which on a state is saturated red."""
LEAST_CHROMA: Final = 0.2
"""Distance on the CIE 1976 UCS diagram above which a change from or to saturated red counts."""
LEAST_RED: Final = 20 / 320
"""Least R - G - B of saturated red, of WCAG's older definition; the color of darker states is noise."""
_DARKEST: Final = 0.001  # relative luminance under which a state has no color
_WHITE: Final = (0.1978, 0.4683)  # u', v' of D65
_ROUNDING: Final = 1e-6

_F = NDArray[np.float32]
_Flags = NDArray[np.bool_]

_CODES = np.arange(256) / 255
LINEAR: Final = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)
"""Linear value of each 8-bit value of sRGB."""
_TO_XYZ: Final = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float32
)


class LuminanceTransitions:
    """General flashes: changes of a tenth of the largest relative luminance, the darker state below 0.80."""

    def __init__(self) -> None:
        self._sign: NDArray[np.int8] | None = None  # of the last change of a tenth; 0 before the first
        self._low: _F = np.zeros(0, np.float32)
        self._high: _F = np.zeros(0, np.float32)
        self._counted: _Flags = np.zeros(0, np.bool_)

    def push(self, linear_RC3: _F) -> tuple[_Flags, _Flags] | None:
        """Take a frame of linear RGB; return the cells that end a rise, and those that end a fall.

        None at the first frame.
        """
        now = linear_RC3 @ _TO_XYZ[1]
        if self._sign is None:
            self._sign = np.zeros(now.shape, np.int8)
            self._low, self._high = now.copy(), now.copy()
            self._counted = np.ones(now.shape, np.bool_)
            return None
        least = LEAST_CHANGE - _ROUNDING
        turns_up = (self._sign <= 0) & (now - self._low >= least)
        turns_down = (self._sign >= 0) & (self._high - now >= least) & ~turns_up
        risen = turns_up & (self._low < DARK)
        self._sign[turns_up], self._sign[turns_down] = 1, -1
        # A fall whose darker state is still light counts as soon as it is dark enough.
        self._counted[turns_down] = False
        fallen = (self._sign < 0) & ~self._counted & (now < DARK)
        self._counted[fallen | turns_up] = True
        self._low = np.where(turns_down, now, np.minimum(self._low, now))
        self._high = np.where(turns_up, now, np.maximum(self._high, now))
        return risen, fallen


class RedTransitions:
    """Red flashes: changes from or to a saturated red that go far enough on the CIE 1976 UCS diagram."""

    def __init__(self) -> None:
        self._red: _Flags | None = None  # whether the last state of the two was saturated red
        self._anchor: _F = np.zeros(0, np.float32)

    def push(self, linear_RC3: _F) -> tuple[_Flags, _Flags] | None:
        """Take a frame of linear RGB; return the cells that change to red, and those that change from it.

        None where nothing can change: at the first frame, and as long as nothing is red.
        """
        red, green, blue = linear_RC3[..., 0], linear_RC3[..., 1], linear_RC3[..., 2]
        saturated = (red >= (SATURATED - _ROUNDING) * (red + green + blue)) & (red - green - blue > LEAST_RED)
        chroma = _chromaticity(linear_RC3)
        if self._red is None:
            self._red, self._anchor = saturated, chroma
            return None
        far = np.hypot(*np.moveaxis(chroma - self._anchor, -1, 0)) > LEAST_CHROMA
        leaves = self._red & far & ~saturated
        enters = ~self._red & saturated
        # The anchor is the reddest state since a cell is red, and the least red one since it is not.
        redder = chroma[..., 0] > self._anchor[..., 0]
        moves = np.where(self._red, redder & saturated, ~redder) | leaves | enters
        self._red = (self._red & ~leaves) | enters
        self._anchor = np.where(moves[..., None], chroma, self._anchor)
        return enters & far, leaves


def _chromaticity(linear_RC3: _F) -> _F:
    """Compute u' and v' of linear RGB; what is nearly black is neutral."""
    xyz = linear_RC3 @ _TO_XYZ.T
    x, y, z = xyz[..., 0], xyz[..., 1], xyz[..., 2]
    divisor = x + 15 * y + 3 * z
    lit = y >= _DARKEST
    safe = np.where(lit, divisor, 1)
    found = np.stack(
        [np.where(lit, 4 * x / safe, _WHITE[0]), np.where(lit, 9 * y / safe, _WHITE[1])], axis=-1
    )
    return found.astype(np.float32)
