"""A thing that becomes two, or two that become one, though neither comes out from behind the other."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import NotApplicable
from .appearance import touches
from .findings import Sign
from .movers import Blob, Movers

__all__ = ["merging", "splitting"]

_WHOLE: Final = 4  # frames that show the whole as it is
_ALONE: Final = 3  # frames that show each part by itself
_LEAST: Final = 0.08  # of the whole: a smaller part is a crumb
_FULL: Final = 0.88  # of its hull: what fills less is two that touch
_SUM: Final = (0.8, 2.0)  # of the parts' areas to the whole's
_ALIKE: Final = 75.0  # levels of RGB: shades of one color
_APART: Final = 45.0  # levels of RGB: parts farther from each other have colors of their own
_STEADY: Final = 0.15  # of the whole's area: how much it changes at most, in most frames that show it
_MARGIN: Final = 2.0  # pixels at the frame's edge
_FOLLOWED: Final = 8


def splitting(movers: Movers) -> Sign | None:
    """Find the thing that becomes two; the strength is the share of it that its parts have not.

    What is one for at least four frames, of a steady area, and is two from then on, both smaller than it was.
    Where one thing comes out from behind another, that other one stays as large as both seemed, and two that
    touched are no full outline. Where the two have colors of their own, neither may have had more of its
    color while they were one.

    Raises:
        NotApplicable: the camera moves.
    """
    return max(_parting(movers, "splits"), key=lambda sign: sign.strength, default=None)


def merging(movers: Movers) -> Sign | None:
    """Find the two that become one: `splitting`, played backwards.

    Raises:
        NotApplicable: the camera moves.
    """
    return max(_parting(movers.backwards(), "merges"), key=lambda sign: sign.strength, default=None)


def _parting(movers: Movers, kind: str) -> list[Sign]:
    if movers.moves:
        raise NotApplicable(
            "the camera moves, so that what is beside a thing cannot be told from a part of it"
        )
    signs: list[Sign] = []
    for k in range(1, len(movers.blobs)):
        for whole in movers.blobs[k - 1]:
            parts = [blob for blob in movers.blobs[k] if touches(whole, blob)]
            if len(parts) < 2:
                continue
            parts = sorted(parts, key=lambda blob: -blob.area)[:2]
            ways = [_alone(movers, part, k) for part in parts]
            before = _one(movers, whole, k - 1)
            if min(map(len, ways)) < _ALONE or len(before) < _WHOLE:
                continue
            early = before[: max(_WHOLE, len(before) // 2)]  # in the order of time
            if min(blob.edge(*movers.size) for blob in early) < _MARGIN:
                continue
            strength = _lacking(movers, early, ways)
            if strength > 0:
                signs.append(Sign(strength, movers.blobs[k][0].frame, whole.box, kind))
    return signs


def _alone(movers: Movers, part: Blob, k: int) -> list[Blob]:
    """Follow a part through the frames in which it is one, by itself and not cut by the frame's edge."""
    if part.edge(*movers.size) < _MARGIN:
        return []
    way = [part]
    for here in movers.blobs[k + 1 : k + _FOLLOWED]:
        near = [blob for blob in here if touches(way[-1], blob)]
        if len(near) != 1 or near[0].edge(*movers.size) < _MARGIN:
            break
        way.append(near[0])
    return way


def _one(movers: Movers, whole: Blob, k: int) -> list[Blob]:
    """Follow a whole back through the frames in which nothing else is a part of it, in the order of time."""
    way = [whole]
    for here in movers.blobs[k - 1 :: -1] if k else []:
        near = [blob for blob in here if touches(way[-1], blob)]
        if len(near) != 1:
            break
        way.append(near[0])
    return way[::-1]


def _lacking(movers: Movers, early: list[Blob], ways: list[list[Blob]]) -> float:
    """Tell by what share of itself the whole is more than its parts, where that is no lawful sum of them."""
    areas = np.array([blob.area for blob in early])
    whole = float(np.median(areas))
    if float(np.quantile(np.abs(areas - whole), 0.75)) > _STEADY * whole:
        return 0.0
    each = [float(np.median([blob.area for blob in way[1:]])) for way in ways]
    if min(each) < _LEAST * whole or not _SUM[0] < sum(each) / whole < _SUM[1]:
        return 0.0
    if min(float(np.median([blob.solidity for blob in way])) for way in ways) < _FULL:
        return 0.0
    colors = [np.median([blob.color for blob in way], axis=0) for way in ways]
    if float(np.linalg.norm(colors[0] - colors[1])) > _APART:  # each has to be found again in the whole
        more = [_more(movers, early, ways[n], colors[n], colors[1 - n]) for n in (0, 1)]
        return float(np.clip(max(more), 0.0, 1.0))
    if float(np.median([blob.solidity for blob in early])) < _FULL:
        return 0.0  # two that touch
    more = [_more(movers, early, way, np.mean(colors, axis=0), None) for way in ways]
    return float(np.clip(min(more), 0.0, 1.0))


def _more(
    movers: Movers,
    early: list[Blob],
    way: list[Blob],
    color: NDArray[np.float64],
    other: NDArray[np.float64] | None,
) -> float:
    """Tell how much less of a color a part has than the whole, as a share of the whole's."""
    before, after = (
        float(np.median([_of_color(movers, blob, color, other) for blob in blobs])) for blobs in (early, way)
    )
    return 0.0 if before < _LEAST * early[0].area else 1 - after / before


def _of_color(
    movers: Movers, blob: Blob, color: NDArray[np.float64], other: NDArray[np.float64] | None
) -> float:
    """Count the pixels of an outline that have a color, and are farther from another."""
    inside = movers.frames_THWC[movers.number(blob)][blob.mask_HW].astype(np.float64)
    away = np.linalg.norm(inside - color, axis=1)
    alike = away < _ALIKE
    if other is not None:
        alike &= away < np.linalg.norm(inside - other, axis=1)
    return float(alike.sum())
