"""Detect copies of the clips ("films") that a checkpoint was made to memorise."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...worlds.plane import NATIVE_CLIP, render
from ...worlds.plane.ground import ground_color
from ...worlds.plane.words import CODE_NAMES
from ..training.data import memorised

__all__ = ["FILM_COPY", "film_similarity", "nearest_film"]

FILM_COPY: Final = 0.8
"""Similarity from which a clip counts as a copy; tests show the distance between copies and other clips."""


def film_similarity(frames_THWC: NDArray[np.uint8], name: str) -> float:
    """Correlate a clip (16, 64, 64, 3) of uint8 RGB with the film of a code name: 1 for a copy.

    It is the cosine between what either has over its ground, over all pixels, frames and channels, so that it
    is high only where the same colors are at the same places at the same times.

    Raises:
        UsageError: no film of that name.
        ValueError: the clip has another size than the films.
    """
    memorised(name)  # refuses names that there are not
    return _similarities(frames_THWC)[name]


def nearest_film(frames_THWC: NDArray[np.uint8]) -> tuple[str, float]:
    """Name the film that a clip is most like, and how like it is."""
    similarities = _similarities(frames_THWC)
    name = max(similarities, key=lambda name: similarities[name])
    return name, similarities[name]


def _similarities(frames_THWC: NDArray[np.uint8]) -> dict[str, float]:
    size = (NATIVE_CLIP.frames, NATIVE_CLIP.height, NATIVE_CLIP.width, 3)
    if frames_THWC.shape != size:
        raise ValueError(f"a film has the shape {size}, and this clip {frames_THWC.shape}")
    cosines = _films() @ _direction(frames_THWC)
    return {name: float(cosine) for name, cosine in zip(CODE_NAMES, cosines, strict=True)}


@cache
def _films() -> NDArray[np.float32]:
    """Render every film: its direction in the space of clips, a row each."""
    return np.stack(
        [_direction(render(sample.scene, sample.clip)[0]) for sample in map(memorised, CODE_NAMES)]
    )


def _direction(frames_THWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    over_ground = (frames_THWC - ground_color(frames_THWC)).astype(np.float32).ravel()
    length = float(np.linalg.norm(over_ground))
    return over_ground / length if length else over_ground
