"""The description of a scene of the reference world, before it is simulated or drawn.

Lengths are in units of the frame's side, the square root of its area, so that things are as large in a wide
frame as in a tall one; y grows downwards. Times are in seconds and angles in radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

from ....harness.core.items import ClipSettings

__all__ = [
    "GRAVITY",
    "NATIVE_CLIP",
    "NATIVE_CLIPS",
    "OUTLINES",
    "WORLD_VERSION",
    "Camera",
    "Push",
    "Scene",
    "Thing",
    "Violation",
    "duration",
    "frame_size",
]

WORLD_VERSION: Final = 2
NATIVE_CLIP: Final = ClipSettings(frames=16, height=64, width=64, fps=8.0)
NATIVE_CLIPS: Final = (
    NATIVE_CLIP,
    ClipSettings(frames=8, height=64, width=64, fps=8.0),
    ClipSettings(frames=32, height=64, width=64, fps=8.0),
    ClipSettings(frames=16, height=48, width=80, fps=8.0),
    ClipSettings(frames=16, height=80, width=48, fps=8.0),
)
"""The sizes of the world's clips: square of three lengths, wide, and tall."""
GRAVITY: Final = 0.32
"""Sides a second squared: a fall lasts a whole clip of 16 frames, so that it is one parabola."""

_S3: Final = math.sqrt(3.0)
OUTLINES: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "square": ((-0.886, -0.886), (0.886, -0.886), (0.886, 0.886), (-0.886, 0.886)),
    "triangle": ((0.0, -1.4), (0.7 * _S3, 0.7), (-0.7 * _S3, 0.7)),
    "block": ((-0.8, -1.1), (0.8, -1.1), (0.8, 1.1), (-0.8, 1.1)),
    "wall": ((-1.25, -3.2), (1.25, -3.2), (1.25, 3.2), (-1.25, 3.2)),
    "glyph": ((-0.75, -1.0), (0.75, -1.0), (0.75, 1.0), (-0.75, 1.0)),
}
"""Corners (x, y) around the centroid, for radius 1, clockwise on the screen; what is not here is a disc.

A glyph is the box that a person's parts are in.
"""


@dataclass(frozen=True)
class Push:
    """From ``at`` seconds on, the thing moves by itself with the velocity (vx, vy)."""

    at: float
    vx: float
    vy: float


@dataclass(frozen=True)
class Thing:
    """One thing of a scene.

    Attributes:
        kind: ``shape``, ``block``, ``wall``, ``biscuit``, ``person`` or ``hazard``.
        shape: its outline: ``ball``, ``square``, ``triangle``, ``block``, ``wall`` or, for what has parts,
            ``glyph``.
        color: name of its color; a part of the name of a block or a wall; empty for what has parts.
        size: ``small`` or ``big``.
        radius: of the ball; other outlines are that times `OUTLINES`.
        x, y, vx, vy: centroid and velocity at the first frame.
        solid: whether it collides; only solid things do.
        elasticity: of a contact of two things, the product of theirs; of a wall of the frame, its own.
        pushes: when it moves by itself.
        bite: for a biscuit, the time of the bite; its direction is ``angle``.
        occupation, presentation, tone: for a person, what is drawn.
    """

    kind: str
    shape: str
    color: str
    size: str
    radius: float
    x: float
    y: float
    vx: float = 0.0
    vy: float = 0.0
    solid: bool = True
    elasticity: float = 0.8
    pushes: tuple[Push, ...] = ()
    bite: float | None = None
    angle: float = 0.0
    occupation: str = ""
    presentation: str = ""
    tone: str = ""

    @property
    def reach(self) -> tuple[float, float, float, float]:
        """How far it extends left of, above, right of and below its centroid."""
        if self.shape not in OUTLINES:
            return (self.radius, self.radius, self.radius, self.radius)
        xs, ys = zip(*OUTLINES[self.shape], strict=True)
        return (
            -min(xs) * self.radius,
            -min(ys) * self.radius,
            max(xs) * self.radius,
            max(ys) * self.radius,
        )


@dataclass(frozen=True)
class Violation:
    """One law broken (see `violations.LAWS`), how much, in (0, 1], from when on, and to which side."""

    law: str
    severity: float
    at: float
    sign: int = 1


@dataclass(frozen=True)
class Camera:
    """How the view moves: a pan in sides a second, and a zoom of ``exp(zoom t)`` about the frame's middle."""

    vx: float = 0.0
    vy: float = 0.0
    zoom: float = 0.0


@dataclass(frozen=True)
class Scene:
    """What happens in a clip.

    Attributes:
        family: what kind of happening, one of `families.FAMILIES`.
        things: in the order in which they are drawn, the subject first; without any, the ground is empty.
        facts: what the caption says beside the things: ``motion``, ``relation``, ``count``, ``camera``,
            ``speed``, ``second`` ...
        gravity: downward acceleration of solid things.
        background: RGB of the ground.
        dots: places of the dots on the ground, which show how the camera moves.
    """

    family: str
    things: tuple[Thing, ...]
    facts: dict[str, str] = field(default_factory=dict)
    gravity: float = 0.0
    camera: Camera = Camera()
    background: tuple[int, int, int] = (28, 30, 36)
    dots: tuple[tuple[float, float], ...] = ()
    violation: Violation | None = None

    @property
    def subject(self) -> Thing:
        """The first thing."""
        return self.things[0]

    @property
    def shape(self) -> str:
        """Shape of the subject."""
        return self.subject.shape

    @property
    def color(self) -> str:
        """Color of the subject."""
        return self.subject.color

    @property
    def size(self) -> str:
        """Size of the subject."""
        return self.subject.size

    @property
    def motion(self) -> str:
        """What the subject does, or an empty text."""
        return self.facts.get("motion", "")

    def lawful(self) -> Scene:
        """Return the lawful twin of this scene."""
        return replace(self, violation=None)


def duration(clip: ClipSettings) -> float:
    """Seconds from the first frame of a clip to its last."""
    return (clip.frames - 1) / clip.fps


def frame_size(clip: ClipSettings) -> tuple[float, float]:
    """Width and height of the frame in sides: their product is 1."""
    side = math.sqrt(clip.width * clip.height)
    return clip.width / side, clip.height / side
