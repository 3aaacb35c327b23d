"""Things that go behind what stands still: their outline shrinks before they are gone."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .tracks import Tracks

__all__ = ["with_hidden"]

_F = NDArray[np.float64]
_SHRUNK: Final = 0.82  # of its usual area: a thing that shows less in its last frame went behind something
_WHOLE: Final = 0.93  # likewise: a thing that shows as much is seen whole
_KNOWN: Final = 5  # frames that show a thing: with fewer its usual area is not known
_RAMP: Final = 12  # frames at most in which a thing goes behind something
_WIDE: Final = 3.5  # sizes of a thing: it is hidden on its way for no longer, as far as is known
_EDGE: Final = 1.5  # pixels between a thing and the frame's edge that cuts it


def with_hidden(tracks: Tracks) -> Tracks:
    """Mark where things are hidden by what stands still, and how much of them is seen before and after.

    A thing that is gone from one frame to the next, and was seen whole until then, is not hidden.
    """
    visible, center, whole = (a.copy() for a in (tracks.visible_NT, tracks.center_NT2, tracks.whole_NT4))
    hidden = np.zeros((tracks.things, tracks.frames), bool)
    for n in range(tracks.things):
        seen = np.flatnonzero(tracks.seen_NT[n])
        if len(seen) < _KNOWN:
            continue
        usual = _usual(tracks.area_NT[n, seen])
        share_T = np.where(tracks.seen_NT[n], tracks.area_NT[n] / max(usual, 1.0), 0.0)
        for before, after in _gaps(seen, tracks.frames):
            if _at_edge(tracks, n, before) or share_T[before] > _SHRUNK:
                continue
            if after is not None and share_T[after] > _SHRUNK:
                continue
            ramps = _ramp(share_T, before, -1) + ([] if after is None else _ramp(share_T, after, 1))
            for t in ramps:
                visible[n, t] = min(visible[n, t], share_T[t])
                center[n, t] = whole[n, t] = np.nan
            stop = tracks.frames if after is None else after
            hidden[n, before + 1 : stop] = True
            hidden[n, ramps] = True
            if after is None:
                hidden[n] &= np.arange(tracks.frames) < _out_at(tracks, n, (before, len(ramps)), usual)
    return replace(tracks, visible_NT=visible, center_NT2=center, whole_NT4=whole, hidden_NT=hidden)


def _usual(area_K: _F) -> float:
    """Give the area of a thing that is seen whole: the median of the larger half."""
    return float(np.median(np.sort(area_K)[len(area_K) // 2 :])) if len(area_K) else 1.0


def _gaps(seen: NDArray[np.int64], frames: int) -> list[tuple[int, int | None]]:
    """List the last frame before and the first after each gap; the last gap may have no end."""
    gaps: list[tuple[int, int | None]] = [(int(a), int(b)) for a, b in itertools.pairwise(seen) if b - a > 1]
    if len(seen) and seen[-1] < frames - 1:
        gaps.append((int(seen[-1]), None))
    return gaps


def _at_edge(tracks: Tracks, n: int, t: int) -> bool:
    left, top, right, bottom = tracks.box_NT4[n, t]
    edges = (left + 0.5, top + 0.5, tracks.width - 0.5 - right, tracks.height - 0.5 - bottom)
    return min(edges) < _EDGE


def _ramp(share_T: _F, start: int, step: int) -> list[int]:
    """List the frames from a gap on in which a thing is not yet, or no longer, seen whole."""
    found: list[int] = []
    t = start
    while 0 <= t < len(share_T) and 0 < share_T[t] < _WHOLE and len(found) < _RAMP:
        found.append(t)
        t += step
    return found


def _out_at(tracks: Tracks, n: int, last: tuple[int, int], usual: float) -> float:
    """Tell the frame at which a thing that goes on evenly has passed what hides it, as far as is known."""
    before, ramp = last
    whole = [t for t in range(before - ramp + 1) if tracks.seen_NT[n, t]][-4:]
    if len(whole) < 2:
        return float(tracks.frames)
    way = tracks.position_NT2[n, whole[-1]] - tracks.position_NT2[n, whole[0]]
    speed = float(np.hypot(*way)) / (whole[-1] - whole[0])
    return before + _WIDE * float(np.sqrt(usual)) / max(speed, 1e-3)
