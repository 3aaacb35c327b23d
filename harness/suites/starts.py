"""The files that clips of suites start from: scenes of the reference world, and puzzles of the stage.

The suites ``modes`` and ``edits`` start from the former, and ``goals`` from the latter.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from ...generators.worlds.registry import World, find_world
from ..core.errors import UsageError
from ..core.items import ClipSettings, Item
from ..core.keys import seeded_rng
from ..core.media import write_clip

__all__ = [
    "GOALS",
    "GOAL_CLIP",
    "PAIRS",
    "STARTS",
    "check_starts",
    "goal_scene",
    "write_goal_starts",
    "write_starts",
]

STARTS: Final = {
    "red-ball-left": ("uniform", {"shape": "ball", "color": "red", "motion": "left"}),
    "blue-square-right": ("uniform", {"shape": "square", "color": "blue", "motion": "right"}),
    "green-triangle-rise": ("uniform", {"shape": "triangle", "color": "green", "motion": "rise"}),
    "white-square-stay": ("still", {"shape": "square", "color": "white"}),
}
"""Name of a file -> the family of its scene, and what is fixed of it."""
PAIRS: Final = {
    "red-ball-left-of-blue-square": "a red ball left of a blue square",
    "green-square-above-white-triangle": "a green square above a white triangle",
    "yellow-triangle-right-of-purple-ball": "a yellow triangle right of a purple ball",
    "white-ball-below-red-square": "a white ball below a red square",
}
"""Name of a file -> the caption of its scene of two things."""
GOALS: Final = {
    f"{family}-{number}": family for family in ("maze", "clock", "tower") for number in range(1, 5)
}
"""Name of a picture of the suite ``goals`` -> the family of its puzzle."""
GOAL_CLIP: Final = ClipSettings(frames=49, height=480, width=832, fps=16.0)
"""Of the suite ``goals``: what many models that start from an image make."""
_MOST_DRAWN: Final = 20_000


def write_starts(folder: Path) -> list[Path]:
    """Render every start as a video, NAME.mp4, and its first frame, NAME.png; the same files every time.

    Raises:
        UsageError: the folder cannot be written.
    """
    from PIL import Image

    world, clip = find_world("reference"), ClipSettings()
    scenes = {
        name: world.sample(seeded_rng("starts", name), clip, family, asked)
        for name, (family, asked) in STARTS.items()
    }
    scenes |= {name: _captioned(world, clip, name, caption) for name, caption in PAIRS.items()}
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, scene in scenes.items():
            frames_THWC, _ = world.render(scene, clip, world.caption(scene))
            write_clip(folder / f"{name}.mp4", frames_THWC, clip.fps)
            Image.fromarray(frames_THWC[0]).save(folder / f"{name}.png")
            written += [folder / f"{name}.mp4", folder / f"{name}.png"]
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from None
    return written


def goal_scene(name: str) -> tuple[Any, str, dict[str, Any]]:
    """Draw the scene of a puzzle of the suite ``goals``, with the words for it and its ``expect``."""
    world = find_world("stage")
    asked = {"noise": "0", "blur": "1", "crf": "none"}
    scene = world.sample(seeded_rng("goal starts", name), GOAL_CLIP, GOALS[name], asked)
    return scene, world.caption(scene), dict(world.scene_clip(scene, GOAL_CLIP).expect)


def write_goal_starts(folder: Path) -> list[Path]:
    """Render the first frame of every puzzle of the suite ``goals``, NAME.png.

    Raises:
        UsageError: the folder cannot be written, MuJoCo is not installed, or nothing can be drawn here.
    """
    from PIL import Image

    from ...generators.worlds.stage.draw import draw_picture

    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in GOALS:
            scene, _, _ = goal_scene(name)
            path = folder / f"{name}.png"
            Image.fromarray(draw_picture(scene, GOAL_CLIP)).save(path)
            written.append(path)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from None
    return written


def check_starts(items: Iterable[Item]) -> None:
    """Refuse items that start from a file of this module that is not there yet; name the command.

    Raises:
        UsageError: such a file is missing.
    """
    paths = {Path(path) for item in items for path in (item.image, item.video, item.video_to) if path}
    known = {*STARTS, *PAIRS, *GOALS}
    missing = sorted(path for path in paths if path.stem in known and not path.exists())
    if missing:
        folder = missing[0].parent
        where = " goals" if missing[0].stem in GOALS else ""
        where += "" if folder == Path("starts") else f" --out {folder}"
        raise UsageError(
            f"clips start from {missing[0]}, which is missing; 'screentest suite starts{where}' renders it, "
            "in the folder that the suite is run from"
        )


def _captioned(world: World, clip: ClipSettings, name: str, caption: str) -> Any:
    """Draw scenes of two things until one has the caption: the second thing cannot be chosen."""
    words = caption.split()
    asked = {"color": words[1], "shape": words[2], "relation": words[3]}
    rng = seeded_rng("starts", name)
    for _ in range(_MOST_DRAWN):
        scene = world.sample(rng, clip, "relation", asked)
        if world.caption(scene) == caption:
            return scene
    raise AssertionError(f"no scene of {caption!r} was drawn")
