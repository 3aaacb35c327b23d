"""Scenes in and out of the reference generator's training distribution, to measure velocity errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from .families import sample_scene
from .scene import NATIVE_CLIP, Scene, Thing, frame_size
from .trial_scenes import resized_things, stays_inside
from .truth import Truth
from .words import caption

__all__ = ["EXTRAPOLATION_SETS", "extrapolation_scene", "known_paths"]

_Rng = np.random.Generator
_SPEEDS: Final = {"slow": (0.05, 0.09), "fast": (0.45, 0.55)}
"""Sides a second that are in no training clip: there they are from 0.13 to 0.35."""
_FACTORS: Final = {"small": (0.6, 0.75), "big": (1.2, 1.35)}
"""Times the smallest, or the largest, radii of training."""
_MARGIN: Final = 0.02  # sides from the frame's edge


def _within(rng: _Rng, index: int) -> tuple[Scene, str]:
    family, motion = (("uniform", "left"), ("fall", "fall"), ("uniform", "right"), ("projectile", ""))[
        index % 4
    ]
    scene = sample_scene(rng, NATIVE_CLIP, family=family, **({"motion": motion} if motion else {}))
    return scene, caption(scene, rng)


def _of_speed(rng: _Rng, index: int) -> tuple[Scene, str]:
    pace = ("slow", "fast")[index % 2]
    scene = _sideways(rng, index // 2)
    speed = float(rng.uniform(*_SPEEDS[pace])) * (1 if scene.motion == "right" else -1)
    thing = scene.subject
    if pace == "fast":  # from the edge, so that it stays in the frame for long
        width = frame_size(NATIVE_CLIP)[0]
        edge = thing.reach[0] + _MARGIN
        thing = replace(thing, x=edge if speed > 0 else width - edge)
    scene = replace(scene, things=(replace(thing, vx=speed),), facts={**scene.facts, "speed": pace})
    return scene, caption(scene, rng)


def _of_size(rng: _Rng, index: int) -> tuple[Scene, str] | None:
    size = ("small", "big")[index % 2]
    scene = _sideways(rng, index // 2, size=size)
    scene = resized_things(scene, float(rng.uniform(*_FACTORS[size])))
    return (scene, caption(scene, rng)) if stays_inside(scene, NATIVE_CLIP) else None


def _combined(rng: _Rng, index: int) -> tuple[Scene, str] | None:
    if index % 3 == 0:  # a biscuit that moves
        scene = _sideways(rng, index // 3)
        one = scene.subject
        biscuit = Thing("biscuit", "ball", "", "big", float(rng.uniform(0.18, 0.2)), one.x, one.y, one.vx)
        scene = replace(scene, things=(biscuit,))
        words = f"a biscuit moves {scene.motion}"
    elif index % 3 == 1:  # two things that move at once
        scene = _sideways(rng, index // 3, size="small")
        other = _sideways(rng, index // 3 + 1, size="small").subject
        one = replace(scene.subject, y=float(rng.uniform(0.2, 0.32)))
        scene = replace(scene, things=(one, replace(other, y=float(rng.uniform(0.68, 0.8)))))
        if one.color == other.color:
            return None
        words = caption(replace(scene, things=(one,)), rng)
    else:  # a big thing that is thrown
        scene = sample_scene(rng, NATIVE_CLIP, family="projectile")
        scene = resized_things(scene, 1.4)
        words = caption(scene, rng)
    return (scene, words) if stays_inside(scene, NATIVE_CLIP) else None


def _sideways(rng: _Rng, index: int, **asked: str) -> Scene:
    return sample_scene(rng, NATIVE_CLIP, family="uniform", motion=("left", "right")[index % 2], **asked)


EXTRAPOLATION_SETS: Final[dict[str, Callable[[_Rng, int], tuple[Scene, str] | None]]] = {
    "in": _within,
    "speed": _of_speed,
    "size": _of_size,
    "combination": _combined,
}
"""Set -> function that draws the scene of a number, with its caption; None means to draw again."""


def extrapolation_scene(name: str, rng: _Rng, index: int) -> tuple[Scene, str] | None:
    """Draw the scene number ``index`` of a set, with the words for it; None where it has no room."""
    return EXTRAPOLATION_SETS[name](rng, index)


def known_paths(truth: Truth) -> list[dict[str, Any]]:
    """List where each thing is, in sides, up to its first touch; None from then on."""
    side = float(np.sqrt(NATIVE_CLIP.height * NATIVE_CLIP.width))
    ways: list[dict[str, Any]] = []
    for n, position_T2 in enumerate(truth.position_NT2):
        touched = min((c.time for c in truth.contacts if n in (c.one, c.two)), default=np.inf)
        places: list[Any] = [
            place if t / NATIVE_CLIP.fps <= touched else None
            for t, place in enumerate((position_T2 / side).round(5).tolist())
        ]
        ways.append({"object": n, "places": places})
    return ways
