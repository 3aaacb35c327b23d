"""Mazes: does the thing reach the goal, through no wall and without a jump?"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable
from ..expected_goals import Cell, ExpectedMaze, ways_from
from .rules import LOST, Broken, Verdict, region_of

__all__ = ["judge_maze"]

_F = NDArray[np.float64]
_START: Final = 1.0
_GOAL, _WALL = 0.75, 0.30
"""In cells: how far from the start and from the goal's centre, and how deep in a wall its centre may be."""
_DETOUR: Final = 2.6  # cells by which the way between two frames may be longer than the straight line
_STEP, _OF_USUAL = 1.6, 3.0  # cells, and times the usual step: the longest step that is no jump
_MOVES: Final = 0.1  # cells: a step
_UNSEEN: Final = 0.25  # of the frames


def judge_maze(regions_TKC: _F, aspect: float, maze: ExpectedMaze) -> Verdict:
    """Hold a clip against a maze.

    Args:
        regions_TKC: of the encoder ``hues``.
        aspect: width over height of the picture.
        maze: what is asked.

    Raises:
        NotApplicable: the clip does not begin at the start of the maze.
    """
    region = region_of(regions_TKC, maze.color)
    if not region.seen_T[0]:
        raise NotApplicable(f"no {maze.color} thing is seen in the first frame")
    left, top, right, bottom = maze.area
    high, across = len(maze.rows), len(maze.rows[0])
    rows = (region["y"] - top) / (bottom - top) * high - 0.5
    columns = (region["x"] / aspect - left) / (right - left) * across - 0.5
    cells_T2 = np.stack([rows, columns], axis=1)
    if np.hypot(*(cells_T2[0] - maze.find("S"))) > _START:
        raise NotApplicable(f"the {maze.color} thing does not begin at the start of the maze")
    frames = np.flatnonzero(region.seen_T)
    path = cells_T2[frames]
    return Verdict(
        (
            _goal(path, frames, len(rows), maze),
            _walls(path, frames, maze),
            *_steps(path, frames, maze),
            Broken("is not seen", region.unseen / _UNSEEN, _gap(frames)),
        )
    )


def _gap(frames: NDArray[np.int64]) -> int | None:
    """Find the first frame of a gap."""
    gaps = np.flatnonzero(np.diff(frames) > 1)
    return int(frames[gaps[0]]) + 1 if len(gaps) else None


def _goal(path_K2: _F, frames: NDArray[np.int64], count: int, maze: ExpectedMaze) -> Broken:
    rule = "does not reach the goal"
    if frames[-1] < count - 2:
        return Broken(rule, LOST, int(frames[-1]) + 1)
    away = np.hypot(*(path_K2[-1] - maze.find("G")))
    return Broken(rule, float(away) / _GOAL, count - 1 if away > _GOAL else None)


def _walls(path_K2: _F, frames: NDArray[np.int64], maze: ExpectedMaze) -> Broken:
    """Find how deep in the walls the centre is, and in which frame it is deepest."""
    free = _free(maze)
    outside = np.maximum(np.abs(path_K2[:, None] - free[None]) - 0.5, 0.0)
    depth = np.hypot(outside[:, :, 0], outside[:, :, 1]).min(axis=1)
    return _worst("is in a wall", depth / _WALL, frames)


def _steps(path_K2: _F, frames: NDArray[np.int64], maze: ExpectedMaze) -> tuple[Broken, Broken]:
    """Compare the way from each frame to the next with the straight line, and with the usual step."""
    crosses, jumps = "goes through a wall", "jumps"
    if len(path_K2) < 2:
        return Broken(crosses, 0.0), Broken(jumps, 0.0)
    free = _free(maze)
    nearest = np.square(path_K2[:, None] - free[None]).sum(axis=2).argmin(axis=1)
    cells: list[Cell] = [(int(i), int(j)) for i, j in free[nearest]]
    ways = {cell: ways_from(maze.rows, cell) for cell in set(cells)}
    far = float(_cells(maze))
    straight = np.hypot(*np.diff(path_K2, axis=0).T)
    way = np.array([ways[a].get(b, far) for a, b in pairwise(cells)], np.float64)
    moved = straight[straight > _MOVES]
    usual = float(np.median(moved)) if len(moved) else 0.0
    limit = max(_STEP, _OF_USUAL * usual) * np.diff(frames)
    detour = (way - straight) / _DETOUR
    walked = np.where(detour > 1, straight, np.maximum(straight, way - 1))
    return _worst(crosses, detour, frames[1:]), _worst(jumps, walked / limit, frames[1:])


def _cells(maze: ExpectedMaze) -> int:
    """Count the cells of a maze: no way is longer."""
    return len(maze.rows) * len(maze.rows[0])


def _free(maze: ExpectedMaze) -> _F:
    cells = [(i, j) for i, row in enumerate(maze.rows) for j, sign in enumerate(row) if sign != "#"]
    return np.array(cells, np.float64)


def _worst(rule: str, ratios_K: _F, frames_K: NDArray[np.int64]) -> Broken:
    worst = int(ratios_K.argmax())
    ratio = max(float(ratios_K[worst]), 0.0)
    over = np.flatnonzero(ratios_K > 1)
    return Broken(rule, ratio, int(frames_K[over[0]]) if len(over) else None)
