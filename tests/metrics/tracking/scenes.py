"""Clips for tests of probes: drawn by sampling each pixel 8 x 8 times, by no renderer of the project."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from screentest.metrics.tracking.shape_tracker import WorldTracker
from screentest.metrics.tracking.tracks import ClipShape, Tracks

Frames = NDArray[np.uint8]
RED, GREEN, BLUE, GRAY = (226, 54, 48), (62, 190, 78), (58, 104, 236), (128, 130, 134)
YELLOW, PURPLE, WHITE = (240, 210, 60), (176, 72, 212), (238, 238, 236)
_FINE = 8


@dataclass(frozen=True)
class Shape:
    """A shape of half-size ``size`` whose centroid is at ``way(t)``, in pixels, in frame t; None: absent."""

    outline: str
    color: tuple[int, int, int]
    size: float
    way: Callable[[int], tuple[float, float] | None]

    def covers(self, dx: NDArray[np.float64], dy: NDArray[np.float64]) -> NDArray[np.bool_]:
        if self.outline == "ball":
            return dx * dx + dy * dy <= self.size**2
        if self.outline == "square":
            return np.maximum(np.abs(dx), np.abs(dy)) <= self.size
        if self.outline == "wall":
            return (np.abs(dx) <= self.size) & (np.abs(dy) <= 2.56 * self.size)
        slope = 3**0.5 / 2 * np.abs(dx) - 0.5 * dy
        return (dy <= 0.5 * self.size) & (slope <= 0.5 * self.size)  # size: from the centroid to a corner


def still(x: float, y: float) -> Callable[[int], tuple[float, float]]:
    return lambda t: (x, y)


def draw(shapes: Sequence[Shape], frames: int = 16, ground: object = (30, 32, 36), size: int = 64) -> Frames:
    """Draw shapes, later ones over earlier ones; ``ground`` is a color or an image (H, W, 3)."""
    at = (np.arange(size * _FINE) + 0.5) / _FINE - 0.5
    film = np.empty((frames, size, size, 3))
    film[:] = np.asarray(ground, np.float64)
    for t in range(frames):
        for shape in shapes:
            place = shape.way(t)
            if place is None:
                continue
            inside = shape.covers(at[None, :] - place[0], at[:, None] - place[1])
            share = inside.reshape(size, _FINE, size, _FINE).mean(axis=(1, 3))[:, :, None]
            film[t] += share * (np.array(shape.color) - film[t])
    return np.rint(film).clip(0, 255).astype(np.uint8)


def grounds(size: int = 64) -> dict[str, NDArray[np.float64]]:
    """Grounds of many kinds, (H, W, 3)."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, size)[None, :, None]
    y = np.linspace(0, 1, size)[:, None, None]
    flat = np.zeros((size, size, 3))
    texture = rng.normal(0, 9, (size // 2, size // 2)).repeat(2, 0).repeat(2, 1)[:, :, None]
    return {
        "dark": flat + 12,
        "light": flat + np.array([205, 208, 200]),
        "gradient": flat + 30 + 70 * x + 20 * y,
        "vignette": flat + 110 - 160 * ((x - 0.5) ** 2 + (y - 0.5) ** 2),
        "texture": (flat + 60 + texture).clip(0, 255),
        "noise": (flat + 50 + rng.normal(0, 10, (size, size, 3))).clip(0, 255),
    }


def track(frames: Frames, fps: float = 8.0) -> Tracks:
    tracker = WorldTracker()
    tracker.push(frames)
    return tracker.finish(ClipShape(frames.shape[1], frames.shape[2], fps, np.arange(len(frames)) / fps))
