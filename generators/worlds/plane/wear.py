"""Clips of the world as they look after an autoencoder and a sampler: softened, smeared and spoiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["worn"]

Frames = NDArray[np.uint8]


def worn(frames: Frames, rng: np.random.Generator) -> Frames:
    """Soften, smear and spoil a clip as an autoencoder and a sampler do.

    Edges blurred by 0.8 pixels, color at half the size, a quarter of each neighbouring frame mixed in, a wash
    of 5 levels over blocks of 8 x 8 pixels and 4 frames, and noise of 6 levels.
    """
    import cv2

    soft = np.stack([cv2.GaussianBlur(f, (0, 0), 0.8) for f in frames.astype(np.float64)])
    _, height, width, _ = soft.shape
    luma = (soft @ np.array([0.299, 0.587, 0.114]))[..., None]
    chroma = [cv2.resize(c, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for c in soft - luma]
    soft = luma + np.stack([cv2.resize(c, (width, height)) for c in chroma])
    mixed = soft.copy()
    mixed[1:] += 0.25 * (soft[:-1] - soft[1:])
    mixed[:-1] += 0.25 * (soft[1:] - soft[:-1])
    wash = rng.normal(0, 5, (len(soft) // 4 + 1, height // 8, width // 8, 3))
    wash = np.stack([cv2.resize(w, (width, height), interpolation=cv2.INTER_CUBIC) for w in wash])
    mixed += np.repeat(wash, 4, axis=0)[: len(soft)] + rng.normal(0, 6, mixed.shape)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
