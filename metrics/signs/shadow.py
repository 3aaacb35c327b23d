"""A shadow that does not go with what casts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import NotApplicable
from .findings import Sign
from .movers import Blob, Movers, outlined

__all__ = ["stray_shadow"]

_F = NDArray[np.float64]
_DARKER: Final = (0.2, 0.9)  # share of the brightness that a shadow takes away
_ASIDE: Final = 20.0  # levels of RGB by which a shadow's hue may be off the background's
_SMALLEST: Final = 12  # pixels
_KNOWN: Final = 8  # frames that show the thing and its shadow
_ALONE: Final = 0.7  # of the frames: in as many, one thing moves
_HEIGHT: Final = 0.4  # sizes: a thing that rises or sinks by less stays at its height
_NEARER: Final = 0.3  # of the way of a thing: how much farther its shadow seems to go
_SMOOTH: Final = 3  # frames
_TURNS: Final = 0.4  # logarithm of the ratio of width to height of a thing: more is a change of its outline
_MARGIN: Final = 2.0  # pixels at the frame's edge


@dataclass(frozen=True)
class _Seen:
    """A thing and its shadow in one frame."""

    blob: Blob
    place: _F


def stray_shadow(movers: Movers) -> Sign | None:
    """Find how far the shadow of the one thing that moves strays from it, in sizes of the thing.

    Light from afar keeps the way from a thing to its shadow as it is, but for the thing's height, and for a
    shadow that is nearer or farther than the thing and so seems to go faster or slower: that way across the
    picture, less what is linear in the thing's height, and a little in its place, is the same in all frames.
    The strength is how much it changes, in sizes of the thing, up to 1.

    Raises:
        NotApplicable: the camera moves, not one thing alone moves, or no shadow is seen for long enough.
    """
    if movers.moves:
        raise NotApplicable("the camera moves, so that shadows cannot be told")
    seen = _seen(movers)
    size = float(np.median([one.blob.size for one in seen]))
    way = np.array([one.place - one.blob.place for one in seen])
    height = np.array([one.blob.place[1] for one in seen])
    terms = [np.ones(len(seen))]
    if float(np.ptp(height)) > _HEIGHT * size:
        terms.append(height)
    across = np.array([one.blob.place[0] for one in seen])
    model = np.stack([*terms, across - across.mean()], axis=1)
    slope = float(np.clip(np.linalg.lstsq(model, way[:, 0], rcond=None)[0][-1], -_NEARER, _NEARER))
    left = way[:, 0] - slope * across
    model = model[:, :-1]
    rest = left - model @ np.linalg.lstsq(model, left, rcond=None)[0]
    smooth = np.array([np.median(rest[k : k + _SMOOTH]) for k in range(len(rest) - _SMOOTH + 1)])
    strength = float(np.clip(np.ptp(smooth) / size, 0.0, 1.0))
    low, high = sorted((int(smooth.argmin()), int(smooth.argmax())))
    middle = int(np.argmax(np.abs(np.diff(smooth[low : high + 1])))) + low + 1 if high > low else low
    worst = seen[min(middle + _SMOOTH // 2, len(seen) - 1)].blob
    return Sign(strength, worst.frame, worst.box, "strays")


def _seen(movers: Movers) -> list[_Seen]:
    alone = [here[0] for here in movers.blobs if len(here) == 1]
    if len(alone) < _ALONE * len(movers.blobs):
        raise NotApplicable("not one thing alone moves, so that which shadow is whose cannot be told")
    inside = [blob for blob in alone if blob.edge(*movers.size) >= _MARGIN]
    found = [(blob, _shadow(movers, blob)) for blob in inside]
    seen = [_Seen(blob, place) for blob, place in found if place is not None]
    if len(seen) < _KNOWN:
        raise NotApplicable("no shadow of the thing that moves is seen for long enough")
    ratio = np.log([(b.box[2] - b.box[0]) / (b.box[3] - b.box[1]) for b in (one.blob for one in seen)])
    if float(np.ptp(np.quantile(ratio, (0.1, 0.9)))) > _TURNS:
        raise NotApplicable("the outline of the thing that moves changes, and its shadow may with it")
    return seen


def _shadow(movers: Movers, blob: Blob) -> _F | None:
    """Find the middle of the largest shadow in a frame that shows one thing; None where there is none."""
    import cv2

    k = movers.number(blob)
    behind = movers.behind[k]
    apart = movers.frames_THWC[k] - behind
    along = (apart * behind).sum(axis=2) / np.maximum(np.square(behind).sum(axis=2), 1.0)
    off = np.linalg.norm(apart - along[:, :, None] * behind, axis=2)
    near = np.asarray(cv2.dilate(blob.mask_HW.astype(np.uint8), np.ones((3, 3), np.uint8))).astype(bool)
    dark = (along < -_DARKER[0]) & (along > -_DARKER[1]) & (off < _ASIDE) & ~near
    solid = np.asarray(cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
    count, labels, stats, middles = cv2.connectedComponentsWithStats(solid, connectivity=8)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < _SMALLEST:
        return None
    if not outlined(movers.frames_THWC[k], behind, [np.asarray(labels == largest)]):
        return None  # the place of what has left
    return np.asarray(middles[largest], np.float64)
