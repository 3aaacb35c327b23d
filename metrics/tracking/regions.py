"""Spots: what stands out in each frame, as soft masks that are measured to a fraction of a pixel.

A spot is one thing as one frame shows it. Colors that are seen on their own somewhere in the block are told
apart where their things touch; two things of one color that touch are parted by their outlines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .background import Ground, foreground
from .color_split import renumber, split_colors
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
_RING: Final = 2  # pixels around a mask in which its soft edge may lie
_GOOD_FIT: Final = 0.82
_MIXED: Final = 0.04
_FEW: Final = 4  # pixels: fewer do not say what color a thing has
_PAINT_ROUNDS: Final = 6  # after which the paint of a patterned thing is that of most of it
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
    owner = split_colors(owner, apart, smallest, ground.spread)
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

    frames, height, width = mask.shape
    # All frames as one picture, with a row of ground above each of them and one below the last.
    rows = np.zeros((frames * (height + 1) + 1, width), np.uint8)
    stacked = rows[1:].reshape(frames, height + 1, width)[:, :height]
    stacked[:] = mask
    holes = _holes(rows)
    if holes is not None:
        rows |= holes
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rows, connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= smallest
    large[0] = False  # the ground
    keep = np.where(large, np.cumsum(large), 0).astype(np.int32)
    numbers = np.asarray(labels, np.int32)[1:].reshape(frames, height + 1, width)
    return keep[numbers[:, :height]]


def _holes(rows: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Mark the pixels that a mask surrounds, or None where it surrounds none."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - rows, connectivity=8)
    if count < 3:  # the mask and one ground around it
        return None
    height, width = rows.shape
    x, y = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = x + stats[:, cv2.CC_STAT_WIDTH], y + stats[:, cv2.CC_STAT_HEIGHT]
    inner = (x > 0) & (y > 0) & (right < width) & (bottom < height)
    inner[0] = False
    return inner.astype(np.uint8)[labels] if inner.any() else None


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
    paint = _paint(*_cores(own), color)
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


def _cores(own: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Take off the rim of masks (M, P, P), two pixels wide and one, or as wide as leaves some pixels.

    Codecs that halve the resolution of color blend a thing with its ground two pixels far.
    """
    inner = _around(own, all_of=True)
    core = _around(inner, all_of=True)
    for mask, wider in ((inner, own), (core, inner)):
        thin = np.count_nonzero(mask, axis=(1, 2)) < _FEW
        mask[thin] = wider[thin]
    return core, inner


def _paint(core: NDArray[np.bool_], inner: NDArray[np.bool_], color: _F) -> _F:
    """Average the color (M, 3) of most of the core's pixels: a few of another color do not count.

    Which color most of a thing has, and which a pattern in its middle, is what the inner mask says.
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
    """List the pixels of masks, none of which is empty: whose each is, where each mask begins, the colors."""
    at = np.flatnonzero(mask)
    member = at // mask[0].size
    return member, np.flatnonzero(np.diff(member, prepend=-1)), color.reshape(-1, 3)[at]


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
    return renumber(parted)
