"""Paint anti-aliased outlines at sub-pixel places, by the signed distance to their edge."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .scene import OUTLINES

__all__ = ["Corners", "Patch", "blend", "cover_disc", "cover_polygon", "coverage", "extent"]

Corners = Sequence[tuple[float, float]]
_F = NDArray[np.float64]
_I = NDArray[np.int64]


class Patch:
    """The pixels around a place in each frame, cut at the frame's edge by repeating its last pixel.

    Where neither the place nor the radius changes, T is 1: one frame stands for all.

    Attributes:
        radius: (T, 1, 1), in pixels.
        ys_TP, xs_TQ: rows and columns. A pixel that is written twice gets the same value twice.
        dx, dy: offsets of the pixels to the place, (T, 1, Q) and (T, P, 1).
    """

    def __init__(self, size: tuple[int, int], place_T2: _F, radius_T: _F, reach: tuple[float, float]) -> None:
        height, width = size
        if (place_T2 == place_T2[0]).all() and (radius_T == radius_T[0]).all():
            place_T2, radius_T = place_T2[:1], radius_T[:1]
        # One pixel more than it reaches: before a sharp corner, an edge is nearer than the corner is.
        half_x, half_y = (math.ceil(length * radius_T.max()) + 1 for length in reach)
        centre = np.rint(place_T2).astype(np.int64)
        columns, rows = np.arange(-half_x, half_x + 1), np.arange(-half_y, half_y + 1)
        self.xs_TQ: _I = np.minimum(np.maximum(centre[:, :1] + columns, 0), width - 1)
        self.ys_TP: _I = np.minimum(np.maximum(centre[:, 1:] + rows, 0), height - 1)
        self.dx: _F = (self.xs_TQ - place_T2[:, :1])[:, None, :]
        self.dy: _F = (self.ys_TP - place_T2[:, 1:])[:, :, None]
        self.radius: _F = radius_T[:, None, None]

    @property
    def once(self) -> NDArray[np.bool_]:
        """Tell which of (T, P, Q) are the first of their pixel, and no repetition of the edge's."""
        own_x = np.diff(self.xs_TQ, axis=1, prepend=-1) > 0
        own_y = np.diff(self.ys_TP, axis=1, prepend=-1) > 0
        return own_x[:, None, :] & own_y[:, :, None]


def blend(frames: _F, where: Patch, cover: _F, paint: _F) -> None:
    """Mix a color (3,), or one a frame (T, 1, 1, 3), into pixels by how much of them is covered."""
    count, height, width, _ = frames.shape
    flat = frames.reshape(-1, 3)
    rows = np.arange(count)[:, None] * height + where.ys_TP
    index = (rows * width)[:, :, None] + where.xs_TQ[:, None, :]
    under = flat[index]
    flat[index] = under + cover[..., None] * (paint - under)


def extent(corners: Corners | None) -> tuple[float, float]:
    """Tell how far an outline of radius 1, by default a disc, extends from its centroid along x and y."""
    if corners is None:
        return 1.0, 1.0
    return max(abs(x) for x, _ in corners), max(abs(y) for _, y in corners)


def coverage(shape: str, dx: _F, dy: _F, radius: float | _F) -> _F:
    """Tell how much of a pixel a shape covers, in [0, 1], from its offset (in pixels) to the centroid.

    The signed distance to the outline, clamped over one pixel: exact for a straight edge along the axes, and
    within a few percent of a pixel elsewhere.
    """
    corners = OUTLINES.get(shape)
    return cover_disc(dx, dy, radius) if corners is None else cover_polygon(corners, dx, dy, radius)


def cover_disc(dx: _F, dy: _F, radius: float | _F) -> _F:
    """Tell how much of a pixel a disc covers."""
    away = np.sqrt(dx * dx + dy * dy)
    return np.minimum(np.maximum(radius + 0.5 - away, 0.0), 1.0)


def cover_polygon(corners: Corners, dx: _F, dy: _F, radius: float | _F) -> _F:
    """Tell how much of a pixel a convex outline covers; its corners, clockwise, are in radii."""
    inside: _F | float = np.inf
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        length = math.hypot(x1 - x0, y1 - y0)
        edge = ((x1 - x0) * (dy - y0 * radius) - (y1 - y0) * (dx - x0 * radius)) / length
        inside = np.minimum(inside, edge)
    return np.minimum(np.maximum(inside + 0.5, 0.0), 1.0)
