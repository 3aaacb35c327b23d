"""Violations for trials of the laws: which families of scenes can break which law, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from ....harness.core.errors import UsageError
from ....harness.core.items import ClipSettings
from ....harness.core.keys import seeded_rng
from ..trials import TrialRequest
from .mechanics import simulate
from .scene import Push, Scene
from .trial_scenes import SceneClip, beside, lawful_scenes
from .violations import BREAKABLE, violate

__all__ = ["LAW_VIOLATIONS", "break_law", "trial_clip", "violations_of"]

LAW_VIOLATIONS: Final[dict[str, tuple[str, ...]]] = {
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
added here:

- ``momentum``: after a collision both objects continue at 1 - severity or, by chance, 1 + severity times
  their lawful velocity;
- ``uninvited``: another small shape, which is not expected, appears for a share (the severity) of the
  frames left.
"""
_MEETING: Final = ("collision", "block")
_INTRUDED: Final = ("uniform", "fall", "still", "projectile", "collision", "occluder", "relation", "biscuit")
_JUST_AFTER: Final = 2 / 128  # seconds


def violations_of(law: str) -> tuple[tuple[str, str], ...]:
    """List the (violation, family) pairs that break a law visibly."""
    pairs: list[tuple[str, str]] = []
    for violation in LAW_VIOLATIONS[law]:
        if violation == "momentum":
            families: Sequence[str] = _MEETING
        elif violation == "uninvited":
            families = _INTRUDED
        else:
            families = [family for family, laws in BREAKABLE.items() if violation in laws]
        pairs += [(violation, family) for family in families]
    return tuple(pairs)


def break_law(
    lawful: SceneClip, violation: str, severity: float, rng: np.random.Generator
) -> SceneClip | None:
    """Break one law in a lawful clip, by a severity in (0, 1]; None where the scene has no room for it.

    Raises:
        UsageError: a scene of this kind cannot break it visibly, or the severity is out of range.
    """
    if violation == "momentum":
        return _momentum(lawful, severity, rng)
    if violation == "uninvited":
        return _uninvited(lawful, severity, rng)
    return replace(lawful, scene=violate(lawful.scene, violation, severity, rng, lawful.clip))


def _momentum(lawful: SceneClip, severity: float, rng: np.random.Generator) -> SceneClip | None:
    scene, clip = lawful.scene, lawful.clip
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
    return replace(lawful, scene=replace(scene, things=things))


def _touched(scene: Scene, clip: ClipSettings) -> float | None:
    """Tell when the first two things of a scene touch."""
    times = [c.time for c in simulate(scene, clip).contacts if (c.one, c.two) == (0, 1)]
    return min(times, default=None)


def _uninvited(lawful: SceneClip, severity: float, rng: np.random.Generator) -> SceneClip | None:
    more = beside(lawful.scene, lawful.clip, int(rng.integers(2**31)), ())
    if more is None:
        return None
    frames = lawful.clip.frames
    first = round((0.35 + 0.25 * float(rng.random())) * (frames - 1))
    last = first + max(1, round(severity * (frames - first)))
    crowded = replace(lawful.scene, things=(*lawful.scene.things, more))
    return replace(lawful, instead=crowded, cut=(first, last))


def trial_clip(request: TrialRequest) -> SceneClip | None:
    """Make a clip of a trial; None where its scene has no room for what is asked."""
    drawn = next((drawn for drawn in lawful_scenes(request) if drawn is not None), None)
    if drawn is None:
        return None
    scene, more = drawn
    made: SceneClip | None = SceneClip.of(scene, request.clip)
    first = request.violation == "uninvited"  # which has to keep clear of all that is there
    if more is not None and first:
        made = made.with_more(more)
    if request.violation is not None:
        rng = seeded_rng("probe trial", *request.name, request.violation, request.severity)
        made = break_law(made, request.violation, request.severity, rng)
    return made if made is None or more is None or first else made.with_more(more)
