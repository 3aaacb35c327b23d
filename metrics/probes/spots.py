"""Spots: what stands out in each frame, as soft masks that are measured to a fraction of a pixel.

A spot is one thing as one frame shows it. Colors that are seen on their own somewhere in the block are told
apart where their things touch; two things of one color that touch are parted by their outlines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .ground import Ground, foreground
from .outlines import OUTLINES, fit_outlines, form_moments

__all__ = ["COLUMNS", "Spots", "find_spots"]

_F = NDArray[np.float32]
_I = NDArray[np.int32]

COLUMNS: Final = (
    *("frame", "x", "y", "left", "top", "right", "bottom", "area", "red", "green", "blue"),
    *(f"shape_{name}" for name in OUTLINES),
    *("spread", "z2", "z3", "z4", "mixed", "cut", "confidence", "label", "identity"),
)
"""What is known of a spot: centroid and edges in pixels (the centre of the top-left pixel is 0, 0), the soft
area, the color (RGB in 8-bit levels), the fit of each outline, the moments of its form; what share of it has
other colors; whether the frame's edge or another spot cuts it; how sure it is, in [0, 1]; and for sources
that know them, the number of its name and its identity, else NaN."""

_SMALLEST: Final = 0.0024  # of the frame's area
_PLAIN: Final = 26.0  # spread of color within a thing of one color, in levels
_ALIKE: Final = 45.0  # distance of two shades of one color
_BLEND: Final = 70.0  # distance from any color beyond which a pixel is a blend of several
_PATCH: Final = 0.6  # of the smallest spot: an area of another color that is no chance
_SEEN_THROUGH: Final = 0.2  # of the largest contrast of a mask's colors: what has less is the ground
_LOOKED_AT: Final = 8  # spots of several colors of a block that are searched for what colors they have
_RING: Final = 2  # pixels around a mask in which its soft edge may lie
_GOOD_FIT: Final = 0.82
_MIXED: Final = 0.04
_FITS: Final = [COLUMNS.index(f"shape_{name}") for name in OUTLINES]


@dataclass(frozen=True)
class Spots:
    """Spots of a block of frames, a row each, `COLUMNS`, in the order of their frames.

    Attributes:
        rows_MK: float64 (M, K).
        owner_THW: the row of each pixel, plus one; 0 is the ground. None where a source has no masks.
    """

    rows_MK: NDArray[np.float64]
    owner_THW: _I | None = None


def column(name: str) -> int:
    """Give the place of a column of `COLUMNS`."""
    return COLUMNS.index(name)


def find_spots(frames_THWC: NDArray[np.uint8], ground: Ground) -> Spots:
    """Find and measure the things that stand out from the ground in a block of frames (T, H, W, 3)."""
    mask, apart = foreground(frames_THWC, ground)
    smallest = max(6.0, _SMALLEST * mask[0].size)
    owner = _components(mask, smallest)
    owner = _split_colors(owner, apart, smallest, ground.spread)
    rows = _measure(owner, apart, ground)
    fit = rows[:, _FITS].max(axis=1, initial=0)
    one_color = (rows[:, column("cut")] == 0) & (rows[:, column("mixed")] < _MIXED)
    poor = np.flatnonzero((fit < _GOOD_FIT) & one_color) + 1
    parted = _split_outlines(owner, poor, rows, smallest)
    if parted is not None:
        owner = _keep_better(owner, fit, parted, _measure(parted, apart, ground))
        rows = _measure(owner, apart, ground)
    return Spots(rows, owner)


def _components(mask: NDArray[np.uint8], smallest: float) -> _I:
    """Number the connected parts of all frames from 1, holes filled; what is too small is left out."""
    import cv2

    owner = np.zeros(mask.shape, np.int32)
    number = 0
    for t, frame in enumerate(mask):
        if not frame.any():
            continue
        count, labels, stats, _ = cv2.connectedComponentsWithStats(frame, connectivity=4)
        holes = _holes(frame)
        if holes is not None:
            count, labels, stats, _ = cv2.connectedComponentsWithStats(frame | holes, connectivity=4)
        keep = np.zeros(count, np.int32)
        for k in range(1, count):
            if stats[k, cv2.CC_STAT_AREA] >= smallest:
                number += 1
                keep[k] = number
        np.take(keep, labels, out=owner[t])
    return owner


def _holes(frame: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Mark the pixels that a mask surrounds, or None where it surrounds none."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - frame, connectivity=8)
    if count < 3:  # the mask and one ground around it
        return None
    height, width = frame.shape
    x, y = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = x + stats[:, cv2.CC_STAT_WIDTH], y + stats[:, cv2.CC_STAT_HEIGHT]
    inner = (x > 0) & (y > 0) & (right < width) & (bottom < height)
    inner[0] = False
    return inner.astype(np.uint8)[labels] if inner.any() else None


def _split_colors(owner: _I, apart: _F, smallest: float, noise: float) -> _I:
    """Part the masks in which two colors meet."""
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
    return _renumber(owner)


def _modes(
    owner: _I, apart: _F, at: NDArray[np.int64], smallest: float
) -> list[tuple[NDArray[np.float64], float]]:
    """Find the colors that cover a part of one mask that is more than a rim: mean and area of each."""
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

    cross = np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    inner = np.empty(owner.shape, np.uint8)
    for t, frame in enumerate(owner):
        inner[t] = cv2.erode((frame > 0).astype(np.uint8), cross)
    return owner * inner


def _mean_colors(
    ids: _I, color: _F, count: int, alike: float
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Mean, spread, size and the number of pixels of another color than the mean, of each mask's core."""
    size = np.bincount(ids, minlength=count).astype(np.float64)
    safe = np.maximum(size, 1.0)
    mean = np.stack([np.bincount(ids, color[:, c], count) for c in range(3)], axis=1) / safe[:, None]
    square = np.bincount(ids, np.square(color).sum(axis=1), count) / safe
    spread = np.sqrt(np.maximum(square - np.square(mean).sum(axis=1), 0.0))
    away = np.square(color - mean[ids]).sum(axis=1) > alike**2
    return mean, spread, size, np.bincount(ids, away, count)


@dataclass(frozen=True)
class _Palette:
    """The colors of a block's things: RGB less the ground, the largest area of each, and whether it is seen
    anywhere on a thing that has no other color."""

    color_K3: NDArray[Any]
    largest_K: NDArray[Any]
    alone_K: NDArray[np.bool_]


def _palette(color: NDArray[Any], size: NDArray[Any], alone: NDArray[np.bool_]) -> _Palette:
    """Gather like colors, those of the largest areas first."""
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
    """Give each pixel the nearest color of the palette, -1 where none is near; None where one covers all."""
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
    """Give each color's part of one mask a number of its own; its rim follows the nearest core pixel.

    ``colored`` is the color of each core pixel, as a place in the palette. What the rest surrounds on all
    sides is a pattern on it if its color is seen alone nowhere, a seam whose color lies between two others,
    or one and the ground, is a blurred edge, and what hardly differs from the ground is a hole.
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
    """Say whether a color lies between two others, or one and the ground; all are less the ground."""
    ends = [np.zeros(3), *others_K3]
    for k, one in enumerate(ends):
        for two in ends[k + 1 :]:
            way = two - one
            share = float((color - one) @ way) / max(float(way @ way), 1.0)
            if 0.1 < share < 0.9 and float(np.linalg.norm(color - one - share * way)) < _PLAIN:
                return True
    return False


def _renumber(owner: _I) -> _I:
    """Number the masks from 1 in the order of their frames."""
    numbers = np.unique(owner)
    numbers = numbers[numbers > 0]
    first_frame = np.full(int(owner.max(initial=0)) + 1, len(owner))
    for t in range(len(owner) - 1, -1, -1):
        first_frame[np.unique(owner[t])] = t
    order = numbers[np.argsort(first_frame[numbers], kind="stable")]
    new = np.zeros(int(owner.max(initial=0)) + 1, np.int32)
    new[order] = np.arange(1, len(order) + 1)
    return new[owner]


def _measure(owner: _I, apart: _F, ground: Ground) -> NDArray[np.float64]:
    """Measure every mask; masks of like size are measured together."""
    count = int(owner.max(initial=0))
    rows = np.full((count, len(COLUMNS)), np.nan)
    if not count:
        return rows
    boxes = _boxes(owner, count)
    side = np.maximum(boxes[:, 2] - boxes[:, 1], boxes[:, 4] - boxes[:, 3]) + 2 * _RING + 2
    group = np.ceil(side / 12).astype(int)
    for g in np.unique(group):
        members = np.flatnonzero(group == g)
        rows[members] = _measure_group(members + 1, boxes[members], int(12 * g), (owner, apart, ground))
    return rows


def _boxes(owner: _I, count: int) -> NDArray[np.int64]:
    """Frame, left, right, top and bottom (ends excluded) of masks 1 to ``count``: (count, 5)."""
    at = np.flatnonzero(owner)
    ids = owner.ravel()[at]
    _, height, width = owner.shape
    t, rest = np.divmod(at, height * width)
    y, x = np.divmod(rest, width)
    boxes = np.zeros((count + 1, 5), np.int64)
    boxes[ids, 0] = t
    for place, values in ((1, x), (3, y)):
        low = np.full(count + 1, np.iinfo(np.int64).max)
        high = np.full(count + 1, -1)
        np.minimum.at(low, ids, values)
        np.maximum.at(high, ids, values)
        boxes[:, place], boxes[:, place + 1] = low, high + 1
    return boxes[1:]


def _measure_group(
    ids: NDArray[np.int64], boxes: NDArray[np.int64], side: int, clip: tuple[_I, _F, Ground]
) -> NDArray[np.float64]:
    owner, apart, ground = clip
    _, height, width = owner.shape
    t = boxes[:, 0]
    offsets = np.arange(side)
    x0 = (boxes[:, 1] + boxes[:, 2] - side) // 2
    y0 = (boxes[:, 3] + boxes[:, 4] - side) // 2
    xs, ys = x0[:, None] + offsets, y0[:, None] + offsets
    inside = ((ys >= 0) & (ys < height))[:, :, None] & ((xs >= 0) & (xs < width))[:, None, :]
    index = (t[:, None, None], np.clip(ys, 0, height - 1)[:, :, None], np.clip(xs, 0, width - 1)[:, None, :])
    whose = np.where(inside, owner[index], -1)
    own = whose == ids[:, None, None]
    others = (whose > 0) & ~own
    color = apart[index]
    core = own & _around(own, all_of=True)
    thin = core.sum(axis=(1, 2)) < 4
    core[thin] = own[thin]
    paint = _paint(core, color)
    reach = _around(own, all_of=False)
    beside = _around(others, all_of=False)
    reach = own | (_around(reach, all_of=False) & inside & ~beside)
    soft, other = _matte(color, paint, own, reach, ground.spread)
    area = np.maximum(soft.sum(axis=(1, 2)), 1e-6)
    x = (soft.sum(axis=1) * xs).sum(axis=1) / area
    y = (soft.sum(axis=2) * ys).sum(axis=1) / area
    dx = (xs - x[:, None]).astype(np.float32)
    dy = (ys - y[:, None]).astype(np.float32)
    rows = np.full((len(ids), len(COLUMNS)), np.nan)
    rows[:, 0] = t
    rows[:, 1], rows[:, 2] = x, y
    rows[:, 3], rows[:, 5] = _edges(soft.max(axis=1), xs)
    rows[:, 4], rows[:, 6] = _edges(soft.max(axis=2), ys)
    rows[:, 7] = area
    behind = ground.color_HW3[
        np.clip(np.rint(y), 0, height - 1).astype(int), np.clip(np.rint(x), 0, width - 1).astype(int)
    ]
    rows[:, 8:11] = np.clip(paint + behind, 0, 255)
    shapes = column("shape_ball")
    rows[:, shapes : shapes + len(OUTLINES)] = fit_outlines(soft, dx, dy, area)
    forms = column("spread")
    rows[:, forms : forms + 4] = form_moments(soft, dx, dy, area)
    rows[:, column("mixed")] = other.sum(axis=(1, 2)) / own.sum(axis=(1, 2))
    edge = _around(own, all_of=False)
    rows[:, column("cut")] = ((beside | ~inside) & edge).any(axis=(1, 2))
    contrast = np.linalg.norm(paint, axis=1)
    rows[:, column("confidence")] = contrast / (contrast + 8.0 * max(ground.spread, 2.0))
    return rows


def _paint(core: NDArray[np.bool_], color: _F) -> _F:
    """Average the color (M, 3) of most of the core's pixels: a few of another color do not count."""
    weight = core.astype(np.float32)
    paint = np.einsum("mpq,mpqc->mc", weight, color) / weight.sum(axis=(1, 2))[:, None]
    for _ in range(3):
        away = np.square(color - paint[:, None, None]).sum(axis=3)
        weight = core / np.square(1.0 + away / 2000.0)
        paint = np.einsum("mpq,mpqc->mc", weight, color) / weight.sum(axis=(1, 2))[:, None]
    return paint


def _around(mask: NDArray[np.bool_], *, all_of: bool) -> NDArray[np.bool_]:
    """Grow masks (M, P, P) by a pixel to four sides, or say where all four neighbours are in the mask."""
    result = mask.copy()
    join = np.logical_and if all_of else np.logical_or
    join(result[:, 1:], mask[:, :-1], out=result[:, 1:])
    join(result[:, :-1], mask[:, 1:], out=result[:, :-1])
    join(result[:, :, 1:], mask[:, :, :-1], out=result[:, :, 1:])
    join(result[:, :, :-1], mask[:, :, 1:], out=result[:, :, :-1])
    return result


def _matte(
    color: _F, paint: _F, own: NDArray[np.bool_], reach: NDArray[np.bool_], spread: float
) -> tuple[_F, NDArray[np.bool_]]:
    """Tell what share of each pixel the thing covers, by how far its color is from the ground to the paint.

    Pixels of the mask that are on no way from the ground to the paint (a chip in a biscuit) are covered; they
    are marked in the second mask.
    """
    length = np.maximum(np.einsum("mc,mc->m", paint, paint), 1.0)[:, None, None]
    along = np.einsum("mpqc,mc->mpq", color, paint) / length
    beside = np.einsum("mpqc,mpqc->mpq", color, color) - np.square(along) * length
    aside = beside > np.maximum(np.square(30.0 + 4.0 * spread), 0.04 * length)
    inner = _around(own, all_of=True)
    other = own & (aside | (inner & (along < 0.3)))
    soft = np.where(other, 1.0, np.clip(along, 0.0, 1.0))
    return np.where(reach, soft, 0.0).astype(np.float32), other


def _edges(profile_MP: _F, place_MP: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Find where profiles rise over one half and fall below it again, to a fraction of a pixel."""
    solid = profile_MP >= 0.5
    some = solid.any(axis=1)
    first = np.where(some, solid.argmax(axis=1), 0)
    last = np.where(some, solid.shape[1] - 1 - solid[:, ::-1].argmax(axis=1), 0)
    rows = np.arange(len(profile_MP))
    padded = np.pad(profile_MP, ((0, 0), (1, 1)))
    low = place_MP[rows, first] + 0.5 - padded[rows, first + 1] - padded[rows, first]
    high = place_MP[rows, last] - 0.5 + padded[rows, last + 1] + padded[rows, last + 2]
    return low, high


def _split_outlines(
    owner: _I, numbers: NDArray[np.int64], rows: NDArray[np.float64], smallest: float
) -> _I | None:
    """Part masks that no outline fits in two, along their longer axis; None where none can be parted."""
    parted = owner.copy()
    free = int(owner.max())
    done = False
    for number in numbers:
        t = int(rows[number - 1, 0])
        ys, xs = np.nonzero(owner[t] == number)
        if len(xs) < 2 * smallest:
            continue
        second = _two_means(xs.astype(np.float64), ys.astype(np.float64))
        if min(second.sum(), (~second).sum()) < max(smallest, 0.2 * len(xs)):
            continue
        free += 1
        parted[t, ys[second], xs[second]] = free
        done = True
    return parted if done else None


def _two_means(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    points = np.stack([x, y], axis=1)
    centered = points - points.mean(axis=0)
    axis = np.linalg.eigh(centered.T @ centered)[1][:, 1]
    second = centered @ axis > 0
    for _ in range(8):
        one, two = points[~second].mean(axis=0), points[second].mean(axis=0)
        now = np.square(points - two).sum(axis=1) < np.square(points - one).sum(axis=1)
        if (now == second).all() or now.all() or not now.any():
            break
        second = now
    return second


def _keep_better(owner: _I, fit: NDArray[Any], parted: _I, again: NDArray[np.float64]) -> _I:
    """Keep a split where both of its parts fit a simple outline clearly better than the whole did."""
    fits = again[:, _FITS[:3]].max(axis=1)
    for free in range(len(fit) + 1, len(again) + 1):
        t = int(again[free - 1, 0])
        whole = int(owner[t][parted[t] == free][0])
        if min(fits[free - 1], fits[whole - 1]) < max(fit[whole - 1] + 0.06, _GOOD_FIT - 0.04):
            parted[t][parted[t] == free] = whole
    return _renumber(parted)
