"""Soft shadows: what is a little darker than the background, of its own hue, and fades out at its edge."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .medians import channel_sum

__all__ = ["shaded", "without_shadows"]

_F = NDArray[np.float32]
_B = NDArray[np.bool_]
_DARKEST: Final = 0.65  # of the background's brightness: what a soft shadow takes away at most
_SMALLEST: Final = 6  # pixels of a patch whose edge can be looked at
_FADES: Final = 0.1  # of a shadow's darkening: what is left of it two pixels outside its edge at least


def shaded(apart_HW3: _F, background_HW3: _F, aside: float, darkest: float) -> _B:
    """Mark where the background lies in a shadow: of its own hue, and darker by at most a share.

    By brightness and distortion of color as in Horprasert et al. 1999 ("A statistical approach for real-time
    robust background subtraction and shadow detection").

    Args:
        apart_HW3: the frame less its background, in 8-bit levels.
        background_HW3: the background.
        aside: levels of RGB by which a shadow's hue may be off the background's.
        darkest: share of the background's brightness that a shadow takes away at most.
    """
    along = channel_sum(apart_HW3 * background_HW3) / np.maximum(channel_sum(np.square(background_HW3)), 1.0)
    off = np.sqrt(channel_sum(np.square(apart_HW3 - along[..., None] * background_HW3)))
    return (along > -darkest) & (along < 0) & (off < aside)


def without_shadows(
    mask_THW: NDArray[np.uint8], apart_THW3: _F, background_HW3: _F, aside: float
) -> NDArray[np.uint8]:
    """Take soft shadows out of the masks of what stands out, (T, H, W) of 0 and 1.

    A patch that is shaded is a shadow where the background around it is darkened too: two pixels outside the
    edge of a thing there is nothing of it, of a soft shadow a part.
    """
    import cv2

    cleaned = mask_THW.copy()
    near, far = np.ones((3, 3), np.uint8), np.ones((5, 5), np.uint8)
    hue_HW3 = background_HW3 / np.maximum(np.linalg.norm(background_HW3, axis=2, keepdims=True), 1.0)
    for t, mask in enumerate(mask_THW):
        candidates = (shaded(apart_THW3[t], background_HW3, aside, _DARKEST) & (mask > 0)).astype(np.uint8)
        if candidates.sum() < _SMALLEST:
            continue
        darker = -np.einsum("hwc,hwc->hw", apart_THW3[t], hue_HW3)
        rest = (mask > 0) & (candidates == 0)
        clear = (np.asarray(cv2.dilate(rest.astype(np.uint8), far)) == 0) & (mask == 0)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8)
        for number in range(1, count):
            if stats[number, cv2.CC_STAT_AREA] < _SMALLEST:
                continue
            patch = (labels == number).astype(np.uint8)
            ring = (np.asarray(cv2.dilate(patch, far)) > 0) & (np.asarray(cv2.dilate(patch, near)) == 0)
            around = ring & clear
            if around.any() and float(darker[around].mean()) > _FADES * float(darker[patch > 0].mean()):
                cleaned[t][patch > 0] = 0
        if (cleaned[t] != mask).any():  # what is left of it beside a thing is thinner than any thing
            opened = np.asarray(cv2.morphologyEx(cleaned[t], cv2.MORPH_OPEN, near), np.uint8)
            cleaned[t] = np.where(np.asarray(cv2.dilate(candidates, near)) > 0, opened, cleaned[t])
    return cleaned
