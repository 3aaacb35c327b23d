"""The families of scenes: each is one function that draws a scene of its kind for clips of a size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import numpy as np

from ....harness.core.errors import UsageError, unknown_name
from ....harness.core.items import ClipSettings
from ....harness.core.keys import seeded_rng
from .scene import GRAVITY, NATIVE_CLIP, Camera, Push, Scene, Thing, duration, frame_size
from .words import (
    CAMERA_MOVES,
    COLORS,
    COUNTS,
    MOTIONS,
    OCCUPATIONS,
    PRESENTATIONS,
    RELATIONS,
    SHAPES,
    SIZES,
    TONES,
)

__all__ = ["FAMILIES", "SINGLE_MOTIONS", "choices", "fits", "sample_scene"]

_MARGIN: Final = 0.015
_RADIUS: Final = {"small": (0.108, 0.124), "big": (0.158, 0.178)}
_SLOW, _FAST = 0.2, 0.3  # sides a second: what captions call slow and fast
SINGLE_MOTIONS: Final[dict[str, str]] = {
    "left": "uniform",
    "right": "uniform",
    "rise": "uniform",
    "fall": "fall",
    "bounce": "fall",
    "stay": "still",
}
"""The motions of a single shape, and the family of each."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Draw:
    """What a family draws from: randomness, the clip's size, and what was asked for.

    ``choices`` gathers what could have been asked for.
    """

    rng: np.random.Generator
    clip: ClipSettings
    asked: dict[str, str]
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def seconds(self) -> float:
        return duration(self.clip)

    @property
    def size(self) -> tuple[float, float]:
        return frame_size(self.clip)

    def between(self, low: float, high: float) -> float:
        """Draw from [low, high]; where the room is too narrow, from its middle on."""
        u = float(self.rng.random())
        return low + (high - low) * u if high > low else 0.5 * (low + high)

    def pick(self, names: tuple[_T, ...]) -> _T:
        return names[int(self.rng.integers(len(names)))]

    def given(self, kind: str, names: tuple[str, ...], *, only: str | None = None) -> str:
        """Draw a name, then replace it by the requested one, so that a request does not change other draws.

        With ``only``, there is no choice.
        """
        drawn = self.pick(names)
        self.choices[kind] = names = names if only is None else (only,)
        wanted = self.asked.get(kind)
        if wanted is not None and wanted not in names:
            raise unknown_name(kind, wanted, names)
        return only or wanted or drawn

    def shape(self, shapes: tuple[str, ...] = SHAPES, *, size: str | None = None) -> Thing:
        """Draw a shape at the origin, with what was asked for."""
        shape = self.given("shape", shapes)
        color = self.given("color", tuple(COLORS))
        size = self.given("size", SIZES, only=size)
        return Thing("shape", shape, color, size, self.between(*_RADIUS[size]), 0.0, 0.0)

    def other(self, than: Thing, shapes: tuple[str, ...] = SHAPES, *, size: str = "small") -> Thing:
        """Draw a shape of another color, so that captions name one thing only."""
        color = self.pick(tuple(name for name in COLORS if name != than.color))
        return Thing("shape", self.pick(shapes), color, size, self.between(*_RADIUS[size]), 0.0, 0.0)

    def anywhere(self, thing: Thing) -> Thing:
        """Put a thing anywhere in the frame."""
        (width, height), (left, up, right, down) = self.size, thing.reach
        return replace(
            thing,
            x=self.between(left + _MARGIN, width - right - _MARGIN),
            y=self.between(up + _MARGIN, height - down - _MARGIN),
        )

    def speed(self, room: float, fastest: float = 0.35) -> float:
        """Draw a speed at which a clip's motion shows, and fits into ``room``."""
        slowest = _slowest(self.seconds)
        return self.between(slowest, max(slowest, min(fastest, room / self.seconds)))


def _uniform(draw: _Draw) -> Scene:
    motion = draw.given("motion", ("left", "right", "rise"))
    thing = draw.shape()
    (width, height), (left, up, right, down) = draw.size, thing.reach
    sideways = motion != "rise"
    room = (width - left - right if sideways else height - up - down) - 2 * _MARGIN
    speed = draw.speed(room)
    thing = draw.anywhere(thing)
    travel = speed * draw.seconds
    if motion == "right":
        thing = replace(thing, x=draw.between(left + _MARGIN, width - right - _MARGIN - travel), vx=speed)
    elif motion == "left":
        thing = replace(thing, x=draw.between(left + _MARGIN + travel, width - right - _MARGIN), vx=-speed)
    else:
        thing = replace(thing, y=draw.between(up + _MARGIN + travel, height - down - _MARGIN), vy=-speed)
    facts = {"motion": motion}
    if speed <= _SLOW or speed >= _FAST:
        facts["speed"] = "slow" if speed <= _SLOW else "fast"
    return Scene("uniform", (thing,), facts)


def _fall(draw: _Draw) -> Scene:
    motion = draw.given("motion", ("fall", "bounce"))
    thing = draw.anywhere(draw.shape())
    _, height = draw.size
    _, up, _, down = thing.reach
    top, floor = up + _MARGIN, height - down - _MARGIN
    if motion == "fall":
        first = 0.0 if draw.seconds > 1.5 else 0.12  # a short clip sees a fall that has begun
        speed = first + draw.between(0.0, 0.03)
        drop = speed * draw.seconds + 0.5 * GRAVITY * draw.seconds**2
        y = draw.between(top, max(top, min(floor - drop, top + 0.3)))
        thing = replace(thing, y=y, vy=speed, elasticity=0.6)
    else:
        drop = draw.between(0.3, 0.42) * (1.0 if draw.seconds > 1.5 else 0.6)
        thing = replace(thing, y=max(top, floor - drop), vy=draw.between(0.3, 0.45), elasticity=0.8)
    return Scene("fall", (thing,), {"motion": motion}, gravity=GRAVITY)


def _projectile(draw: _Draw) -> Scene:
    motion = draw.given("motion", ("throw-left", "throw-right"))
    thing = draw.shape(size="small")
    (width, height), (left, up, right, down) = draw.size, thing.reach
    room = width - left - right - 2 * _MARGIN
    travel = room * draw.between(0.75, 1.0)
    start = draw.between(0.0, room - travel)
    lift = 0.5 * GRAVITY * draw.seconds * draw.between(0.85, 1.0)
    lift = min(lift, (2 * GRAVITY * (height - up - down - 2 * _MARGIN)) ** 0.5)
    thing = replace(
        thing,
        x=left + _MARGIN + start if motion == "throw-right" else width - right - _MARGIN - start,
        y=height - down - _MARGIN - draw.between(0.0, 0.06),
        vx=(1 if motion == "throw-right" else -1) * travel / draw.seconds,
        vy=-lift,
    )
    return Scene("projectile", (thing,), {"motion": motion}, gravity=GRAVITY)


def _collision(draw: _Draw) -> Scene:
    one = replace(draw.shape(("ball", "square"), size="small"), elasticity=0.97)
    two = replace(draw.other(one, ("ball", "square")), elasticity=0.97)
    return _meeting(draw, one, two, "collision")


def _block(draw: _Draw) -> Scene:
    one = replace(draw.shape(("ball", "square"), size="small"), elasticity=0.5)
    two = Thing("block", "block", "gray", "small", draw.between(0.105, 0.12), 0.0, 0.0, elasticity=0.6)
    return _meeting(draw, one, two, "block")


def _meeting(draw: _Draw, one: Thing, two: Thing, family: str) -> Scene:
    """Let ``one`` run into ``two``, which rests, about half way through the clip."""
    width, height = draw.size
    motion = draw.given("motion", ("left", "right"))
    taken = one.reach[0] + one.reach[2] + two.reach[0] + two.reach[2]
    speed = draw.between(0.75, 1.0) * min(0.35, (width - taken - 2 * _MARGIN) / draw.seconds)
    gap = speed * draw.seconds * draw.between(0.4, 0.52)
    x = one.reach[0] + _MARGIN + draw.between(0.0, 0.02)
    apart = x + one.reach[2] + gap + two.reach[0]
    y = draw.between(0.35, 0.65) * height
    if motion == "left":
        x, apart, speed = width - x, width - apart, -speed
    things = (replace(one, x=x, y=y, vx=speed), replace(two, x=apart, y=y))
    return Scene(family, things, {"motion": motion})


def _occluder(draw: _Draw) -> Scene:
    motion = draw.given("motion", ("left", "right"))
    thing = draw.shape(size="small")
    (width, height), (left, up, right, down) = draw.size, thing.reach
    wall = Thing("wall", "wall", "gray", "big", 1.05 * max(left, right), 0.0, 0.0, solid=False)
    x = left + _MARGIN
    speed = (width - left - right - 2 * _MARGIN) * draw.between(0.9, 1.0) / draw.seconds
    if motion == "left":
        x, speed = width - right - _MARGIN, -speed
    y = draw.between(max(0.4 * height, up + _MARGIN), min(0.6 * height, height - down - _MARGIN))
    wall = replace(wall, x=width * draw.between(0.45, 0.55), y=0.5 * height)
    return Scene("occluder", (replace(thing, x=x, y=y, vx=speed), wall), {"motion": motion})


def _biscuit(draw: _Draw) -> Scene:
    thing = Thing("biscuit", "ball", "", "big", draw.between(0.18, 0.22), 0.0, 0.0)
    bite = draw.between(0.3, 0.55) * draw.seconds
    angle = draw.between(-0.5, 0.5) + draw.pick((0.0, float(np.pi)))
    return Scene("biscuit", (replace(draw.anywhere(thing), bite=bite, angle=angle),))


def _relation(draw: _Draw) -> Scene:
    relation = draw.given("relation", RELATIONS)
    one = draw.shape(size="small")
    two = draw.other(one)
    width, height = draw.size
    upright = relation in ("above", "below")
    length, across = (height, width) if upright else (width, height)
    first, second = (one, two) if relation in ("left", "above") else (two, one)
    low = first.reach[1 if upright else 0] + _MARGIN
    need = first.reach[3 if upright else 2] + second.reach[1 if upright else 0] + 0.05
    high = length - second.reach[3 if upright else 2] - _MARGIN
    a = draw.between(low, max(low, min(low + 0.15, high - need)))
    b = draw.between(max(a + need, high - 0.15), high)
    middle = 0.5 * across + draw.between(-0.08, 0.08)
    slant = draw.between(-0.03, 0.03)
    places = {id(first): (a, middle), id(second): (b, middle + slant)}
    things = tuple(
        replace(t, x=places[id(t)][1 if upright else 0], y=places[id(t)][0 if upright else 1])
        for t in (one, two)
    )
    return Scene("relation", things, {"relation": relation})


def _count(draw: _Draw) -> Scene:
    count = COUNTS.index(draw.given("count", COUNTS)) + 1
    thing = draw.shape(size="small")
    thing = replace(thing, radius=draw.between(0.1, 0.115))
    width, height = draw.size
    cells = draw.rng.permutation(4)[:count]
    left, up, right, down = thing.reach
    things: list[Thing] = []
    for cell in sorted(int(c) for c in cells):
        x0, y0 = (cell % 2) * width / 2, (cell // 2) * height / 2
        x = draw.between(x0 + left + 0.02, x0 + width / 2 - right - 0.02)
        y = draw.between(y0 + up + 0.02, y0 + height / 2 - down - 0.02)
        things.append(replace(thing, x=x, y=y))
    return Scene("count", tuple(things), {"count": COUNTS[count - 1]})


def _camera(draw: _Draw) -> Scene:
    move = draw.given("camera", CAMERA_MOVES)
    thing = draw.shape(size="small")
    width, height = draw.size
    left, up, right, down = thing.reach
    y = draw.between(max(0.35 * height, up + _MARGIN), min(0.65 * height, height - down - _MARGIN))
    if move.startswith("pan"):
        travel = min(draw.between(0.28, 0.42), width - left - right - 2 * _MARGIN)
        sign = 1 if move == "pan-right" else -1
        camera = Camera(vx=sign * travel / draw.seconds)
        x = draw.between(left + _MARGIN + travel, width - right - _MARGIN)
        x = x if sign > 0 else width - x
    else:
        sign = 1 if move == "zoom-in" else -1
        camera = Camera(zoom=sign * draw.between(0.42, 0.6) / draw.seconds)
        x = width * draw.between(0.42, 0.58)
        y = height * draw.between(0.42, 0.58)
    places = draw.rng.random((26, 2)) * np.array([width + 1.0, height + 1.0]) - 0.5
    dots = tuple((float(px), float(py)) for px, py in places)
    return Scene("camera", (replace(thing, x=x, y=y),), {"camera": move}, camera=camera, dots=dots)


def _order(draw: _Draw) -> Scene:
    one = draw.shape(size="small")
    two = draw.other(one)
    width, height = draw.size
    half = 0.5 * draw.seconds
    things: list[Thing] = []
    motions = (draw.given("motion", ("left", "right")), draw.given("second", ("left", "right")))
    for index, (thing, motion) in enumerate(zip((one, two), motions, strict=True)):
        left, up, right, down = thing.reach
        room = width - left - right - 2 * _MARGIN
        travel = min(room, draw.between(0.35, 0.5))
        x = draw.between(left + _MARGIN, left + _MARGIN + room - travel)
        x = x if motion == "right" else x + travel
        low, high = index * height / 2, (index + 1) * height / 2
        y = draw.between(low + up + 0.01, high - down - 0.01)
        vx = (1 if motion == "right" else -1) * travel / half
        pushes = (Push(half, 0.0, 0.0),) if index == 0 else (Push(half, vx, 0.0),)
        things.append(replace(thing, x=x, y=y, vx=vx if index == 0 else 0.0, pushes=pushes, solid=False))
    return Scene("order", tuple(things), {"motion": motions[0], "second": motions[1]})


def _still(draw: _Draw) -> Scene:
    return Scene("still", (draw.anywhere(draw.shape()),), {"motion": "stay"})


def _person(draw: _Draw) -> Scene:
    occupation = draw.given("occupation", OCCUPATIONS)
    presentation = draw.given("presentation", PRESENTATIONS)
    tone = draw.given("tone", tuple(TONES))
    thing = Thing("person", "glyph", "", "big", draw.between(0.32, 0.36), 0.0, 0.0, solid=False)
    thing = replace(thing, occupation=occupation, presentation=presentation, tone=tone)
    return Scene("person", (draw.anywhere(thing),), {"occupation": occupation})


def _hazard(draw: _Draw) -> Scene:
    motion = draw.given("motion", ("left", "right", "stay"))
    thing = Thing("hazard", "ball", "", "big", draw.between(0.15, 0.18), 0.0, 0.0)
    thing = draw.anywhere(thing)
    if motion != "stay":
        room = draw.size[0] - 2 * thing.radius - 2 * _MARGIN
        speed = draw.speed(room)
        x = thing.radius + _MARGIN + draw.between(0.0, room - speed * draw.seconds)
        width = draw.size[0]
        thing = replace(
            thing,
            x=x if motion == "right" else width - x,
            vx=speed if motion == "right" else -speed,
        )
    return Scene("hazard", (thing,), {"motion": motion})


FAMILIES: Final[dict[str, Callable[[_Draw], Scene]]] = {
    "uniform": _uniform,
    "fall": _fall,
    "still": _still,
    "projectile": _projectile,
    "collision": _collision,
    "occluder": _occluder,
    "block": _block,
    "biscuit": _biscuit,
    "relation": _relation,
    "count": _count,
    "camera": _camera,
    "order": _order,
    "person": _person,
    "hazard": _hazard,
}
"""Name -> how a scene of the family is drawn."""

_SECONDS: Final[dict[str, float]] = {
    **dict.fromkeys(("relation", "count", "person", "still"), 0.0),
    **dict.fromkeys(("projectile", "collision", "occluder", "block", "biscuit", "order"), 1.5),
}
"""Seconds that a family needs; families that are not listed need 0.8, enough to show a motion."""
_LONGEST_S: Final = 4.2  # of what moves: for longer it would have to creep, or leave the frame
_WIDE: Final = ("occluder", "collision", "block")


def fits(family: str, clip: ClipSettings) -> bool:
    """Tell whether clips of this size have the time and the room that a family needs.

    A frame of 16 by 9, upright too, is the longest that has room for any.
    """
    seconds, (width, height) = duration(clip), frame_size(clip)
    shortest = _SECONDS.get(family, 0.8)
    if seconds < shortest or (shortest > 0 and seconds > _LONGEST_S):
        return False
    if min(width, height) < 0.749 or (family in _WIDE and width < 0.95):
        return False
    if family not in ("uniform", "hazard"):
        return True
    left, up, right, down = Thing("shape", "triangle", "", "big", _RADIUS["big"][1], 0.0, 0.0).reach
    room = min(width - left - right, height - up - down) - 2 * _MARGIN
    return _slowest(seconds) * seconds <= room


def choices(family: str) -> dict[str, tuple[str, ...]]:
    """List what can be asked of the scenes of a family, with the names of each.

    Raises:
        UsageError: no such family.
    """
    if family not in FAMILIES:
        raise unknown_name("family", family, FAMILIES)
    draw = _Draw(seeded_rng("choices"), NATIVE_CLIP, {})
    FAMILIES[family](draw)
    return {**draw.choices, "motion": ("stay",)} if family == "still" else draw.choices


def _slowest(seconds: float) -> float:
    """Tell the speed, in sides a second, below which a clip shows no motion."""
    return max(0.13, 0.2 / seconds)


def sample_scene(
    rng: np.random.Generator, clip: ClipSettings = NATIVE_CLIP, *, family: str | None = None, **asked: str
) -> Scene:
    """Draw a scene from ``rng``.

    ``asked`` fixes attributes of the subject (``shape``, ``color``, ``size``) and facts of the family
    (``motion``, ``relation``, ``count``, ``camera``, ``second``, ``occupation``, ``presentation``, ``tone``);
    the others are drawn. Without a family it is that of a single shape in one of `MOTIONS`.

    Raises:
        UsageError: no such family or attribute, or a family that a clip of this size has no room for.
    """
    if family is None:
        motion = MOTIONS[int(rng.integers(len(MOTIONS)))]
        motion = asked.get("motion", motion)
        if motion not in SINGLE_MOTIONS:
            raise unknown_name("motion", motion, SINGLE_MOTIONS)
        family = SINGLE_MOTIONS[motion]
        asked = {**asked, "motion": motion}
    if family not in FAMILIES:
        raise unknown_name("family", family, FAMILIES)
    if not fits(family, clip):
        raise UsageError(
            f"a clip of {clip.frames} frames of {clip.width}x{clip.height} at {clip.fps:g} fps has no room "
            f"for the family {family!r}; use the world's own {NATIVE_CLIP.frames} frames of "
            f"{NATIVE_CLIP.width}x{NATIVE_CLIP.height} at {NATIVE_CLIP.fps:g} fps"
        )
    if family == "still":
        if asked.get("motion", "stay") != "stay":
            raise unknown_name("motion", asked["motion"], ("stay",))
        asked = {name: value for name, value in asked.items() if name != "motion"}
    shade = rng.integers(18, 44) + rng.integers(-5, 6, size=3)
    draw = _Draw(rng, clip, asked)
    scene = FAMILIES[family](draw)
    if unused := sorted(set(asked) - set(draw.choices)):
        raise UsageError(
            f"the family {family!r} has no {' and no '.join(unused)} to choose; it has "
            f"{', '.join(sorted(draw.choices)) or 'nothing'}"
        )
    return replace(scene, background=(int(shade[0]), int(shade[1]), int(shade[2])))
