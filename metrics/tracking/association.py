"""Association: which regions of all frames belong to one object, by the Hungarian method, in two stages.

First, regions are associated from each frame to the next, near the place that the motion predicts. A track
that breaks off (by occlusion, or a jump) is joined later, when all pieces are known: a piece that begins
where another one was heading continues it, even if a similar piece begins nearer in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .regions import column

__all__ = ["associate"]

_NEAR: Final = 0.9  # largest distance from the predicted place, in sizes of the object
_ALIKE: Final = 60.0  # largest distance, in levels, of the colors of one object
_NEVER: Final = 1e6
_OFF: Final = 8.0  # cost of a continuation off the trajectory
_ENDS: Final = 14.0  # cost of an end: more than one continuation off the trajectory, and less than two
_NEARLY: Final = 0.9  # of a piece's largest visible area: from here on it counts as seen whole
_BACK: Final = 3  # regions from which the motion of a piece is estimated


@dataclass
class _Piece:
    """Rows of regions of consecutive frames that belong to one object."""

    first: int
    rows: list[int] = field(default_factory=list[int])

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


class _RegionLooks:
    """The columns of regions that association reads."""

    def __init__(self, rows_MK: NDArray[np.float64]) -> None:
        self.place = rows_MK[:, [column("x"), column("y")]]
        self.color = rows_MK[:, [column("red"), column("green"), column("blue")]]
        self.area = rows_MK[:, column("area")]
        self.size = np.sqrt(self.area)
        self.cut = rows_MK[:, column("cut")] > 0
        self.label = rows_MK[:, column("label")]
        self.identity = rows_MK[:, column("identity")]


def associate(rows_MK: NDArray[np.float64], frames: int) -> NDArray[np.int64]:
    """Associate regions with objects: the row of each object in each frame, (N, T), -1 where it is not seen.

    Costs depend on the distance from the predicted place, on color and on area; assignments have the least
    total cost (Kuhn 1955). Objects are sorted by their first frame, larger ones first.
    """
    if not len(rows_MK):
        return np.empty((0, frames), np.int64)
    by_frame = np.searchsorted(rows_MK[:, 0], np.arange(frames + 1))
    looks = _RegionLooks(rows_MK)
    pieces: list[_Piece] = []
    going: list[_Piece] = []
    for t in range(frames):
        regions = list(range(by_frame[t], by_frame[t + 1]))
        going = _step(going, regions, looks, t)
        pieces += [piece for piece in going if piece.first == t]
    chains = _join(pieces, looks)
    chains.sort(key=lambda chain: (chain[0].first, -looks.area[chain[0].rows[0]]))
    found = np.full((len(chains), frames), -1, np.int64)
    for n, chain in enumerate(chains):
        for piece in chain:
            found[n, piece.first : piece.last + 1] = piece.rows
    return found


def _step(going: Sequence[_Piece], regions: Sequence[int], looks: _RegionLooks, t: int) -> list[_Piece]:
    """Continue pieces with the regions of frame ``t``; the other regions begin new pieces."""
    pairs: list[tuple[int, int]] = []
    if going and regions:
        cost = np.array([[_near_cost(piece, looks, region) for region in regions] for piece in going])
        pairs = _assign(cost)
    taken: set[int] = set()
    on: list[_Piece] = []
    for i, j in pairs:
        going[i].rows.append(regions[j])
        taken.add(regions[j])
        on.append(going[i])
    return on + [_Piece(t, [region]) for region in regions if region not in taken]


def _assign(cost: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the pairs (i, j) of least total cost, without forbidden ones."""
    if cost.shape == (1, 1):
        return [(0, 0)] if cost[0, 0] < _NEVER else []
    from scipy.optimize import linear_sum_assignment

    return [
        (int(i), int(j)) for i, j in zip(*linear_sum_assignment(cost), strict=True) if cost[i, j] < _NEVER
    ]


def _near_cost(piece: _Piece, looks: _RegionLooks, region: int) -> float:
    before = piece.rows[-1]
    if not _may_be(looks, before, region):
        return _NEVER
    if looks.identity[region] == looks.identity[before]:
        return 0.0
    here = looks.place[before]
    step = here - looks.place[piece.rows[-2]] if len(piece.rows) > 1 else np.zeros(2)
    from_here = looks.place[region] - here
    # After a bounce it comes back: places between the last and the predicted one are near, too.
    away = min(_length(from_here - step), _length(from_here), _length(from_here - 0.5 * step))
    size = float(looks.size[before])
    if away > _NEAR * size:
        return _NEVER
    tint = _length(looks.color[region] - looks.color[before]) / _ALIKE
    ratio = abs(float(np.log(looks.area[region] / looks.area[before])))
    return away / size + min(tint, 4.0) + (0.15 if looks.cut[region] else 0.5) * ratio


def _may_be(looks: _RegionLooks, one: int, two: int) -> bool:
    """Check whether the tracker's names and identities, if any, allow two regions to be one object."""
    if looks.identity[one] == looks.identity[one] and looks.identity[two] == looks.identity[two]:
        return bool(looks.identity[one] == looks.identity[two])
    return not (looks.label[two] == looks.label[two] and looks.label[one] != looks.label[two])


def _join(pieces: Sequence[_Piece], looks: _RegionLooks) -> list[list[_Piece]]:
    """Join pieces to chains of least total cost; each piece has at most one continuation."""
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


def _far_cost(one: _Piece, two: _Piece, looks: _RegionLooks) -> float:
    """Compute the cost of ``two`` as the continuation of ``one``: far less on the trajectory than off it."""
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
    piece: _Piece, looks: _RegionLooks, *, last: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Find place, velocity and frame, nearest to an end of a piece, where it is seen whole or nearly so."""
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
