"""Textures: procedural images that floors, backdrops and things are covered with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["paint"]

_F = NDArray[np.float64]


def paint(
    kind: str, rgb: tuple[int, int, int], contrast: float, rng: np.random.Generator, side: int = 256
) -> NDArray[np.uint8]:
    """Paint a texture, uint8 (side, side, 3), whose mean is about ``rgb``.

    Args:
        kind: one of `scene.SURFACES`.
        rgb: the mean color.
        contrast: standard deviation of the brightness, as a share of 255.
        rng: of the pattern.
        side: pixels of an edge.
    """
    pattern = _PATTERNS[kind](rng, side)
    pattern = (pattern - pattern.mean()) / max(float(pattern.std()), 1e-6)
    grain = rng.normal(0, 0.25, (side, side))
    tint = rng.uniform(0.8, 1.2, 3)
    shades = np.array(rgb)[None, None] + 255 * contrast * (pattern + grain)[:, :, None] * tint
    return np.rint(shades).clip(4, 251).astype(np.uint8)


def _noise(rng: np.random.Generator, side: int) -> _F:
    import cv2

    total = np.zeros((side, side))
    for octave in range(2, 7):
        grid = rng.normal(0, 1, (2**octave, 2**octave)).astype(np.float32)
        total += np.asarray(cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)) * 0.75**octave
    return total


def _checker(rng: np.random.Generator, side: int) -> _F:
    cells = int(rng.choice([4, 8]))
    at = np.arange(side) * cells // side
    return ((at[:, None] + at[None]) % 2).astype(np.float64)


def _planks(rng: np.random.Generator, side: int) -> _F:
    boards = int(rng.integers(6, 10))
    which = np.arange(side) * boards // side
    tone = rng.normal(0, 1, boards)[which][:, None]
    gap = (np.diff(which, prepend=-1) != 0)[:, None] * -3.0
    grain = np.repeat(rng.normal(0, 0.5, (side, 1)), side, axis=1)
    return tone + gap + grain + 0.3 * _noise(rng, side)


def _bricks(rng: np.random.Generator, side: int) -> _F:
    rows, columns = 10, 5
    y, x = np.mgrid[:side, :side]
    row = y * rows // side
    shifted = (x + (row % 2) * side // (2 * columns)) % side
    column = shifted * columns // side
    tone = rng.normal(0, 1, (rows, columns))[row, column]
    mortar = ((y * rows % side) < rows * 3) | ((shifted * columns % side) < columns * 3)
    return np.where(mortar, 2.0, tone)


def _speckle(rng: np.random.Generator, side: int) -> _F:
    import cv2

    dots = (rng.random((side // 4, side // 4)) < 0.12).astype(np.float32)
    return np.asarray(cv2.resize(dots, (side, side), interpolation=cv2.INTER_LINEAR), np.float64)


def _cloth(rng: np.random.Generator, side: int) -> _F:
    at = np.arange(side) / side
    threads = int(rng.integers(10, 18))
    weave = np.sin(2 * np.pi * threads * at)[:, None] * np.sin(2 * np.pi * threads * at)[None]
    return weave + 0.8 * _noise(rng, side)


_PATTERNS = {
    "noise": _noise,
    "checker": _checker,
    "planks": _planks,
    "bricks": _bricks,
    "speckle": _speckle,
    "cloth": _cloth,
}
