"""The background of a clip before a camera at rest, where textures and things that stay make the median err.

A pixel that nearly always shows one color has that color. Of the colors that another pixel shows over time,
the background is the one that is like the surroundings and unlike what is seen to move elsewhere, and that
shows for long. Where only the moving thing was ever seen, the background is filled in from around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .medians import channel_sum, median_levels
from .shadows import shaded

__all__ = ["background_behind"]

_Frames = NDArray[np.uint8]
_B = NDArray[np.bool_]
_F32 = NDArray[np.float32]
_SAMPLES: Final = 48  # frames
_WEAK: Final = (16.0, 6.0)  # levels of RGB, and spreads of the background: a smaller difference is none
_STRONG: Final = (32.0, 12.0)  # likewise: what moves differs by as much
_SURE: Final = 0.7  # of the frames: what shows for so long is the background
_COLORS: Final = 4  # that a pixel shows over time
_AROUND: Final = 24  # pixels beside those in doubt that may have shown nothing but what moves
_BINS: Final = 32  # of a channel
_ALIKE: Final = 3  # bins, either way, between two shades of one color
_RARE: Final = 0.01  # of a palette: fewer are none
_LASTING: Final = 6.0  # what it counts (a logarithm of odds) for a color to show in all frames
_MOVING: Final = -1.5  # logarithm of the odds below which a color is what moves, and not the background
_LARGEST: Final = 0.15  # of the frame: a larger area is no part of a thing that hardly moves
_CHUNK: Final = 2048  # pixels whose colors are compared at a time
_FILLED: Final = 3.0  # pixels: radius of the filling


def background_behind(frames_THWC: _Frames, shade: float) -> tuple[_F32, float]:
    """Estimate the background of a clip (H, W, 3), in 8-bit levels, and the spread of a channel around it.

    Args:
        frames_THWC: uint8 RGB.
        shade: share of the background's brightness that a shadow takes away at most.
    """
    levels = frames_THWC[:: max(1, -(-len(frames_THWC) // _SAMPLES))]
    background, picked = median_levels(levels), levels.astype(np.float32)
    spread = max(1.4826 * float(np.median(np.abs(picked[:: max(1, len(picked) // 8)] - background))), 0.5)
    weak, strong = (max(levels, spreads * spread) for levels, spreads in (_WEAK, _STRONG))
    away = np.stack([np.sqrt(channel_sum(np.square(frame - background))) for frame in picked])
    sure = (away < weak).mean(axis=0) >= _SURE
    doubtful = _grown(~sure, 1)
    if not doubtful.any() or doubtful.all():
        return background, spread
    known = ~doubtful
    around = _Palette(background[known])
    moving = _Palette(_moving_colors(picked, background, known, (weak, strong, shade)))
    rows, columns = np.nonzero(doubtful)
    seen = _colors_over_time(picked[:, rows, columns], weak)
    odds = _odds(seen.color_KP3.reshape(-1, 3), around, moving).reshape(seen.share_KP.shape)
    may_be = (seen.share_KP > 0) & ~_shadows(seen, weak, shade)
    best = np.where(may_be, odds + _LASTING * seen.share_KP, -np.inf).argmax(axis=0)
    at = best, np.arange(len(rows))
    background[rows, columns] = seen.color_KP3[at]
    unknown = np.zeros(doubtful.shape, bool)
    unknown[rows, columns] = odds[at] < _MOVING
    moves = _moving_colors(picked, background, ~unknown, (weak, strong, shade))
    unknown |= _burnt_in(background, doubtful, _Palette(background[~unknown]), moves)
    return _filled(background, unknown), spread


@dataclass(frozen=True)
class _Seen:
    """The K colors that each of P pixels shows over time, and in what share of the frames."""

    color_KP3: _F32
    share_KP: _F32


def _colors_over_time(values_TP3: _F32, weak: float) -> _Seen:
    """Group what each pixel shows: the color that most frames are near, then that of most others ..."""
    count, pixels, _ = values_TP3.shape
    color = np.zeros((_COLORS, pixels, 3), np.float32)
    share = np.zeros((_COLORS, pixels), np.float32)
    for start in range(0, pixels, _CHUNK):
        part = slice(start, min(start + _CHUNK, pixels))
        values = values_TP3[:, part]
        near_TTP = np.stack([np.sqrt(channel_sum(np.square(values - one))) < weak for one in values])
        left_TP = np.ones(values.shape[:2], bool)
        for k in range(_COLORS):
            votes = (near_TTP & left_TP[None]).sum(axis=1) * left_TP
            chosen = votes.argmax(axis=0)
            members = near_TTP[chosen, :, np.arange(values.shape[1])].T & left_TP
            size = members.sum(axis=0)
            share[k, part] = size / count
            color[k, part] = (values * members[:, :, None]).sum(axis=0) / np.maximum(size, 1)[:, None]
            left_TP &= ~members
    return _Seen(color, share)


def _shadows(seen: _Seen, weak: float, shade: float) -> _B:
    """Mark the colors that are those of a shadow on one that shows for at least twice as long, (K, P)."""
    found = np.zeros(seen.share_KP.shape, bool)
    for lit, share in zip(seen.color_KP3, seen.share_KP, strict=True):
        darker = shaded(seen.color_KP3 - lit, np.broadcast_to(lit, seen.color_KP3.shape), weak, shade)
        found |= darker & (share >= 2 * seen.share_KP)
    return found


def _moving_colors(frames_THWC: _F32, background: _F32, sure: _B, limits: tuple[float, float, float]) -> _F32:
    """Sample the colors of what passes over a background that is known, without edges and shadows, (C, 3)."""
    import cv2

    weak, strong, shade = limits
    found: list[_F32] = []
    for frame in frames_THWC:
        apart = frame - background
        moves = (np.linalg.norm(apart, axis=2) > strong) & sure & ~shaded(apart, background, weak, shade)
        core = np.asarray(cv2.erode(moves.astype(np.uint8), np.ones((3, 3), np.uint8))) > 0
        found.append(frame[core])
    return np.concatenate(found)


class _Palette:
    """How often colors occur: a histogram of RGB, in cubes of some levels around each color."""

    def __init__(self, colors_C3: _F32) -> None:
        from scipy.ndimage import uniform_filter

        counts, _ = np.histogramdd(colors_C3, bins=_BINS, range=[(0, 256)] * 3)
        near = uniform_filter(counts, 2 * _ALIKE + 1, mode="constant") * (2 * _ALIKE + 1) ** 3
        self._share = (near / max(len(colors_C3), 1)).astype(np.float32)

    def share(self, color_P3: _F32) -> _F32:
        """Tell what share of the palette is like each of some colors, (P,)."""
        at = np.clip(color_P3 * (_BINS / 256), 0, _BINS - 1).astype(int)
        return self._share[at[:, 0], at[:, 1], at[:, 2]]


def _odds(color_P3: _F32, around: _Palette, moving: _Palette) -> _F32:
    """Give the logarithm of how much more often colors are seen around than on what moves, (P,)."""
    return np.log((around.share(color_P3) + _RARE) / (moving.share(color_P3) + _RARE))


def _burnt_in(background: _F32, doubtful: _B, around: _Palette, moving_C3: _F32) -> _B:
    """Mark the pixels beside those in doubt that have always shown what moves: it never left them.

    What those in doubt enclose may have the color of what moves in another light, too.
    """
    import cv2

    solid = _solid(doubtful)
    rows, columns = np.nonzero(~doubtful & (solid | _grown(doubtful, _AROUND)))
    if not len(rows) or not len(moving_C3):
        return np.zeros(doubtful.shape, bool)
    color = background[rows, columns]
    ground = np.log(around.share(color) + _RARE)
    moves = np.log(_Palette(moving_C3).share(color) + _RARE)
    hued = np.log(_Palette(_hues(moving_C3)).share(_hues(color)) + _RARE)
    enclosed = solid[rows, columns]
    only = ground - np.where(enclosed, np.maximum(moves, hued), moves) < _MOVING
    like = np.zeros(doubtful.shape, np.uint8)
    like[rows[only], columns[only]] = 1
    like = np.asarray(cv2.morphologyEx(like, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.uint8)
    labels = np.asarray(cv2.connectedComponents(like, connectivity=8)[1], np.int64)
    sizes = np.bincount(labels.ravel())
    beside = _grown(doubtful, 2)
    touching = [k for k in range(1, len(sizes)) if (beside & (labels == k)).any()]
    return np.isin(labels, [k for k in touching if sizes[k] < _LARGEST * labels.size])


def _hues(color_P3: _F32) -> _F32:
    """Give colors a length of 255 levels."""
    return 255 * color_P3 / np.maximum(np.linalg.norm(color_P3, axis=1, keepdims=True), 1.0)


def _filled(background: _F32, unknown: _B) -> _F32:
    import cv2

    if not unknown.any() or unknown.all():
        return background
    plain = np.rint(background).clip(0, 255).astype(np.uint8)
    mask = _grown(unknown, 2).astype(np.uint8)
    filled = np.asarray(cv2.inpaint(plain, mask, _FILLED, cv2.INPAINT_TELEA), np.float32)
    return np.where(mask[:, :, None] > 0, filled, background)


def _solid(mask_HW: _B) -> _B:
    import cv2

    contours, _ = cv2.findContours(mask_HW.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask_HW.shape, np.uint8)
    cv2.drawContours(filled, list(contours), -1, 1, cv2.FILLED)
    return filled > 0


def _grown(mask_HW: _B, pixels: int) -> _B:
    import cv2

    square = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return np.asarray(cv2.dilate(mask_HW.astype(np.uint8), square)) > 0
