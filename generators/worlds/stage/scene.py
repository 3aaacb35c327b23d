"""A scene of the stage before anything moves: bodies, camera, light, surfaces and the look of the recording.

Lengths are metres, times seconds. The camera looks along +y, x is to the right and z is up; the floor is at
z = 0. Most things move in the plane y = 0, whose scale in the picture is constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from .drives import V3, Drive

__all__ = [
    "NATIVE_CLIPS",
    "STAGE_VERSION",
    "SURFACES",
    "Body",
    "Camera",
    "G",
    "Light",
    "Look",
    "Scene",
    "Violation",
    "duration",
]

STAGE_VERSION: Final = 1
G: Final = 9.81
"""Gravity, metres a second squared."""
NATIVE_CLIPS: Final = (
    ClipSettings(frames=20, height=128, width=128, fps=10.0),
    ClipSettings(frames=16, height=64, width=64, fps=8.0),
    ClipSettings(frames=48, height=144, width=256, fps=24.0),
    ClipSettings(frames=60, height=256, width=256, fps=30.0),
)
SURFACES: Final = ("noise", "checker", "planks", "bricks", "speckle", "cloth")
"""Textures of floors, backdrops and things; `surfaces.paint` makes them."""


@dataclass(frozen=True)
class Body:
    """One thing.

    Attributes:
        shape: ``ball``, ``box``, ``ramp``, ``wall`` or ``bar`` (of pieces, from which a bite can be taken).
        color: one of the named colors.
        half: half of the extent along x, y and z; of a ball its radius, three times.
        place, velocity: of the centre, at the first frame.
        spin: angular velocity, radians a second, about x, y and z.
        tilt: rotation about y at the first frame, radians.
        fixed: whether nothing moves it.
        friction: with the floor; 0 glides for ever.
        springy: share of the speed that is left after a bounce, 0 to 1.
        drag: of the air, 1/s: the rate at which its velocity falls.
        surface: texture, or None for one plain color.
        hung: the point that it hangs from, of a pendulum.
        bite: seconds from which a piece of a ``bar`` is missing; None for never.
    """

    shape: str
    color: str
    half: V3
    place: V3
    velocity: V3 = (0.0, 0.0, 0.0)
    spin: V3 = (0.0, 0.0, 0.0)
    tilt: float = 0.0
    fixed: bool = False
    friction: float = 0.0
    springy: float = 0.0
    drag: float = 0.0
    surface: str | None = None
    hung: V3 | None = None
    bite: float | None = None


@dataclass(frozen=True)
class Camera:
    """Where the camera stands, and how it moves.

    Attributes:
        view: height in metres of what it shows of the plane y = 0.
        fovy: vertical field of view, degrees.
        height: of the camera above the floor.
        pitch: how far it looks down, degrees.
        move: ``still``, ``pan``, ``orbit``, ``dolly`` or ``shake``.
        amount: degrees of a pan, an orbit or a shake, or metres of a dolly, over the whole clip.
    """

    view: float
    fovy: float
    height: float
    pitch: float = 0.0
    move: str = "still"
    amount: float = 0.0

    @property
    def distance(self) -> float:
        """From the plane y = 0, in metres."""
        return self.view / 2 / float(np.tan(np.radians(self.fovy / 2)))

    def pose(self, share: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Place the camera at a share of the clip: its place, and its axes right, up and back as columns."""
        yaw, pitch, azimuth, forward = 0.0, np.radians(self.pitch), 0.0, 0.0
        if self.move == "pan":
            yaw = np.radians(self.amount) * (share - 0.5)
        elif self.move == "orbit":
            azimuth = np.radians(self.amount) * (share - 0.5)
        elif self.move == "dolly":
            forward = self.amount * share
        elif self.move == "shake":
            turn = 2 * np.pi * share
            yaw = np.radians(self.amount) * (0.6 * np.sin(2.7 * turn) + 0.4 * np.sin(5.1 * turn + 1.0))
            pitch += np.radians(self.amount) * (0.6 * np.sin(3.3 * turn + 2.0) + 0.4 * np.sin(6.2 * turn))
        away = self.distance - forward
        place = np.array([-away * np.sin(azimuth), -away * np.cos(azimuth), self.height])
        facing = azimuth + yaw
        look = np.array(
            [np.sin(facing) * np.cos(pitch), np.cos(facing) * np.cos(pitch), -np.sin(pitch)], np.float64
        )
        right = np.array([np.cos(facing), -np.sin(facing), 0.0])
        return place, np.stack([right, np.cross(right, look), -look], axis=1)


@dataclass(frozen=True)
class Light:
    """One lamp.

    Attributes:
        azimuth, elevation: where it shines from, degrees.
        brightness: before it changes.
        course: ``constant``, ``dims``, ``brightens``, or ``swings`` from side to side.
        shadows: whether shadows fall.
    """

    azimuth: float
    elevation: float
    brightness: float
    course: str = "constant"
    shadows: bool = True

    def level(self, share: float) -> float:
        """Tell the brightness at a share of the clip, as a factor."""
        return {"dims": 1 - 0.5 * share, "brightens": 0.5 + 0.5 * share}.get(self.course, 1.0)


@dataclass(frozen=True)
class Look:
    """How a scene is recorded.

    Attributes:
        blur: pictures that one frame is the mean of, over half of its time: motion blur; 1 for none.
        noise: standard deviation of the sensor's noise, in 8-bit levels.
        crf: constant rate factor of H.264 with halved color resolution; None for no compression.
    """

    blur: int = 1
    noise: float = 0.0
    crf: int | None = None


@dataclass(frozen=True)
class Violation:
    """One law, broken.

    Attributes:
        law: see `violations.LAWS`.
        severity: in (0, 1].
        time: seconds from the first frame.
        sign: the direction, where there are two.
        drives: how things of a puzzle are driven in the place of the scene's own drives.
    """

    law: str
    severity: float
    time: float
    sign: int
    drives: tuple[Drive, ...] = ()


@dataclass(frozen=True)
class Scene:
    """What happens, and how it is recorded.

    Attributes:
        family: of scenes.
        bodies: the subject first.
        facts: what `truth.expectation` adds to the objects: the facts that hold in this scene.
        floor, backdrop: textures.
        seed: of textures and noise.
        spare: a body that only a violation shows, where nothing else comes; None where no color is left.
        drives: of a puzzle, how its first bodies are driven; the others stand.
        marks: of a puzzle, the points in metres by which `truth.expectation` says where it is in the picture.
    """

    family: str
    bodies: tuple[Body, ...]
    camera: Camera
    light: Light
    look: Look
    floor: str
    backdrop: str
    seed: int
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    violation: Violation | None = None
    spare: Body | None = None
    drives: tuple[Drive, ...] = ()
    marks: tuple[V3, ...] = ()

    @property
    def all_bodies(self) -> tuple[Body, ...]:
        """The bodies, and the spare one last."""
        return self.bodies if self.extra is None else (*self.bodies, self.extra)

    @property
    def extra(self) -> Body | None:
        """The body that only the violation shows: the spare one, or of a thing that splits its other part."""
        if self.violation is not None and self.violation.law == "split":
            return self.bodies[0]
        return self.spare

    def lawful(self) -> Scene:
        """Return the twin, which differs in nothing but the violation."""
        return replace(self, violation=None)


def duration(clip: ClipSettings) -> float:
    """Tell the seconds from the first frame to the last."""
    return (clip.frames - 1) / clip.fps
