"""Partial occlusion: estimate the centre of the whole object from its free edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .outlines import OUTLINES

__all__ = ["Seen", "centers"]

_F = NDArray[np.float64]
_TRIANGLE: Final = OUTLINES.index("triangle")
_WHOLE: Final = 0.985
_LEAST: Final = 0.3  # of an object: if less is visible, its edges are not reliable
_CLEARLY: Final = 0.9  # of an object: if less is visible, something must occlude it
_FARTHEST: Final = 3.0
_NEAR: Final = 1 / 32  # sides between an edge and what cuts it; at least 2 pixels


@dataclass(frozen=True)
class Seen:
    """The visible parts of N objects over T frames, in pixels; see `Tracks` for the arrays."""

    height: int
    width: int
    position_NT2: _F
    box_NT4: _F
    area_NT: _F
    shape_NTS: _F
    visible_NT: _F


def centers(seen: Seen) -> tuple[_F, _F]:
    """Estimate the whole of each object: centroids (N, T, 2) and boxes (N, T, 4), NaN where not known.

    If an object is cut at one side along an axis, its centre has the same distance from its free edge as in
    the frame that shows most of it. Across that axis a triangle, which narrows, is placed by its base, and
    other objects by the middle of the visible part.
    """
    center, box = seen.position_NT2.copy(), seen.box_NT4.copy()
    for n in range(len(center)):
        there = ~np.isnan(center[n, :, 0])
        if not there.any():
            continue
        cut = there & (seen.visible_NT[n] <= _WHOLE)
        if not cut.any():
            continue
        best = int(np.nanargmax(np.where(there, seen.visible_NT[n] + 1e-6 * seen.area_NT[n], np.nan)))
        middle = seen.position_NT2[n, best]
        reach = np.concatenate([middle - seen.box_NT4[n, best, :2], seen.box_NT4[n, best, 2:] - middle])
        upright = int(seen.shape_NTS[n, best].argmax()) == _TRIANGLE
        for t in np.flatnonzero(cut):
            place = _place(seen, (n, int(t)), reach, upright=upright)
            center[n, t] = place
            box[n, t] = np.concatenate([place - reach[:2], place + reach[2:]])
    return center, box


def _place(seen: Seen, at: tuple[int, int], reach: _F, *, upright: bool) -> _F:
    """Estimate one object's centre in one frame from its free edges; NaN if an axis has none."""
    nowhere = np.full(2, np.nan)
    if seen.visible_NT[at] < _LEAST:
        return nowhere
    box = seen.box_NT4[at]
    cut = _cut_sides(seen, at)
    place = nowhere.copy()
    for axis in (0, 1):
        low, high = box[axis] + reach[axis], box[axis + 2] - reach[axis + 2]
        if cut[axis] and cut[axis + 2]:
            return nowhere
        if cut[axis]:
            place[axis] = high
        elif cut[axis + 2]:
            place[axis] = low
        elif axis == 1 and upright and (cut[0] or cut[2]):
            place[axis] = high
        else:
            place[axis] = 0.5 * (low + high)
    return place


def _cut_sides(seen: Seen, at: tuple[int, int]) -> NDArray[np.bool_]:
    """Find the sides (left, top, right, bottom) that are cut by the frame's edge or another object.

    If none is and yet a part is missing, it is the side that something is nearest to.
    """
    n, t = at
    near = max(2.0, _NEAR * (seen.height * seen.width) ** 0.5)
    box = seen.box_NT4[n, t]
    edge = np.array([box[0] + 0.5, box[1] + 0.5, seen.width - 0.5 - box[2], seen.height - 0.5 - box[3]])
    gap = np.where(edge < 1.0, 0.0, np.inf)
    for other, rival in enumerate(seen.box_NT4[:, t]):
        if other == n or np.isnan(rival[0]):
            continue
        for axis in (0, 1):
            across = 1 - axis
            lap = min(box[across + 2], rival[across + 2]) - max(box[across], rival[across])
            if lap < near:
                continue
            # Touching masks may overlap; that counts as nearer than a gap of the same width.
            for side, apart in ((axis, box[axis] - rival[axis + 2]), (axis + 2, rival[axis] - box[axis + 2])):
                gap[side] = min(gap[side], apart if apart > 0 else -0.5 * apart)
    cut = gap < near
    if not cut.any() and seen.visible_NT[at] < _CLEARLY and gap.min() < _FARTHEST * near:
        cut[gap.argmin()] = True
    return cut
