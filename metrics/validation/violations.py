"""Violations that hold the probes to account: which kinds of scenes break which law, by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from ...generators.worlds.plane import BREAKABLE, Scene, simulate, violate
from ...generators.worlds.plane.scene import Push
from ...harness.core.errors import UsageError
from ...harness.core.items import ClipSettings
from .trial_clips import SceneClip, beside

__all__ = ["MOTION_OF", "PLANTS", "plant", "plants_of"]

PLANTS: Final[dict[str, tuple[str, ...]]] = {
    "gravity": ("gravity",),
    "inertia": ("inertia",),
    "momentum": ("momentum",),
    "energy": ("energy",),
    "permanence": ("vanish", "double"),
    "continuity": ("teleport",),
    "solidity": ("solidity",),
    "rigidity": ("shape",),
    "color": ("color",),
    "causality": ("causality",),
    "persistence": ("heal",),
    "uninvited": ("uninvited",),
}
"""Law -> the violations that break it. All but two are the reference world's own (see its ``LAWS``); two are
planted here:

- ``momentum``: after two things have met, both go on at 1 - severity or, by chance, 1 + severity times the
  velocity that they should have;
- ``uninvited``: another small shape that nobody asked for is there for the share severity of the frames left.
"""
MOTION_OF: Final = {("energy", "fall"): "bounce"}
"""The motion that a scene of a family must have so that a violation shows."""
_MEETING: Final = ("collision", "block")
_INTRUDED: Final = ("uniform", "fall", "still", "projectile", "collision", "occluder", "relation", "biscuit")
_JUST_AFTER: Final = 2 / 128  # seconds


def plants_of(law: str) -> tuple[tuple[str, str], ...]:
    """List the (violation, family) pairs that break a law visibly."""
    pairs: list[tuple[str, str]] = []
    for violation in PLANTS[law]:
        if violation == "momentum":
            families: Sequence[str] = _MEETING
        elif violation == "uninvited":
            families = _INTRUDED
        else:
            families = [family for family, laws in BREAKABLE.items() if violation in laws]
        pairs += [(violation, family) for family in families]
    return tuple(pairs)


def plant(film: SceneClip, violation: str, severity: float, rng: np.random.Generator) -> SceneClip | None:
    """Break one law in a lawful film, by a severity in (0, 1]; None where the scene has no room for it.

    Raises:
        UsageError: a scene of this kind cannot break it visibly, or the severity is out of range.
    """
    if violation == "momentum":
        return _momentum(film, severity, rng)
    if violation == "uninvited":
        return _uninvited(film, severity, rng)
    return replace(film, scene=violate(film.scene, violation, severity, rng, film.clip))


def _momentum(film: SceneClip, severity: float, rng: np.random.Generator) -> SceneClip | None:
    scene, clip = film.scene, film.clip
    if scene.family not in _MEETING:
        raise UsageError(f"in a scene of the family {scene.family!r} nothing meets, so no momentum is lost")
    factor = 1 + severity * (1 if rng.random() < 0.5 else -1)
    touched = _touched(scene, clip)
    if touched is None:
        return None
    # Velocities just after the touch, from a copy of the scene that is looked at more often.
    fine = clip.model_copy(update={"fps": 128.0, "frames": round((touched + 4 * _JUST_AFTER) * 128)})
    course = simulate(scene, fine)
    when = touched + _JUST_AFTER
    after = course.velocity_NT2[:, round(when * 128)]
    things = tuple(
        replace(thing, pushes=(Push(when, float(vx) * factor, float(vy) * factor),))
        for thing, (vx, vy) in zip(scene.things, after, strict=True)
    )
    return replace(film, scene=replace(scene, things=things))


def _touched(scene: Scene, clip: ClipSettings) -> float | None:
    """Tell when the first two things of a scene touch."""
    times = [c.time for c in simulate(scene, clip).contacts if (c.one, c.two) == (0, 1)]
    return min(times, default=None)


def _uninvited(film: SceneClip, severity: float, rng: np.random.Generator) -> SceneClip | None:
    more = beside(film.scene, film.clip, int(rng.integers(2**31)), ())
    if more is None:
        return None
    frames = film.clip.frames
    first = round((0.35 + 0.25 * float(rng.random())) * (frames - 1))
    last = first + max(1, round(severity * (frames - first)))
    crowded = replace(film.scene, things=(*film.scene.things, more))
    return replace(film, instead=crowded, cut=(first, last))
