"""Linking: which spots of all frames are one thing, by the Hungarian method, in two stages.

From each frame to the next, a spot goes on where it should be by its motion. What breaks off (hidden, gone,
or elsewhere at once) is joined later, when all pieces are known: a piece that begins where another one was
going is its continuation, though one that looks the same begins nearer in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .regions import column

__all__ = ["link"]

_NEAR: Final = 0.9  # sizes of the thing, from where it should be
_ALIKE: Final = 60.0  # levels between the colors of two looks of one thing
_NEVER: Final = 1e6
_OFF: Final = 8.0  # the cost of going on off one's way
_ENDS: Final = 14.0  # the cost of an end: more than one step off the way, and less than two
_NEARLY: Final = 0.9  # of the most that is seen of a piece: its place is that of the whole
_BACK: Final = 3  # spots that say how a piece moves


@dataclass
class _Piece:
    """Spots of neighbouring frames, a row each, that are one thing."""

    first: int
    rows: list[int] = field(default_factory=list[int])

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


class _Looks:
    """The columns that linking reads."""

    def __init__(self, rows_MK: NDArray[np.float64]) -> None:
        self.place = rows_MK[:, [column("x"), column("y")]]
        self.color = rows_MK[:, [column("red"), column("green"), column("blue")]]
        self.area = rows_MK[:, column("area")]
        self.size = np.sqrt(self.area)
        self.cut = rows_MK[:, column("cut")] > 0
        self.label = rows_MK[:, column("label")]
        self.identity = rows_MK[:, column("identity")]


def link(rows_MK: NDArray[np.float64], frames: int) -> NDArray[np.int64]:
    """Link spots to things: the row of each thing in each frame, (N, T), -1 where it is not seen.

    Costs are of distance from where the thing should be, color and area; assignments are of least total cost
    (Kuhn 1955). Things are in the order of their first frames, larger ones first.
    """
    if not len(rows_MK):
        return np.empty((0, frames), np.int64)
    by_frame = np.searchsorted(rows_MK[:, 0], np.arange(frames + 1))
    looks = _Looks(rows_MK)
    pieces: list[_Piece] = []
    going: list[_Piece] = []
    for t in range(frames):
        spots = list(range(by_frame[t], by_frame[t + 1]))
        going = _step(going, spots, looks, t)
        pieces += [piece for piece in going if piece.first == t]
    chains = _join(pieces, looks)
    chains.sort(key=lambda chain: (chain[0].first, -looks.area[chain[0].rows[0]]))
    found = np.full((len(chains), frames), -1, np.int64)
    for n, chain in enumerate(chains):
        for piece in chain:
            found[n, piece.first : piece.last + 1] = piece.rows
    return found


def _step(going: Sequence[_Piece], spots: Sequence[int], looks: _Looks, t: int) -> list[_Piece]:
    """Continue pieces by the spots of frame ``t``; spots that continue none begin pieces of their own."""
    pairs: list[tuple[int, int]] = []
    if going and spots:
        cost = np.array([[_near_cost(piece, looks, spot) for spot in spots] for piece in going])
        pairs = _assign(cost)
    taken: set[int] = set()
    on: list[_Piece] = []
    for i, j in pairs:
        going[i].rows.append(spots[j])
        taken.add(spots[j])
        on.append(going[i])
    return on + [_Piece(t, [spot]) for spot in spots if spot not in taken]


def _assign(cost: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Give the pairs (i, j) of least total cost, those that may never be left out."""
    if cost.shape == (1, 1):
        return [(0, 0)] if cost[0, 0] < _NEVER else []
    from scipy.optimize import linear_sum_assignment

    return [
        (int(i), int(j)) for i, j in zip(*linear_sum_assignment(cost), strict=True) if cost[i, j] < _NEVER
    ]


def _near_cost(piece: _Piece, looks: _Looks, spot: int) -> float:
    before = piece.rows[-1]
    if not _may_be(looks, before, spot):
        return _NEVER
    if looks.identity[spot] == looks.identity[before]:
        return 0.0
    here = looks.place[before]
    step = here - looks.place[piece.rows[-2]] if len(piece.rows) > 1 else np.zeros(2)
    from_here = looks.place[spot] - here
    # A bounce brings it back: between where it was and where it was going is near, too.
    away = min(_length(from_here - step), _length(from_here), _length(from_here - 0.5 * step))
    size = float(looks.size[before])
    if away > _NEAR * size:
        return _NEVER
    tint = _length(looks.color[spot] - looks.color[before]) / _ALIKE
    ratio = abs(float(np.log(looks.area[spot] / looks.area[before])))
    return away / size + min(tint, 4.0) + (0.15 if looks.cut[spot] else 0.5) * ratio


def _may_be(looks: _Looks, one: int, two: int) -> bool:
    """Say whether a source's names and identities, where it has them, allow two spots to be one thing."""
    if looks.identity[one] == looks.identity[one] and looks.identity[two] == looks.identity[two]:
        return bool(looks.identity[one] == looks.identity[two])
    return not (looks.label[two] == looks.label[two] and looks.label[one] != looks.label[two])


def _join(pieces: Sequence[_Piece], looks: _Looks) -> list[list[_Piece]]:
    """Join pieces to chains: each to the one piece that goes on from it, at the least total cost."""
    n = len(pieces)
    if n < 2:
        return [[piece] for piece in pieces]
    cost = np.full((n, 2 * n), _NEVER)
    cost[:, n:] = _ENDS
    for i, one in enumerate(pieces):
        for j, two in enumerate(pieces):
            if one.last < two.first:
                cost[i, j] = _far_cost(one, two, looks)
    after = {i: j for i, j in _assign(cost) if j < n}
    heads = set(range(n)) - set(after.values())
    chains: list[list[_Piece]] = []
    for head in sorted(heads):
        chain = [pieces[head]]
        at = head
        while at in after:
            at = after[at]
            chain.append(pieces[at])
        chains.append(chain)
    return chains


def _far_cost(one: _Piece, two: _Piece, looks: _Looks) -> float:
    """Cost of taking ``two`` for the continuation of ``one``: on its way it costs far less than off it."""
    if not _may_be(looks, one.rows[-1], two.rows[0]):
        return _NEVER
    size = max(float(looks.size[one.rows].max()), float(looks.size[two.rows].max()))
    ends = [_whole_end(one, looks, last=True), _whole_end(two, looks, last=False)]
    (place_1, speed_1, t_1), (place_2, speed_2, t_2) = ends
    gap = t_2 - t_1
    offs = [place_2 - place_1 - speed * gap for speed in (speed_1, speed_2, 0.5 * (speed_1 + speed_2))]
    away = min(_length(off) for off in offs) / size
    tint = _length(looks.color[two.rows[0]] - looks.color[one.rows[-1]]) / _ALIKE
    ratio = abs(float(np.log(looks.area[two.rows].max() / looks.area[one.rows].max())))
    wait = 0.02 * (two.first - one.last)
    if away <= _NEAR:
        return away + min(tint, 3.0) + 0.5 * ratio + wait
    if tint <= 1.0 and ratio <= 0.7:
        return _OFF + min(0.3 * away, 2.0) + tint + ratio + wait
    return _NEVER


def _whole_end(
    piece: _Piece, looks: _Looks, *, last: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Say where a piece is seen whole, or nearly so, nearest to an end, how it moves there, and when."""
    rows = np.array(piece.rows)
    area = looks.area[rows]
    whole = np.flatnonzero(~looks.cut[rows] | (area > _NEARLY * area.max()))
    part = whole[-_BACK:] if last else whole[:_BACK]
    end, other = (part[-1], part[0]) if last else (part[0], part[-1])
    place = looks.place[rows[end]]
    speed = np.zeros(2) if end == other else (place - looks.place[rows[other]]) / (end - other)
    return place, speed, piece.first + int(end)


def _length(vector: NDArray[np.float64]) -> float:
    return float(np.hypot(vector[0], vector[1]))
