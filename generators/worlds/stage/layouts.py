"""How each family of scenes places its bodies at the first frame, and which facts hold of what follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from .scene import SURFACES, Body, Camera, G

__all__ = ["FAMILIES", "Family", "Setting"]


@dataclass(frozen=True)
class Setting:
    """What a family draws its scene with."""

    rng: np.random.Generator
    seconds: float
    wide: float  # metres of the plane y = 0 from one side of the frame to the other
    camera: Camera
    colors: tuple[str, ...]

    def between(self, low: float, high: float) -> float:
        """Draw a number."""
        return float(self.rng.uniform(low, high))

    def sign(self) -> int:
        """Draw a direction anew: 1 is right, -1 is left."""
        return 1 if self.rng.random() < 0.5 else -1

    def ball(self, number: int, x: float, z: float | None = None, **more: Any) -> Body:
        """Make a ball, on the floor without ``z``; ``more``: ``radius``, ``y``, attributes of a `Body`."""
        r = more.pop("radius", None) or self.between(0.38, 0.55)
        place = (x, more.pop("y", 0.0), r if z is None else z)
        return Body("ball", self.colors[number], (r, r, r), place, **more)

    def box(self, number: int, x: float, **more: Any) -> Body:
        """Make a cube on the floor; its radius is half of its edge."""
        r = more.pop("radius", None) or self.between(0.34, 0.48)
        return Body("box", self.colors[number], (r, r, r), (x, more.pop("y", 0.0), r), **more)

    def thing(self, number: int, x: float, **more: Any) -> Body:
        """Make a ball or a cube."""
        return (self.ball if self.rng.random() < 0.6 else self.box)(number, x, **more)


Placed = tuple[tuple[Body, ...], dict[str, Any]]
"""Bodies, and facts of the scene: keys of ``expect``, ``falls`` and ``tilts`` (`truth.expectation`)."""


@dataclass(frozen=True)
class Family:
    """A family of scenes.

    Attributes:
        place: how its bodies are placed.
        camera: how the camera moves.
        light: how the light changes.
        facts: further facts that hold in all of its scenes, as keys of ``expect``.
    """

    place: Callable[[Setting], Placed]
    camera: str = "still"
    light: str = "constant"
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def known(self) -> dict[str, Any]:
        """The facts that hold in every scene of the family, beside that it is ideal in all else."""
        known = dict(self.facts)
        if self.light != "constant":
            known["constant_light"] = False
        if self.camera == "dolly":
            known["in_depth"] = True
        return known


def _fall(s: Setting) -> Placed:
    top = s.camera.height + 0.5 * s.camera.view
    ball = s.ball(0, s.between(-0.3, 0.3) * s.wide, springy=s.between(0.6, 0.8))
    z = top - ball.half[2] - s.between(0.1, 0.5)
    return (replace(ball, place=(ball.place[0], 0.0, z)),), {"motion": "bounce", "falls": True}


def _throw(s: Setting) -> Placed:
    sign = s.sign()
    up = s.between(2.5, 4.0)
    ball = s.ball(0, -sign * (0.5 * s.wide - 0.8), s.between(1.0, 1.8), springy=0.6)
    flight = (up + np.sqrt(up**2 + 2 * G * (ball.place[2] - ball.half[2]))) / G
    across = (0.62 * s.wide) / max(s.seconds, flight)
    ball = replace(ball, velocity=(sign * across, 0.0, up))
    word = "throw-right" if sign > 0 else "throw-left"
    return (ball,), {"motion": word, "falls": True}


def _drag(s: Setting) -> Placed:
    (ball,), _ = _fall(s)
    return (replace(ball, drag=s.between(2.0, 3.5), springy=0.2),), {"motion": "fall"}


def _glide(s: Setting) -> Placed:
    sign = s.sign()
    thing = s.thing(0, -sign * (0.5 * s.wide - 0.75))
    speed = s.between(0.55, 0.95) * (s.wide - 1.5) / s.seconds
    return (replace(thing, velocity=(sign * speed, 0.0, 0.0)),), {"motion": _side(sign)}


def _friction(s: Setting) -> Placed:
    (thing,), facts = _glide(s)
    speed = abs(thing.velocity[0]) * 1.9
    slow = speed / (s.seconds * s.between(0.5, 0.8))  # deceleration that stops it within the clip
    thing = replace(s.box(0, thing.place[0]), friction=slow / G, velocity=_scaled(thing, 1.9))
    return (thing,), {"motion": facts["motion"]}


def _roll(s: Setting) -> Placed:
    sign, angle = s.sign(), np.radians(s.between(12, 22))
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
    return (ball, ramp), {"others": "allowed"}


def _spin(s: Setting) -> Placed:
    sign = s.sign()
    r = s.between(0.45, 0.6)
    speed = s.between(0.5, 0.8) * (s.wide - 1.6) / s.seconds
    ball = s.ball(0, -sign * (0.5 * s.wide - 0.8), radius=r, friction=1.0, surface="checker")
    rolls = (0.0, sign * speed / r, 0.0)
    return (replace(ball, velocity=(sign * speed, 0.0, 0.0), spin=rolls),), {"motion": _side(sign)}


def _collision(s: Setting) -> Placed:
    sign = s.sign()
    kind = s.ball if s.rng.random() < 0.5 else s.box
    r = s.between(0.36, 0.46)
    one = kind(0, -sign * (0.5 * s.wide - 0.7), radius=r, springy=s.between(0.5, 0.9))
    two = kind(1, sign * s.between(0.0, 0.4), radius=r, springy=one.springy)
    gap = abs(two.place[0] - one.place[0]) - 2 * r
    speed = gap / (s.seconds * s.between(0.38, 0.48))
    one = replace(one, velocity=(sign * speed, 0.0, 0.0))
    return (one, two), {"direction": _side(sign), "collides": [0, 1], "at_rest": [1]}


def _both(s: Setting) -> Placed:
    sign, r = s.sign(), s.between(0.36, 0.46)
    one = s.ball(0, -sign * (0.5 * s.wide - 0.7), radius=r, springy=s.between(0.6, 0.9))
    two = s.ball(1, sign * (0.5 * s.wide - 0.7), radius=r, springy=one.springy)
    speed = (abs(two.place[0] - one.place[0]) - 2 * r) / (s.seconds * s.between(0.45, 0.6))
    share = s.between(0.35, 0.65)
    one = replace(one, velocity=(sign * share * speed, 0.0, 0.0))
    two = replace(two, velocity=(-sign * (1 - share) * speed, 0.0, 0.0))
    return (one, two), {"direction": _side(sign), "collides": [0, 1]}


def _glancing(s: Setting) -> Placed:
    (one, two), facts = _collision(s)
    one, two = (replace(b, shape="ball", place=(b.place[0], b.place[1], b.half[2])) for b in (one, two))
    off = s.between(0.5, 0.9) * one.half[0]
    two = replace(two, place=(two.place[0], off, two.place[2]))
    return (one, two), {"direction": facts["direction"]}


def _chase(s: Setting) -> Placed:
    sign, r = s.sign(), s.between(0.34, 0.42)
    one = s.ball(0, -sign * (0.5 * s.wide - 0.6), radius=r, springy=0.8)
    two = s.ball(1, one.place[0] + sign * (2 * r + s.between(0.8, 1.1)), radius=r, springy=0.8)
    slow = s.between(0.3, 0.4) * (s.wide - 2.5) / s.seconds
    one = replace(one, velocity=(sign * slow * s.between(1.9, 2.3), 0.0, 0.0))
    return (one, replace(two, velocity=(sign * slow, 0.0, 0.0))), {
        "direction": _side(sign),
        "collides": [0, 1],
    }


def _topple(s: Setting) -> Placed:
    thin, tall = s.between(0.22, 0.3), s.between(0.75, 0.95)
    sign = s.sign()
    tower = Body(
        "box", s.colors[0], (thin, 0.4, tall), (-sign * 0.5, 0.0, tall), friction=0.8, surface=_surface(s)
    )
    lean = float(np.arctan2(thin, tall)) + s.between(0.08, 0.2)
    centre = float(np.hypot(thin, tall) * np.cos(lean - np.arctan2(thin, tall)))
    tower = replace(tower, tilt=sign * lean, place=(tower.place[0], 0.0, centre + 0.01))
    return (tower,), {"tilts": True}


def _stack(s: Setting) -> Placed:
    r = s.between(0.36, 0.46)
    x = s.between(-0.2, 0.2) * s.wide
    low = s.box(0, x, radius=r, friction=0.8)
    high = replace(s.box(1, x + s.between(-0.1, 0.1), radius=r, friction=0.8), place=(x, 0.0, 3 * r))
    return (low, high), {"motion": "stay"}


def _still(s: Setting) -> Placed:
    return (s.thing(0, s.between(-0.3, 0.3) * s.wide),), {"motion": "stay"}


def _pendulum(s: Setting) -> Placed:
    r = s.between(0.34, 0.45)
    length = s.between(1.9, 2.4)
    hung = (s.between(-0.4, 0.4), 0.0, s.camera.height + 0.5 * s.camera.view + 0.3)
    angle = s.sign() * s.between(0.5, 0.9)
    place = (hung[0] + length * float(np.sin(angle)), 0.0, hung[2] - length * float(np.cos(angle)))
    return (s.ball(0, place[0], place[2], radius=r, hung=hung),), {}


def _behind(s: Setting) -> Placed:
    (thing,), facts = _glide(s)
    fast = 0.92 * (s.wide - 1.5) / s.seconds
    thing = replace(thing, velocity=(float(np.sign(thing.velocity[0])) * fast, 0.0, 0.0))
    wall = Body(
        "wall", "gray", (s.between(0.55, 0.7), 0.08, s.between(0.9, 1.2)), (0.0, -0.9, 0.9), fixed=True,
        surface=_surface(s),
    )  # fmt: skip
    wall = replace(wall, place=(s.between(-0.2, 0.2), -0.9, wall.half[2]))
    return (thing, wall), {"direction": facts["motion"], "passes_behind": [0, 1]}


def _stop_behind(s: Setting) -> Placed:
    (thing, wall), facts = _behind(s)
    thing = s.box(0, thing.place[0], radius=0.38)
    away = abs(wall.place[0] * 1.15 - thing.place[0])  # the wall is nearer to the camera than the thing
    slow = 2 * away / (0.7 * s.seconds) ** 2
    sign = 1 if facts["direction"] == "right" else -1
    thing = replace(thing, friction=slow / G, velocity=(sign * slow * 0.7 * s.seconds, 0.0, 0.0))
    return (thing, wall), {"direction": facts["direction"]}


def _approach(s: Setting) -> Placed:
    speed = s.between(1.6, 2.6) / s.seconds
    return (s.thing(0, s.between(-0.2, 0.2) * s.wide, y=0.8, velocity=(0.0, -speed, 0.0)),), {}


def _recede(s: Setting) -> Placed:
    speed = s.between(2.0, 3.2) / s.seconds
    return (s.thing(0, s.between(-0.15, 0.15) * s.wide, y=-1.2, velocity=(0.0, speed, 0.0)),), {}


def _enter(s: Setting) -> Placed:
    sign = s.sign()
    speed = s.between(0.6, 0.8) * s.wide / s.seconds
    thing = s.thing(0, -sign * (0.5 * s.wide + 0.4), velocity=(sign * speed, 0.0, 0.0))
    return (thing,), {"direction": _side(sign)}


def _leave(s: Setting) -> Placed:
    sign = s.sign()
    speed = s.between(0.6, 0.8) * s.wide / s.seconds
    thing = s.thing(0, -sign * s.between(0.0, 0.15) * s.wide, velocity=(sign * speed, 0.0, 0.0))
    return (thing,), {"direction": _side(sign)}


def _bite(s: Setting) -> Placed:
    wide, sign = s.between(0.75, 0.9), s.sign()
    way = s.between(0.7, 0.9) * (0.5 * s.wide - wide - 0.3)
    bar = Body(
        "bar",
        s.colors[0],
        (wide, 0.15, 0.55),
        (-sign * way, 0.0, 0.55),
        velocity=(sign * 2 * way / s.seconds, 0.0, 0.0),
        bite=s.between(0.2, 0.3) * s.seconds,
    )
    return (bar,), {"direction": _side(sign), "bitten": 0}


def _crowd(s: Setting) -> Placed:
    count = int(s.rng.integers(1, 7))
    depths = s.rng.permutation(np.linspace(-0.6, 3.2, count))
    things: list[Body] = []
    for k, depth in enumerate(depths):
        sign = s.sign()
        speed = s.between(0.3, 0.7) * (s.wide - 1.5) / s.seconds
        thing = s.thing(k, -sign * s.between(0.15, 0.4) * s.wide, y=float(depth), radius=0.3)
        things.append(replace(thing, velocity=(sign * speed, 0.0, 0.0)))
    return tuple(things), {}


def _room(s: Setting) -> Placed:
    count = int(s.rng.integers(3, 6))
    depths = s.rng.permutation(np.linspace(-0.8, 3.0, count))
    across = s.rng.permutation(np.linspace(-0.36, 0.36, count)) * s.wide
    things = [
        replace(s.thing(k, float(x), y=float(y), surface=_surface(s)), fixed=True)
        for k, (x, y) in enumerate(zip(across, depths, strict=True))
    ]
    return tuple(things), {"motion": "stay"}


def _side(sign: int) -> str:
    return "right" if sign > 0 else "left"


def _surface(s: Setting) -> str:
    return SURFACES[int(s.rng.integers(len(SURFACES)))]


def _scaled(body: Body, factor: float) -> tuple[float, float, float]:
    x, y, z = body.velocity
    return (x * factor, y * factor, z * factor)


FAMILIES: Final[dict[str, Family]] = {
    "fall": Family(_fall),
    "throw": Family(_throw),
    "drag": Family(_drag, facts={"drag": True}),
    "glide": Family(_glide),
    "friction": Family(_friction, facts={"drag": True}),
    "roll": Family(_roll, facts={"drag": True}),
    "spin": Family(_spin),
    "collision": Family(_collision),
    "both": Family(_both),
    "glancing": Family(_glancing, facts={"in_depth": True}),
    "chase": Family(_chase),
    "topple": Family(_topple),
    "stack": Family(_stack, facts={"static": True}),
    "static": Family(_still, facts={"static": True}),
    "pendulum": Family(_pendulum),
    "behind": Family(_behind),
    "stop-behind": Family(_stop_behind, facts={"drag": True}),
    "approach": Family(_approach, facts={"in_depth": True}),
    "recede": Family(_recede, facts={"in_depth": True}),
    "enter": Family(_enter),
    "leave": Family(_leave),
    "bite": Family(_bite),
    "crowd": Family(_crowd),
    "room-orbit": Family(_room, camera="orbit", facts={"static": True}),
    "room-dolly": Family(_room, camera="dolly", facts={"static": True}),
    "pan": Family(_glide, camera="pan"),
    "orbit": Family(_glide, camera="orbit"),
    "dolly": Family(_glide, camera="dolly"),
    "shake": Family(_glide, camera="shake"),
    "dimming": Family(_glide, light="dims"),
    "brightening": Family(_glide, light="brightens"),
    "lamp": Family(_glide, light="swings"),
}
"""By name."""
