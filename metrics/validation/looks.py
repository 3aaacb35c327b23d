"""Looks: variants of the clips of trials, with another background, noise, compression or size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...generators.worlds.trials import TrialClip

__all__ = [
    "DEGRADED",
    "LOOKS",
    "PLAIN",
    "RECONSTRUCTED",
    "Reconstruct",
    "dress",
]

Frames = NDArray[np.uint8]
_F = NDArray[np.float64]
Reconstruct: TypeAlias = Callable[[Frames], Frames]
"""An autoencoder: a clip, uint8 RGB (T, H, W, 3), coded and decoded."""
PLAIN: Final = "plain"
"""The look of clips as their world draws them."""
RECONSTRUCTED: Final = "reconstructed"
"""The look of clips after the autoencoder."""
_CLEAR: Final = 75.0  # levels of RGB between any thing and a ground that is put behind it


def plain(clip: TrialClip, rng: np.random.Generator) -> Frames:
    """Draw the clip as the world does, on a dark background of one color."""
    del rng
    return clip.draw()


def ground(clip: TrialClip, rng: np.random.Generator) -> Frames:
    """Draw the clip on another background: another color, shaded, darker to the edges, or textured.

    Drawing the clip on black and on white gives the share of each pixel that objects cover.
    """
    black, white = (clip.draw((v, v, v)).astype(np.float64) for v in (0, 255))
    through = (white - black) / 255
    return np.rint(black + through * _ground(clip, rng)).clip(0, 255).astype(np.uint8)


def _ground(clip: TrialClip, rng: np.random.Generator) -> _F:
    """Draw a background (H, W, 3) of a color that no object of the clip has."""
    height, width = clip.clip.height, clip.clip.width
    x, y = np.linspace(-1, 1, width)[None, :, None], np.linspace(-1, 1, height)[:, None, None]
    kinds = ("color", "gradient", "vignette", "texture")
    kind = kinds[int(rng.integers(4 if clip.takes_texture else 3))]
    field = np.zeros((height, width, 1))
    if kind == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        field = rng.uniform(10, 30) * (np.cos(angle) * x + np.sin(angle) * y)
    elif kind == "vignette":
        field = -rng.uniform(10, 30) * (x * x + y * y - 0.7)
    elif kind == "texture":
        import cv2

        rough = rng.normal(0, 1, (height, width)).astype(np.float32)
        fine = np.asarray(cv2.GaussianBlur(rough, (0, 0), 1.0))
        field = (fine * (rng.uniform(3, 6) / fine.std()))[:, :, None]
    return (_shade(clip, rng, float(np.abs(field).max())) + field).clip(0, 255)


def _shade(clip: TrialClip, rng: np.random.Generator, reach: float) -> _F:
    """Draw a color (3,) from which every thing's stays clear, though the ground be shaded by ``reach``."""
    paints = np.array(clip.paints)
    best, clearest = np.zeros(3), -1.0
    for _ in range(200):
        shade = rng.uniform(28 + reach, 215) + rng.uniform(-18, 18, 3)
        away = min(float(np.linalg.norm(paints - (shade + k * reach), axis=1).min()) for k in (-1, 0, 1))
        if away > clearest:
            best, clearest = shade, away
        if away > _CLEAR:
            break
    return best


def noise(clip: TrialClip, rng: np.random.Generator) -> Frames:
    """Add Gaussian noise of 4 to 10 levels to every pixel."""
    frames = clip.draw()
    return np.rint(frames + rng.normal(0, rng.uniform(4, 10), frames.shape)).clip(0, 255).astype(np.uint8)


def crf28(clip: TrialClip, rng: np.random.Generator) -> Frames:
    """Encode the clip with H.264 at crf 28, with halved color resolution (yuv420p), and decode it."""
    del rng
    return coded(clip.draw(), clip.clip.fps, 28)


def coded(frames_THWC: Frames, fps: float, crf: int) -> Frames:
    """Code frames, uint8 RGB (T, H, W, 3) of even size, by libx264 at a constant rate factor, and decode."""
    from ...harness.core.codec import encode_mp4
    from ...harness.core.media import all_frames

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        rate = Fraction(fps).limit_denominator(1000)
        encode_mp4(path, list(frames_THWC), rate, "yuv420p", {"crf": str(crf)})
        return all_frames(path)


def resized(clip: TrialClip, rng: np.random.Generator) -> Frames:
    """Show the clip at 3/4, 3/2 or twice its size, by area or bilinear."""
    import cv2

    factor = (0.75, 1.5, 2.0)[int(rng.integers(3))]
    size = (round(clip.clip.width * factor), round(clip.clip.height * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.stack([np.asarray(cv2.resize(f, size, interpolation=how), np.uint8) for f in clip.draw()])


LOOKS: Final[dict[str, Callable[[TrialClip, np.random.Generator], Frames]]] = {
    "plain": plain,
    "ground": ground,
    "noise": noise,
    "crf28": crf28,
    "resized": resized,
}
"""Looks that need no weights."""
DEGRADED: Final = ("ground", "noise", "crf28", "resized")
"""Looks that do not affect laws, and are part of the calibration of thresholds."""


def dress(
    clip: TrialClip, look: str, rng: np.random.Generator, reconstruct: Reconstruct | None = None
) -> Frames:
    """Draw a clip, uint8 RGB (T, H, W, 3), in one of `LOOKS` or ``reconstructed``.

    Raises:
        ValueError: the look is ``reconstructed``, and no autoencoder was given that leaves it.
    """
    if look != RECONSTRUCTED:
        return LOOKS[look](clip, rng)
    if reconstruct is None:
        raise ValueError(f"the look {look!r} needs an autoencoder")
    return reconstruct(clip.draw())
