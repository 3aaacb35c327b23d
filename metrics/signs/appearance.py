"""A thing that is there from one frame to the next, in mid-picture, where nothing hides it."""

from __future__ import annotations

from typing import Final

import numpy as np

from .findings import Sign
from .movers import Blob, Movers

__all__ = ["appearance"]

_REACH: Final = 2.5  # sizes of a thing: how far it may be from where it was a frame ago
_TINT: Final = 60.0  # levels of RGB between two views of one thing
_AREA: Final = 2.5  # ratio of the areas of two views of one thing
_STAYS: Final = 2  # frames in which a thing is there afterwards, and is not there before
_WHOLE: Final = 0.75  # of its usual area: a thing that shows less is coming out from behind something
_STEP: Final = 0.6  # of its length: a thing that goes farther in a frame may have come out whole
_MARGIN: Final = 3.0  # pixels at the frame's edge
_USUAL: Final = 5  # frames that tell the usual area


def appearance(movers: Movers) -> Sign | None:
    """Find the thing that appears, or goes, the least explained; None where none does.

    A thing appears where it stands out whole in one frame and for two more, far from the frame's edge, and in
    the two before nothing stood out there or like it near there. A thing that comes out from behind another
    shows a part first, unless it goes about as far in one frame as it is long. The strength is 1 where
    nothing in the frame before, at any place near, is more like it than what is behind it, and 0 where
    something is exactly like it.
    """
    found = [*_appear(movers, "appears"), *_appear(movers.backwards(), "goes")]
    return max(found, key=lambda sign: sign.strength, default=None)


def _appear(movers: Movers, kind: str) -> list[Sign]:
    signs: list[Sign] = []
    blobs = movers.blobs
    for k in range(1, len(blobs) - _STAYS):
        before = [blob for here in blobs[max(k - _STAYS, 0) : k] for blob in here]
        for blob in blobs[k]:
            if any(touches(blob, other) or _near(blob, other) for other in before):
                continue
            later = _followed(blob, blobs[k + 1 : k + 1 + _USUAL])
            if len(later) < _STAYS or _explained(movers, blob, later):
                continue
            strength = _unlike(movers, blob, k)
            signs.append(Sign(strength, blob.frame, blob.box, kind))
    return signs


def touches(one: Blob, two: Blob, reach: int = 3) -> bool:
    """Say whether two outlines lie upon each other, or within a few pixels."""
    import cv2

    a, b = one.box, two.box
    if max(a[0], b[0]) - min(a[2], b[2]) > reach or max(a[1], b[1]) - min(a[3], b[3]) > reach:
        return False
    near = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return bool((np.asarray(cv2.dilate(one.mask_HW.astype(np.uint8), near)).astype(bool) & two.mask_HW).any())


def _near(one: Blob, two: Blob) -> bool:
    """Say whether two outlines may be of one thing that has moved."""
    apart = float(np.hypot(*(one.place - two.place)))
    if apart > _REACH * max(one.size, two.size):
        return False
    ratio = max(one.area, two.area) / min(one.area, two.area)
    return ratio < _AREA and float(np.linalg.norm(one.color - two.color)) < _TINT


def _followed(blob: Blob, later: list[list[Blob]]) -> list[Blob]:
    """Follow an outline through the next frames, as long as something is near that is like it."""
    way: list[Blob] = []
    last = blob
    for here in later:
        like = [other for other in here if _near(last, other)]
        if not like:
            break
        last = min(like, key=lambda other: float(np.hypot(*(other.place - last.place))))
        way.append(last)
    return way


def _explained(movers: Movers, blob: Blob, later: list[Blob]) -> bool:
    """Say whether a thing may have come in at the edge, or out from behind something."""
    height, width = movers.size
    way = later[1].place - blob.place
    step = float(np.hypot(*way)) / 2
    if blob.edge(height, width) < _MARGIN + step:
        return True
    if blob.area < _WHOLE * float(np.median([other.area for other in later])):
        return True
    left, top, right, bottom = blob.box
    length = (abs(way[0]) * (right - left) + abs(way[1]) * (bottom - top)) / max(
        float(np.abs(way).sum()), 1e-6
    )
    return step > _STEP * length


def _unlike(movers: Movers, blob: Blob, k: int) -> float:
    """Compare a thing with all that is near its place in the frame before: 1 if nothing is like it."""
    import cv2

    left, top, right, bottom = blob.box
    own = movers.frames_THWC[k][top:bottom, left:right].astype(np.float32)
    mask = blob.mask_HW[top:bottom, left:right].astype(np.float32)
    reach = int(np.ceil(_REACH * blob.size / 2))
    height, width = movers.size
    y, x = max(top - reach, 0), max(left - reach, 0)
    around = movers.frames_THWC[k - 1][y : min(bottom + reach, height), x : min(right + reach, width)]
    off = cv2.matchTemplate(
        around.astype(np.float32), own, cv2.TM_SQDIFF, mask=np.repeat(mask[:, :, None], 3, axis=2)
    )
    behind = movers.behind[k][top:bottom, left:right]
    plain = float((np.square(own - behind).sum(axis=2) * mask).sum())
    noise = 3 * 2 * movers.spread**2 * float(mask.sum())
    return float(np.clip((float(off.min()) - noise) / max(plain, 1.0), 0.0, 1.0))
