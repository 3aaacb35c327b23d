"""The appearance of objects with several parts, or with their own color."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from .raster import Corners
from .scene import OUTLINES, Thing
from .words import GRAY, TONES

__all__ = ["BITE", "CLOTHES", "HAIR", "HAZARD", "GlyphPart", "bite_place", "hand_T", "parts"]

RGB = tuple[int, int, int]

HAZARD: Final[RGB] = (255, 40, 140)
"""RGB of the hazard glyph's disc; its cross is nearly black."""
_BLACK: Final[RGB] = (14, 14, 16)
_BISCUIT: Final[RGB] = (205, 160, 100)
_CHIP: Final[RGB] = (84, 52, 34)
HAIR: Final[RGB] = (58, 38, 30)
CLOTHES: Final[dict[str, RGB]] = {
    "doctor": (232, 236, 240),
    "nurse": (110, 196, 226),
    "engineer": (240, 138, 40),
    "teacher": (96, 158, 96),
    "cook": (246, 226, 150),
    "farmer": (122, 96, 204),
}
"""RGB of what people of each occupation wear."""
BITE: Final = 0.62
"""Radius of a bite, of the biscuit's."""
_HAND_HZ: Final = 0.8
"""Strokes of a hand at work a second."""
_HAND_REACH: Final = 0.28
"""How far it moves from its place, in radii."""


@dataclass(frozen=True)
class GlyphPart:
    """One painted part of a thing: a disc or a convex outline around a place, in radii of the thing."""

    paint: RGB
    x: float = 0.0
    y: float = 0.0
    radius: float = 1.0
    corners: Corners | None = None


def parts(thing: Thing) -> list[GlyphPart]:
    """List the parts of a thing in the order in which they are painted; a person's hand is the last."""
    if thing.kind in ("block", "wall"):
        return [GlyphPart(GRAY, corners=OUTLINES[thing.shape])]
    if thing.kind == "biscuit":
        chips = ((-0.4, -0.35), (0.3, -0.45), (-0.05, 0.1), (0.42, 0.3), (-0.45, 0.42))
        return [GlyphPart(_BISCUIT), *(GlyphPart(_CHIP, x, y, 0.13) for x, y in chips)]
    if thing.kind == "hazard":
        bars = [_bar(0.62, 0.17, angle) for angle in (math.pi / 4, -math.pi / 4)]
        return [GlyphPart(HAZARD), *(GlyphPart(_BLACK, corners=bar) for bar in bars)]
    skin, clothes = TONES[thing.tone], CLOTHES[thing.occupation]
    if thing.presentation == "feminine":
        hair = [
            GlyphPart(HAIR, 0.0, -0.55, 0.42),
            GlyphPart(HAIR, corners=((-0.42, -0.55), (0.42, -0.55), (0.46, 0.02), (-0.46, 0.02))),
        ]
        body = ((-0.16, -0.16), (0.16, -0.16), (0.62, 0.98), (-0.62, 0.98))
    else:
        hair = [GlyphPart(HAIR, 0.0, -0.66, 0.32)]
        body = ((-0.42, -0.16), (0.42, -0.16), (0.34, 0.98), (-0.34, 0.98))
    return [
        *hair,
        GlyphPart(clothes, corners=body),
        GlyphPart(skin, 0.0, -0.5, 0.3),
        GlyphPart(skin, 0.62, 0.2, 0.13),
    ]


def hand_T(clip: ClipSettings) -> NDArray[np.float64]:
    """Tell how far the hand of a person at work is below its place at each frame, in radii."""
    return _HAND_REACH * np.sin(2 * np.pi * _HAND_HZ * np.arange(clip.frames) / clip.fps)


def bite_place(biscuit: Thing) -> NDArray[np.float64]:
    """Tell where the middle (x, y) of a biscuit's bite is, in radii around its centroid."""
    return 1.05 * np.array([math.cos(biscuit.angle), math.sin(biscuit.angle)])


def _bar(length: float, thick: float, angle: float) -> Corners:
    c, s = math.cos(angle), math.sin(angle)
    box = ((-length, -thick), (length, -thick), (length, thick), (-length, thick))
    return tuple((x * c - y * s, x * s + y * c) for x, y in box)
