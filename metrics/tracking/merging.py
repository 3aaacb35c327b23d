"""Blobs that run into each other: kept apart by where each thing was heading, and by its color."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Separator"]

_B = NDArray[np.bool_]
_F = NDArray[np.float64]
_LARGER: Final = 1.25  # of the larger of two things: a blob below this shows only one of them
_TINT: Final = 40.0  # levels of color that count as much as half of a thing's size
_OVERLAP: Final = 0.2  # of a thing, where it is expected: a blob that covers less is not it
_LEAST: Final = 8  # pixels of a part
_LOST: Final = 3  # frames after which a thing that is not seen is no longer expected in a blob


@dataclass
class _Thing:
    """A thing in the last frame that showed it."""

    number: int
    mask: _B
    place: _F
    velocity: _F
    color: _F
    area: float
    missed: int = 0


class Separator:
    """Cut blobs that two or more things share; fed with frame after frame."""

    def __init__(self) -> None:
        self._things: list[_Thing] = []
        self._next = 0

    def separate(self, frame_HWC: NDArray[np.uint8], blobs: list[_B]) -> list[_B]:
        """Give the mask of each thing in the next frame."""
        expected = {thing.number: _moved(thing) for thing in self._things}
        holders: dict[int, list[_Thing]] = {k: [] for k in range(len(blobs))}
        for thing in self._things:
            shares = [float((blob & expected[thing.number]).sum()) / max(thing.area, 1.0) for blob in blobs]
            if shares and max(shares) > _OVERLAP:
                holders[int(np.argmax(shares))].append(thing)
        parts: list[tuple[_Thing | None, _B]] = []
        for k, blob in enumerate(blobs):
            inside = holders[k]
            if len(inside) < 2 or blob.sum() < _LARGER * max(t.area for t in inside):
                best = max(inside, key=lambda t: float((blob & expected[t.number]).sum()), default=None)
                parts.append((best, blob))
                continue
            parts += _split(frame_HWC, blob, inside, expected)
        return self._kept(frame_HWC, parts)

    def _kept(self, frame_HWC: NDArray[np.uint8], parts: list[tuple[_Thing | None, _B]]) -> list[_B]:
        now: list[_Thing] = []
        for thing, mask in parts:
            rows, columns = np.nonzero(mask)
            place = np.array([columns.mean(), rows.mean()])
            color = np.median(frame_HWC[mask], axis=0).astype(np.float64)
            area = float(mask.sum())
            if thing is None:
                now.append(_Thing(self._next, mask, place, np.zeros(2), color, area))
                self._next += 1
                continue
            steps = thing.missed + 1
            velocity = (place - thing.place) / steps
            if area < 0.6 * thing.area:  # partly hidden: its middle and its size are not known
                velocity, area = thing.velocity, 0.9 * thing.area
            now.append(_Thing(thing.number, mask, place, velocity, color, area))
        seen = {thing.number for thing in now}
        for thing in self._things:
            if thing.number not in seen and thing.missed < _LOST:
                thing.missed += 1
                now.append(thing)
        self._things = now
        return [thing.mask for thing in now if not thing.missed]


def _moved(thing: _Thing) -> _B:
    """Shift the mask of a thing to where it is expected in the next frame."""
    dx, dy = np.rint(thing.velocity * (thing.missed + 1)).astype(int)
    height, width = thing.mask.shape
    rows, columns = np.nonzero(thing.mask)
    rows, columns = rows + dy, columns + dx
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    moved = np.zeros_like(thing.mask)
    moved[rows[inside], columns[inside]] = True
    return moved


def _split(
    frame_HWC: NDArray[np.uint8], blob: _B, things: list[_Thing], expected: dict[int, _B]
) -> list[tuple[_Thing | None, _B]]:
    """Give each pixel of a blob to the thing that is expected nearest and is the most alike in color."""
    import cv2

    rows, columns = np.nonzero(blob)
    costs = np.empty((len(things), len(rows)))
    smooth = np.asarray(cv2.GaussianBlur(frame_HWC, (0, 0), 0.8), np.float64)
    for k, thing in enumerate(things):
        away = np.asarray(cv2.distanceTransform((~expected[thing.number]).astype(np.uint8), cv2.DIST_L2, 3))
        tint = np.linalg.norm(smooth[rows, columns] - thing.color, axis=1)
        costs[k] = away[rows, columns] / (0.5 * np.sqrt(thing.area)) + tint / _TINT
    owner = costs.argmin(axis=0)
    parts: list[tuple[_Thing | None, _B]] = []
    for k, thing in enumerate(things):
        mask = np.zeros_like(blob)
        mask[rows[owner == k], columns[owner == k]] = True
        largest = _largest(mask)
        if largest.sum() >= _LEAST:
            parts.append((thing, largest))
    return parts


def _largest(mask: _B) -> _B:
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 3:
        return mask
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))
