"""Fit simple shapes to soft masks, and compute moments that are invariant to rotation."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["OUTLINES", "fit_outlines", "form_moments"]

_F = NDArray[np.floating[Any]]
_S3 = math.sqrt(3.0)
OUTLINES: Final = ("ball", "square", "triangle", "block", "wall")
"""The shapes by name: a disc, a square, an upright equilateral triangle, and rectangles 1.375 and 2.56 times
as high as wide (the reference world's blocks and walls)."""
_HALF_SIDES: Final = {"square": (1.0, 1.0), "block": (0.8, 1.1), "wall": (1.25, 3.2)}


def fit_outlines(mask_MPP: _F, dx_MP: _F, dy_MP: _F, area_M: _F) -> _F:
    """Score how well each outline of `OUTLINES` fits soft masks: intersection over union, (M, 5), in [0, 1].

    Each outline has the mask's centroid and area. Both masks are soft: the score is the sum of the pixelwise
    minimum over the sum of the maximum.

    Args:
        mask_MPP: M masks of P rows and P columns, in [0, 1].
        dx_MP, dy_MP: offsets of the columns and the rows from each mask's centroid, in pixels.
        area_M: sums of the masks.
    """
    dx, dy = dx_MP[:, None, :], dy_MP[:, :, None]
    scores = [_agreement(mask_MPP, _disc(dx, dy, np.sqrt(area_M / np.pi)))]
    for name in OUTLINES[1:]:
        if name == "triangle":
            cover = _triangle(dx, dy, np.sqrt(area_M / (0.75 * _S3 * 1.4**2)) * 1.4)
        else:
            half_width, half_height = _HALF_SIDES[name]
            scale = np.sqrt(area_M / (4 * half_width * half_height))
            cover = _box(dx, dy, half_width * scale, half_height * scale)
        scores.append(_agreement(mask_MPP, cover))
    return np.stack(scores, axis=1)


def _agreement(one: _F, two: _F) -> _F:
    """Compute the soft intersection over union of masks of equal area, from their overlap."""
    overlap = np.minimum(one, two).sum(axis=(1, 2))
    return overlap / np.maximum(one.sum(axis=(1, 2)) + two.sum(axis=(1, 2)) - overlap, 1e-9)


def _disc(dx: _F, dy: _F, radius_M: _F) -> _F:
    return np.clip(radius_M[:, None, None] + 0.5 - np.sqrt(dx * dx + dy * dy), 0.0, 1.0)


def _box(dx: _F, dy: _F, half_width_M: _F, half_height_M: _F) -> _F:
    across = np.clip(half_width_M[:, None, None] + 0.5 - np.abs(dx), 0.0, 1.0)
    upright = np.clip(half_height_M[:, None, None] + 0.5 - np.abs(dy), 0.0, 1.0)
    return np.minimum(across, upright)


def _triangle(dx: _F, dy: _F, corner_M: _F) -> _F:
    """Draw an upright triangle whose corners are at the distance ``corner_M`` from its centroid."""
    inner = 0.5 * corner_M[:, None, None]
    slope = np.abs(dx) * (0.5 * _S3) - 0.5 * dy
    return np.clip(np.minimum(inner - dy, inner - slope) + 0.5, 0.0, 1.0)


def form_moments(mask_MPP: _F, dx_MP: _F, dy_MP: _F, area_M: _F) -> _F:
    """Describe shapes by moments that are invariant to rotation: (M, 4).

    With z = x + iy around the centroid and r = |z|: spread ``E r^2 / area``, and the moduli of ``E z^2``,
    ``E z^3`` and ``E z^4`` in units of the powers of the root mean square r (complex moments, Flusser 2000).
    For a disc they are 0.159, 0, 0, 0; for a square 0.167, 0, 0, 0.6; for a triangle 0.192, 0, 0.57, 0.
    """
    z = dx_MP[:, None, :] + 1j * dy_MP[:, :, None]
    squared = z * z
    area = np.maximum(area_M, 1e-9)
    mean_r2 = (mask_MPP * (z.real**2 + z.imag**2)).sum(axis=(1, 2)) / area
    of_power = [
        (mask_MPP * power).sum(axis=(1, 2)) / area for power in (squared, squared * z, squared * squared)
    ]
    size = np.sqrt(np.maximum(mean_r2, 1e-9))
    turned = [np.abs(m) / size**k for k, m in zip((2, 3, 4), of_power, strict=True)]
    return np.stack([mean_r2 / area, *turned], axis=1).astype(np.float32)
