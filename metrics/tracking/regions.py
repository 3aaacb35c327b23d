"""Regions: the foreground objects of each frame, as soft masks that are measured to a fraction of a pixel.

A region is one object in one frame. Touching objects of different colors are split by color, if each color
occurs alone somewhere in the block. Touching objects of one color are split by their outlines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .background import Background, foreground
from .color_split import renumber, split_colors
from .outlines import OUTLINES, fit_outlines, form_moments

__all__ = ["COLUMNS", "Regions", "find_regions"]

_F = NDArray[np.float32]
_I = NDArray[np.int32]

COLUMNS: Final = (
    *("frame", "x", "y", "left", "top", "right", "bottom", "area", "red", "green", "blue"),
    *(f"shape_{name}" for name in OUTLINES),
    *("spread", "z2", "z3", "z4", "mixed", "cut", "confidence", "label", "identity"),
)
"""Properties of a region: centroid and edges in pixels (the centre of the top-left pixel is 0, 0), soft area,
color (RGB in 8-bit levels), fit of each outline, moments of the shape, share of other colors, whether the
frame's edge or another region cuts it, confidence in [0, 1], and index of its noun and identity (NaN if the
tracker has none)."""

_SMALLEST: Final = 0.0024  # of the frame's area
_RING: Final = 2  # pixels around a mask in which its soft edge may lie
_GOOD_FIT: Final = 0.82
_MIXED: Final = 0.04
_FEW: Final = 4  # pixels: fewer do not determine an object's color
_PAINT_ROUNDS: Final = 6  # iterations to find the main color of a patterned object
_FITS: Final = [COLUMNS.index(f"shape_{name}") for name in OUTLINES]


@dataclass(frozen=True)
class Regions:
    """The regions of a block of frames, sorted by frame.

    Attributes:
        rows_MK: float64 (M, K), a row per region, with `COLUMNS`.
        owner_THW: the row of each pixel, plus one; 0 is the background. None if a tracker has no masks.
    """

    rows_MK: NDArray[np.float64]
    owner_THW: _I | None = None


def column(name: str) -> int:
    """Return the index of a column in `COLUMNS`."""
    return COLUMNS.index(name)


def find_regions(frames_THWC: NDArray[np.uint8], background: Background) -> Regions:
    """Find and measure the foreground objects in a block of frames (T, H, W, 3)."""
    mask, apart = foreground(frames_THWC, background)
    smallest = max(6.0, _SMALLEST * mask[0].size)
    owner = _components(mask, smallest)
    owner = split_colors(owner, apart, smallest, background.spread)
    rows = _measure(owner, apart, background)
    fit = rows[:, _FITS].max(axis=1, initial=0)
    one_color = (rows[:, column("cut")] == 0) & (rows[:, column("mixed")] < _MIXED)
    poor = np.flatnonzero((fit < _GOOD_FIT) & one_color) + 1
    parted = _split_outlines(owner, poor, rows, smallest)
    if parted is not None:
        owner = _keep_better(owner, fit, parted, _measure(parted, apart, background))
        rows = _measure(owner, apart, background)
    return Regions(rows, owner)


def _components(mask: NDArray[np.uint8], smallest: float) -> _I:
    """Number the connected components of all frames from 1, with holes filled and small ones left out."""
    import cv2

    frames, height, width = mask.shape
    # All frames as one picture, with a row of background above each of them and one below the last.
    rows = np.zeros((frames * (height + 1) + 1, width), np.uint8)
    stacked = rows[1:].reshape(frames, height + 1, width)[:, :height]
    stacked[:] = mask
    holes = _holes(rows)
    if holes is not None:
        rows |= holes
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rows, connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= smallest
    large[0] = False  # the background
    keep = np.where(large, np.cumsum(large), 0).astype(np.int32)
    numbers = np.asarray(labels, np.int32)[1:].reshape(frames, height + 1, width)
    return keep[numbers[:, :height]]


def _holes(rows: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Mark the holes of a mask; None if there are none."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - rows, connectivity=8)
    if count < 3:  # the mask and one background around it
        return None
    height, width = rows.shape
    x, y = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = x + stats[:, cv2.CC_STAT_WIDTH], y + stats[:, cv2.CC_STAT_HEIGHT]
    inner = (x > 0) & (y > 0) & (right < width) & (bottom < height)
    inner[0] = False
    return inner.astype(np.uint8)[labels] if inner.any() else None


def _measure(owner: _I, apart: _F, background: Background) -> NDArray[np.float64]:
    """Measure every mask; masks of similar size are measured together."""
    count = int(owner.max(initial=0))
    rows = np.full((count, len(COLUMNS)), np.nan)
    if not count:
        return rows
    boxes = _boxes(owner, count)
    side = np.maximum(boxes[:, 2] - boxes[:, 1], boxes[:, 4] - boxes[:, 3]) + 2 * _RING + 2
    group = np.ceil(side / 12).astype(int)
    for g in np.unique(group):
        members = np.flatnonzero(group == g)
        rows[members] = _measure_group(members + 1, boxes[members], int(12 * g), (owner, apart, background))
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
    ids: NDArray[np.int64], boxes: NDArray[np.int64], side: int, clip: tuple[_I, _F, Background]
) -> NDArray[np.float64]:
    owner, apart, background = clip
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
    paint = _paint(*_cores(own), color)
    reach = _around(own, all_of=False)
    beside = _around(others, all_of=False)
    reach = own | (_around(reach, all_of=False) & inside & ~beside)
    soft, other = _matte(color, paint, own, reach, background.spread)
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
    behind = background.color_HW3[
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
    rows[:, column("confidence")] = contrast / (contrast + 8.0 * max(background.spread, 2.0))
    return rows


def _cores(own: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Remove the rim of masks (M, P, P), two pixels wide and one, or less if no pixels would be left.

    Codecs that halve the color resolution blend an object with its background up to two pixels deep.
    """
    inner = _around(own, all_of=True)
    core = _around(inner, all_of=True)
    for mask, wider in ((inner, own), (core, inner)):
        thin = np.count_nonzero(mask, axis=(1, 2)) < _FEW
        mask[thin] = wider[thin]
    return core, inner


def _paint(core: NDArray[np.bool_], inner: NDArray[np.bool_], color: _F) -> _F:
    """Average the main color (M, 3) of the core's pixels, without a minority of another color.

    The inner mask distinguishes the main color of an object from a pattern in its middle.
    """
    member, starts, pixels = _pixels(inner, color)
    paint = np.add.reduceat(pixels, starts, axis=0) / np.bincount(member)[:, None].astype(np.float32)
    for mask, rounds in ((inner, _PAINT_ROUNDS), (core, 2)):
        member, starts, pixels = _pixels(mask, color)
        for _ in range(rounds):
            off = pixels - paint[member]
            weight = 1.0 / np.square(1.0 + np.einsum("kc,kc->k", off, off) / 2000.0)
            total = np.add.reduceat(weight[:, None] * pixels, starts, axis=0)
            paint = total / np.add.reduceat(weight, starts)[:, None]
    return np.asarray(paint, np.float32)


def _pixels(mask: NDArray[np.bool_], color: _F) -> tuple[NDArray[np.int64], NDArray[np.int64], _F]:
    """List the pixels of non-empty masks: the mask of each, the start of each mask, the colors."""
    at = np.flatnonzero(mask)
    member = at // mask[0].size
    return member, np.flatnonzero(np.diff(member, prepend=-1)), color.reshape(-1, 3)[at]


def _around(mask: NDArray[np.bool_], *, all_of: bool) -> NDArray[np.bool_]:
    """Grow masks (M, P, P) by a pixel to four sides, or mark pixels whose four neighbours are in the mask."""
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
    """Estimate the share of each pixel that the object covers, from its color between background and paint.

    Pixels of the mask with another color (a chip in a biscuit) count as covered; the second mask marks them.
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
    """Find where profiles rise above one half and fall below it again, to a fraction of a pixel."""
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
    """Split masks that no outline fits in two, along their longer axis; None if none can be split."""
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
    """Keep a split if both parts fit a simple outline clearly better than the whole did."""
    fits = again[:, _FITS[:3]].max(axis=1)
    for free in range(len(fit) + 1, len(again) + 1):
        t = int(again[free - 1, 0])
        whole = int(owner[t][parted[t] == free][0])
        if min(fits[free - 1], fits[whole - 1]) < max(fit[whole - 1] + 0.06, _GOOD_FIT - 0.04):
            parted[t][parted[t] == free] = whole
    return renumber(parted)
