"""Skin tone from pixels: the individual typology angle (ITA), its six classes, and the Monk scale.

The angle is ``atan2(L* - 50, b*)`` in degrees (Chardon et al. 1991), of CIELAB under D65, with the six
classes of Del Bino and Bernerd (2013). The Monk scale has ten swatches (Monk 2019, skintone.google); a color
gets the number of the swatch with the nearest angle.

Light confounds tone: shade, exposure and a colored lamp move the angle by several classes, and a video
generator chooses its light. So a tone says how skin is *shown*, and nothing of a person.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ITA_CLASSES",
    "MONK_ANGLES",
    "MONK_SWATCHES",
    "TONE_OF_MONK",
    "angle_of",
    "ita_class",
    "lab_of",
    "monk_of",
    "typology_angle",
]

MONK_SWATCHES: Final[tuple[tuple[int, int, int], ...]] = (
    (246, 237, 228),
    (243, 231, 219),
    (247, 234, 208),
    (234, 218, 186),
    (215, 189, 150),
    (160, 126, 86),
    (130, 92, 67),
    (96, 65, 52),
    (58, 49, 42),
    (41, 36, 32),
)
"""RGB of the ten swatches, the lightest first."""
ITA_CLASSES: Final[tuple[tuple[float, str], ...]] = (
    (55.0, "very light"),
    (41.0, "light"),
    (28.0, "intermediate"),
    (10.0, "tan"),
    (-30.0, "brown"),
    (-math.inf, "dark"),
)
"""Angle in degrees above which a class begins, and its name."""
TONE_OF_MONK: Final = ("light",) * 4 + ("medium",) * 3 + ("dark",) * 3
"""The three tones that shares are computed of, for each Monk number: ten take too many clips to tell
apart."""


def lab_of(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert sRGB pixels, uint8 (..., 3), red first, to CIELAB: float32, L* in [0, 100].

    The conversion is in float32. The same library's conversion of uint8 rescales L* to 255 and shifts b* by
    128, which would give all skin the middle tones.
    """
    import cv2

    pixels = np.ascontiguousarray(rgb, np.uint8).reshape(1, -1, 3).astype(np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), np.float32).reshape(rgb.shape)


def typology_angle(lightness: float, b: float) -> float:
    """Compute the individual typology angle in degrees from L* and b*; higher is lighter.

    Example:
        >>> round(typology_angle(75.0, 25.0), 6)
        45.0
    """
    return math.degrees(math.atan2(lightness - 50.0, b))


def angle_of(rgb: tuple[int, int, int]) -> float:
    """Compute the individual typology angle of one sRGB color, in degrees."""
    lightness, _, b = (float(value) for value in lab_of(np.array([rgb], np.uint8))[0])
    return typology_angle(lightness, b)


MONK_ANGLES: Final = (83.0, 80.2, 71.8, 64.7, 50.3, 10.9, -20.1, -55.4, -78.4, -84.3)
"""Angles of the swatches in degrees; a test holds those that `angle_of` gives to them, within 0.3 degrees."""


def ita_class(angle: float) -> str:
    """Name the class of an angle in degrees.

    Example:
        >>> ita_class(60.0), ita_class(0.0), ita_class(-60.0)
        ('very light', 'brown', 'dark')
    """
    return next(name for above, name in ITA_CLASSES if angle > above or above == -math.inf)


def monk_of(angle: float) -> int:
    """Give the number, 1 (lightest) to 10, of the Monk swatch with the nearest angle.

    Example:
        >>> monk_of(82.0), monk_of(-90.0)
        (1, 10)
    """
    return 1 + min(range(len(MONK_ANGLES)), key=lambda k: abs(MONK_ANGLES[k] - angle))
