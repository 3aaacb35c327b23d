"""Families of scenes: what is on the stage at the first frame, and which facts hold of what follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from ....harness.core.errors import UsageError, unknown_name
from ....harness.core.items import ClipSettings
from .scene import SURFACES, Body, Camera, G, Light, Look, Scene, duration

__all__ = ["COLORS", "CRF", "FAMILIES", "choices", "fits", "sample_scene"]

COLORS: Final = ("red", "green", "blue", "yellow", "purple", "white")
CRF: Final = ("none", "18", "23", "28", "35")
_SHORTEST: Final = 1.0  # seconds
_FEWEST: Final = 10  # frames
_VIEW: Final = (4.6, 5.4)


@dataclass(frozen=True)
class _Set:
    """What a family draws its scene with."""

    rng: np.random.Generator
    seconds: float
    wide: float  # metres of the plane y = 0 from one side of the frame to the other
    camera: Camera
    colors: tuple[str, ...]

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    @property
    def sign(self) -> int:
        return 1 if self.rng.random() < 0.5 else -1

    def ball(self, number: int, x: float, z: float | None = None, **more: Any) -> Body:
        r = more.pop("radius", None) or self.between(0.38, 0.55)
        place = (x, more.pop("y", 0.0), r if z is None else z)
        return Body("ball", self.colors[number], (r, r, r), place, **more)

    def box(self, number: int, x: float, **more: Any) -> Body:
        r = more.pop("radius", None) or self.between(0.34, 0.48)
        return Body("box", self.colors[number], (r, r, r), (x, more.pop("y", 0.0), r), **more)

    def thing(self, number: int, x: float, **more: Any) -> Body:
        return (self.ball if self.rng.random() < 0.6 else self.box)(number, x, **more)


_Made = tuple[tuple[Body, ...], dict[str, Any]]
_IDEAL: Final = {"ideal": True}
_SLOWED: Final = {**_IDEAL, "drag": True}
_DEEP: Final = {**_IDEAL, "in_depth": True}


def _fall(s: _Set) -> _Made:
    top = s.camera.height + 0.5 * s.camera.view
    ball = s.ball(0, s.between(-0.3, 0.3) * s.wide, springy=s.between(0.6, 0.8))
    z = top - ball.half[2] - s.between(0.1, 0.5)
    return (replace(ball, place=(ball.place[0], 0.0, z)),), {**_IDEAL, "motion": "bounce", "falls": True}


def _throw(s: _Set) -> _Made:
    sign = s.sign
    up = s.between(2.5, 4.0)
    ball = s.ball(0, -sign * (0.5 * s.wide - 0.8), s.between(1.0, 1.8), springy=0.6)
    flight = (up + np.sqrt(up**2 + 2 * G * (ball.place[2] - ball.half[2]))) / G
    across = (0.62 * s.wide) / max(s.seconds, flight)
    ball = replace(ball, velocity=(sign * across, 0.0, up))
    word = "throw-right" if sign > 0 else "throw-left"
    return (ball,), {**_IDEAL, "motion": word, "falls": True}


def _drag(s: _Set) -> _Made:
    (ball,), _ = _fall(s)
    return (replace(ball, drag=s.between(2.0, 3.5), springy=0.2),), {**_SLOWED, "motion": "fall"}


def _glide(s: _Set) -> _Made:
    sign = s.sign
    thing = s.thing(0, -sign * (0.5 * s.wide - 0.75))
    speed = s.between(0.55, 0.95) * (s.wide - 1.5) / s.seconds
    return (replace(thing, velocity=(sign * speed, 0.0, 0.0)),), {**_IDEAL, "motion": _side(sign)}


def _friction(s: _Set) -> _Made:
    (thing,), facts = _glide(s)
    speed = abs(thing.velocity[0]) * 1.9
    slow = speed / (s.seconds * s.between(0.5, 0.8))  # deceleration that stops it within the clip
    thing = replace(s.box(0, thing.place[0]), friction=slow / G, velocity=_scaled(thing, 1.9))
    return (thing,), {**_SLOWED, "motion": facts["motion"]}


def _roll(s: _Set) -> _Made:
    sign, angle = s.sign, np.radians(s.between(12, 22))
    length = s.between(1.5, 1.8)
    high = 2 * length * np.sin(angle)
    ramp = Body(
        "ramp",
        "gray",
        (length, 0.9, 0.05),
        (-sign * 0.9, 0.0, high / 2),
        tilt=sign * float(angle),
        fixed=True,
    )
    r = s.between(0.32, 0.42)
    up = length - 0.3
    x = ramp.place[0] - sign * up * np.cos(angle) + sign * (r + 0.05) * np.sin(angle)
    z = ramp.place[2] + up * np.sin(angle) + (r + 0.06) * np.cos(angle)
    ball = s.ball(0, float(x), float(z), radius=r, friction=0.9, surface=_surface(s))
    return (ball, ramp), {**_SLOWED, "others": None}


def _spin(s: _Set) -> _Made:
    sign = s.sign
    r = s.between(0.45, 0.6)
    speed = s.between(0.5, 0.8) * (s.wide - 1.6) / s.seconds
    ball = s.ball(0, -sign * (0.5 * s.wide - 0.8), radius=r, friction=1.0, surface="checker")
    rolls = (0.0, sign * speed / r, 0.0)
    return (replace(ball, velocity=(sign * speed, 0.0, 0.0), spin=rolls),), {**_IDEAL, "motion": _side(sign)}


def _collision(s: _Set) -> _Made:
    sign = s.sign
    kind = s.ball if s.rng.random() < 0.5 else s.box
    r = s.between(0.36, 0.46)
    one = kind(0, -sign * (0.5 * s.wide - 0.7), radius=r, springy=s.between(0.5, 0.9))
    two = kind(1, sign * s.between(0.0, 0.4), radius=r, springy=one.springy)
    gap = abs(two.place[0] - one.place[0]) - 2 * r
    speed = gap / (s.seconds * s.between(0.38, 0.48))
    one = replace(one, velocity=(sign * speed, 0.0, 0.0))
    return (one, two), {**_IDEAL, "direction": _side(sign), "collides": [0, 1], "at_rest": [1]}


def _both(s: _Set) -> _Made:
    sign, r = s.sign, s.between(0.36, 0.46)
    one = s.ball(0, -sign * (0.5 * s.wide - 0.7), radius=r, springy=s.between(0.6, 0.9))
    two = s.ball(1, sign * (0.5 * s.wide - 0.7), radius=r, springy=one.springy)
    speed = (abs(two.place[0] - one.place[0]) - 2 * r) / (s.seconds * s.between(0.45, 0.6))
    share = s.between(0.35, 0.65)
    one = replace(one, velocity=(sign * share * speed, 0.0, 0.0))
    two = replace(two, velocity=(-sign * (1 - share) * speed, 0.0, 0.0))
    return (one, two), {**_IDEAL, "direction": _side(sign), "collides": [0, 1]}


def _glancing(s: _Set) -> _Made:
    (one, two), facts = _collision(s)
    one, two = (replace(b, shape="ball", place=(b.place[0], b.place[1], b.half[2])) for b in (one, two))
    off = s.between(0.5, 0.9) * one.half[0]
    two = replace(two, place=(two.place[0], off, two.place[2]))
    return (one, two), {**_DEEP, "direction": facts["direction"]}


def _chase(s: _Set) -> _Made:
    sign, r = s.sign, s.between(0.34, 0.42)
    one = s.ball(0, -sign * (0.5 * s.wide - 0.6), radius=r, springy=0.8)
    two = s.ball(1, one.place[0] + sign * (2 * r + s.between(0.8, 1.1)), radius=r, springy=0.8)
    slow = s.between(0.3, 0.4) * (s.wide - 2.5) / s.seconds
    one = replace(one, velocity=(sign * slow * s.between(1.9, 2.3), 0.0, 0.0))
    return (one, replace(two, velocity=(sign * slow, 0.0, 0.0))), {
        **_IDEAL,
        "direction": _side(sign),
        "collides": [0, 1],
    }


def _topple(s: _Set) -> _Made:
    thin, tall = s.between(0.22, 0.3), s.between(0.75, 0.95)
    sign = s.sign
    tower = Body(
        "box", s.colors[0], (thin, 0.4, tall), (-sign * 0.5, 0.0, tall), friction=0.8, surface=_surface(s)
    )
    lean = float(np.arctan2(thin, tall)) + s.between(0.08, 0.2)
    centre = float(np.hypot(thin, tall) * np.cos(lean - np.arctan2(thin, tall)))
    tower = replace(tower, tilt=sign * lean, place=(tower.place[0], 0.0, centre + 0.01))
    return (tower,), {**_IDEAL, "tilts": True}


def _stack(s: _Set) -> _Made:
    r = s.between(0.36, 0.46)
    x = s.between(-0.2, 0.2) * s.wide
    low = s.box(0, x, radius=r, friction=0.8)
    high = replace(s.box(1, x + s.between(-0.1, 0.1), radius=r, friction=0.8), place=(x, 0.0, 3 * r))
    return (low, high), {**_IDEAL, "motion": "stay"}


def _still(s: _Set) -> _Made:
    return (s.thing(0, s.between(-0.3, 0.3) * s.wide),), {**_IDEAL, "motion": "stay"}


def _pendulum(s: _Set) -> _Made:
    r = s.between(0.34, 0.45)
    length = s.between(1.9, 2.4)
    hung = (s.between(-0.4, 0.4), 0.0, s.camera.height + 0.5 * s.camera.view + 0.3)
    angle = s.sign * s.between(0.5, 0.9)
    place = (hung[0] + length * float(np.sin(angle)), 0.0, hung[2] - length * float(np.cos(angle)))
    return (s.ball(0, place[0], place[2], radius=r, hung=hung),), dict(_IDEAL)


def _behind(s: _Set) -> _Made:
    (thing,), facts = _glide(s)
    fast = 0.92 * (s.wide - 1.5) / s.seconds
    thing = replace(thing, velocity=(float(np.sign(thing.velocity[0])) * fast, 0.0, 0.0))
    wall = Body(
        "wall", "gray", (s.between(0.55, 0.7), 0.08, s.between(0.9, 1.2)), (0.0, -0.9, 0.9), fixed=True,
        surface=_surface(s),
    )  # fmt: skip
    wall = replace(wall, place=(s.between(-0.2, 0.2), -0.9, wall.half[2]))
    return (thing, wall), {**_IDEAL, "direction": facts["motion"], "passes_behind": [0, 1]}


def _stop_behind(s: _Set) -> _Made:
    (thing, wall), facts = _behind(s)
    thing = s.box(0, thing.place[0], radius=0.38)
    away = abs(wall.place[0] * 1.15 - thing.place[0])  # the wall is nearer to the camera than the thing
    slow = 2 * away / (0.7 * s.seconds) ** 2
    sign = 1 if facts["direction"] == "right" else -1
    thing = replace(thing, friction=slow / G, velocity=(sign * slow * 0.7 * s.seconds, 0.0, 0.0))
    return (thing, wall), {**_SLOWED, "direction": facts["direction"]}


def _approach(s: _Set) -> _Made:
    speed = s.between(1.6, 2.6) / s.seconds
    return (s.thing(0, s.between(-0.2, 0.2) * s.wide, y=0.8, velocity=(0.0, -speed, 0.0)),), dict(_DEEP)


def _recede(s: _Set) -> _Made:
    speed = s.between(2.0, 3.2) / s.seconds
    return (s.thing(0, s.between(-0.15, 0.15) * s.wide, y=-1.2, velocity=(0.0, speed, 0.0)),), dict(_DEEP)


def _enter(s: _Set) -> _Made:
    sign = s.sign
    speed = s.between(0.6, 0.8) * s.wide / s.seconds
    thing = s.thing(0, -sign * (0.5 * s.wide + 0.4), velocity=(sign * speed, 0.0, 0.0))
    return (thing,), {**_IDEAL, "direction": _side(sign)}


def _leave(s: _Set) -> _Made:
    sign = s.sign
    speed = s.between(0.6, 0.8) * s.wide / s.seconds
    thing = s.thing(0, -sign * s.between(0.0, 0.15) * s.wide, velocity=(sign * speed, 0.0, 0.0))
    return (thing,), {**_IDEAL, "direction": _side(sign)}


def _bite(s: _Set) -> _Made:
    wide, sign = s.between(0.75, 0.9), s.sign
    way = s.between(0.7, 0.9) * (0.5 * s.wide - wide - 0.3)
    bar = Body(
        "bar",
        s.colors[0],
        (wide, 0.15, 0.55),
        (-sign * way, 0.0, 0.55),
        velocity=(sign * 2 * way / s.seconds, 0.0, 0.0),
        bite=s.between(0.2, 0.3) * s.seconds,
    )
    return (bar,), {**_IDEAL, "direction": _side(sign), "bitten": 0}


def _crowd(s: _Set) -> _Made:
    count = int(s.rng.integers(1, 7))
    depths = s.rng.permutation(np.linspace(-0.6, 3.2, count))
    things: list[Body] = []
    for k, depth in enumerate(depths):
        sign = s.sign
        speed = s.between(0.3, 0.7) * (s.wide - 1.5) / s.seconds
        thing = s.thing(k, -sign * s.between(0.15, 0.4) * s.wide, y=float(depth), radius=0.3)
        things.append(replace(thing, velocity=(sign * speed, 0.0, 0.0)))
    return tuple(things), dict(_IDEAL)


def _room(s: _Set) -> _Made:
    count = int(s.rng.integers(3, 6))
    depths = s.rng.permutation(np.linspace(-0.8, 3.0, count))
    across = s.rng.permutation(np.linspace(-0.36, 0.36, count)) * s.wide
    things = [
        replace(s.thing(k, float(x), y=float(y), surface=_surface(s)), fixed=True)
        for k, (x, y) in enumerate(zip(across, depths, strict=True))
    ]
    return tuple(things), {**_IDEAL, "motion": "stay"}


def _side(sign: int) -> str:
    return "right" if sign > 0 else "left"


def _surface(s: _Set) -> str:
    return SURFACES[int(s.rng.integers(len(SURFACES)))]


def _scaled(body: Body, factor: float) -> tuple[float, float, float]:
    x, y, z = body.velocity
    return (x * factor, y * factor, z * factor)


FAMILIES: Final[dict[str, tuple[Callable[[_Set], _Made], str, str]]] = {
    "fall": (_fall, "still", "constant"),
    "throw": (_throw, "still", "constant"),
    "drag": (_drag, "still", "constant"),
    "glide": (_glide, "still", "constant"),
    "friction": (_friction, "still", "constant"),
    "roll": (_roll, "still", "constant"),
    "spin": (_spin, "still", "constant"),
    "collision": (_collision, "still", "constant"),
    "both": (_both, "still", "constant"),
    "glancing": (_glancing, "still", "constant"),
    "chase": (_chase, "still", "constant"),
    "topple": (_topple, "still", "constant"),
    "stack": (_stack, "still", "constant"),
    "static": (_still, "still", "constant"),
    "pendulum": (_pendulum, "still", "constant"),
    "behind": (_behind, "still", "constant"),
    "stop-behind": (_stop_behind, "still", "constant"),
    "approach": (_approach, "still", "constant"),
    "recede": (_recede, "still", "constant"),
    "enter": (_enter, "still", "constant"),
    "leave": (_leave, "still", "constant"),
    "bite": (_bite, "still", "constant"),
    "crowd": (_crowd, "still", "constant"),
    "room-orbit": (_room, "orbit", "constant"),
    "room-dolly": (_room, "dolly", "constant"),
    "pan": (_glide, "pan", "constant"),
    "orbit": (_glide, "orbit", "constant"),
    "dolly": (_glide, "dolly", "constant"),
    "shake": (_glide, "shake", "constant"),
    "dimming": (_glide, "still", "dims"),
    "brightening": (_glide, "still", "brightens"),
    "lamp": (_glide, "still", "swings"),
}
"""Family -> how its bodies are placed, how the camera moves, and the course of the light."""
_ROOM: Final = {"orbit": (14.0, 26.0), "dolly": (1.2, 2.2)}
_AMOUNTS: Final = {"pan": (5.0, 10.0), "orbit": (6.0, 14.0), "dolly": (0.5, 1.2), "shake": (0.4, 1.0)}


def fits(family: str, clip: ClipSettings) -> bool:
    """Say whether a clip has time for a family's scenes."""
    return family in FAMILIES and duration(clip) >= _SHORTEST and clip.frames >= _FEWEST


def choices(family: str) -> Mapping[str, Sequence[str]]:
    """Say what can be fixed of a family's scenes: colors, surfaces, and how it is recorded."""
    if family not in FAMILIES:
        raise unknown_name("family", family, FAMILIES)
    return {
        "color": COLORS,
        "floor": SURFACES,
        "backdrop": SURFACES,
        "noise": ("0", "2", "4", "8"),
        "blur": ("1", "3", "5"),
        "crf": CRF,
    }


def sample_scene(
    rng: np.random.Generator,
    clip: ClipSettings,
    family: str | None = None,
    asked: Mapping[str, str] | None = None,
    *,
    palette: Sequence[str] = COLORS,
    surfaces: Sequence[str] = SURFACES,
) -> Scene:
    """Draw a scene of a family, or of any.

    Args:
        rng: of everything in it.
        clip: size, rate and length.
        family: one of `FAMILIES`; None for any.
        asked: what is fixed; see `choices`.
        palette: colors that the first things take; further things have others.
        surfaces: textures of floor and backdrop.

    Raises:
        UsageError: no such family or choice, or a clip that is too short for it.
    """
    name = family if family is not None else list(FAMILIES)[int(rng.integers(len(FAMILIES)))]
    fixed = dict(asked or {})
    for choice, value in fixed.items():
        known = choices(name)
        if choice not in known:
            raise unknown_name("choice", choice, known)
        if value not in known[choice]:
            raise unknown_name(choice, value, known[choice])
    if name not in FAMILIES:
        raise unknown_name("family", name, FAMILIES)
    if not fits(name, clip):
        raise UsageError(
            f"a scene of the family {name!r} needs {_FEWEST} frames and {_SHORTEST:g} second; this clip has "
            f"{clip.frames} frames in {duration(clip):.2f} seconds"
        )
    make, move, course = FAMILIES[name]
    camera = _camera(rng, name, move)
    first = list(rng.permutation(list(palette)))
    if "color" in fixed:
        first = [fixed["color"], *(c for c in first if c != fixed["color"])]
    colors = (*first, *(c for c in COLORS if c not in first))
    wide = camera.view * clip.width / clip.height
    bodies, facts = make(_Set(rng, duration(clip), wide, camera, tuple(map(str, colors))))
    if course != "constant":
        facts["constant_light"] = False
    look = Look(
        blur=int(fixed.get("blur", "1" if rng.random() < 0.7 else "3")),
        noise=float(fixed["noise"]) if "noise" in fixed else float(rng.choice([0.0, 1.5, 3.0])),
        crf=_crf(fixed.get("crf"), rng),
    )
    light = Light(
        azimuth=float(rng.uniform(-60, 60)),
        elevation=float(rng.uniform(45, 70)),
        brightness=float(rng.uniform(0.55, 0.75)),
        course=course,
        shadows=course == "swings" or bool(rng.random() < 0.6),
    )
    floor, backdrop = (str(surfaces[int(rng.integers(len(surfaces)))]) for _ in range(2))
    scene = Scene(
        name,
        bodies,
        camera,
        light,
        look,
        fixed.get("floor", floor),
        fixed.get("backdrop", backdrop),
        int(rng.integers(2**31)),
        facts,
    )
    return replace(scene, spare=_spare(scene, rng, wide))


def _crf(fixed: str | None, rng: np.random.Generator) -> int | None:
    drawn = CRF[int(rng.integers(4))]
    word = drawn if fixed is None else fixed
    return None if word == "none" else int(word)


def _camera(rng: np.random.Generator, family: str, move: str) -> Camera:
    view, fovy = float(rng.uniform(*_VIEW)), float(rng.uniform(32, 46))
    pitch = 0.0 if family in ("fall", "throw", "drag", "pendulum") else float(rng.uniform(4, 12))
    height = (
        0.42 * view
        if pitch == 0
        else 0.3 * view + view / 2 / np.tan(np.radians(fovy / 2)) * np.tan(np.radians(pitch))
    )
    amount = 0.0
    if move != "still":
        sign = 1 if move == "shake" or rng.random() < 0.5 else -1
        wide = _ROOM if family.startswith("room") else _AMOUNTS
        amount = (1 if move == "dolly" else sign) * float(rng.uniform(*wide[move]))
    return Camera(view, fovy, float(height), pitch, move, amount)


def _spare(scene: Scene, rng: np.random.Generator, wide: float) -> Body | None:
    """Place one more small thing well above the floor's things, where nothing passes in most families.

    There is none where the scene has every color already.
    """
    taken = {body.color for body in scene.bodies}
    free = [c for c in COLORS if c not in taken]
    if not free:
        return None
    r = float(rng.uniform(0.3, 0.4))
    color = free[int(rng.integers(len(free)))]
    subject = scene.bodies[0]
    side = -1 if subject.place[0] > 0 else 1
    x = side * float(rng.uniform(0.2, 0.36)) * wide
    return Body("ball", color, (r, r, r), (x, 1.4, float(rng.uniform(1.9, 2.4))), fixed=True)
