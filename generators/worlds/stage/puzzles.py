"""Puzzles with a goal: a maze that is walked, a clock that goes on, a tower that is built.

Each is a scene whose things are driven along a plan that solves it. What is asked is stated in ``expect``,
and the rules by which a clip solves it are those of `metrics.goals`. `puzzle_faults` plants failures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from .drives import V3, Drive
from .scene import Body, Camera

__all__ = [
    "PUZZLES",
    "Desk",
    "Puzzle",
    "built",
    "clock_words",
    "expected",
    "puzzle_caption",
    "shortcuts",
    "stations",
]

Cell = tuple[int, int]
"""Row and column of a maze, counted from 0 at the top left."""
_HOLD: Final = 0.08  # of the clip: nothing moves at its beginning and its end
_CELL: Final = 0.6  # metres


@dataclass(frozen=True)
class Desk:
    """What a puzzle is laid out with.

    Attributes:
        rng: of everything in it.
        camera: of the scene; a puzzle may put another in its place.
        aspect: width over height of the picture.
        colors: of the things that move, then of others.
    """

    rng: np.random.Generator
    camera: Camera
    aspect: float
    colors: tuple[str, ...]


@dataclass(frozen=True)
class Puzzle:
    """A puzzle as it is laid out: ``expect`` is what is asked, without where it is in the picture."""

    bodies: tuple[Body, ...]
    drives: tuple[Drive, ...]
    camera: Camera
    marks: tuple[V3, ...]
    expect: Mapping[str, Any]


def stations(places: Sequence[V3], begin: float = _HOLD, end: float = 1 - _HOLD) -> Drive:
    """Drive a thing through places at an even speed, from one share of the clip to another."""
    points = np.array(places, np.float64)
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    shares = begin + (end - begin) * way / max(float(way[-1]), 1e-9)
    return Drive(tuple(map(float, shares)), tuple(places))


# -- a maze


def _maze(desk: Desk) -> Puzzle:
    rows, way = _grid(desk.rng, wide=desk.aspect > 1.3)
    high, across = len(rows), len(rows[0])
    fovy = desk.camera.fovy
    tan = float(np.tan(np.radians(fovy / 2)))
    seen = max(high, across / desk.aspect) * _CELL / float(desk.rng.uniform(0.84, 0.92))
    camera = Camera(0.02, fovy, seen / 2 / tan, 90.0)
    middle = (0.0, -camera.distance)

    def place(cell: Cell, height: float) -> V3:
        row, column = cell
        return (
            middle[0] + (column - (across - 1) / 2) * _CELL,
            middle[1] + ((high - 1) / 2 - row) * _CELL,
            height,
        )

    r = 0.36 * _CELL
    mover = Body("ball", desk.colors[0], (r, r, r), place(way[0], r))
    pad = Body("box", desk.colors[1], (0.34 * _CELL, 0.34 * _CELL, 0.01), place(way[-1], 0.012), fixed=True)
    walls: list[Body] = []
    for row, first, length in _runs(rows):
        left, y, z = place((row, first), 0.16)
        half = length * _CELL / 2
        centre = (left + half - _CELL / 2, y, z)
        walls.append(Body("wall", "gray", (half, _CELL / 2, z), centre, fixed=True))
    drive = stations([place(cell, r) for cell in way])
    corners = (
        (middle[0] - across * _CELL / 2, middle[1] + high * _CELL / 2, 0.0),
        (middle[0] + across * _CELL / 2, middle[1] - high * _CELL / 2, 0.0),
    )
    expect = {"maze": {"rows": rows, "color": desk.colors[0]}}
    return Puzzle((mover, pad, *walls), (drive,), camera, corners, expect)


def _grid(rng: np.random.Generator, *, wide: bool) -> tuple[list[str], list[Cell]]:
    """Draw a maze without circles, and its longest way; a wall stands between two parts of that."""
    while True:
        high, across = 2 * int(rng.integers(3, 5)) + 1, 2 * int(rng.integers(4 if wide else 3, 5)) + 1
        open_cells = _carved(rng, high, across)
        way = _longest(open_cells)
        if len(way) >= 9 and shortcuts(open_cells, way):
            break
    rows = [
        "".join(
            "S" if (i, j) == way[0] else "G" if (i, j) == way[-1] else "." if (i, j) in open_cells else "#"
            for j in range(across)
        )
        for i in range(high)
    ]
    return rows, way


def _carved(rng: np.random.Generator, high: int, across: int) -> set[Cell]:
    """Carve corridors from room to room, depth first."""
    start: Cell = (1, 1)
    found: set[Cell] = {start}
    todo: list[Cell] = [start]
    while todo:
        row, column = todo[-1]
        steps = [
            (row + a, column + b, row + a // 2, column + b // 2)
            for a, b in ((2, 0), (-2, 0), (0, 2), (0, -2))
            if 0 < row + a < high and 0 < column + b < across and (row + a, column + b) not in found
        ]
        if not steps:
            todo.pop()
            continue
        i, j, between_i, between_j = steps[int(rng.integers(len(steps)))]
        found |= {(i, j), (between_i, between_j)}
        todo.append((i, j))
    return found


def _longest(cells: set[Cell]) -> list[Cell]:
    """Find the longest way between two cells of a maze without circles."""
    first = _ways(cells, (1, 1))
    far = max(first, key=lambda cell: (len(first[cell]), cell))
    second = _ways(cells, far)
    return second[max(second, key=lambda cell: (len(second[cell]), cell))]


def _ways(cells: set[Cell], start: Cell) -> dict[Cell, list[Cell]]:
    found, todo = {start: [start]}, [start]
    for cell in todo:
        for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            after = (cell[0] + a, cell[1] + b)
            if after in cells and after not in found:
                found[after] = [*found[cell], after]
                todo.append(after)
    return found


def shortcuts(cells: set[Cell], way: Sequence[Cell]) -> list[tuple[int, int]]:
    """List pairs of places of a way with one wall between them, which save at least four cells."""
    found: list[tuple[int, int]] = []
    for i, (row, column) in enumerate(way):
        for j in range(i + 6, len(way)):
            a, b = way[j][0] - row, way[j][1] - column
            straight = (abs(a), abs(b)) in ((2, 0), (0, 2))
            if straight and (row + a // 2, column + b // 2) not in cells:
                found.append((i, j))
    return found


def _runs(rows: Sequence[str]) -> list[tuple[int, int, int]]:
    """List the walls as runs of cells: row, first column, length."""
    found: list[tuple[int, int, int]] = []
    for i, row in enumerate(rows):
        j = 0
        while j < len(row):
            length = len(row[j:]) - len(row[j:].lstrip("#"))
            if length:
                found.append((i, j, length))
            j += max(length, 1)
    return found


# -- a clock


def _clock(desk: Desk) -> Puzzle:
    rng = desk.rng
    camera = replace(desk.camera, pitch=0.0, height=0.42 * desk.camera.view)
    radius = float(rng.uniform(0.33, 0.38)) * camera.view * min(1.0, desk.aspect)
    room = max(0.0, 0.45 * camera.view * desk.aspect - radius)
    hub = (
        float(rng.uniform(-0.6, 0.6)) * room,
        0.0,
        camera.height + float(rng.uniform(-0.02, 0.05)) * camera.view,
    )
    begins = 5 * int(rng.integers(144))
    after = 5 * int(rng.integers(3, 9))
    ends = (begins + after) % 720
    hour, minute = desk.colors[:2]
    long, short = 0.78 * radius, 0.5 * radius
    hands = (
        Body("box", hour, (0.085 * radius, 0.02, short / 2), hub),
        Body("box", minute, (0.055 * radius, 0.02, long / 2), hub),
    )
    face = Body("ball", "white", (radius, 0.05, radius), hub, fixed=True)
    small = 0.05 * radius
    knob = Body("ball", "gray", (small, small, small), (hub[0], -0.2, hub[2]), fixed=True)
    ticks = [_tick(hub, radius, k) for k in range(12)]
    drives = tuple(
        Drive(
            (_HOLD, 1 - _HOLD),
            ((hub[0], depth, hub[2]),) * 2,
            (begins * speed, (begins + after) * speed),
            (0.0, 0.0, length / 2),
        )
        for depth, speed, length in ((-0.1, 2 * np.pi / 720, short), (-0.15, 2 * np.pi / 60, long))
    )
    placed = tuple(
        replace(hand, place=tuple(map(float, drive.at(np.zeros(1))[0][0])), tilt=float(drive.turns[0]))
        for hand, drive in zip(hands, drives, strict=True)
    )
    expect = {"clock": {"from": _time(begins), "to": _time(ends), "hour": hour, "minute": minute}}
    rim = (hub[0], 0.0, hub[2] + radius)
    return Puzzle((*placed, face, knob, *ticks), drives, camera, (hub, rim), expect)


def _tick(hub: V3, radius: float, k: int) -> Body:
    angle = k * np.pi / 6
    long = (0.06 if k % 3 == 0 else 0.035) * radius
    away = 0.9 * radius - long
    place = (float(hub[0] + away * np.sin(angle)), -0.05, float(hub[2] + away * np.cos(angle)))
    return Body("box", "black", (0.018 * radius, 0.02, long), place, tilt=float(angle), fixed=True)


def _time(minutes: int) -> str:
    return f"{minutes // 60 or 12}:{minutes % 60:02d}"


def clock_words(time: str) -> str:
    """Say a time of a clock in words.

    Example:
        >>> clock_words("3:00"), clock_words("10:35")
        ("3 o'clock", '10:35')
    """
    hours, _, minutes = time.partition(":")
    return f"{hours} o'clock" if minutes == "00" else time


# -- a tower


def _tower(desk: Desk) -> Puzzle:
    rng = desk.rng
    count = 3 if desk.aspect < 1.2 or rng.random() < 0.5 else 4
    r = float(rng.uniform(0.27, 0.33)) if count > 3 else float(rng.uniform(0.3, 0.37))
    camera = replace(desk.camera, move="still", amount=0.0)
    wide = camera.view * desk.aspect
    across = (np.arange(count) - (count - 1) / 2) * min(0.86 * wide / count, 1.5)
    order = rng.permutation(count)  # which place each floor of the tower comes from
    places = [(float(across[k]) + float(rng.uniform(-0.06, 0.06)), 0.0, r) for k in order]
    bodies = tuple(Body("box", desk.colors[k], (r, r, r), places[k], friction=0.8) for k in range(count))
    return Puzzle(
        bodies,
        built(places, r, list(range(count))),
        camera,
        (places[0],),
        {"tower": {"order": list(desk.colors[:count])}},
    )


def built(
    places: Sequence[V3], r: float, order: Sequence[int], *, together: bool = False, gap: float = 0.0
) -> tuple[Drive, ...]:
    """Drive blocks onto the first of ``order``, one after the other.

    Args:
        places: where the blocks stand at first.
        r: half of the edge of each.
        order: numbers of the blocks, bottom to top; what is not named stands where it is.
        together: whether the last two are moved at once.
        gap: metres by which the last is left above the tower.
    """
    drives = [Drive((0.0,), (place,)) for place in places]
    moves = len(order) - 1
    length = (1 - 2 * _HOLD) / max(moves - (1 if together else 0), 1)
    foot = places[order[0]]
    top = 2 * r * len(places) + 0.25
    for floor, number in enumerate(order[1:], start=1):
        slot = floor - 1 - (1 if together and floor == moves else 0)
        begin = _HOLD + slot * length
        last = floor == moves
        height = r + 2 * r * floor + (gap if last else 0.0)
        start = places[number]
        over = top + r + (2.2 * r if together and last else 0.0)
        way = [start, (start[0], 0.0, over), (foot[0], 0.0, over), (foot[0], 0.0, height)]
        drives[number] = stations(way, begin + 0.06 * length, begin + 0.94 * length)
    return tuple(drives)


PUZZLES: Final[dict[str, Callable[[Desk], Puzzle]]] = {"maze": _maze, "clock": _clock, "tower": _tower}
"""Family -> how it is laid out."""


# -- words


def expected(expect: Mapping[str, Any], marks_P2: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Add where a puzzle is in the picture to what is asked.

    Args:
        expect: of a `Puzzle`.
        marks_P2: its marks in the picture, as shares of its width and height.
    """
    (name, asked), *_ = expect.items()
    if name == "maze":
        (left, top), (right, bottom) = marks_P2
        return {name: {**asked, "area": [round(v, 4) for v in (left, top, right, bottom)]}}
    if name == "clock":
        (x, y), (_, above) = marks_P2
        return {name: {**asked, "centre": [round(x, 4), round(y, 4)], "radius": round(y - above, 4)}}
    return {name: dict(asked)}


def puzzle_caption(
    family: str, expect: Mapping[str, Any], colors: Sequence[str], rng: np.random.Generator | None
) -> str:
    """Say what is asked of a puzzle: one of several phrasings, or the first without ``rng``.

    Args:
        family: of the puzzle.
        expect: what is asked.
        colors: of its bodies.
        rng: of the phrasing.
    """
    asked = expect[family]
    if family == "maze":
        phrases = (
            f"seen from above, the {colors[0]} ball travels through the maze to the {colors[1]} square and "
            "crosses no wall",
            f"the {colors[0]} ball finds its way through the maze of gray walls to the {colors[1]} square",
        )
    elif family == "clock":
        begins, ends = clock_words(asked["from"]), clock_words(asked["to"])
        phrases = (
            f"the hands of the clock go on from {begins} to {ends}; the {asked['hour']} hand shows the hours "
            f"and the {asked['minute']} hand the minutes",
            f"the clock runs forward from {begins} until it shows {ends}, with a {asked['hour']} hour hand "
            f"and a {asked['minute']} minute hand",
        )
    else:
        bottom, *others = asked["order"]
        then = ", then ".join(f"the {color} block" for color in others)
        phrases = (
            f"a tower is built on the {bottom} block, one block after the other: {then}",
            f"blocks are put on the {bottom} block one by one, first {then}",
        )
    return phrases[0 if rng is None else int(rng.integers(len(phrases)))]
