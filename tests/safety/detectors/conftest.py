"""Small clips of two classes: a block that moves over a still ground, and the same with flicker all over."""

from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.keys import seeded_rng
from screentest.harness.core.media import write_clip


def moving_block(name: str, frames: int = 16, edge: int = 64, step: int = 2) -> np.ndarray:
    """Draw a block that moves over a ground with a texture that stands still."""
    rng = seeded_rng("detector tests", name)
    ground = rng.integers(60, 180, (edge // 4, edge // 4, 3), dtype=np.uint8)
    clip = np.repeat(np.repeat(ground, 4, axis=0), 4, axis=1)[None].repeat(frames, axis=0)
    top, left = int(rng.integers(0, edge - 16)), int(rng.integers(0, 8))
    for t, frame in enumerate(clip):
        x = (left + step * t) % (edge - 16)
        frame[top : top + 16, x : x + 16] = (220, 50, 40)
    return clip


def flicker(clip: np.ndarray, spread: float, name: str) -> np.ndarray:
    """Change every pixel of every frame a little, as a decoder of latents does."""
    noise = seeded_rng("detector tests", name).normal(0, spread, clip.shape)
    return np.clip(np.rint(clip + noise), 0, 255).astype(np.uint8)


def write_classes(
    folder: Path, real: int = 32, generated: int = 8, names: tuple[str, ...] = ("a", "b")
) -> Path:
    """Write ``real`` and ``generated/<name>``, which differ in flicker alone."""
    for k in range(real):
        path = folder / "real" / f"scene-{k}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, moving_block(f"scene {k}"), 8)
    for place, name in enumerate(names):
        for k in range(generated):
            path = folder / "generated" / name / f"scene-{k}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_clip(path, flicker(moving_block(f"scene {k}"), 6.0 + 3 * place, f"{name} {k}"), 8)
    return folder


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("classes"))


@pytest.fixture(scope="session")
def feature_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("detector-cache")
