"""Read who a clip of a person shows: presentation by outline, skin tone and occupation by color."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from .glyphs import CLOTHES, GlyphPart, parts
from .ground import contrast_THW, ground_color
from .raster import cover_disc, cover_polygon
from .scene import Thing
from .words import PRESENTATIONS, TONES

__all__ = ["PersonReading", "read_person"]

_CONTRAST: Final = 45.0  # of 255: what counts as not ground
_RADII: Final = (0.31, 0.325, 0.34, 0.355, 0.37)  # in sides: those of the world's people, and around
_EXPLAINED: Final = 0.8  # of the variance: with a face in a color of skin, a picture of a person
_PLAIN: Final = 0.75  # how much smaller the error of one outline must be than that of the other
_COLOR_OFF: Final = 60.0  # of 255: a color farther than that from every known one is none of them

_PEOPLE: Final = {
    name: Thing("person", "glyph", "", "", 1.0, 0, 0, presentation=name, tone="light", occupation="doctor")
    for name in PRESENTATIONS
}
"""Someone of each presentation: only the outlines are taken from them."""

_F = NDArray[np.float64]
Presentation = Literal["feminine", "masculine", "undetermined"]


@dataclass(frozen=True)
class PersonReading:
    """The person in a clip; a clip without a person is undetermined, with None for the rest.

    Attributes:
        presentation: by the outline alone: a long dress and long hair, or straight clothes and short hair.
        tone: ``light``, ``medium`` or ``dark``, by the color of the face.
        occupation: by the color of the clothes.
        fit: share of the variance around the ground that the better outline explains, up to 1.
    """

    presentation: Presentation
    tone: str | None
    occupation: str | None
    fit: float


@dataclass(frozen=True)
class _Fit:
    """The best place of an outline: the error that is left, and the colors of its face and clothes."""

    error: float
    face: _F
    clothes: _F


def read_person(frames_THWC: NDArray[np.uint8]) -> PersonReading:
    """Read the person in a clip (T, H, W, 3) of uint8 RGB, from the median of its frames."""
    picture = np.median(frames_THWC, axis=0).astype(np.float64)  # (H, W, 3)
    ground = ground_color(frames_THWC)
    nobody = PersonReading("undetermined", None, None, 0.0)
    seen = contrast_THW(picture, ground) > _CONTRAST
    if seen.sum() < 0.03 * seen.size:
        return nobody
    fits = {name: _best(picture, ground, seen, name) for name in PRESENTATIONS}
    best, other = sorted(fits, key=lambda name: fits[name].error)
    fit = 1.0 - fits[best].error / float(((picture - ground) ** 2).sum())
    tone = _nearest(fits[best].face, TONES)
    if fit < _EXPLAINED or tone is None:
        return PersonReading("undetermined", None, None, fit)
    plain = fits[best].error <= _PLAIN * fits[other].error
    presentation: Presentation = "feminine" if best == "feminine" else "masculine"
    return PersonReading(
        presentation if plain else "undetermined", tone, _nearest(fits[best].clothes, CLOTHES), fit
    )


def _best(picture: _F, ground: _F, seen: NDArray[np.bool_], presentation: str) -> _Fit:
    """Look for the place and radius at which an outline leaves the least error."""
    side = math.sqrt(seen.size)
    ys, xs = np.nonzero(seen)
    bottom, middle = np.percentile(ys, 99.5) + 0.5, float(np.median(xs))
    best: tuple[_Fit, float, float, float] | None = None
    tries = [
        (middle + dx, bottom - 0.98 * radius * side + dy, radius * side)
        for radius in _RADII
        for dx in (-3.0, -1.5, 0.0, 1.5, 3.0)
        for dy in (-1.0, 0.5)
    ]
    for step in (1.0, 0.4):
        for x, y, radius in tries:
            fit = _fit(picture, ground, presentation, (x, y, radius))
            if best is None or fit.error < best[0].error:
                best = (fit, x, y, radius)
        assert best is not None
        _, x, y, radius = best
        near = (-step, 0.0, step)
        tries = [(x + dx, y + dy, radius + dr) for dx in near for dy in near for dr in near]
    assert best is not None
    return best[0]


def _fit(picture: _F, ground: _F, presentation: str, at: tuple[float, float, float]) -> _Fit:
    """Paint an outline with the colors that fit best, hair over ground, and measure what is left."""
    x, y, radius = at
    hair, face, clothes = _layers(picture.shape[:2], presentation, x, y, radius)
    hair, clothes = hair * (1.0 - clothes) * (1.0 - face), clothes * (1.0 - face)
    colors: list[_F] = []
    left = picture - ground
    for cover in (face, clothes, hair):
        weight = cover[..., None]
        color = (weight * left).sum((0, 1)) / max(float((cover * cover).sum()), 1e-9)
        left = left - weight * color
        colors.append(ground + color)
    return _Fit(float((left**2).sum()), colors[0], colors[1])


def _layers(size: tuple[int, ...], presentation: str, x: float, y: float, radius: float) -> tuple[_F, _F, _F]:
    """Cover a picture (H, W) with the hair, the face and the clothes of a person at a place."""
    height, width = size
    dx = np.arange(width, dtype=np.float64)[None, :] - x
    dy = np.arange(height, dtype=np.float64)[:, None] - y
    *hair, clothes, face, _ = parts(_PEOPLE[presentation])
    covers = [_cover(part, dx, dy, radius) for part in (*hair, clothes, face)]
    return np.maximum.reduce(covers[:-2]), covers[-1], covers[-2]


def _cover(part: GlyphPart, dx: _F, dy: _F, radius: float) -> _F:
    dx, dy = dx - part.x * radius, dy - part.y * radius
    if part.corners is None:
        return cover_disc(dx, dy, part.radius * radius)
    return cover_polygon(part.corners, dx, dy, radius)


def _nearest(color: _F, known: Mapping[str, tuple[int, int, int]]) -> str | None:
    distances = {name: float(np.linalg.norm(color - np.array(rgb))) for name, rgb in known.items()}
    nearest = min(distances, key=lambda name: distances[name])
    return nearest if distances[nearest] <= _COLOR_OFF else None
