"""Simulate a scene with pymunk: the place of every object in every frame, and the contacts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pymunk
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from .scene import NATIVE_CLIP, OUTLINES, Push, Scene, Thing, duration, frame_size

__all__ = ["Contact", "Course", "copy_of", "simulate"]


@dataclass(frozen=True)
class Course:
    """How a scene goes: N things over T frames, in sides and seconds.

    Attributes:
        position_NT2: centroids (x, y).
        velocity_NT2: velocities.
        contacts: in the order of time.
    """

    position_NT2: NDArray[np.float64]
    velocity_NT2: NDArray[np.float64]
    contacts: tuple[Contact, ...]


@dataclass(frozen=True)
class Contact:
    """Two things touched: the time in seconds, and their places in the scene; -1 is the edge of the frame."""

    time: float
    one: int
    two: int


_SUBSTEPS_HZ: Final = 128
"""Steps of the simulation a second, as near as a whole number of them a frame comes."""
_TELEPORT: Final = 0.4
"""Length of a jump at severity 1, in sides."""
_HEAD_START_S: Final = 0.75
"""How far ahead of its cause an object moves at severity 1."""


def simulate(scene: Scene, clip: ClipSettings = NATIVE_CLIP) -> Course:
    """Run the mechanics of a scene, with the law that it breaks.

    Where `causality` is broken, the contacts are those of the thing that strikes: the struck one left before.
    """
    things, broken = scene.things, scene.violation
    law = broken.law if broken else ""
    severity = broken.severity if broken else 0.0
    # Two things that come together may sink into one another by what solidity is broken by.
    sink = 0.5 * severity * min(t.radius for t in things) if law == "solidity" else 0.0
    gravity = scene.gravity
    if broken and law == "gravity":
        gravity *= 1.0 + broken.sign * severity
    space, bodies, contacts = _space(
        scene, clip, gravity, sink, 1.0 + 0.6 * severity if law == "energy" else None
    )
    per_frame = max(1, round(_SUBSTEPS_HZ / clip.fps))
    dt = 1.0 / clip.fps / per_frame
    lead = [0] * len(things)  # steps by which a thing is shown ahead of its time
    if law == "causality":
        lead[1] = round(severity * _HEAD_START_S / dt)
    steps = (clip.frames - 1) * per_frame
    pushes: dict[int, list[tuple[pymunk.Body, Push]]] = {}
    for body, thing in zip(bodies, things, strict=True):
        for push in thing.pushes:
            pushes.setdefault(_step(push.at, dt), []).append((body, push))
    turn = _step(broken.at, dt) if broken and law == "inertia" else -1
    position = np.empty((len(things), clip.frames, 2))
    velocity = np.empty_like(position)
    touched: list[Contact] = []
    for step in range(steps + max(lead, default=0) + 1):
        for body, push in pushes.get(step, ()):
            body.velocity = (push.vx, push.vy)
        if broken and step == turn:
            _turn(bodies[0], severity, broken.sign)
        for index, body in enumerate(bodies):
            frame, between = divmod(step - lead[index], per_frame)
            if between == 0 and 0 <= frame < clip.frames:
                position[index, frame], velocity[index, frame] = body.position, body.velocity
        contacts.clear()
        space.step(dt)
        touched += [Contact(step * dt, one, two) for one, two in dict.fromkeys(contacts)]
    if broken and law == "teleport":
        after = np.arange(clip.frames) / clip.fps >= broken.at - 1e-9
        position[0, after] += _jump(scene, position[0], clip)
    end = duration(clip)
    return Course(position, velocity, tuple(c for c in touched if c.time <= end))


def _step(at: float, dt: float) -> int:
    """Count the steps to the first one that does not come before a time."""
    return math.ceil(at / dt - 1e-6)


def _space(
    scene: Scene, clip: ClipSettings, gravity: float, sink: float, restitution: float | None
) -> tuple[pymunk.Space, list[pymunk.Body], list[tuple[int, int]]]:
    space = pymunk.Space()
    space.gravity = (0.0, gravity)
    space.collision_slop = 0.0005
    contacts: list[tuple[int, int]] = []
    index: dict[pymunk.Shape, int] = {}
    width, height = frame_size(clip)
    if not scene.dots:  # where the camera moves, the world has no edge at the frame's
        _walls(space, width, height, sink)
    bodies: list[pymunk.Body] = []
    for number, thing in enumerate(scene.things):
        body, outline = _body(thing, sink)
        if not thing.solid and gravity:
            body.velocity_func = _weightless
        outline.elasticity = thing.elasticity
        if restitution is not None:  # a wall's elasticity is 1; of two things the product counts
            outline.elasticity = restitution if scene.family == "fall" else float(np.sqrt(restitution))
        bodies.append(body)
        space.add(body)
        if thing.solid:
            space.add(outline)
            index[outline] = number

    def begin(arbiter: pymunk.Arbiter, _space: pymunk.Space, _data: object) -> None:
        one, two = (index.get(shape, -1) for shape in arbiter.shapes)
        contacts.append((min(one, two), max(one, two)))

    space.on_collision(begin=begin)
    return space, bodies, contacts


def _body(thing: Thing, sink: float) -> tuple[pymunk.Body, pymunk.Shape]:
    body = pymunk.Body(thing.radius**2 * 100, float("inf"))  # as heavy as it is large; it never turns
    body.position, body.velocity = (thing.x, thing.y), (thing.vx, thing.vy)
    corners = OUTLINES.get(thing.shape)
    if corners is None:
        return body, pymunk.Circle(body, thing.radius - sink)
    shrink = 1.0 - sink / thing.reach[2]
    return body, pymunk.Poly(
        body, [(x * thing.radius * shrink, y * thing.radius * shrink) for x, y in corners]
    )


def _walls(space: pymunk.Space, width: float, height: float, sink: float) -> None:
    """Build the frame's edges, as far in as outlines are drawn in, so that nothing sinks into them."""
    x, y = width - sink, height - sink
    corners = [(sink, sink), (x, sink), (x, y), (sink, y)]
    thick = 1.0  # thick walls, so that nothing tunnels
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        out_x, out_y = np.sign(y1 - y0) * thick, -np.sign(x1 - x0) * thick
        wall = pymunk.Segment(space.static_body, (x0 + out_x, y0 + out_y), (x1 + out_x, y1 + out_y), thick)
        wall.elasticity = 1.0
        space.add(wall)


def _weightless(body: pymunk.Body, _gravity: object, damping: float, dt: float) -> None:
    pymunk.Body.update_velocity(body, (0.0, 0.0), damping, dt)


def _turn(body: pymunk.Body, severity: float, sign: int) -> None:
    """Change a velocity without a cause: turn it, or set what rests in motion."""
    if body.velocity.length < 1e-9:
        body.velocity = (sign * 0.3 * severity, 0.0)
        return
    body.velocity = body.velocity.rotated(sign * severity * np.pi / 2)


def _jump(scene: Scene, track: NDArray[np.float64], clip: ClipSettings) -> NDArray[np.float64]:
    """Find a jump of the length asked for that leaves the thing in the frame, if there is one."""
    broken = scene.violation
    assert broken is not None
    width, height = frame_size(clip)
    left, up, right, down = scene.subject.reach
    after = track[np.arange(len(track)) / clip.fps >= broken.at - 1e-9]
    length = _TELEPORT * broken.severity
    low, high = np.array([left, up]), np.array([width - right, height - down])
    best, least = np.zeros(2), np.inf
    for turn in range(16):  # the first direction with room, from one side or the other
        angle = broken.sign * (turn + 0.5) * np.pi / 8
        step = length * np.array([np.cos(angle), np.sin(angle)])
        out = float(np.maximum(low - (after + step), 0).max() + np.maximum(after + step - high, 0).max())
        if out < least - 1e-12:
            best, least = step, out
    return best


def copy_of(scene: Scene, course: Course, clip: ClipSettings) -> NDArray[np.float64]:
    """Place the second copy of a doubled subject: its track (T, 2), beside the first one's.

    Of the four sides it is the one with the most room, between the frame's edges and the other things.
    """
    width, height = frame_size(clip)
    thing = scene.subject
    left, up, right, down = thing.reach
    low, high = np.array([left, up]), np.array([width - right, height - down])
    seen = np.arange(clip.frames) / clip.fps >= (scene.violation.at if scene.violation else 0.0) - 1e-9
    track = course.position_NT2[0]
    best, least = np.zeros(2), np.inf
    for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
        offset = np.zeros(2)
        offset[axis] = sign * (0.3 * thing.radius + (left + right, up + down)[axis])
        place = track[seen] + offset
        short = max(0.0, float((low - place).max()), float((place - high).max()))
        for other, rest in zip(scene.things[1:], course.position_NT2[1:], strict=True):
            if other.kind != "wall":
                apart = np.linalg.norm(place - rest[seen], axis=1)
                short += max(0.0, 1.2 * (thing.radius + other.radius) - float(apart.min()))
        if short < least - 1e-12:
            best, least = offset, short
    return track + best
