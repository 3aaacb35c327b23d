"""Background model: a smooth surface of color, and the mask of pixels that differ from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .shadows import without_shadows

__all__ = ["Background", "fit_background", "foreground"]

_F = NDArray[np.float32]
_SAMPLES = 3000
_ROUNDS = 6
_SETTLED = 0.01  # levels: a smaller change of the coefficients ends the fit
_BORDER = 0.8  # of the distance from the middle to the frame's edge: where the border begins
_EVEN = 1.5  # levels: a median residual below this means a good fit
_CLOSE = 12.0  # levels of RGB: pixels with a smaller residual agree with a surface
_SPREADS = 6.5
"""In standard deviations. Texture is mostly gray: channels vary together, so their norm has a long tail."""
_FAINTEST = 22.0
_GHOST = 0.15
"""Of the largest contrast of the block: less is a residue of codecs and autoencoders."""
_HALF = 0.4
"""Of the largest contrast nearby: below one half, so that gray beside white is still foreground."""


_ASIDE = 12.0  # levels of RGB by which the hue of a shadow may be off the ground's
_RINGING = 0.2
"""Of the contrast of an edge: how far autoencoders and codecs overshoot beside it."""
_RINGS = 5  # pixels from an edge to where it rings


@dataclass(frozen=True)
class Background:
    """The background of a clip.

    Attributes:
        color_HW3: RGB in 8-bit levels.
        spread: standard deviation of a channel around it, from noise and texture.
    """

    color_HW3: _F
    spread: float


def fit_background(frames_THWC: NDArray[np.uint8]) -> Background:
    """Fit a quadratic surface per channel to most of the pixels of a block of frames.

    Iteratively reweighted least squares: with Cauchy weights (Holland and Welsch 1977), starting from the
    median color, and if the residual is large, with squared weights (Geman and McClure 1987), starting from
    the surface through the frame's border. The surface that more pixels agree with is used, so that objects
    of up to about a third of the frame do not distort it.
    """
    frames, height, width, _ = frames_THWC.shape
    stride = max(1, round(np.sqrt(height * width * min(frames, 6) / _SAMPLES)))
    every = max(1, frames // 6)
    picked = frames_THWC[::every, stride // 2 :: stride, stride // 2 :: stride].astype(np.float64)
    x = _axis(width)[stride // 2 :: stride]
    y = _axis(height)[stride // 2 :: stride]
    basis = np.broadcast_to(_basis(x, y), (len(picked), len(y), len(x), 6)).reshape(-1, 6)
    color = picked.reshape(-1, 3)
    flat = np.zeros((6, 3))
    flat[0] = np.median(color, axis=0)
    surface = _settle(basis, color, flat)
    left = np.abs(color - basis @ surface)
    grain = _grain(frames_THWC[0])
    if float(np.median(left)) > max(_EVEN, grain):
        outer = np.maximum(np.abs(x)[None, :], np.abs(y)[:, None]) > _BORDER
        border = np.broadcast_to(outer, picked.shape[:3]).reshape(-1)
        around = _settle(basis, color, _settle(basis[border], color[border], flat), sharpness=2)
        near = max(_CLOSE, 4.0 * grain)
        left_around = np.abs(color - basis @ around)
        if _agreement(left_around, near) > 1.02 * _agreement(left, near):
            surface, left = around, left_around
    spread = 1.4826 * float(np.median(left))
    whole = (_basis(_axis(width), _axis(height)) @ surface).astype(np.float32)
    return Background(whole, max(spread, 0.5))


def _agreement(left_P3: NDArray[np.float64], near: float) -> float:
    """Count, with soft weights, the pixels within ``near`` levels of RGB of a surface."""
    return float((1.0 / (1.0 + np.square(left_P3).sum(axis=1) / near**2)).sum())


def _grain(frame_HWC: NDArray[np.uint8]) -> float:
    """Estimate the standard deviation of a channel's noise from neighbouring pixels."""
    if frame_HWC.shape[1] < 2:
        return 0.0
    steps = np.diff(frame_HWC.astype(np.int16), axis=1)
    return 1.4826 * float(np.median(np.abs(steps))) / 2**0.5


def _settle(
    basis_PK: NDArray[np.float64],
    color_P3: NDArray[np.float64],
    start_K3: NDArray[np.float64],
    *,
    sharpness: int = 1,
) -> NDArray[np.float64]:
    """Fit a surface from a first guess; distant pixels have little weight, less with more ``sharpness``."""
    surface = start_K3
    ridge = 1e-6 * len(basis_PK) * np.eye(6)
    for _ in range(_ROUNDS):
        off = color_P3 - basis_PK @ surface
        away = np.einsum("pc,pc->p", off, off)
        scale = max(float(np.median(away)), 3.0)
        weighted = basis_PK * ((1.0 + away / (4.0 * scale)) ** -sharpness)[:, None]
        before = surface
        surface = np.linalg.solve(weighted.T @ basis_PK + ridge, weighted.T @ color_P3)
        if np.abs(surface - before).max() < _SETTLED:
            break
    return surface


def _axis(length: int) -> NDArray[np.float64]:
    return np.linspace(-1.0 + 1.0 / length, 1.0 - 1.0 / length, length)


def _basis(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    basis = np.empty((len(y), len(x), 6))
    basis[:, :, 0], basis[:, :, 1], basis[:, :, 2] = 1.0, x[None, :], y[:, None]
    basis[:, :, 3], basis[:, :, 4], basis[:, :, 5] = x[None, :] ** 2, x[None, :] * y[:, None], y[:, None] ** 2
    return basis


def foreground(frames_THWC: NDArray[np.uint8], background: Background) -> tuple[NDArray[np.uint8], _F]:
    """Segment the foreground: a mask (T, H, W) of 0 and 1, and the frames (T, H, W, 3) minus the background.

    A pixel is foreground if its contrast exceeds the spread of the background and is near the largest
    contrast around it, so that the soft edge of one object does not bridge the gap to the next. A pixel a
    little darker than the background beside something bright, or brighter beside something dark, is ringing
    of an edge.
    """
    import cv2

    apart = frames_THWC.astype(np.float32) - background.color_HW3
    looked = apart
    if background.spread > 4.0:  # a noisy background is smoothed for detection, not for measurement
        looked = np.stack([np.asarray(cv2.GaussianBlur(frame, (3, 3), 0.8)) for frame in apart])
    contrast = np.sqrt(np.einsum("thwc,thwc->thw", looked, looked))
    faintest = max(_FAINTEST, _SPREADS * background.spread, _GHOST * float(contrast.max(initial=0)))
    least = np.maximum(_HALF * _largest_near(contrast, 2), faintest)
    brighter = np.einsum("thwc->thw", looked) > 0
    light = np.where(brighter, contrast, 0.0)
    for strong, here in ((light, ~brighter), (contrast - light, brighter)):
        if strong.max(initial=0) * _RINGING > faintest:
            ringing = _RINGING * _largest_near(strong, _RINGS)
            least = np.where(here, np.maximum(least, ringing), least)
    mask = (contrast > least).astype(np.uint8)
    return without_shadows(mask, looked, background.color_HW3, max(_ASIDE, 4.0 * background.spread)), apart


def _largest_near(contrast_THW: _F, reach: int) -> _F:
    """Compute the largest of the (positive) values within ``reach`` pixels along either axis."""
    import cv2

    frames, height, width = contrast_THW.shape
    # All frames as one picture, with so many empty rows between them that none reaches into the next.
    rows = np.zeros((frames, height + reach, width), np.float32)
    rows[:, :height] = contrast_THW
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    near = np.asarray(cv2.dilate(rows.reshape(-1, width), square), np.float32)
    return near.reshape(rows.shape)[:, :height]
