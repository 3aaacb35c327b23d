"""The reference world: one coloured shape with real mechanics, its truth, and words for it.

Lengths of a `Scene` are in units of the frame's height, with y growing downwards; a `Truth` is in pixels,
where the centre of the top-left pixel is (0, 0). Mechanics are pymunk's; `render` only draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import pymunk
from numpy.typing import NDArray

from ...harness.errors import unknown_name
from ...harness.keys import Json, seeded_rng
from ...harness.suite import ClipSettings
from .words import COLORS, MOTIONS, SHAPES, SIZES, caption

__all__ = [
    "COLORS",
    "GRAVITY",
    "MOTIONS",
    "NATIVE_CLIP",
    "SHAPES",
    "SIZES",
    "WORLD_VERSION",
    "Scene",
    "Truth",
    "caption",
    "coverage",
    "render",
    "sample_scene",
    "simulate",
    "world_clips",
]

WORLD_VERSION: Final = 1
NATIVE_CLIP: Final = ClipSettings(frames=16, height=64, width=64, fps=8.0)
GRAVITY: Final = 0.32
"""Heights a second squared: a fall lasts a whole clip, so that it is one parabola."""

_HORIZON_S: Final = (
    1.875  # a scene stays clear of the walls (bounces aside) for as long as a native clip lasts
)
_SUBSTEPS_HZ: Final = 128
_MARGIN: Final = 0.015
_BOUNCE: Final = 0.8

_RADIUS = {"small": (0.095, 0.115), "big": (0.155, 0.175)}
# Outlines of radius 1 around the centroid, as corners (x, y); a ball has none.
_S3 = float(np.sqrt(3.0))
_CORNERS: Final[dict[str, list[tuple[float, float]]]] = {
    "square": [(-0.886, -0.886), (0.886, -0.886), (0.886, 0.886), (-0.886, 0.886)],
    "triangle": [(0.0, -1.4), (0.7 * _S3, 0.7), (-0.7 * _S3, 0.7)],
}
_T = TypeVar("_T")


@dataclass(frozen=True)
class Scene:
    """What happens: a shape, where it starts and how it moves, before any pixel is drawn.

    Attributes:
        radius: of the ball; a square has the area of that ball, and a triangle a circumradius 1.4 times it.
        x, y: centroid at the first frame, in heights.
        vx, vy: velocity at the first frame, in heights a second.
        gravity: downward acceleration in heights a second squared.
        elasticity: what part of its speed the shape keeps at a wall.
        background: RGB of the ground.
    """

    shape: str
    color: str
    size: str
    motion: str
    radius: float
    x: float
    y: float
    vx: float = 0.0
    vy: float = 0.0
    gravity: float = 0.0
    elasticity: float = 0.0
    background: tuple[int, int, int] = (28, 30, 36)


@dataclass(frozen=True)
class Truth:
    """What a rendered clip shows, frame by frame, in pixels and seconds.

    Attributes:
        scene: what was simulated.
        caption: one wording of it.
        position_T2: centroid (x, y) at each frame, in pixels.
        velocity_T2: velocity (x, y) at each frame, in pixels a second.
        radius: in pixels.
    """

    scene: Scene
    caption: str
    position_T2: NDArray[np.float64]
    velocity_T2: NDArray[np.float64]
    radius: float

    @property
    def shape(self) -> str:
        """Name of the shape."""
        return self.scene.shape

    @property
    def color(self) -> str:
        """Name of the color."""
        return self.scene.color

    @property
    def motion(self) -> str:
        """Name of the motion."""
        return self.scene.motion


def sample_scene(
    rng: np.random.Generator,
    clip: ClipSettings = NATIVE_CLIP,
    *,
    shape: str | None = None,
    color: str | None = None,
    size: str | None = None,
    motion: str | None = None,
) -> Scene:
    """Draw a scene from ``rng``; an attribute that is given is kept, the others are drawn.

    Raises:
        UsageError: a shape, color, size or motion that the world does not have.
    """
    # Every draw is made whatever is given, so that fixing the color does not move the start.
    shape = _given("shape", shape, _pick(rng, SHAPES), SHAPES)
    color = _given("color", color, _pick(rng, tuple(COLORS)), tuple(COLORS))
    size = _given("size", size, _pick(rng, SIZES), SIZES)
    motion = _given("motion", motion, _pick(rng, MOTIONS), MOTIONS)
    u = rng.random(4)
    shade = rng.integers(18, 44) + rng.integers(-5, 6, size=3)
    radius = _between(_RADIUS[size], u[0])
    left, up, right, down = _extent(shape, radius)
    width = clip.width / clip.height
    x_range = (left + _MARGIN, width - right - _MARGIN)
    y_range = (up + _MARGIN, 1 - down - _MARGIN)
    vx = vy = gravity = elasticity = 0.0
    if motion in ("left", "right"):
        vx = _between((0.2, 0.3), u[1]) * (-1 if motion == "left" else 1)
        travel = vx * _HORIZON_S
        x_range = (x_range[0] - min(travel, 0.0), x_range[1] - max(travel, 0.0))
    elif motion == "rise":
        vy = -_between((0.2, 0.3), u[1])
        y_range = (y_range[0] - vy * _HORIZON_S, y_range[1])
    elif motion == "fall":
        gravity = GRAVITY
        vy = _between((0.0, 0.03), u[1])
        y_range = (y_range[0], y_range[1] - vy * _HORIZON_S - gravity * _HORIZON_S**2 / 2)
    elif motion == "bounce":
        gravity, elasticity = GRAVITY, _BOUNCE
        vy = _between((0.3, 0.45), u[1])
        y_range = (1 - down - 0.42, 1 - down - 0.3)
    return Scene(
        shape=shape,
        color=color,
        size=size,
        motion=motion,
        radius=radius,
        x=_between(x_range, u[2]),
        y=_between(y_range, u[3]),
        vx=vx,
        vy=vy,
        gravity=gravity,
        elasticity=elasticity,
        background=(int(shade[0]), int(shade[1]), int(shade[2])),
    )


def simulate(
    scene: Scene, clip: ClipSettings = NATIVE_CLIP
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Run the mechanics: centroids (T, 2) in heights and velocities (T, 2) in heights a second."""
    space = pymunk.Space()
    space.gravity = (0.0, scene.gravity)
    space.collision_slop = 0.0005
    width = clip.width / clip.height
    corners = [(0.0, 0.0), (width, 0.0), (width, 1.0), (0.0, 1.0)]
    thick = 1.0  # thick walls, so that nothing tunnels
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        out_x, out_y = np.sign(y1 - y0) * thick, -np.sign(x1 - x0) * thick
        wall = pymunk.Segment(space.static_body, (x0 + out_x, y0 + out_y), (x1 + out_x, y1 + out_y), thick)
        wall.elasticity = 1.0
        space.add(wall)
    body = pymunk.Body(1.0, float("inf"))  # it never turns
    body.position, body.velocity = (scene.x, scene.y), (scene.vx, scene.vy)
    if scene.shape == "ball":
        outline: pymunk.Shape = pymunk.Circle(body, scene.radius)
    else:
        outline = pymunk.Poly(body, [(x * scene.radius, y * scene.radius) for x, y in _CORNERS[scene.shape]])
    outline.elasticity = scene.elasticity
    space.add(body, outline)
    substeps = max(1, round(_SUBSTEPS_HZ / clip.fps))
    dt = 1.0 / clip.fps / substeps
    position_T2 = np.empty((clip.frames, 2))
    velocity_T2 = np.empty((clip.frames, 2))
    for t in range(clip.frames):
        position_T2[t], velocity_T2[t] = body.position, body.velocity
        for _ in range(substeps):
            space.step(dt)
    return position_T2, velocity_T2


def render(
    scene: Scene, clip: ClipSettings = NATIVE_CLIP, *, words: str | None = None
) -> tuple[NDArray[np.uint8], Truth]:
    """Draw a scene: frames (T, H, W, 3) uint8 RGB and their truth.

    ``words`` is the caption to record; without it the plainest one is.
    """
    position_T2, velocity_T2 = simulate(scene, clip)
    scale = float(clip.height)
    truth = Truth(
        scene=scene,
        caption=words or caption(scene),
        position_T2=position_T2 * scale - 0.5,
        velocity_T2=velocity_T2 * scale,
        radius=scene.radius * scale,
    )
    # Only a square patch around the shape is computed. At the frame's edge its indices are clamped: a pixel
    # that is written twice gets the same value twice.
    half = int(np.ceil(1.4 * truth.radius)) + 2
    offsets = np.arange(-half, half + 1)
    centre_T2 = np.rint(truth.position_T2).astype(np.int64)
    xs_TP = np.clip(centre_T2[:, :1] + offsets, 0, clip.width - 1)
    ys_TP = np.clip(centre_T2[:, 1:] + offsets, 0, clip.height - 1)
    dx_TPP = (xs_TP - truth.position_T2[:, :1])[:, None, :]
    dy_TPP = (ys_TP - truth.position_T2[:, 1:])[:, :, None]
    cover_TPP1 = coverage(scene.shape, dx_TPP, dy_TPP, truth.radius)[..., None]
    ground, paint = np.array(scene.background, np.float64), np.array(COLORS[scene.color], np.float64)
    frames = np.empty((clip.frames, clip.height, clip.width, 3), np.uint8)
    frames[:] = ground
    frame_T11 = np.arange(clip.frames)[:, None, None]
    frames[frame_T11, ys_TP[:, :, None], xs_TP[:, None, :]] = np.rint(ground + cover_TPP1 * (paint - ground))
    return frames, truth


def coverage(
    shape: str, dx: NDArray[np.float64], dy: NDArray[np.float64], radius: float
) -> NDArray[np.float64]:
    """Tell how much of a pixel the shape covers, in [0, 1], from its offset (in pixels) to the centroid.

    The signed distance to the outline, clamped over one pixel: exact for a straight edge along the axes, and
    within a few percent of a pixel elsewhere.
    """
    if shape == "ball":
        return np.clip(radius + 0.5 - np.sqrt(dx * dx + dy * dy), 0.0, 1.0)
    corners = np.array(_CORNERS[shape]) * radius
    inside = np.full(np.broadcast_shapes(dx.shape, dy.shape), np.inf)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        length = float(np.hypot(x1 - x0, y1 - y0))
        inside = np.minimum(inside, ((x1 - x0) * (dy - y0) - (y1 - y0) * (dx - x0)) / length)
    return np.clip(inside + 0.5, 0.0, 1.0)


def world_clips(
    n: int, seed: Json, clip: ClipSettings = NATIVE_CLIP
) -> Iterator[tuple[NDArray[np.uint8], Truth]]:
    """Make ``n`` random clips with their truth; clip i depends on ``seed`` and i alone."""
    for index in range(n):
        rng = seeded_rng("reference-world", WORLD_VERSION, seed, index)
        scene = sample_scene(rng, clip)
        yield render(scene, clip, words=caption(scene, rng))


def _extent(shape: str, radius: float) -> tuple[float, float, float, float]:
    """How far the outline reaches left, up, right and down of the centroid."""
    if shape == "ball":
        return (radius, radius, radius, radius)
    xs, ys = zip(*_CORNERS[shape], strict=True)
    return (-min(xs) * radius, -min(ys) * radius, max(xs) * radius, max(ys) * radius)


def _pick(rng: np.random.Generator, names: tuple[_T, ...]) -> _T:
    return names[int(rng.integers(len(names)))]


def _given(kind: str, value: str | None, drawn: str, known: tuple[str, ...]) -> str:
    if value is not None and value not in known:
        raise unknown_name(kind, value, known)
    return drawn if value is None else value


def _between(span: tuple[float, float], u: float) -> float:
    return float(span[0] + (span[1] - span[0]) * u)
