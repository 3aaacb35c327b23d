"""Violations of laws on the stage: each breaks one law by a graded amount, and has a lawful twin."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ....harness.core.errors import UsageError, unknown_name
from ....harness.core.items import ClipSettings
from .mechanics import simulate
from .puzzle_faults import PUZZLE_FAULTS, PUZZLE_LAWS, differs_from, faulty_drives
from .scene import Scene, Violation, duration

__all__ = ["BREAKABLE", "LAWS", "LAW_VIOLATIONS", "breakable", "violate", "violations_of"]

LAWS: Final[dict[str, str]] = {
    "gravity": "in mid-flight gravity becomes (1 +- severity) times what it was",
    "inertia": "its speed changes by the share severity, and nothing touched it; what rests starts to move",
    "momentum": "after a collision both go on at (1 +- severity) times their lawful velocities",
    "energy": "parts faster than it came: the restitution is 1 + 0.6 severity",
    "vanish": "is gone for the share severity of the time that is left",
    "teleport": "jumps by severity times 2 metres between two frames",
    "solidity": "two things go into one another by severity times the smaller radius",
    "shape": "becomes wider and lower, or narrower and higher, by exp(0.35 severity), and stays so",
    "size": "becomes larger or smaller by exp(0.7 severity), and stays so",
    "color": "its color turns into another by the weight severity, and stays so",
    "causality": "the struck thing sets off severity times 0.75 seconds before it is touched",
    "heal": "a bite closes by the share severity of its pieces",
    "uninvited": "another thing appears for the share severity of the time that is left",
    "merge": "two that meet go into one another by the share severity, and go on as one",
    "split": "becomes two that part; the smaller has the share severity / 2 of its volume",
    "shadow": "its shadow stays behind by the share severity of the way that it goes from then on",
    "warp": "the picture bends by severity times 0.05 sides, as no camera explains",
    **PUZZLE_LAWS,
}
"""Violation -> what it does; the severity is in (0, 1]."""

LAW_VIOLATIONS: Final[dict[str, tuple[str, ...]]] = {
    "gravity": ("gravity",),
    "inertia": ("inertia",),
    "momentum": ("momentum",),
    "energy": ("energy",),
    "permanence": ("vanish",),
    "continuity": ("teleport",),
    "solidity": ("solidity",),
    "rigidity": ("shape", "size"),
    "color": ("color",),
    "causality": ("causality",),
    "persistence": ("heal",),
    "uninvited": ("uninvited",),
}
"""Law of `metrics.laws` -> the violations that break it."""
_LOOKS: Final = ("shape", "size", "color")
_SUBJECT: Final = ("vanish", "teleport", *_LOOKS, "uninvited")
BREAKABLE: Final[dict[str, tuple[str, ...]]] = {
    "fall": ("gravity", "energy", *_SUBJECT, "split"),
    "throw": ("gravity", *_SUBJECT, "split", "shadow"),
    "drag": ("vanish", "color", "uninvited"),
    "glide": ("inertia", *_SUBJECT, "split", "shadow", "warp"),
    "friction": ("vanish", "color", "uninvited", "split"),
    "roll": ("vanish", "color"),
    "spin": ("inertia", "vanish", "teleport", "size", "color", "shadow"),
    "collision": ("energy", "momentum", "solidity", "causality", "color", "uninvited", "merge"),
    "both": ("energy", "momentum", "solidity", "color", "merge"),
    "glancing": ("merge",),
    "static": ("uninvited", "warp"),
    "pendulum": ("vanish", "color"),
    "behind": ("vanish", "color"),
    "approach": ("vanish", "color"),
    "enter": ("vanish", "color"),
    "bite": ("heal",),
    "room-orbit": ("warp",),
    "room-dolly": ("warp",),
    "pan": ("inertia", "vanish", "teleport", "color"),
    "shake": ("vanish", "teleport", "color"),
    **PUZZLE_FAULTS,
}
"""Family -> violations that show in its scenes; of the other families every scene is lawful."""
_SHORTEST: Final = 4  # frames


def breakable(family: str) -> tuple[str, ...]:
    """Name the violations that scenes of a family can show."""
    return BREAKABLE.get(family, ())


def violations_of(law: str) -> tuple[tuple[str, str], ...]:
    """List the (violation, family) pairs that break a law visibly."""
    return tuple(
        (violation, family)
        for violation in LAW_VIOLATIONS[law]
        for family, can in BREAKABLE.items()
        if violation in can
    )


def violate(scene: Scene, law: str, severity: float, rng: np.random.Generator, clip: ClipSettings) -> Scene:
    """Plant one violation; the scene stays the same in everything else (see `Scene.lawful`).

    Raises:
        UsageError: no such violation, one that this family cannot show, a severity outside (0, 1], or a clip
            of fewer than 4 frames.
    """
    can = breakable(scene.family)
    kind = "failure" if scene.family in PUZZLE_FAULTS else "violation"
    if law not in LAWS:
        raise unknown_name(kind, law, can or LAWS)
    if law not in can:
        raise UsageError(
            f"a scene of the family {scene.family!r} cannot show the {kind} {law!r}; "
            f"it can show {', '.join(can) or 'none'}"
        )
    if not 0 < severity <= 1:
        raise UsageError(f"severity {severity:g} is outside (0, 1]; give for example 0.5")
    if clip.frames < _SHORTEST:
        raise UsageError(
            f"a clip of {clip.frames} frames is too short to break a law in; {_SHORTEST} are needed"
        )
    if law == "shadow" and not scene.light.shadows:
        raise UsageError("the lamp of this scene casts no shadow; fix shadows=yes")
    if scene.drives:
        planned = faulty_drives(scene, law, float(severity), rng)
        first = differs_from(scene.drives, planned, clip.frames) / clip.fps
        return replace(scene, violation=Violation(law, float(severity), float(first), 1, planned))
    seconds = duration(clip)
    share = 0.35 + 0.25 * float(rng.random())
    sign = 1 if rng.random() < 0.5 else -1
    if law == "gravity":
        share = 0.1
    elif law == "warp":
        share = 0.0
    elif law == "heal":
        share = 0.6
    elif law == "teleport":  # towards the middle, where it stays in the frame
        at = _along(scene, clip, share)
        sign = -1 if at > 0 else 1
    elif law == "size" and scene.bodies[0].place[2] > scene.camera.height:
        sign = -1
    time = round(share * seconds * clip.fps) / clip.fps
    if scene.family == "behind" and law in ("vanish", "color"):
        time = _behind(scene, clip, out=law == "vanish")
    if scene.family == "enter":
        time = round(0.7 * seconds * clip.fps) / clip.fps
    return replace(scene, violation=Violation(law, float(severity), float(time), sign))


def _along(scene: Scene, clip: ClipSettings, share: float) -> float:
    """Find where the subject is at a share of the clip, in metres to the right."""
    course = simulate(scene, clip)
    return float(course.place_NS3[0, int(share * (len(course.times_S) - 1)), 0])


def _behind(scene: Scene, clip: ClipSettings, *, out: bool) -> float:
    """Find the frame's time at which the subject is hidden best, or, with ``out``, is about to come out."""
    thing, wall = scene.bodies[:2]
    eye = scene.camera.distance
    near = eye / (
        eye + wall.place[1]
    )  # the wall is nearer to the camera, and covers more of the plane behind it
    way = wall.place[0] * near - thing.place[0]
    if out:
        way += np.sign(way) * max(wall.half[0] * near - thing.half[0], 0.0)
    return float(np.ceil(way / thing.velocity[0] * clip.fps - 1e-9)) / clip.fps
