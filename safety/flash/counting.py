"""Transitions within one second, and the area that they have together."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .screen import SHARE, Area

__all__ = ["TOGETHER_S", "FlashCounter", "Worst"]

TOGETHER_S: Final = 0.04
"""A change that reaches different parts of an area less than a frame of television apart is one transition of
the area. WCAG and BT.1702 give no time for what they call concurrent."""
_SECOND: Final = 1 - 1e-6  # transitions a whole second apart are not within one
_Flags = NDArray[np.bool_]


@dataclass
class Worst:
    """The most transitions within one second, over more than the area that may have them.

    Attributes:
        transitions: how many; two make a flash.
        time: seconds from the beginning of the clip to the last of them.
        area: share of the visual field, or of the picture, that had them together. The field is counted in
            whole cells, and where its sides are rounded up they hold a little more than the field: up to a
            few hundredths over 1.
        place: row and column of the top left cell of the field.
    """

    transitions: int = 0
    time: float = 0.0
    area: float = 0.0
    place: tuple[int, int] = (0, 0)


class FlashCounter:
    """Follow the transitions of one kind through a clip, in one area at all its places.

    They are counted twice, and the larger number is taken:

    - of the same cells: the frames in each of which more cells than may change, the same ones every time.
      Some may rise while others fall, as on a checkerboard. Cells that flash at times of their own, as
      glitter on water and noise do, are not the same ones.
    - of the area as a whole: frames in which more cells than may change one way, and then the other way,
      wherever in the area they lie. Cells that change the other way at the same time, as half of them do
      before a moving camera, are taken off.
    """

    def __init__(self, rows: int, columns: int, area: Area) -> None:
        self.worst = Worst()
        self._area = area
        self._frames: deque[tuple[float, _Flags]] = deque()
        self._recent: deque[tuple[float, _Flags, _Flags]] = deque()
        places = (rows - area.rows + 1, columns - area.columns + 1)
        self._sign = np.zeros(places, np.int8)
        self._places = _LastSecond(places)

    def push(self, time: float, up: _Flags, down: _Flags) -> None:
        """Take the cells that change one way, and those that change the other, at ``time`` seconds."""
        while self._recent and time - self._recent[0][0] >= TOGETHER_S - 1e-6:
            self._recent.popleft()
        changed = up | down
        if not changed.any():
            return
        self._same_cells(time, changed)
        self._recent.append((time, up, down))
        self._whole_area(time)

    def _same_cells(self, time: float, changed: _Flags) -> None:
        while self._frames and time - self._frames[0][0] >= _SECOND:
            self._frames.popleft()
        counts = self._crowded(changed)
        if counts is None:
            return
        same, transitions = changed, 1
        for _, before in reversed(self._frames):
            both = same & before
            found = self._crowded(both)
            if found is not None:
                same, counts, transitions = both, found, transitions + 1
        self._frames.append((time, changed))
        self._worse(transitions, time, counts)

    def _whole_area(self, time: float) -> None:
        up: _Flags = np.logical_or.reduce([one for _, one, _ in self._recent])
        down: _Flags = np.logical_or.reduce([one for _, _, one in self._recent])
        if max(up.sum(), down.sum()) <= self._area.limit:
            return
        net = self._area.counts(up) - self._area.counts(down)
        sign = (net > self._area.limit).astype(np.int8) - (net < -self._area.limit)
        happens = (sign != 0) & (sign != self._sign)
        if happens.any():
            self._sign = np.where(happens, sign, self._sign)
            counts = self._places.push(time, happens)
            most = int(counts.max())
            self._worse(most, time, np.where(counts == most, np.abs(net), 0))

    def _crowded(self, flags: _Flags) -> NDArray[np.float32] | None:
        """Count the cells that are set at each place; None where there are nowhere more than may be."""
        if flags.sum() <= self._area.limit:
            return None
        counts = self._area.counts(flags)
        return counts if counts.max() > self._area.limit else None

    def _worse(self, transitions: int, time: float, counts: NDArray[np.float32]) -> None:
        if transitions > self.worst.transitions:
            row, column = divmod(int(counts.argmax()), counts.shape[1])
            share = float(counts[row, column]) / self._area.limit * SHARE
            self.worst = Worst(transitions, time, share, (row, column))


class _LastSecond:
    """Counts the events of the last second at each place; what is stale leaves with the next event."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._counts = np.zeros(shape, np.int32)
        self._events: deque[tuple[float, NDArray[np.intp]]] = deque()

    def push(self, time: float, happens: _Flags) -> NDArray[np.int32]:
        flat = self._counts.reshape(-1)
        while self._events and time - self._events[0][0] >= _SECOND:
            flat[self._events.popleft()[1]] -= 1
        places = np.flatnonzero(happens)
        flat[places] += 1
        self._events.append((time, places))
        return self._counts
