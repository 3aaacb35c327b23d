"""Split masks in which objects of several colors touch, by color."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["renumber", "split_colors"]

_F = NDArray[np.float32]
_I = NDArray[np.int32]
_PLAIN: Final = 26.0  # largest spread of color within an object of one color, in levels
_ALIKE: Final = 45.0  # distance of two shades of one color
_BLEND: Final = 70.0  # distance from any color beyond which a pixel is a blend of several
_PATCH: Final = 0.6  # of the smallest region: least area of another color that is not noise
_SEEN_THROUGH: Final = 0.2  # of the largest contrast of a mask's colors: less is the background
_LOOKED_AT: Final = 8  # regions of several colors per block whose colors are searched


def split_colors(owner: _I, apart: _F, smallest: float, noise: float) -> _I:
    """Split the masks in which two colors meet.

    Args:
        owner: number of the mask of each pixel, (T, H, W); 0 is the background.
        apart: the frames minus the background, (T, H, W, 3).
        smallest: pixels of the smallest object.
        noise: standard deviation of a channel.
    """
    count = int(owner.max(initial=0))
    if not count:
        return owner
    core = _eroded(owner)
    at = np.flatnonzero(core)
    ids = core.ravel()[at]
    color = apart.reshape(-1, 3)[at]
    mean, spread, size, off = _mean_colors(ids, color, count + 1, max(_ALIKE, 4 * noise))
    mixed = off >= _PATCH * smallest
    plain = ~mixed & (spread < max(_PLAIN, 2.4 * noise)) & (size > 0)
    several = np.flatnonzero(mixed & (size > 0))
    if not len(several):
        return owner
    colors, areas, alone = [mean[plain]], [size[plain]], [np.ones(int(plain.sum()), bool)]
    for number in several[:: max(1, len(several) // _LOOKED_AT)]:
        for found, area in _modes(owner, apart, at[ids == number], smallest):
            colors.append(found[None])
            areas.append(np.array([area]))
            alone.append(np.zeros(1, bool))
    palette = _palette(np.concatenate(colors), np.concatenate(areas), np.concatenate(alone))
    if len(palette.color_K3) < 2:
        return owner
    for number in several:
        here = at[ids == number]
        parts = _parts_by_color(
            apart.reshape(-1, 3)[here], palette, _PATCH * smallest, max(_BLEND, 4 * noise)
        )
        if parts is not None:
            _repaint(owner, int(number), here, (parts, palette), smallest)
    return renumber(owner)


def _modes(
    owner: _I, apart: _F, at: NDArray[np.int64], smallest: float
) -> list[tuple[NDArray[np.float64], float]]:
    """Find the colors that cover more than a rim of one mask: mean and area of each."""
    import cv2

    _, height, width = owner.shape
    color = apart.reshape(-1, 3)[at]
    place = at % (height * width)
    left = np.ones(len(at), bool)
    cross = np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    found: list[tuple[NDArray[np.float64], float]] = []
    while left.sum() >= smallest:
        cells = np.floor(color / 40.0).astype(np.int64) @ np.array([1, 64, 4096])
        values, counts = np.unique(cells[left], return_counts=True)
        center = color[left & (cells == values[counts.argmax()])].mean(axis=0)
        alike = left & (np.square(color - center).sum(axis=1) < _ALIKE**2)
        if not alike.any():
            break
        left &= ~alike
        patch = np.zeros((height, width), np.uint8)
        patch.ravel()[place[alike]] = 1
        inner = np.asarray(cv2.erode(patch, cross)).ravel()[place] > 0
        if inner.sum() >= 0.5 * smallest:
            found.append((color[inner].mean(axis=0).astype(np.float64), float(alike.sum())))
    return found


def _eroded(owner: _I) -> _I:
    import cv2

    frames, height, width = owner.shape
    # All frames as one image, with a row between them, so that the frame's edge does not erode a mask.
    rows = np.ones((frames, height + 1, width), np.uint8)
    rows[:, :height] = owner > 0
    cross = np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    inner = np.asarray(cv2.erode(rows.reshape(-1, width), cross), np.uint8).reshape(rows.shape)
    return owner * inner[:, :height]


def _mean_colors(
    ids: _I, color: _F, count: int, alike: float
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Compute mean, spread, size and number of pixels of another color, of each mask's core."""
    size = np.bincount(ids, minlength=count).astype(np.float64)
    safe = np.maximum(size, 1.0)
    mean = np.stack([np.bincount(ids, color[:, c], count) for c in range(3)], axis=1) / safe[:, None]
    square = np.bincount(ids, np.square(color).sum(axis=1), count) / safe
    spread = np.sqrt(np.maximum(square - np.square(mean).sum(axis=1), 0.0))
    away = np.square(color - mean[ids]).sum(axis=1) > alike**2
    return mean, spread, size, np.bincount(ids, away, count)


@dataclass(frozen=True)
class _Palette:
    """The colors of a block's objects: RGB minus the background, the largest area of each, and whether it
    occurs on an object of one color."""

    color_K3: NDArray[Any]
    largest_K: NDArray[Any]
    alone_K: NDArray[np.bool_]


def _palette(color: NDArray[Any], size: NDArray[Any], alone: NDArray[np.bool_]) -> _Palette:
    """Group similar colors, those of the largest areas first."""
    chosen: list[int] = []
    plain: list[bool] = []
    for k in np.argsort(-size, kind="stable"):
        same = [i for i, c in enumerate(chosen) if np.linalg.norm(color[k] - color[c]) <= _ALIKE]
        if same:
            plain[same[0]] |= bool(alone[k])
        else:
            chosen.append(int(k))
            plain.append(bool(alone[k]))
    return _Palette(color[chosen], size[chosen], np.array(plain, bool))


def _parts_by_color(color_P3: _F, palette: _Palette, least: float, alike: float) -> NDArray[np.int64] | None:
    """Give each pixel the nearest color of the palette, -1 if none is near; None if one color covers all."""
    away = np.square(color_P3[:, None, :] - palette.color_K3[None]).sum(axis=2)
    near = away.min(axis=1) < alike**2
    shares = np.bincount(away[near].argmin(axis=1), minlength=len(palette.color_K3))
    # A color counts where it was seen on an area that compares with the one it has here.
    keep = np.flatnonzero((shares >= least) & (palette.largest_K > 0.25 * shares))
    if len(keep) < 2:
        return None
    return np.where(near, keep[away[:, keep].argmin(axis=1)], -1)


def _repaint(
    owner: _I,
    number: int,
    at: NDArray[np.int64],
    colored: tuple[NDArray[np.int64], _Palette],
    smallest: float,
) -> None:
    """Give each color's part of one mask its own number; rim pixels follow the nearest core pixel.

    ``colored`` is the color of each core pixel, as an index into the palette. A part that is surrounded on
    all sides is a pattern, if its color never occurs alone. A part whose color lies between two others, or
    between one and the background, is a blurred edge. A part that hardly differs from the background is a
    hole.
    """
    import cv2

    parts, palette = colored
    present = np.unique(parts[parts >= 0])
    _, height, width = owner.shape
    t = int(at[0] // (height * width))
    frame = owner[t]
    seeds = np.zeros((height, width), np.int32)
    seeds.ravel()[at - t * height * width] = parts + 1
    cleaned = np.zeros_like(seeds)
    near = np.ones((3, 3), np.uint8)
    cross = np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    inside = np.asarray(cv2.erode((frame == number).astype(np.uint8), near, borderValue=0))
    contrast_K = np.linalg.norm(palette.color_K3, axis=1)
    for value in present[contrast_K[present] > _SEEN_THROUGH * contrast_K[present].max()]:
        known = bool(palette.alone_K[value])
        mask = (seeds == value + 1).astype(np.uint8)
        if _is_mixture(palette.color_K3[value], palette.color_K3[present[present != value]]):
            mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, cross), np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
        for k in range(1, count):
            part = labels == k
            if stats[k, cv2.CC_STAT_AREA] < 0.5 * smallest:
                continue
            around = np.asarray(cv2.dilate(part.astype(np.uint8), near))
            if known or around[inside == 0].any():
                cleaned[part] = int(cleaned.max()) + 1
    if cleaned.max() < 2:
        return
    _, nearest = cv2.distanceTransformWithLabels(
        (cleaned == 0).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    value_of = np.zeros(int(nearest.max()) + 1, np.int32)
    value_of[nearest[cleaned > 0]] = cleaned[cleaned > 0]
    mine = frame == number
    first = int(owner.max())
    values = value_of[nearest[mine]]
    frame[mine] = np.where(values == 1, number, first + values)


def _is_mixture(color: NDArray[Any], others_K3: NDArray[Any]) -> bool:
    """Check whether a color lies between two others, or one and the background (all minus the background)."""
    ends = [np.zeros(3), *others_K3]
    for k, one in enumerate(ends):
        for two in ends[k + 1 :]:
            way = two - one
            share = float((color - one) @ way) / max(float(way @ way), 1.0)
            if 0.1 < share < 0.9 and float(np.linalg.norm(color - one - share * way)) < _PLAIN:
                return True
    return False


def renumber(owner: _I) -> _I:
    """Renumber the masks of (T, H, W) from 1, in the order of their frames."""
    ids = owner.ravel()[at := np.flatnonzero(owner)]
    numbers, first = np.unique(ids, return_index=True)
    order = numbers[np.argsort(at[first] // owner[0].size, kind="stable")]
    new = np.zeros(int(owner.max(initial=0)) + 1, np.int32)
    new[order] = np.arange(1, len(order) + 1)
    return new[owner]
