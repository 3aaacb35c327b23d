"""Towers: do the blocks end in the order that is asked, moved one by one, with none in the air?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable
from ..expected_goals import ExpectedTower
from .rules import LOST, Broken, Region, Verdict, region_of

__all__ = ["judge_tower"]

_F = NDArray[np.float64]
_ACROSS, _UP = 0.5, 0.3
"""In blocks: how far a block's centre may be beside that of the one below it, and its foot from its head."""
_MOVES: Final = 0.15  # blocks from frame to frame
_TOGETHER: Final = (2.0, 0.05)  # steps, and share of the steps, in which two blocks may move
_UNSEEN: Final = 0.25  # of the frames


def judge_tower(regions_TKC: _F, tower: ExpectedTower, pixel: float = 0.0) -> Verdict:
    """Hold a clip against a tower.

    Args:
        regions_TKC: of the encoder ``hues``.
        tower: what is asked.
        pixel: of the frames that were read, in heights of the picture: as much is the color of a block wider.

    Raises:
        NotApplicable: not every block is seen in the first frame, or the tower stands there already.
    """
    blocks = {color: region_of(regions_TKC, color) for color in tower.order}
    for color, block in blocks.items():
        if not block.seen_T[0]:
            raise NotApplicable(f"no {color} block is seen in the first frame")
    wide = float(min((block["right"] - block["left"])[0] for block in blocks.values()))
    edge = max(wide - pixel, wide / 2)
    count = len(regions_TKC)
    first = dict.fromkeys(tower.order, 0)
    if max(_pairs(blocks, tower, first, edge)) <= 1:
        raise NotApplicable("the tower stands in the first frame already")
    last = {color: int(np.flatnonzero(block.seen_T)[-1]) for color, block in blocks.items()}
    lost = [color for color, frame in last.items() if frame < count - 2]
    bottom = blocks[tower.order[0]]
    lifted = abs(float(bottom["bottom"][last[tower.order[0]]] - bottom["bottom"][0])) / edge / _UP
    ratio = max(*_pairs(blocks, tower, last, edge), lifted)
    goal = Broken("is not built as asked", ratio, count - 1 if ratio > 1 else None)
    if lost:
        goal = Broken(f"the {lost[0]} block is gone", max(LOST, ratio), last[lost[0]] + 1)
    return Verdict(
        (
            goal,
            _together(blocks, edge),
            *(Broken(f"the {c} block is not seen", b.unseen / _UNSEEN) for c, b in blocks.items()),
        )
    )


def _pairs(
    blocks: Mapping[str, Region], tower: ExpectedTower, frames: Mapping[str, int], edge: float
) -> list[float]:
    """Say how far each block is from its place on the one below it, in tolerances."""
    ratios: list[float] = []
    for low, high in zip(tower.order[:-1], tower.order[1:], strict=True):
        (x, foot), (x_high, foot_high) = (_place(blocks[color], frames[color]) for color in (low, high))
        ratios += [abs(x_high - x) / edge / _ACROSS, abs(foot - foot_high - edge) / edge / _UP]
    return ratios


def _place(block: Region, frame: int) -> tuple[float, float]:
    """Find the middle and the foot of a block."""
    return float(block["left"][frame] + block["right"][frame]) / 2, float(block["bottom"][frame])


def _together(blocks: Mapping[str, Region], edge: float) -> Broken:
    """Count the steps in which two blocks move."""
    moving: list[NDArray[np.bool_]] = []
    for block in blocks.values():
        across, foot = (block["left"] + block["right"]) / 2, block["bottom"]
        step = np.hypot(np.diff(across), np.diff(foot)) / edge
        both = block.seen_T[1:] & block.seen_T[:-1]
        moving.append(both & (np.where(both, step, 0.0) > _MOVES))
    together = np.sum(moving, axis=0) > 1
    steps, share = _TOGETHER
    allowed = max(steps, share * len(together))
    ratio = float(together.sum()) / allowed
    frames = np.flatnonzero(together) + 1
    return Broken("two blocks move at once", ratio, int(frames[0]) if ratio > 1 else None)
