"""A spread-spectrum watermark in the luma of every frame, after Cox, Kilian, Leighton and Shamoon (1997).

Each bit is spread over many low frequencies of the blocks of a frame, with signs that a secret key draws,
and is the same in all frames. So it is the sum of many small changes that no single block shows. Reading
needs the key and not the original: each coefficient is a vote for its bit, cut so that an edge in the picture
counts no more than a few quiet blocks. Without a mark each bit is right with probability 1/2 over keys,
independently of the others, whatever the clip shows.

A frame is read on a grid of 64x64 and on one of 256x256, whatever its own size, so that a resized copy aligns
with it. Frames of 128 or more in both directions are marked on the fine grid, others on the coarse one. There
is no search for a shift, and so a cropped copy does not align.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .watermarks import WATERMARKS, Watermark

__all__ = ["BITS", "GRIDS", "coefficients", "embed", "read", "votes"]

BITS: Final = 32
GRIDS: Final = (64, 256)
"""Sides of the grids, in cells."""
_FINE: Final = 128
"""Shorter side of the frames that are marked on the finer grid, whose shortest wave has 4 pixels there."""
STRENGTH: Final = 8.0
"""Change of a coefficient of an orthonormal 8x8 cosine transform, in gray levels."""
_CUT: Final = 2 * STRENGTH
"""Largest vote of a coefficient."""
_BLOCK: Final = 8
_FREQUENCIES: Final = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
"""Vertical and horizontal frequencies of a block that are used: the lowest, but for its mean."""
_LUMA: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of BT.709."""
_Floats = NDArray[np.float64]


def embed(frames_THWC: NDArray[np.uint8], payload: NDArray[np.bool_], key: bytes) -> NDArray[np.uint8]:
    """Mark frames, uint8 RGB (T, H, W, 3), with a payload of `BITS` bits."""
    import cv2

    height, width = frames_THWC.shape[1:3]
    grid = GRIDS[1] if min(height, width) >= _FINE else GRIDS[0]
    owners, signs = _layout(key, grid)
    values = STRENGTH * signs * np.where(payload, 1.0, -1.0)[owners]
    side = grid // _BLOCK
    blocks = np.einsum("yxk,kij->yixj", values.reshape(side, side, -1), _basis())
    pattern = blocks.reshape(grid, grid)
    pattern_HW = np.asarray(cv2.resize(pattern, (width, height), interpolation=cv2.INTER_CUBIC))
    # The same change of R, G and B is a change of luma alone.
    return np.rint(frames_THWC + pattern_HW[None, :, :, None]).clip(0, 255).astype(np.uint8)


def read(frames_THWC: NDArray[np.uint8], key: bytes) -> _Floats:
    """Add up the votes of frames for each bit, positive for 1: (2, 32), a row for each grid."""
    return np.stack([votes(coefficients(frames_THWC, grid), key, grid) for grid in GRIDS])


def coefficients(frames_THWC: NDArray[np.uint8], grid: int) -> _Floats:
    """Add up the coefficients of frames on a grid, each cut at `_CUT`: (N,). They do not depend on a key."""
    import cv2

    side = grid // _BLOCK
    total = np.zeros(side * side * len(_FREQUENCIES))
    for frame_HWC in frames_THWC:
        gray_HW = frame_HWC @ _LUMA
        how = cv2.INTER_AREA if min(gray_HW.shape) >= grid else cv2.INTER_CUBIC
        cells = np.asarray(cv2.resize(gray_HW, (grid, grid), interpolation=how), np.float64)
        blocks = cells.reshape(side, _BLOCK, side, _BLOCK)
        total += np.einsum("yixj,kij->yxk", blocks, _basis()).reshape(-1).clip(-_CUT, _CUT)
    return total


def votes(total: _Floats, key: bytes, grid: int) -> _Floats:
    """Add up the coefficients that belong to each bit, with the signs of a key: (32,)."""
    owners, signs = _layout(key, grid)
    return np.asarray(np.bincount(owners, weights=signs * total, minlength=BITS), np.float64)


@lru_cache(maxsize=16)
def _layout(key: bytes, grid: int) -> tuple[NDArray[np.intp], _Floats]:
    """Draw the bit that each coefficient of a grid belongs to, and its sign, from the key."""
    seed = hashlib.sha256(b"screentest spread spectrum 1\0" + grid.to_bytes(4, "big") + key).digest()
    rng = np.random.default_rng(int.from_bytes(seed, "big"))
    count = (grid // _BLOCK) ** 2 * len(_FREQUENCIES)
    owners = rng.permutation(np.arange(count) % BITS)
    return owners, rng.choice(np.array([-1.0, 1.0]), count)


@lru_cache(maxsize=1)
def _basis() -> _Floats:
    """Compute the basis functions of the cosine transform (K, 8, 8), each of length 1."""
    at = (2 * np.arange(_BLOCK) + 1) * np.pi / (2 * _BLOCK)
    rows = np.stack([np.cos(k * at) * np.sqrt((1 if k == 0 else 2) / _BLOCK) for k in range(_BLOCK)])
    return np.stack([np.outer(rows[v], rows[u]) for v, u in _FREQUENCIES])


WATERMARKS.add(
    "spread",
    Watermark("32 bits spread over the low frequencies of all frames", 1, BITS, embed, read, len(GRIDS)),
)
