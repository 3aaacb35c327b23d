"""Scenes of the reference world that show something else than they should: hallucinations of known kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from ....harness.core.errors import UsageError, unknown_name
from ....harness.core.keys import Json, seeded_rng
from .families import FAMILIES, sample_scene
from .scene import NATIVE_CLIP, Push, Scene, Thing, frame_size
from .trial_scenes import SceneClip, beside
from .violations import violate
from .words import COLORS

__all__ = ["FAULT_FAMILIES", "fault_clip"]

_SINGLE: Final = ("uniform", "still", "fall", "projectile")
_PAIRS: Final = ("relation", "collision", "order")
FAULT_FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "another": (*_SINGLE, "relation", "occluder", "biscuit"),
    "twice": _SINGLE,
    "flash": (*_SINGLE, "relation", "occluder", "biscuit"),
    "removed": (*_PAIRS, "count"),
    "replaced": _SINGLE,
    "vanish": (*_SINGLE, "relation", "biscuit"),
    "double": (*_SINGLE, "relation", "biscuit"),
    "split": ("still", "uniform"),
    "mirror": ("uniform", "projectile", "relation", "camera", "order"),
    "whole": ("biscuit",),
    "heal": ("biscuit",),
}
"""Fault -> families of scenes that can show it.

- ``another``, ``twice``: one more small thing is there from the first frame on, of a color of its own or
  of the subject's color and shape;
- ``flash``: another thing appears in the middle of the clip, for 40 % to all of the frames that are left;
- ``removed``: one of the things that are asked for is not there;
- ``replaced``: the thing that is there has another color than was asked for;
- ``vanish``, ``double``: the subject is gone, or there twice, for 40 % to all of the frames that are left;
- ``split``: the subject falls into two halves that move apart;
- ``mirror``: left is right, and right is left;
- ``whole``: the biscuit is never bitten;
- ``heal``: 70 % to all of the bite closes again.
"""
_TRIES: Final = 200
_NEVER: Final = 1e9  # seconds: after the end of every clip
_AWAY: Final = -9.0  # sides: outside of every frame
_HALF: Final = 0.5**0.5  # radius of a part that has half of the area
_APART: Final = 0.3  # sides a second, of each part
_Plant = Callable[[SceneClip, np.random.Generator], SceneClip | None]


def fault_clip(fault: str | None, family: str, name: tuple[Json, ...], index: int) -> SceneClip:
    """Draw a clip that shows a fault, or with None a faithful one, with the ``expect`` of the faithful one.

    It depends on the arguments alone.

    Raises:
        UsageError: there is no such fault, or scenes of the family cannot show it.
    """
    if fault is not None and fault not in FAULT_FAMILIES:
        raise unknown_name("fault", fault, FAULT_FAMILIES)
    if fault is not None and family not in FAULT_FAMILIES[fault]:
        raise UsageError(f"scenes of the family {family!r} cannot show the fault {fault!r}")
    for attempt in range(_TRIES):
        rng = seeded_rng("fault", *name, index, attempt)
        clip = SceneClip.of(sample_scene(rng, NATIVE_CLIP, family=family), NATIVE_CLIP)
        planted = clip if fault is None else _PLANTS[fault](clip, rng)
        if planted is not None:
            return planted
    raise AssertionError(f"no scene of the family {family!r} has room for the fault {fault!r}")


def _another(clip: SceneClip, rng: np.random.Generator) -> SceneClip | None:
    more = beside(clip.scene, clip.clip, int(rng.integers(2**31)), ())
    return None if more is None else _with(clip, (*clip.scene.things, more))


def _twice(clip: SceneClip, rng: np.random.Generator) -> SceneClip | None:
    more = beside(clip.scene, clip.clip, int(rng.integers(2**31)), ())
    if more is None:
        return None
    subject = clip.scene.subject
    return _with(clip, (*clip.scene.things, replace(more, color=subject.color, shape=subject.shape)))


def _flash(clip: SceneClip, rng: np.random.Generator) -> SceneClip | None:
    crowded = _another(clip, rng)
    frames = clip.clip.frames
    first = round(float(rng.uniform(0.3, 0.6)) * (frames - 1))
    last = first + max(2, round(float(rng.uniform(0.4, 1.0)) * (frames - first)))
    return None if crowded is None else replace(clip, instead=crowded.scene, cut=(first, min(last, frames)))


def _removed(clip: SceneClip, rng: np.random.Generator) -> SceneClip | None:
    things = list(clip.scene.things)
    if len(things) < 2:
        return None
    gone = int(rng.integers(len(things)))
    things[gone] = replace(things[gone], x=_AWAY, vx=0.0, vy=0.0, pushes=(), solid=False)
    return _with(clip, tuple(things))


def _replaced(clip: SceneClip, rng: np.random.Generator) -> SceneClip | None:
    subject = clip.scene.subject
    others = [color for color in COLORS if color != subject.color]
    return _with(clip, (replace(subject, color=others[int(rng.integers(len(others)))]),))


def _broken(law: str, least: float) -> _Plant:
    def plant(clip: SceneClip, rng: np.random.Generator) -> SceneClip | None:
        return replace(clip, scene=violate(clip.scene, law, float(rng.uniform(least, 1.0)), rng, clip.clip))

    return plant


def _split(clip: SceneClip, rng: np.random.Generator) -> SceneClip | None:
    thing, clip_frames = clip.scene.subject, clip.clip.frames
    first = round(float(rng.uniform(0.3, 0.5)) * (clip_frames - 1))
    since = first / clip.clip.fps
    angle = float(rng.uniform(0, np.pi))
    way = np.array([np.cos(angle), np.sin(angle)])
    parts: list[Thing] = []
    for side in (-1, 1):
        start = side * (0.75 * _HALF * thing.radius - _APART * since) * way
        parts.append(
            replace(
                thing,
                radius=_HALF * thing.radius,
                x=thing.x + float(start[0]),
                y=thing.y + float(start[1]),
                vx=thing.vx + side * _APART * float(way[0]),
                vy=thing.vy + side * _APART * float(way[1]),
                solid=False,
            )
        )
    return replace(clip, instead=replace(clip.scene, things=tuple(parts)), cut=(first, clip_frames))


def _mirror(clip: SceneClip, rng: np.random.Generator) -> SceneClip | None:
    del rng
    facts = clip.scene.facts
    if not any(value.endswith(("left", "right")) for value in facts.values()):
        return None
    width = frame_size(clip.clip)[0]
    scene = clip.scene
    things = tuple(
        replace(
            thing,
            x=width - thing.x,
            vx=-thing.vx,
            pushes=tuple(Push(push.at, -push.vx, push.vy) for push in thing.pushes),
        )
        for thing in scene.things
    )
    camera = replace(scene.camera, vx=-scene.camera.vx)
    dots = tuple((width - x, y) for x, y in scene.dots)
    return replace(clip, scene=replace(scene, things=things, camera=camera, dots=dots))


def _whole(clip: SceneClip, rng: np.random.Generator) -> SceneClip | None:
    del rng
    return _with(clip, (replace(clip.scene.subject, bite=_NEVER),))


def _with(clip: SceneClip, things: tuple[Thing, ...]) -> SceneClip:
    scene: Scene = replace(clip.scene, things=things)
    return replace(clip, scene=scene)


_PLANTS: Final[dict[str, _Plant]] = {
    "another": _another,
    "twice": _twice,
    "flash": _flash,
    "removed": _removed,
    "replaced": _replaced,
    "vanish": _broken("vanish", 0.4),
    "double": _broken("double", 0.4),
    "split": _split,
    "mirror": _mirror,
    "whole": _whole,
    "heal": _broken("heal", 0.7),
}
assert set(_PLANTS) == set(FAULT_FAMILIES)
assert all(family in FAMILIES for families in FAULT_FAMILIES.values() for family in families)
