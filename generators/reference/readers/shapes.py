"""Read which shape a clip of the reference world shows, in which color, and how it moves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...worlds.plane import COLORS, GRAVITY, SHAPES, coverage
from ...worlds.plane.ground import contrast_THW, ground_color
from ...worlds.plane.scene import OUTLINES

__all__ = ["Reading", "discarded", "in_flight", "read_clip"]

_CONTRAST: Final = 45.0  # of 255, in the strongest channel: what counts as not ground
_SMALLEST: Final = 1 / 250  # of the frame: less is a speck
_SECOND: Final = 1 / 3  # of the largest thing's area: what counts as a second thing
_APART: Final = 0.65  # of a thing's contrast: between two things that touch, blur leaves less
_COLOR_OFF: Final = 100.0  # of 255: a paint farther than that from every named color has no name
# In sides of the frame, the square root of its area:
_MOVED: Final = 0.13  # what counts as a motion
_STILL: Final = 0.07  # what counts as none
_ROSE: Final = 0.05  # how far up again counts as a bounce, or as the other half of an arc
_BOUNCY: Final = (
    0.7  # of the speed is left after a contact: more than after a fall (0.6), less than after a bounce (0.8)
)
_THROWN: Final = 0.22  # sides a second: slower at first is a fall (to 0.15), faster a throw (from 0.3)
_FEW: Final = 4  # frames from a contact on: too few to measure a speed

_F = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """The content of a clip; None if it cannot be determined.

    Attributes:
        shape, color: of the largest thing.
        motion: one of `MOTIONS`, ``throw-left`` or ``throw-right``, where it is plain.
        position_T2: centroid (x, y) in pixels of the largest thing in each frame; NaN where there is none.
        fit: mean overlap (intersection over union) of what is seen with the best outline, in [0, 1].
        side: the square root of the frame's area in pixels, the unit of the world's lengths.
        seen: share of the frames that show something.
        doubled: share of the frames that show a second thing, at least a third as large as the first.
    """

    shape: str | None
    color: str | None
    motion: str | None
    position_T2: _F
    fit: float
    side: float = 64.0
    seen: float = 1.0
    doubled: float = 0.0


def read_clip(frames_THWC: NDArray[np.uint8], fps: float = 8.0) -> Reading:
    """Read the shape, color and motion in a clip (T, H, W, 3) of uint8 RGB.

    A clip that is empty in a quarter of its frames or more gives None for all.
    """
    frames = frames_THWC.astype(np.float64)
    count, height, width, _ = frames.shape
    side = math.sqrt(height * width)
    ground = ground_color(frames_THWC)
    contrast = contrast_THW(frames, ground)
    position_T2 = np.full((count, 2), np.nan)
    overlaps: list[list[float]] = []
    paints: list[_F] = []
    twice = 0
    for t in range(count):
        things = _things(contrast[t] > _CONTRAST)
        if not things or things[0].sum() < _SMALLEST * height * width:
            continue
        twice += _is_doubled(contrast[t], things[0])
        paint = _paint(frames[t], contrast[t], things[0])
        weight = _weight(frames[t] - ground, paint - ground, things[0])
        position_T2[t] = _centroid(weight)
        overlaps.append([_overlap(weight, position_T2[t], shape) for shape in SHAPES])
        paints.append(paint)
    seen = len(paints) / count
    if seen <= 0.75:
        return Reading(None, None, None, position_T2, 0.0, side, seen, twice / count)
    mean_overlap = np.mean(overlaps, axis=0)
    return Reading(
        shape=SHAPES[int(mean_overlap.argmax())],
        color=_color(np.median(paints, axis=0)),
        motion=_motion(position_T2 / side, fps),
        position_T2=position_T2,
        fit=float(mean_overlap.max()),
        side=side,
        seen=seen,
        doubled=twice / count,
    )


def discarded(reading: Reading, motion: str) -> str | None:
    """Say why a clip cannot show a requested motion: ``missing``, ``doubled``, ``still``, or None if it can.

    Errors of laws are measured only on the remaining clips.
    """
    if reading.seen <= 0.75:
        return "missing"
    if reading.doubled > 0.25:
        return "doubled"
    return "still" if motion != "stay" and reading.motion == "stay" else None


def _things(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Find the connected components of a mask (H, W), the two largest first."""
    import cv2

    total, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    order = 1 + np.argsort(-stats[1:total, cv2.CC_STAT_AREA], kind="stable")
    return [labels == number for number in order[:2]]


def _is_doubled(contrast: _F, largest: NDArray[np.bool_]) -> bool:
    """Tell whether there is a second thing, also where blur has joined the two."""
    sharp = _things(contrast > max(_CONTRAST, _APART * float(np.percentile(contrast[largest], 75))))
    least = max(_SECOND * float(sharp[0].sum()), _SMALLEST * contrast.size) if sharp else 0.0
    return len(sharp) > 1 and float(sharp[1].sum()) > least


def _paint(frame: _F, contrast: _F, thing: NDArray[np.bool_]) -> _F:
    """Tell the color of a thing's inside, where nothing of the ground is mixed in."""
    full = np.percentile(contrast[thing], 75)
    return np.median(frame[thing & (contrast >= 0.8 * full)], axis=0)


def _weight(off_ground: _F, paint: _F, thing: NDArray[np.bool_]) -> _F:
    """Weigh the pixels (H, W) on and around a thing by how much of its paint they hold.

    The weights are a linear function of the pixels: neither blur nor noise moves their centroid.
    """
    import cv2

    near = cv2.dilate(thing.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.where(near, off_ground @ paint / (paint @ paint), 0.0)


def _centroid(weight: _F) -> _F:
    ys, xs = np.indices(weight.shape)
    return np.array([(weight * xs).sum(), (weight * ys).sum()]) / weight.sum()


def _overlap(weight: _F, position: _F, shape: str) -> float:
    """Hold what is seen against the world's outline of the same area at the same place."""
    weight = np.clip(weight, 0.0, 1.0)
    radius = math.sqrt(weight.sum() / _area(shape))
    ys, xs = np.indices(weight.shape)
    drawn = coverage(shape, xs - position[0], ys - position[1], radius)
    return float(np.minimum(weight, drawn).sum() / np.maximum(weight, drawn).sum())


def _area(shape: str) -> float:
    """Area of a shape of radius 1, by the shoelace formula."""
    corners = OUTLINES.get(shape)
    if corners is None:
        return math.pi
    turned = zip(corners, [*corners[1:], corners[0]], strict=True)
    return 0.5 * sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in turned)


def _color(paint: _F) -> str | None:
    distances = {name: float(np.linalg.norm(paint - np.array(rgb))) for name, rgb in COLORS.items()}
    nearest = min(distances, key=lambda name: distances[name])
    return nearest if distances[nearest] <= _COLOR_OFF else None


def _motion(track_T2: _F, fps: float) -> str | None:
    """Name the motion of a track in sides, where it is plain."""
    times = np.flatnonzero(~np.isnan(track_T2[:, 0])) / fps
    x, y = track_T2[~np.isnan(track_T2[:, 0])].T
    dx, dy = x[-2:].mean() - x[:2].mean(), y[-2:].mean() - y[:2].mean()
    arc = min(y[:2].mean(), y[-2:].mean()) - y.min()
    if abs(dx) > _MOVED and abs(dx) > abs(dy):
        side = "left" if dx < 0 else "right"
        if arc > _ROSE:
            return f"throw-{side}"
        return side if abs(dx) > np.ptp(y) else None
    lowest = _contact(y)
    down, up = y[lowest] - y[:2].mean(), y[lowest] - y[lowest:].min()
    across = np.ptp(x)
    if down > _ROSE and up > _ROSE and max(down, up) > across:
        return "bounce" if _bounces(times, y, lowest) else "fall"
    if abs(dy) > _MOVED and abs(dy) > across:
        return "rise" if dy < 0 else "fall"
    return "stay" if max(across, np.ptp(y)) < _STILL else None


def _bounces(times: _F, y: _F, lowest: int) -> bool:
    """Tell a bounce from a fall that rises again a little; ``lowest`` is the frame of the contact.

    On both sides of it the flight is a parabola of the world's gravity. The speeds at the floor follow from
    a straight line through what is left when that is taken out, since energy is kept in flight. Where too
    little of the clip is left for that, it tells that a thing falls from rest, and bounces from a throw.
    """
    after = lowest + int(y[lowest:].argmin()) + 1  # no farther than the next apex
    lines: list[tuple[float, float]] = []
    for part in (slice(0, lowest), slice(lowest + 1, max(after, lowest + 4))):
        t, height = times[part], y[lowest] - y[part]
        if len(t) < 2:
            return True
        slope, start = np.polyfit(t, height + 0.5 * GRAVITY * t**2, 1)
        lines.append((float(slope), float(start)))
    if len(y) - lowest <= _FEW:
        return -lines[0][0] > _THROWN
    came, left = (math.sqrt(max(0.0, slope**2 + 2 * GRAVITY * start)) for slope, start in lines)
    return left > _BOUNCY * came


def _contact(y: _F) -> int:
    """Number the frame nearest to the first contact with the ground: the lowest one, or one as low before."""
    turns = np.flatnonzero((y[1:-1] >= y[:-2]) & (y[1:-1] >= y[2:])) + 1
    low = turns[y[turns] > y.max() - 0.06]
    return int(low[0]) if len(low) else int(y.argmax())


def in_flight(reading: Reading) -> NDArray[np.int64]:
    """Number the frames from the first on in which a thing that falls has not yet touched the ground."""
    y = reading.position_T2[:, 1] / reading.side
    there = np.flatnonzero(~np.isnan(y))
    if len(there) < 3:
        return there
    contact = _contact(y[there])
    # The contact itself is somewhere between the frames around the lowest one.
    return there[:contact] if y[there][contact] - y[there][contact:].min() > 0.02 else there
