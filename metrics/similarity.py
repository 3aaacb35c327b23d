"""How alike two clips of one size are, frame by frame: equal frames, PSNR and MS-SSIM."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

__all__ = ["Similarity", "frame_hashes", "ms_ssim_of_frames", "scales_of", "similarity", "ssim_of_frames"]

_BETAS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the five scales: Wang, Simoncelli and Bovik (2003), table 1."""
_KERNEL: Final = 11
_FRAMES: Final = 8
"""Frames that are compared at once, which bounds the memory."""


@dataclass(frozen=True)
class Similarity:
    """The likeness of two clips.

    Attributes:
        frames: number of frames, and how many of them are ``equal`` to the last bit.
        psnr: peak signal-to-noise ratio in dB over all frames; None where the clips are equal.
        ms_ssim: mean over the frames, up to 1; None where a side is too short for a scale.
        scales: number of scales of MS-SSIM; fewer than 5 for sides up to 160 pixels, and the weights of the
            scales that there are then add up to 1.
    """

    frames: int
    equal: int
    psnr: float | None
    ms_ssim: float | None
    scales: int


def frame_hashes(frames_THWC: NDArray[np.uint8]) -> list[str]:
    """Hash the pixels of each frame: 64 hex digits a frame."""
    return [hashlib.sha256(np.ascontiguousarray(frame).tobytes()).hexdigest() for frame in frames_THWC]


def similarity(a_THWC: NDArray[np.uint8], b_THWC: NDArray[np.uint8]) -> Similarity:
    """Compare two uint8 RGB clips of the same shape (T, H, W, 3).

    Raises:
        ValueError: their shapes differ.

    Example:
        >>> black = np.zeros((2, 32, 32, 3), np.uint8)
        >>> similarity(black, black)
        Similarity(frames=2, equal=2, psnr=None, ms_ssim=1.0, scales=2)
    """
    if a_THWC.shape != b_THWC.shape:
        raise ValueError(f"clips of shapes {a_THWC.shape} and {b_THWC.shape} cannot be compared")
    pairs = zip(frame_hashes(a_THWC), frame_hashes(b_THWC), strict=True)
    equal = sum(one == other for one, other in pairs)
    frames, scales = len(a_THWC), scales_of(min(a_THWC.shape[1:3]))
    if equal == frames:
        return Similarity(frames, equal, None, 1.0 if scales else None, scales)
    return Similarity(frames, equal, _psnr(a_THWC, b_THWC), _ms_ssim(a_THWC, b_THWC, scales), scales)


def scales_of(side: int) -> int:
    """Count the scales whose kernel fits into a side, as the library demands it."""
    return sum((side - 1) // (1 << scale) >= _KERNEL - 1 for scale in range(len(_BETAS)))


def _psnr(a_THWC: NDArray[np.uint8], b_THWC: NDArray[np.uint8]) -> float:
    squares = 0.0
    for start in range(0, len(a_THWC), _FRAMES):
        block = slice(start, start + _FRAMES)
        squares += float(np.square(a_THWC[block].astype(np.float64) - b_THWC[block]).sum())
    return float(10.0 * np.log10(255.0**2 * a_THWC.size / squares))


def _ms_ssim(a_THWC: NDArray[np.uint8], b_THWC: NDArray[np.uint8], scales: int) -> float | None:
    if not scales:
        return None
    found: list[float] = []
    for start in range(0, len(a_THWC), _FRAMES):
        part = slice(start, start + _FRAMES)
        found += ms_ssim_of_frames(a_THWC[part], b_THWC[part], scales)
    return float(np.mean(found))


def ms_ssim_of_frames(a_THWC: NDArray[np.uint8], b_THWC: NDArray[np.uint8], scales: int) -> list[float]:
    """Return the MS-SSIM of each of a few frames at ``scales`` scales, 1 or more."""
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as measure

    whole = sum(_BETAS[:scales]) if scales < len(_BETAS) else 1.0  # all five are used as they were published
    betas = tuple(beta / whole for beta in _BETAS[:scales])
    a, b = (_floats(clip) for clip in (a_THWC, b_THWC))
    values = measure(
        a, b, data_range=1.0, betas=betas, kernel_size=_KERNEL, normalize="relu", reduction="none"
    )
    return _listed(values)


def ssim_of_frames(a_THWC: NDArray[np.uint8], b_THWC: NDArray[np.uint8]) -> list[float]:
    """Return the SSIM of each of a few frames (Wang et al. 2004), over a Gaussian of 11 pixels, sigma 1.5."""
    from torchmetrics.functional.image import structural_similarity_index_measure as measure

    return _listed(measure(_floats(a_THWC), _floats(b_THWC), data_range=1.0, reduction="none"))


def _floats(frames_THWC: NDArray[np.uint8]) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(frames_THWC)).permute(0, 3, 1, 2).float() / 255.0


def _listed(values: object) -> list[float]:
    import torch

    assert isinstance(values, torch.Tensor)
    return [float(value) for value in values.reshape(-1)]
