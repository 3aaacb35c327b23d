"""Draw a scene: the frames as the camera sees them, with positions and visibility of every object."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from .glyphs import BITE, GlyphPart, bite_place, hand_T, parts
from .mechanics import Course, copy_of, simulate
from .raster import Patch, blend, cover_disc, cover_polygon, coverage, extent
from .scene import NATIVE_CLIP, OUTLINES, Scene, Thing
from .truth import Truth
from .words import COLORS, SHAPES, caption

__all__ = ["render"]

_DOT: Final = GlyphPart((110, 112, 120))
_DOT_RADIUS: Final = 0.011
_MORPH_S: Final = 0.3  # how long a drift takes
_F = NDArray[np.float64]


def render(
    scene: Scene, clip: ClipSettings = NATIVE_CLIP, *, words: str | None = None
) -> tuple[NDArray[np.uint8], Truth]:
    """Simulate and draw a scene: frames (T, H, W, 3) uint8 RGB and their truth.

    ``words`` is the caption to record; without it the plainest one is.
    """
    course = simulate(scene, clip)
    view = _CameraView(scene, clip)
    actors = _cast(scene, course, view, clip)
    frames = _draw(scene, actors, view, clip)
    first_fault = None
    if scene.violation is not None:
        lawful = scene.lawful()
        twin = _draw(lawful, _cast(lawful, simulate(lawful, clip), view, clip), view, clip)
        apart = (frames != twin).any((1, 2, 3))
        first_fault = int(apart.argmax()) if apart.any() else None
    shape = (-1, clip.frames)
    truth = Truth(
        scene=scene,
        caption=words or caption(scene),
        position_NT2=np.array([actor.place_T2 for actor in actors]).reshape(*shape, 2),
        velocity_NT2=np.array([actor.velocity_T2 for actor in actors]).reshape(*shape, 2),
        radius_NT=np.array([actor.radius_T for actor in actors]).reshape(shape),
        visible_NT=np.array([_visible(number, actors, clip) for number in range(len(actors))]).reshape(shape),
        contacts=course.contacts,
        camera_T3=view.path_T3,
        first_fault=first_fault,
    )
    return frames, truth


class _CameraView:
    """The camera: from the world's sides to pixels."""

    def __init__(self, scene: Scene, clip: ClipSettings) -> None:
        self.side = math.sqrt(clip.width * clip.height)
        camera = scene.camera
        times = np.arange(clip.frames) / clip.fps
        self.zoom_T = np.exp(camera.zoom * times)
        self.corner_T2 = np.stack([camera.vx * times, camera.vy * times], axis=1)
        self.middle = np.array([clip.width, clip.height]) / self.side / 2
        self.scale_T = self.side * self.zoom_T

    def see(self, place_T2: _F) -> _F:
        """Turn places (T, 2) of the world into pixels."""
        offset = (place_T2 - self.corner_T2 - self.middle) * self.zoom_T[:, None]
        return (offset + self.middle) * self.side - 0.5

    @property
    def path_T3(self) -> _F:
        """Corner (x, y) in pixels, and zoom."""
        return np.concatenate([self.corner_T2 * self.side, self.zoom_T[:, None]], axis=1)


@dataclass(frozen=True)
class _Actor:
    """A thing as the camera sees it: places and radii in pixels, and whether it is there at each frame.

    ``layer`` says in which order actors are painted.
    """

    thing: Thing
    layer: int
    place_T2: _F
    velocity_T2: _F
    radius_T: _F
    present_T: _F


def _cast(scene: Scene, course: Course, view: _CameraView, clip: ClipSettings) -> list[_Actor]:
    """List what is drawn: the things of the scene, and at the end the copy of a doubled subject."""
    law = scene.violation.law if scene.violation else ""
    fault_T = _fault_T(scene, clip)
    actors: list[_Actor] = []
    for number, thing in enumerate(scene.things):
        gone_T = fault_T if law == "vanish" and number == 0 else np.zeros(clip.frames)
        actors.append(
            _Actor(
                thing,
                number,
                view.see(course.position_NT2[number]),
                course.velocity_NT2[number] * view.side,
                thing.radius * view.scale_T,
                1.0 - gone_T,
            )
        )
    if law == "double":  # as near to the camera as the subject: behind what the subject is behind of
        first = actors[0]
        place_T2 = view.see(copy_of(scene, course, clip))
        actors.append(_Actor(first.thing, 0, place_T2, first.velocity_T2, first.radius_T, fault_T))
    return actors


def _fault_T(scene: Scene, clip: ClipSettings) -> _F:
    """Tell in which frames a subject is gone or doubled: 1 there, else 0."""
    fault_T = np.zeros(clip.frames)
    broken = scene.violation
    if broken:
        first = round(broken.at * clip.fps)
        fault_T[first : first + max(1, round(broken.severity * (clip.frames - first)))] = 1.0
    return fault_T


def _draw(scene: Scene, actors: list[_Actor], view: _CameraView, clip: ClipSettings) -> NDArray[np.uint8]:
    frames = np.empty((clip.frames, clip.height, clip.width, 3), np.float64)
    frames[:] = scene.background
    still_T = np.ones(clip.frames)
    for x, y in scene.dots:
        place = view.see(np.broadcast_to(np.array([x, y]), (clip.frames, 2)))
        _paint(frames, _DOT, place, _DOT_RADIUS * view.scale_T, still_T)
    drift_T = _drift(scene, clip)
    for actor in sorted(actors, key=lambda actor: actor.layer):
        thing = actor.thing
        law = scene.violation.law if scene.violation and thing is scene.subject else ""
        if thing.kind == "shape":
            _draw_shape(frames, actor, law, drift_T)
        elif thing.kind == "biscuit":
            _draw_biscuit(frames, actor, drift_T if law == "heal" else np.zeros(clip.frames), clip)
        else:
            _draw_parts(frames, actor, clip)
    return np.rint(frames, out=frames).astype(np.uint8)


def _drift(scene: Scene, clip: ClipSettings) -> _F:
    """How far a drifting shape, color or bite has gone at each frame, in [0, severity]."""
    broken = scene.violation
    if broken is None:
        return np.zeros(clip.frames)
    times = np.arange(clip.frames) / clip.fps
    return broken.severity * np.clip((times - broken.at) / _MORPH_S, 0.0, 1.0)


def _draw_shape(frames: _F, actor: _Actor, law: str, drift_T: _F) -> None:
    thing = actor.thing
    paint = np.array(COLORS[thing.color], np.float64)
    if law == "color":
        other = np.array(COLORS[_next(thing.color, tuple(COLORS))], np.float64)
        paint = (paint + drift_T[:, None] * (other - paint))[:, None, None]
    shapes = [thing.shape, _next(thing.shape, SHAPES)] if law == "shape" else [thing.shape]
    reaches = [extent(OUTLINES.get(shape)) for shape in shapes]
    reach = (max(x for x, _ in reaches), max(y for _, y in reaches))
    where = Patch(frames.shape[1:3], actor.place_T2, actor.radius_T, reach)
    cover, *turned = (coverage(shape, where.dx, where.dy, where.radius) for shape in shapes)
    for other_cover in turned:
        cover = cover + drift_T[:, None, None] * (other_cover - cover)
    blend(frames, where, cover * actor.present_T[:, None, None], paint)


def _draw_biscuit(frames: _F, actor: _Actor, healed_T: _F, clip: ClipSettings) -> None:
    bitten_T = np.arange(clip.frames) / clip.fps >= (actor.thing.bite or 0.0) - 1e-9
    hole_T = np.where(bitten_T, BITE, 0.0) * (1.0 - healed_T)
    for part in parts(actor.thing):
        hole = (bite_place(actor.thing) - np.array([part.x, part.y]), hole_T)
        _paint(frames, part, actor.place_T2, actor.radius_T, actor.present_T, hole)


def _draw_parts(frames: _F, actor: _Actor, clip: ClipSettings) -> None:
    *rest, last = parts(actor.thing)
    for part in rest:
        _paint(frames, part, actor.place_T2, actor.radius_T, actor.present_T)
    place_T2 = actor.place_T2
    if actor.thing.kind == "person":
        place_T2 = place_T2 + (actor.radius_T * hand_T(clip))[:, None] * np.array([0.0, 1.0])
    _paint(frames, last, place_T2, actor.radius_T, actor.present_T)


def _paint(
    frames: _F, part: GlyphPart, place_T2: _F, radius_T: _F, present_T: _F, hole: tuple[_F, _F] | None = None
) -> None:
    """Paint a part of a thing; ``hole`` is a disc left out: its place from the part, and its radius."""
    place = place_T2 + radius_T[:, None] * np.array([part.x, part.y])
    where = Patch(frames.shape[1:3], place, part.radius * radius_T, extent(part.corners))
    dx, dy, size = where.dx, where.dy, where.radius
    cover = cover_disc(dx, dy, size) if part.corners is None else cover_polygon(part.corners, dx, dy, size)
    if hole is not None:
        at, hole_T = hole
        offset = radius_T[:, None] * at
        open_ = cover_disc(
            dx - offset[:, :1, None], dy - offset[:, 1:, None], (hole_T * radius_T)[:, None, None]
        )
        cover = cover * np.where(hole_T[:, None, None] > 0, 1.0 - open_, 1.0)
    blend(frames, where, cover * present_T[:, None, None], np.array(part.paint, np.float64))


def _visible(number: int, actors: list[_Actor], clip: ClipSettings) -> _F:
    """Measure what share of an actor's outline is in the frame and behind no wall: (T,)."""
    actor = actors[number]
    thing, place_T2, radius_T = actor.thing, actor.place_T2, actor.radius_T
    walls = [a for a in actors if a.thing.kind == "wall" and a.layer > actor.layer]
    around = extent(OUTLINES.get(thing.shape))
    reach = radius_T[:, None] * around + 0.5
    edge = np.array([clip.width, clip.height]) - 0.5
    if not walls and (place_T2 - reach >= -0.5).all() and (place_T2 + reach <= edge).all():
        return actor.present_T.copy()
    where = Patch((clip.height, clip.width), place_T2, radius_T, around)
    left = coverage(thing.shape, where.dx, where.dy, where.radius) * where.once
    for wall in walls:
        dx = (where.xs_TQ - wall.place_T2[:, :1])[:, None, :]
        dy = (where.ys_TP - wall.place_T2[:, 1:])[:, :, None]
        left = left * (1.0 - coverage(wall.thing.shape, dx, dy, wall.radius_T[:, None, None]))
    share_T = left.sum((1, 2)) / _whole_T(thing.shape, place_T2, radius_T)
    return np.clip(share_T, 0.0, 1.0) * actor.present_T


def _whole_T(shape: str, place_T2: _F, radius_T: _F) -> _F:
    """Area in pixels of a shape that nothing cuts."""
    reach = extent(OUTLINES.get(shape))
    half = math.ceil(max(reach) * radius_T.max()) + 2
    where = Patch((2 * half + 1, 2 * half + 1), place_T2 - np.rint(place_T2) + half, radius_T, reach)
    return coverage(shape, where.dx, where.dy, where.radius).sum((1, 2))


def _next(name: str, names: tuple[str, ...]) -> str:
    return names[(names.index(name) + 1) % len(names)]
