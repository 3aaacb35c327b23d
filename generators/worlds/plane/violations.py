"""Violations of laws: each breaks one law of a scene by a graded amount, and the scene has a lawful twin."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from ....harness.core.errors import UsageError, unknown_name
from ....harness.core.items import ClipSettings
from .scene import NATIVE_CLIP, Scene, Violation, duration

__all__ = ["BREAKABLE", "LAWS", "breakable", "violate"]

LAWS: Final[dict[str, str]] = {
    "gravity": "falls with (1 +- severity) times the world's acceleration",
    "inertia": "its velocity turns by severity times a right angle, and nothing touched it; what rests "
    "starts to move at severity times 0.3 sides a second",
    "energy": "leaves a contact faster than it came: the restitution is 1 + 0.6 severity",
    "vanish": "is gone for the share severity of the frames that are left",
    "double": "has a second copy for the share severity of the frames that are left",
    "teleport": "jumps by severity times 0.4 sides between two frames",
    "solidity": "two things overlap by severity times the smaller radius before they part",
    "shape": "its outline turns into another by the weight severity, and stays so",
    "color": "its color turns into another by the weight severity, and stays so",
    "causality": "the struck thing sets off severity times 0.75 seconds before it is touched",
    "heal": "a bite closes by the share severity of its radius",
}
"""Law -> what its violation does; the severity is in (0, 1]."""

_SUBJECT: Final = ("vanish", "double", "teleport", "shape", "color")
BREAKABLE: Final[dict[str, tuple[str, ...]]] = {
    "uniform": ("inertia", *_SUBJECT),
    "fall": ("gravity", "energy", *_SUBJECT),
    "still": ("inertia", *_SUBJECT),
    "projectile": ("gravity", *_SUBJECT),
    "collision": ("energy", "solidity", "causality", "shape", "color"),
    "block": ("energy", "solidity", "causality"),
    "occluder": ("vanish", "double", "teleport", "shape", "color"),
    "biscuit": ("heal", "vanish", "double", "teleport"),
    "relation": _SUBJECT,
    "count": _SUBJECT,
    "hazard": ("vanish", "double", "teleport"),
    "person": ("vanish", "double"),
}
"""Family -> laws that it can break visibly. Energy needs the bounce of the family ``fall``."""
_SHORTEST: Final = 4  # frames: some before the fault, and some after


def breakable(scene: Scene) -> tuple[str, ...]:
    """List the laws that a scene can break visibly."""
    laws = BREAKABLE.get(scene.family, ())
    falls = scene.family == "fall" and scene.motion != "bounce"
    return tuple(law for law in laws if not (falls and law == "energy"))


def violate(
    scene: Scene, law: str, severity: float, rng: np.random.Generator, clip: ClipSettings = NATIVE_CLIP
) -> Scene:
    """Plant one violation; the scene stays the same in everything else (see `Scene.lawful`).

    Raises:
        UsageError: no such law, one that this family cannot break, a severity outside (0, 1], or a clip of
            fewer than 4 frames.
    """
    if law not in LAWS:
        raise unknown_name("law", law, LAWS)
    can = breakable(scene)
    if law not in can:
        what = f"{scene.family!r}{f' ({scene.motion})' if scene.motion else ''}"
        raise UsageError(
            f"a scene of the family {what} cannot break the law {law!r} visibly; "
            f"it can break {', '.join(can) or 'none'}"
        )
    if not 0 < severity <= 1:
        raise UsageError(f"severity {severity:g} is outside (0, 1]; give for example 0.5")
    if clip.frames < _SHORTEST:
        raise UsageError(
            f"a clip of {clip.frames} frames is too short to break a law in; {_SHORTEST} are needed"
        )
    # On a frame's time, so that the first frame at fault shows the whole of it.
    seconds = duration(clip)
    share = {"gravity": 0.0, "heal": 0.0}.get(law, 0.35 + 0.25 * float(rng.random()))
    at = round(share * seconds * clip.fps) / clip.fps
    if scene.family == "occluder" and law in ("vanish", "teleport", "shape", "color"):
        at = _behind(scene, clip, out=law == "vanish")
    if law == "heal":
        bite = scene.subject.bite or 0.0
        at = round((bite + 0.4 * (seconds - bite)) * clip.fps) / clip.fps
    sign = 1 if rng.random() < 0.5 else -1
    return replace(scene, violation=Violation(law, float(severity), at, sign))


def _behind(scene: Scene, clip: ClipSettings, *, out: bool) -> float:
    """Find the frame's time at which a thing is hidden best, or, with ``out``, is about to come out again."""
    thing, wall = scene.things
    way = wall.x - thing.x
    if not out:
        return round(way / thing.vx * clip.fps) / clip.fps
    ahead = wall.reach[2] - thing.reach[2]  # how far past the wall's middle the last of it shows
    return math.ceil((abs(way) + ahead) / abs(thing.vx) * clip.fps) / clip.fps
