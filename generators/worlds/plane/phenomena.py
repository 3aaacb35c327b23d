"""Lawful everyday motion beyond the world's own families: what laws must not take for a violation.

Each phenomenon is a clip that was moved and drawn here, with the expectation that a careful author would
write for it: it states what is true of the clip, such as ``drag: true``, or leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from ....harness.core.keys import seeded_rng
from ..trials import Color, TrialRequest
from .words import COLORS, GRAY

__all__ = ["PHENOMENA", "PhenomenonClip", "phenomenon_clip"]

_F = NDArray[np.float64]
_Rng = np.random.Generator
_GROUND: Final[Color] = (30, 32, 38)


@dataclass(frozen=True)
class Mover:
    """One thing, in sides: its path, its size, its color, and how it is drawn.

    Attributes:
        place_T2: centres, in sides of the frame.
        radius_T: half of the extent of a square, or the radius of a ball.
        soft: standard deviation of the blur of its edge, in pixels of a frame of 64.
        stripes: angle of a stripe of another color across the ball, by frame; None for none.
    """

    shape: str
    color: str
    place_T2: _F
    radius_T: _F
    soft: float = 0.0
    stripes_T: _F | None = None
    height: float = 1.0

    @property
    def paint(self) -> Color:
        """RGB of its color."""
        return COLORS.get(self.color, GRAY)


@dataclass(frozen=True)
class PhenomenonClip:
    """A lawful clip: movers in the order in which they are painted, the light, and a shadow's depth."""

    clip: ClipSettings
    movers: tuple[Mover, ...]
    expect: Mapping[str, Any]
    light_T: _F | None = None
    shadow: float = 0.0
    ground: Color = _GROUND
    takes_texture: bool = field(default=True)

    @property
    def paints(self) -> Sequence[Color]:
        """Colors of its things."""
        return [mover.paint for mover in self.movers]

    def draw(self, background: Color | None = None) -> NDArray[np.uint8]:
        """Draw the frames, uint8 RGB (T, H, W, 3)."""
        clip = self.clip
        side = float(np.sqrt(clip.width * clip.height))
        frames = np.empty((clip.frames, clip.height, clip.width, 3))
        frames[:] = self.ground if background is None else background
        for t in range(clip.frames):
            if self.shadow:
                for mover in self.movers:
                    fall = mover.place_T2[t] + np.array([0.35, 0.55]) * mover.radius_T[t]
                    cover = _cover(mover, fall, t, side, clip, soft=2.5)
                    frames[t] *= 1 - self.shadow * cover[:, :, None]
            for mover in self.movers:
                cover = _cover(mover, mover.place_T2[t], t, side, clip, soft=mover.soft)
                frames[t] += cover[:, :, None] * (_colors(mover, t, side, clip) - frames[t])
        if self.light_T is not None:
            frames *= self.light_T[:, None, None, None]
        return np.rint(frames).clip(0, 255).astype(np.uint8)


def _grid(clip: ClipSettings, side: float, fine: int) -> tuple[_F, _F]:
    x = (np.arange(clip.width * fine) + 0.5) / fine / side
    y = (np.arange(clip.height * fine) + 0.5) / fine / side
    return x[None, :], y[:, None]


def _cover(mover: Mover, place: _F, t: int, side: float, clip: ClipSettings, *, soft: float) -> _F:
    """Give the share of each pixel (H, W) that a thing covers, by 4 x 4 samples, its edge blurred."""
    import cv2

    x, y = _grid(clip, side, 4)
    dx, dy, radius = x - place[0], y - place[1], mover.radius_T[t]
    if mover.shape == "ball":
        inside = dx * dx + dy * dy <= radius * radius
    else:
        inside = (np.abs(dx) <= radius) & (np.abs(dy) <= radius * mover.height)
    samples = inside.reshape(clip.height, 4, clip.width, 4).mean(axis=(1, 3)).astype(np.float32)
    if soft:
        samples = np.asarray(cv2.GaussianBlur(samples, (0, 0), soft * side / 64), np.float32)
    return samples.astype(np.float64)


def _colors(mover: Mover, t: int, side: float, clip: ClipSettings) -> _F:
    paint = np.array(mover.paint, np.float64)
    if mover.stripes_T is None:
        return paint
    x, y = _grid(clip, side, 1)
    dx, dy = x - mover.place_T2[t, 0], y - mover.place_T2[t, 1]
    angle = mover.stripes_T[t]
    across = np.abs(np.cos(angle) * dx + np.sin(angle) * dy) < 0.2 * mover.radius_T[t]
    return np.where(across[:, :, None], 0.7 * paint, paint)


class _Drawing:
    """What a phenomenon is drawn from: random numbers, the clip's times, and two colors."""

    def __init__(self, request: TrialRequest) -> None:
        self.rng: _Rng = seeded_rng("phenomenon", *request.name)
        self.clip = request.clip
        self.t: _F = np.arange(request.clip.frames) / request.clip.fps
        self.seconds = float(self.t[-1])
        order = self.rng.permutation(len(request.palette))
        self.colors = [request.palette[int(k)] for k in order]
        self.size: float = float(self.rng.uniform(*request.sizes))

    def between(self, low: float, high: float) -> float:
        """Draw from [low, high]."""
        return float(self.rng.uniform(low, high))

    def radius(self) -> float:
        """Draw a small radius."""
        return self.between(0.1, 0.12) * self.size

    def shape(self) -> str:
        """Draw a ball or a square."""
        return ("ball", "square")[int(self.rng.integers(2))]

    def mover(
        self, shape: str, color: str, x: _F | float, y: _F | float, radius: float, **more: Any
    ) -> Mover:
        """Make a thing of a path in x and y, each a number or one a frame."""
        place = np.stack([np.broadcast_to(x, self.t.shape), np.broadcast_to(y, self.t.shape)], axis=1)
        return Mover(shape, color, place.astype(np.float64), np.full(len(self.t), radius), **more)

    def mirrored(self, movers: Sequence[Mover]) -> tuple[Mover, ...]:
        """Turn left and right by chance."""
        if self.rng.random() < 0.5:
            return tuple(movers)
        return tuple(replace(m, place_T2=m.place_T2 * [-1, 1] + [1, 0]) for m in movers)


def _area(shape: str, radius: float) -> float:
    return (np.pi if shape == "ball" else 4.0) * radius**2


def _objects(movers: Sequence[Mover]) -> list[dict[str, str]]:
    return [
        {"kind": "wall"} if mover.color == "gray" else {"shape": mover.shape, "color": mover.color}
        for mover in movers
    ]


def _side(movers: Sequence[Mover]) -> str:
    return "right" if movers[0].place_T2[-1, 0] > movers[0].place_T2[0, 0] else "left"


def _struck(
    d: _Drawing, starts: tuple[float, float], speeds: tuple[float, float], *, apart: float = 0.0, **look: Any
) -> tuple[Mover, ...]:
    """Let one thing run into another on a line, and give them the velocities of a nearly elastic contact."""
    one, two = d.radius(), d.radius()
    reach = one + two + apart
    touch = (starts[1] - starts[0] - reach) / (speeds[0] - speeds[1])
    shapes = (d.shape(), d.shape())
    masses = np.array([_area(shape, r) for shape, r in zip(shapes, (one, two), strict=True)])
    restitution = d.between(0.75, 0.98)
    middle = float(masses @ np.array(speeds)) / float(masses.sum())
    closing = speeds[0] - speeds[1]
    later = (
        middle - restitution * closing * masses[1] / masses.sum(),
        middle + restitution * closing * (masses[0] / masses.sum()),
    )
    y = d.between(0.35, 0.65)
    movers = [
        d.mover(
            shape,
            color,
            start + speed * np.minimum(d.t, touch) + after * np.maximum(0, d.t - touch),
            y,
            radius,
            **look,
        )
        for shape, color, start, speed, after, radius in zip(
            shapes, d.colors[:2], starts, speeds, later, (one, two), strict=True
        )
    ]
    return d.mirrored(movers)


def _colliding(movers: tuple[Mover, ...], **facts: Any) -> dict[str, Any]:
    return {"objects": _objects(movers), "collides": [0, 1], "ideal": True, **facts}


def _chase(d: _Drawing) -> PhenomenonClip:
    movers = _struck(d, (0.13, 0.42), (d.between(0.26, 0.32), d.between(0.1, 0.14)))
    return PhenomenonClip(d.clip, movers, _colliding(movers))


def _both_move(d: _Drawing) -> PhenomenonClip:
    movers = _struck(d, (0.13, 0.85), (d.between(0.2, 0.28), -d.between(0.12, 0.2)))
    return PhenomenonClip(d.clip, movers, _colliding(movers))


def _soft_contact(d: _Drawing) -> PhenomenonClip:
    movers = _struck(d, (0.13, 0.58), (d.between(0.26, 0.34), 0.0), soft=d.between(0.7, 1.3))
    return PhenomenonClip(d.clip, movers, _colliding(movers))


def _pixel_apart(d: _Drawing) -> PhenomenonClip:
    movers = _struck(d, (0.13, 0.58), (d.between(0.26, 0.34), 0.0), apart=d.between(-1, 1) / 64)
    return PhenomenonClip(d.clip, movers, _colliding(movers, at_rest=[1]))


def _glancing(d: _Drawing) -> PhenomenonClip:
    """Two balls touch beside their middles and part along the line through them."""
    one, two = d.radius(), d.radius()
    reach, beside = one + two, d.between(0.2, 0.8) * (one + two)
    speed, start, rest = d.between(0.26, 0.32), 0.13, np.array([0.58, 0.5])
    touch_x = rest[0] - float(np.sqrt(reach**2 - beside**2))
    touch = (touch_x - start) / speed
    normal = (rest - np.array([touch_x, rest[1] - beside])) / reach
    masses, restitution = (one**2, two**2), d.between(0.75, 0.98)
    push = (1 + restitution) * speed * normal[0] / (1 / masses[0] + 1 / masses[1])
    late = np.maximum(0.0, d.t - touch)[:, None]
    early = np.minimum(d.t, touch)
    first = np.stack([start + speed * early, np.full(len(d.t), rest[1] - beside)], axis=1)
    first = first + late * (np.array([speed, 0.0]) - push / masses[0] * normal)
    second = rest + late * (push / masses[1] * normal)
    movers = d.mirrored(
        [
            Mover("ball", d.colors[0], first, np.full(len(d.t), one)),
            Mover("ball", d.colors[1], second, np.full(len(d.t), two)),
        ]
    )
    return PhenomenonClip(d.clip, movers, _colliding(movers, at_rest=[1]))


def _fall_path(d: _Drawing, g: float, drag: float, start: float = 0.0) -> _F:
    """Integrate a fall with a drag that grows with the square of the speed."""
    fine = 64
    step = 1 / d.clip.fps / fine
    place, speed, places = 0.0, start, [0.0]
    for _ in range(len(d.t) - 1):
        for _ in range(fine):
            speed += (g - drag * speed * abs(speed)) * step
            place += speed * step
        places.append(place)
    return np.array(places)


def _falling(d: _Drawing, drop: _F, **facts: Any) -> PhenomenonClip:
    radius = d.radius()
    room = max(0.0, 1 - 2 * radius - float(np.ptp(drop)) - 0.04)
    y = radius + 0.02 + d.between(0, room) + drop - float(drop.min())
    movers = (d.mover(d.shape(), d.colors[0], d.between(0.25, 0.75), y, radius),)
    return PhenomenonClip(d.clip, movers, {"objects": _objects(movers), "motion": "fall", **facts})


def _air_drag(d: _Drawing) -> PhenomenonClip:
    return _falling(d, _fall_path(d, d.between(0.3, 0.6), d.between(3.0, 8.0)), gravity=0.32, drag=True)


def _even_fall(d: _Drawing) -> PhenomenonClip:
    return _falling(d, d.between(0.15, 0.35) * d.t)


def _other_gravity(d: _Drawing) -> PhenomenonClip:
    g = d.between(0.1, 0.38)
    return _falling(d, _fall_path(d, g, 0.0, d.between(0.0, 0.05)), gravity="unknown")


def _rising(d: _Drawing) -> PhenomenonClip:
    made = _falling(d, -d.between(0.15, 0.35) * d.t)
    return PhenomenonClip(d.clip, made.movers, {**made.expect, "motion": "rise"})


def _coming_nearer(d: _Drawing) -> PhenomenonClip:
    mover = d.mover(d.shape(), d.colors[0], d.between(0.4, 0.6), d.between(0.4, 0.6), d.radius())
    growth = 1 / (1 - d.between(0.3, 0.55) * d.t / d.seconds)
    grown = replace(mover, radius_T=mover.radius_T * growth)
    return PhenomenonClip(d.clip, (grown,), {"objects": _objects((grown,)), "in_depth": True})


def _dimming(d: _Drawing) -> PhenomenonClip:
    light = 1 - d.between(0.3, 0.6) * d.t / d.seconds
    mover = d.mover(d.shape(), d.colors[0], 0.2 + d.between(0.2, 0.3) * d.t, d.between(0.3, 0.7), d.radius())
    movers = d.mirrored([mover])
    expect = {"objects": _objects(movers), "motion": _side(movers), "constant_light": False}
    return PhenomenonClip(d.clip, movers, expect, light_T=light)


def _friction(d: _Drawing) -> PhenomenonClip:
    speed, loss = d.between(0.4, 0.55), d.between(0.25, 0.45)
    end = np.minimum(d.t, speed / loss)
    mover = d.mover(
        d.shape(), d.colors[0], 0.15 + speed * end - loss * end**2 / 2, d.between(0.3, 0.7), d.radius()
    )
    movers = d.mirrored([mover])
    return PhenomenonClip(d.clip, movers, {"objects": _objects(movers), "motion": _side(movers)})


def _stops_behind(d: _Drawing) -> PhenomenonClip:
    radius = 0.9 * d.radius()
    wall = d.between(0.55, 0.65)
    x = np.minimum(0.14 + d.between(0.28, 0.36) * d.t, wall)
    mover = d.mover(d.shape(), d.colors[0], x, d.between(0.4, 0.6), radius)
    occluder = d.mover("square", "gray", wall, 0.5, 1.3 * radius, height=2.6)
    movers = d.mirrored([mover, occluder])
    return PhenomenonClip(d.clip, movers, {"objects": _objects(movers), "motion": _side(movers)})


def _rolling(d: _Drawing) -> PhenomenonClip:
    radius, speed = 1.2 * d.radius(), d.between(0.2, 0.32)
    angle = d.between(0, np.pi) + speed * d.t / radius
    movers = d.mirrored(
        [d.mover("ball", d.colors[0], 0.2 + speed * d.t, d.between(0.3, 0.7), radius, stripes_T=angle)]
    )
    return PhenomenonClip(
        d.clip, movers, {"objects": _objects(movers), "motion": _side(movers), "ideal": True}
    )


def _shadow(d: _Drawing) -> PhenomenonClip:
    shade = int(d.between(130, 210))
    ground = (shade, shade + int(d.between(-12, 12)), shade + int(d.between(-12, 12)))
    speed = d.between(0.2, 0.3)
    mover = d.mover(d.shape(), d.colors[0], 0.2 + speed * d.t, d.between(0.3, 0.6), d.radius())
    movers = d.mirrored([mover])
    expect = {"objects": _objects(movers), "motion": _side(movers), "ideal": True}
    return PhenomenonClip(d.clip, movers, expect, shadow=d.between(0.25, 0.55), ground=ground)


PHENOMENA: Final[dict[str, Callable[[_Drawing], PhenomenonClip]]] = {
    "chase": _chase,
    "both-move": _both_move,
    "soft-contact": _soft_contact,
    "pixel-apart": _pixel_apart,
    "glancing": _glancing,
    "air-drag": _air_drag,
    "even-fall": _even_fall,
    "other-gravity": _other_gravity,
    "rising": _rising,
    "coming-nearer": _coming_nearer,
    "dimming": _dimming,
    "friction": _friction,
    "stops-behind": _stops_behind,
    "rolling": _rolling,
    "shadow": _shadow,
}
"""Name -> how a lawful clip of it is drawn."""


def phenomenon_clip(request: TrialRequest) -> PhenomenonClip:
    """Draw the lawful clip of a phenomenon; ``request.family`` is its name."""
    return PHENOMENA[request.family](_Drawing(request))
