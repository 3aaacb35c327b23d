"""Windows on the clip that is looked up: the versions of it that may match a training clip.

A copy may show a part of the training clip (cropped), the clip within borders, its mirror image, or all but a
band with a caption. Each is a *window* in the coordinates of the clip that is looked up: where the training
clip's frame lies. Of a window that is larger than the frame only a part is known, and only that part is
compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .thumbnails import SIDE

__all__ = [
    "BLOCKS",
    "WINDOWS",
    "Place",
    "Window",
    "as_small",
    "known_blocks",
    "shown",
    "through",
    "window_blocks",
    "window_masks",
]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
BLOCKS: Final = 8
"""Blocks along a side by which clips are compared in the search over all clips."""
_SCALES: Final = (0.95, 0.9, 0.85, 0.8, 0.75)
"""Share of height and width that a crop keeps, or that a picture within borders takes."""
_BANDS: Final = ((0.0, 0.125), (0.0, 0.25), (0.125, 0.0), (0.25, 0.0))
"""Shares of the height at the upper and the lower edge that a caption may cover."""
_FRAMED = 0.98
"""Size of a window below which a picture is within borders."""
_KNOWN = 0.98
"""Share of a block that must lie within the frame."""
_SAMPLES = 4
"""Places along a block's side at which it is sampled."""


@dataclass(frozen=True)
class Place:
    """Where the training clip's frame lies: shares of the frame of the clip that is looked up.

    Attributes:
        top, left: of its upper left corner; negative outside the frame.
        height, width: 1 is the frame's own.
    """

    top: float = 0.0
    height: float = 1.0
    left: float = 0.0
    width: float = 1.0


@dataclass(frozen=True)
class Window:
    """A version of the clip that is looked up.

    Attributes:
        place: of the training clip's frame.
        mirrored: left for right.
        above, below: shares of the height that are not compared.
    """

    place: Place = Place()
    mirrored: bool = False
    above: float = 0.0
    below: float = 0.0


def _windows() -> tuple[Window, ...]:
    found = [Window(), Window(mirrored=True), *(Window(above=a, below=b) for a, b in _BANDS)]
    for number, scale in enumerate(_SCALES):
        inner = (1 - scale) / 2
        found.append(Window(Place(inner, scale, inner, scale)))  # within borders
        # Of a crop it is not known where it was: the smaller it is, the more places are tried.
        corners = [-float(at) for at in np.linspace(0.0, 1 / scale - 1, number + 3)]
        found += [Window(Place(y, 1 / scale, x, 1 / scale)) for y in corners for x in corners]
    return tuple(found)


WINDOWS: Final = _windows()
"""The versions in which a clip is looked up; the first is the clip as it is."""


def shown(window: Window, pictures_THWC: Floats) -> Floats:
    """Return the pictures of a version before its window is cut out: mirrored or not."""
    return np.ascontiguousarray(pictures_THWC[:, :, ::-1]) if window.mirrored else pictures_THWC


def through(place: Place, pictures_THWC: Floats, side: int) -> Floats:
    """Return what is seen through a window, in blocks: (T, side, side, 3); beyond the frame, its edge."""
    down, along = _samples(place.top, place.height, side), _samples(place.left, place.width, side)
    return _reduced(pictures_THWC, down, along)


def as_small(pictures_THWC: Floats, place: Place, side: int) -> Floats:
    """Return training pictures in blocks, (T, side, side, 3), as blurred as they are where they are small.

    Of a training clip within borders fewer pixels were kept than its thumbnail has.
    """
    down, along = (_small(min(size, 1.0), side) for size in (place.height, place.width))
    return _reduced(pictures_THWC, down, along)


def _reduced(pictures_THWC: Floats, down: Floats, along: Floats) -> Floats:
    count, height, width, channels = pictures_THWC.shape
    rows = down @ pictures_THWC.reshape(count, height, width * channels)
    return np.asarray(along @ rows.reshape(count, len(down), width, channels), np.float32)


def _small(size: float, side: int) -> Floats:
    """Make the matrix (side, pixels) that reduces a side to ``size`` of its pixels, and samples blocks."""
    kept = round(SIDE * size)
    edges = np.linspace(0, SIDE, kept + 1)
    pixels = np.arange(SIDE)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    reduced = np.maximum(covered, 0.0) * kept / SIDE
    return (_samples(0.0, 1.0, side, kept) @ reduced).astype(np.float32)


def known_blocks(window: Window, side: int, place: Place | None = None) -> Mask:
    """Say which blocks of a version are known, (side, side); ``place`` replaces the window's own."""
    at = place or window.place
    known = _within(at.top, at.height, side)[:, None] & _within(at.left, at.width, side)[None, :]
    if at.height < _FRAMED:  # the pixels at the edge of a picture within borders are mixed with the border
        known[[0, -1]] = False
    if at.width < _FRAMED:
        known[:, [0, -1]] = False
    # A band is of the frame; a block that it touches is not compared.
    edges = at.top + at.height * np.arange(side + 1) / side
    covered = (edges[:-1] < window.above - 1e-9) | (edges[1:] > 1 - window.below + 1e-9)
    if window.above or window.below:
        known[covered] = False
    return known


def window_blocks(pictures_THWC: Floats) -> Floats:
    """Return the blocks of every version, (versions, T, 192); 0 where not known."""
    return np.stack(
        [
            (through(one.place, shown(one, pictures_THWC), BLOCKS) * known[:, :, None]).reshape(
                len(pictures_THWC), -1
            )
            for one, known in zip(WINDOWS, _all_known(), strict=True)
        ]
    )


@cache
def _all_known() -> tuple[Mask, ...]:
    return tuple(known_blocks(one, BLOCKS) for one in WINDOWS)


@cache
def window_masks() -> Floats:
    """Return which columns of the blocks of each version are known: 1 or 0, (versions, 192)."""
    return np.stack([np.repeat(known.ravel(), 3) for known in _all_known()]).astype(np.float32)


def _samples(start: float, size: float, side: int, pixels: int = SIDE) -> Floats:
    """Make the matrix (side, pixels) of block means along one side, with linear interpolation."""
    at = (start + size * (np.arange(side * _SAMPLES) + 0.5) / (side * _SAMPLES)) * pixels - 0.5
    weights = 1.0 - np.abs(np.clip(at, 0, pixels - 1)[:, None] - np.arange(pixels))
    return np.maximum(weights, 0.0).reshape(side, _SAMPLES, pixels).mean(axis=1).astype(np.float32)


def _within(start: float, size: float, side: int) -> Mask:
    edges = start + size * np.arange(side + 1) / side
    inside = np.minimum(edges[1:], 1.0) - np.maximum(edges[:-1], 0.0)
    return inside >= _KNOWN * size / side
