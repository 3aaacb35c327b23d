"""Assemble the regions of all frames to tracks: association, parts of objects, visibility, flicker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .association import associate
from .occlusion import Seen, centers
from .outlines import OUTLINES
from .regions import column
from .tracks import ClipShape, Tracks, plain_noun

__all__ = ["assemble"]

_F = NDArray[np.float64]
_JOINED: Final = 0.14  # of an object's size, or twice its part's: a smaller gap counts as contact
_FIXED: Final = 0.12  # of an object's size: how far a part of it may move
_LOOSE: Final = 0.55  # likewise, for a part as small as a hand
_ALIKE: Final = 60.0  # levels between two shades of one color
_TOGETHER: Final = 0.8  # of the object's frames: a part that is visible in fewer must touch it
_TOUCHING: Final = 1 / 64  # sides; at least a pixel
_CRUMB: Final = 0.06  # of an object's area: a smaller region of the same color may be a part of it

_BOX: Final = [column(name) for name in ("left", "top", "right", "bottom")]
_COLOR: Final = [column(name) for name in ("red", "green", "blue")]
_SHAPE: Final = [column(f"shape_{name}") for name in OUTLINES]
_FORM: Final = [column(name) for name in ("spread", "z2", "z3", "z4")]


def assemble(rows_MK: _F, clip: ClipShape, camera_T4: _F, nouns: Sequence[str] = ()) -> Tracks:
    """Make tracks of regions (M, `COLUMNS`), sorted by frame; a region's label is an index into ``nouns``."""
    frames = len(clip.times_T)
    found_NT = associate(rows_MK, frames)
    padded = np.concatenate([rows_MK, np.full((1, rows_MK.shape[1]), np.nan)])
    table_NTK = padded[found_NT]
    table_NTK = _join_parts(table_NTK, max(1.0, _TOUCHING * (clip.height * clip.width) ** 0.5))
    table_NTK = table_NTK[_not_flicker(table_NTK)]
    area_NT = table_NTK[:, :, column("area")]
    seen_NT = ~np.isnan(area_NT)
    visible_NT = _visible(table_NTK)
    position_NT2, box_NT4 = table_NTK[:, :, [column("x"), column("y")]], table_NTK[:, :, _BOX]
    shape_NTS = table_NTK[:, :, _SHAPE]
    seen = Seen(clip.height, clip.width, position_NT2, box_NT4, area_NT, shape_NTS, visible_NT)
    center_NT2, whole_NT4 = centers(seen)
    labels = table_NTK[:, :, column("label")]
    first = seen_NT.argmax(axis=1) if frames else np.zeros(len(table_NTK), int)
    label_N = labels[np.arange(len(labels)), first] if frames else np.empty(0)
    return Tracks(
        height=clip.height,
        width=clip.width,
        fps=clip.fps,
        times_T=clip.times_T,
        position_NT2=position_NT2,
        box_NT4=box_NT4,
        center_NT2=center_NT2,
        whole_NT4=whole_NT4,
        area_NT=area_NT,
        color_NT3=table_NTK[:, :, _COLOR],
        shape_NTS=shape_NTS,
        form_NT4=table_NTK[:, :, _FORM],
        visible_NT=visible_NT,
        confidence_NT=table_NTK[:, :, column("confidence")],
        nouns=tuple(None if np.isnan(k) else plain_noun(nouns[int(k)]) for k in label_N),
        camera_T4=camera_T4,
    )


def _not_flicker(table_NTK: _F) -> NDArray[np.bool_]:
    """Mark the tracks that are not flicker: seen in two frames in a row, or whole and of full confidence."""
    seen_NT = ~np.isnan(table_NTK[:, :, 0])
    sure = np.where(seen_NT, table_NTK[:, :, column("confidence")], 0.0).max(axis=1, initial=0.0)
    whole = (seen_NT & (table_NTK[:, :, column("cut")] == 0)).any(axis=1)
    stays = (seen_NT[:, 1:] & seen_NT[:, :-1]).any(axis=1)
    return stays | (whole & (sure > 0.7)) | (seen_NT.shape[1] < 2)


def _join_parts(table_NTK: _F, touching: float) -> _F:
    """Join parts of another color that stay at an object, such as the head or hand of a person.

    A part that is visible for only some of the time must touch the object, to within ``touching`` pixels.
    """
    table, pair = table_NTK, _part_and_whole(table_NTK, touching)
    while pair is not None:  # a whole grows by each part, so that others may become attached
        part, whole = pair
        table = np.delete(_merged(table, part, whole), part, axis=0)
        pair = _part_and_whole(table, touching)
    return table


def _part_and_whole(table_NTK: _F, touching: float) -> tuple[int, int] | None:
    """Find the smallest object that is attached to a larger one, and the largest of those."""
    if len(table_NTK) < 2:
        return None
    size_N = np.sqrt(np.nanmedian(table_NTK[:, :, column("area")], axis=1))
    order = [int(n) for n in np.argsort(size_N, kind="stable")]
    for i in order[:-1]:
        for j in reversed(order):
            if size_N[j] > size_N[i] and _clings(table_NTK, (i, j), size_N, touching):
                return i, j
    return None


def _clings(table_NTK: _F, pair: tuple[int, int], size_N: _F, touching: float) -> bool:
    part, whole = pair
    one, two = table_NTK[part], table_NTK[whole]
    here = ~np.isnan(one[:, 0])
    there = ~np.isnan(two[:, 0])
    both = here & there
    if both.sum() < max(2, 0.9 * here.sum()):
        return False
    size = size_N[whole]
    crumb = size_N[part] ** 2 < _CRUMB * size**2
    reach = _JOINED * (size if crumb else min(size, 2 * size_N[part]))
    near = reach if both.sum() >= _TOGETHER * there.sum() else touching
    a, b = one[both][:, _BOX], two[both][:, _BOX]
    gap = np.maximum(np.maximum(a[:, :2], b[:, :2]) - np.minimum(a[:, 2:], b[:, 2:]), 0.0)
    if (np.hypot(gap[:, 0], gap[:, 1]) > near).mean() > 0.1:
        return False
    places = [column("x"), column("y")]
    offset = one[both][:, places] - two[both][:, places]
    if np.ptp(offset, axis=0).max() > (_LOOSE if crumb else _FIXED) * size:
        return False
    tint = np.linalg.norm(np.median(one[both][:, _COLOR], axis=0) - np.median(two[both][:, _COLOR], axis=0))
    return bool(tint > _ALIKE or crumb)


def _merged(table_NTK: _F, part: int, whole: int) -> _F:
    """Add a part to its whole: areas add up, the box contains both; form and color stay the whole's."""
    table = table_NTK.copy()
    both = ~np.isnan(table[part, :, 0]) & ~np.isnan(table[whole, :, 0])
    one, two = table_NTK[part, both], table_NTK[whole, both]
    area = column("area")
    share = (one[:, area] / (one[:, area] + two[:, area]))[:, None]
    places = [column("x"), column("y")]
    merged = two.copy()
    merged[:, places] = share * one[:, places] + (1 - share) * two[:, places]
    merged[:, _BOX[:2]] = np.minimum(one[:, _BOX[:2]], two[:, _BOX[:2]])
    merged[:, _BOX[2:]] = np.maximum(one[:, _BOX[2:]], two[:, _BOX[2:]])
    merged[:, area] = one[:, area] + two[:, area]
    merged[:, column("mixed")] = 1.0
    merged[:, column("cut")] = 0.0  # it was cut by its own part
    table[whole, both] = merged
    return table


def _visible(table_NTK: _F) -> _F:
    """Compute the visible share of objects that are cut by the frame's edge or by another object."""
    area_NT, cut_NT = table_NTK[:, :, column("area")], table_NTK[:, :, column("cut")] > 0
    visible_NT = np.where(np.isnan(area_NT), 0.0, 1.0)
    for n, area_T in enumerate(area_NT):
        free = area_T[~cut_NT[n] & ~np.isnan(area_T)]
        usual = float(np.median(free)) if len(free) else float(np.nanmax(area_T))
        cut = cut_NT[n] & ~np.isnan(area_T)
        visible_NT[n, cut] = np.clip(area_T[cut] / usual, 0.0, 0.995)
    return visible_NT
