"""Scenes of the reference world for trials of instruction following."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ....harness.core.keys import Json, seeded_rng
from .families import FAMILIES, sample_scene
from .scene import NATIVE_CLIP, Scene
from .trial_scenes import SceneClip

__all__ = ["SKILL_FAMILIES", "skill_clip"]

_TWO: Final = ("relation", "order", "collision")
SKILL_FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "shown": tuple(FAMILIES),
    "count": ("count",),
    "attributes": (*_TWO, "uniform", "still", "count"),
    "relation": ("relation",),
    "motion": ("uniform", "fall", "projectile"),
    "speed": ("uniform",),
    "camera": ("camera",),
    "order": ("order",),
    "stillness": ("still", "uniform", "still", "fall"),
    "bite": ("biscuit",),
    "nothing_uninvited": tuple(FAMILIES),
    "all": tuple(FAMILIES),
}
"""Skill -> families of its trial scenes.

Half of the scenes of ``stillness`` move, so that they do not follow a prompt that asks for stillness.
"""
_TRIES: Final = 200
_NEVER: Final = 1e9  # seconds: after the end of every clip


def skill_clip(skill: str, family: str, name: tuple[Json, ...], index: int) -> SceneClip:
    """Draw a scene of a family whose words ask for a skill, or can be turned into words that do.

    Every other biscuit that is asked to be bitten is whole to the end, or bitten from the first frame on.
    """
    for attempt in range(_TRIES):
        rng = seeded_rng("skill trial", *name, index, attempt)
        scene = sample_scene(rng, NATIVE_CLIP, family=family)
        if skill == "bite" and index % 2:
            scene = replace(scene, things=(replace(scene.subject, bite=(_NEVER, 0.0)[index // 2 % 2]),))
        if _asks(skill, scene):
            return SceneClip.of(scene, NATIVE_CLIP)
    raise AssertionError(f"no scene of the family {family!r} is one to try {skill!r} on")


def _asks(skill: str, scene: Scene) -> bool:
    if skill == "speed":
        return "speed" in scene.facts
    if skill == "attributes" and scene.family in _TWO:  # two balls whose colors are swapped are the same two
        return scene.things[0].shape != scene.things[1].shape
    return True
