"""Planted failures of puzzles: each is a plan that does not solve its puzzle, beside the one that does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from .drives import V3, Drive
from .puzzles import built, shortcuts, stations
from .scene import Scene

__all__ = ["PUZZLE_FAULTS", "PUZZLE_LAWS", "differs_from", "faulty_drives"]

PUZZLE_LAWS: Final[dict[str, str]] = {
    "stops-short": "stops before the goal, by severity times the way, and at least two cells",
    "through-wall": "goes straight through a wall, and on to the goal",
    "skips": "is elsewhere on its way from one frame to the next, severity times 12 cells on, and at least 4",
    "wrong-time": "the hands stop at another time, by severity times 60 minutes, at least 5 and at most 30",
    "turns-back": "the hands turn anticlockwise to where the minute hand should be",
    "comes-off": "the minute hand leaves the middle by severity times the radius",
    "wrong-order": "the last two blocks change places in the tower",
    "left-out": "the last block stays where it was",
    "floats": "the last block ends above the tower, by severity times 1.5 blocks, and at least half of one",
    "both-at-once": "the last two blocks move at the same time",
    "falls-out": "the last block is gone once it was put down",
}
"""Failure -> what it does."""
PUZZLE_FAULTS: Final[dict[str, tuple[str, ...]]] = {
    "maze": ("stops-short", "through-wall", "skips"),
    "clock": ("wrong-time", "turns-back", "comes-off"),
    "tower": ("wrong-order", "left-out", "floats", "both-at-once", "falls-out"),
}
"""Family -> the failures that its scenes can show."""


def faulty_drives(scene: Scene, fault: str, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    """Plan a failure of a puzzle.

    Args:
        scene: of a puzzle.
        fault: one of its family's.
        severity: in (0, 1].
        rng: of what is chosen.
    """
    return _FAULTS[fault](scene, severity, rng)


def differs_from(one: Sequence[Drive], two: Sequence[Drive], frames: int) -> int:
    """Number the first of some frames in which two plans differ; 0 where they do not."""
    shares = np.linspace(0, 1, frames)
    differs = np.zeros(frames, bool)
    for a, b in zip(one, two, strict=True):
        (place_a, turn_a), (place_b, turn_b) = a.at(shares), b.at(shares)
        differs |= np.abs(place_a - place_b).max(axis=1) + np.abs(turn_a - turn_b) > 1e-3
        differs |= a.shown(shares) != b.shown(shares)
    return int(differs.argmax())


def _way(scene: Scene) -> tuple[list[tuple[int, int]], list[V3]]:
    """Give the way through a maze as cells, and as places."""
    rows = scene.facts["maze"]["rows"]
    places = list(scene.drives[0].places)
    (left, top, _), (right, _, _) = scene.marks
    cell = (right - left) / len(rows[0])
    return [(int((top - y) / cell), int((x - left) / cell)) for x, y, _ in places], places


def _stops_short(scene: Scene, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    del rng
    _, places = _way(scene)
    short = min(max(2, round(severity * (len(places) - 1))), len(places) - 2)
    return (stations(places[:-short]),)


def _through_wall(scene: Scene, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    del severity
    cells, places = _way(scene)
    rows = scene.facts["maze"]["rows"]
    open_cells = {(i, j) for i, row in enumerate(rows) for j, sign in enumerate(row) if sign != "#"}
    found = shortcuts(open_cells, cells)
    begin, end = found[int(rng.integers(len(found)))]
    return (stations([*places[: begin + 1], *places[end:]]),)


def _skips(scene: Scene, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    _, places = _way(scene)
    cells = min(max(4, round(12 * severity)), len(places) - 3)
    first = int(rng.integers(1, len(places) - cells - 1))
    walked, rest = places[: first + 1], places[first + cells :]
    middle = 0.5 + 0.3 * ((len(walked) - len(rest)) / len(places))
    one, two = stations(walked, end=middle), stations(rest, begin=middle + 1e-6)
    return (Drive((*one.shares, *two.shares), (*one.places, *two.places)),)


def _wrong_time(scene: Scene, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    minutes = max(5.0, 60 * severity)
    minutes = min(minutes, 30.0)  # of the minute hand, no time is farther
    sign = 1 if rng.random() < 0.5 else -1
    begins, ends = scene.drives[1].turns
    if ends + sign * minutes * np.pi / 30 <= begins + np.pi / 15:  # it would stand, or turn back
        sign = 1
    hour, minute = scene.drives
    more = sign * minutes * np.pi / 30
    return (
        replace(hour, turns=(hour.turns[0], hour.turns[1] + more / 12)),
        replace(minute, turns=(begins, ends + more)),
    )


def _turns_back(scene: Scene, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    del severity, rng
    hour, minute = scene.drives
    begins, ends = minute.turns
    turn = ends - begins - 2 * np.pi
    return (
        replace(hour, turns=(hour.turns[0], hour.turns[0] + turn / 12)),
        replace(minute, turns=(begins, begins + turn)),
    )


def _comes_off(scene: Scene, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    hour, minute = scene.drives
    hub, rim = scene.marks
    off = severity * (rim[2] - hub[2])
    angle = float(rng.uniform(0, 2 * np.pi))
    x, y, z = minute.places[0]
    away: V3 = (x + off * float(np.sin(angle)), y, z + off * float(np.cos(angle)))
    begins, ends = minute.turns
    first, last = minute.shares
    middle = 0.4 * first + 0.6 * last
    at = begins + 0.6 * (ends - begins)
    return (
        hour,
        Drive((first, middle, last), ((x, y, z), away, away), (begins, at, ends), minute.arm),
    )


def _blocks(scene: Scene) -> tuple[list[V3], float]:
    return [drive.places[0] for drive in scene.drives], scene.bodies[0].half[0]


def _wrong_order(scene: Scene, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    del severity, rng
    places, r = _blocks(scene)
    *first, a, b = range(len(places))
    return built(places, r, [*first, b, a])


def _left_out(scene: Scene, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    del severity, rng
    places, r = _blocks(scene)
    return built(places, r, list(range(len(places) - 1)))


def _floats(scene: Scene, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    del rng
    places, r = _blocks(scene)
    return built(places, r, list(range(len(places))), gap=max(r, 3 * r * severity))


def _both(scene: Scene, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    del severity, rng
    places, r = _blocks(scene)
    return built(places, r, list(range(len(places))), together=True)


def _falls_out(scene: Scene, severity: float, rng: np.random.Generator) -> tuple[Drive, ...]:
    del severity, rng
    *others, last = scene.drives
    return (*others, replace(last, gone=min(last.shares[-1] + 0.02, 0.99)))


_FAULTS: Final[Mapping[str, Callable[[Scene, float, np.random.Generator], tuple[Drive, ...]]]] = {
    "stops-short": _stops_short,
    "through-wall": _through_wall,
    "skips": _skips,
    "wrong-time": _wrong_time,
    "turns-back": _turns_back,
    "comes-off": _comes_off,
    "wrong-order": _wrong_order,
    "left-out": _left_out,
    "floats": _floats,
    "both-at-once": _both,
    "falls-out": _falls_out,
}
