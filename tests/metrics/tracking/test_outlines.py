from __future__ import annotations

import numpy as np
import pytest
from screentest.metrics.tracking.outlines import OUTLINES, fit_outlines, form_moments

from .scenes import Shape, still


def soft_mask(outline: str, size: float, x: float, y: float, side: int = 48) -> tuple[np.ndarray, ...]:
    at = (np.arange(side * 8) + 0.5) / 8 - 0.5
    inside = Shape(outline, (0, 0, 0), size, still(x, y)).covers(at[None, :] - x, at[:, None] - y)
    mask = inside.reshape(side, 8, side, 8).mean(axis=(1, 3))
    xs = np.arange(side) - x
    ys = np.arange(side) - y
    return mask[None], xs[None], ys[None], mask.sum()[None]


@pytest.mark.parametrize("outline", ["ball", "square", "triangle", "wall"])
def test_an_outline_fits_itself_best(outline):
    scores = fit_outlines(*soft_mask(outline, 8.0, 23.3, 24.1))[0]
    assert OUTLINES[int(scores.argmax())] == outline
    assert scores.max() > 0.97


def test_moments_are_those_of_the_forms():
    # Integrals over the forms: disc 1/(2 pi), square 1/6, equilateral triangle sqrt(3)/9 for E r^2 / A;
    # square: |E z^4| = 4/15 a^4 with E r^2 = 2/3 a^2, so 0.6.
    disc = form_moments(*soft_mask("ball", 14.0, 24.0, 24.0))[0]
    square = form_moments(*soft_mask("square", 13.0, 24.0, 24.0))[0]
    triangle = form_moments(*soft_mask("triangle", 16.0, 24.0, 24.0))[0]
    assert disc == pytest.approx([1 / (2 * np.pi), 0, 0, 0], abs=0.005)
    assert square == pytest.approx([1 / 6, 0, 0, 0.6], abs=0.005)
    assert triangle[0] == pytest.approx(3**0.5 / 9, abs=0.002)
    assert triangle[1] == pytest.approx(0.0, abs=0.005)


def test_turning_does_not_change_the_moments():
    side = 48
    at = (np.arange(side * 8) + 0.5) / 8 - 24.0
    x, y = np.meshgrid(at, at)

    def moments(angle: float) -> np.ndarray:
        u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        inside = (np.abs(u) < 9) & (np.abs(v) < 6)
        mask = inside.reshape(side, 8, side, 8).mean(axis=(1, 3))[None]
        place = (np.arange(side) - 23.5)[None]
        return form_moments(mask, place, place, mask.sum(axis=(1, 2)))[0]

    assert moments(0.4) == pytest.approx(moments(0.0), abs=0.006)
