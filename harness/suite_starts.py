"""The files that clips of the suite ``modes`` start from, rendered from the reference world."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..generators.worlds.registry import find_world
from .core.errors import UsageError
from .core.items import ClipSettings
from .core.keys import seeded_rng
from .core.media import write_clip

__all__ = ["STARTS", "write_starts"]

STARTS: Final = {
    "red-ball-left": ("uniform", {"shape": "ball", "color": "red", "motion": "left"}),
    "blue-square-right": ("uniform", {"shape": "square", "color": "blue", "motion": "right"}),
    "green-triangle-rise": ("uniform", {"shape": "triangle", "color": "green", "motion": "rise"}),
    "white-square-stay": ("still", {"shape": "square", "color": "white"}),
}
"""Name of a file -> the family of its scene, and what is fixed of it."""


def write_starts(folder: Path) -> list[Path]:
    """Render every start as a video, NAME.mp4, and its first frame, NAME.png; the same files every time.

    Raises:
        UsageError: the folder cannot be written.
    """
    from PIL import Image

    world, clip = find_world("reference"), ClipSettings()
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (family, asked) in STARTS.items():
            scene = world.sample(seeded_rng("starts", name), clip, family, asked)
            frames_THWC, _ = world.render(scene, clip, world.caption(scene))
            write_clip(folder / f"{name}.mp4", frames_THWC, clip.fps)
            Image.fromarray(frames_THWC[0]).save(folder / f"{name}.png")
            written += [folder / f"{name}.mp4", folder / f"{name}.png"]
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from None
    return written
