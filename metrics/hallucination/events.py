"""Events that nobody asked for: a thing appears or vanishes in the middle of a clip, or splits into two.

A thing may come into the frame and leave it at the edges, and may go behind another thing and come out again.
Anywhere else it stays: see `permanence` of the laws for how much of it must be seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable
from ..instructions.skills import NotAsked, extra_things
from ..tracking.role_assignment import RoleAssignment
from .observation import Observation, describe

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["extra_events"]

_F = NDArray[np.float64]
_SETTLED: Final = 2  # frames at either end of a clip, and of a gap: less is the tracker's doubt
_NEAR: Final = (
    0.025  # sides beside its own step: nearer to an edge or to another thing, it may come from there
)
_WHOLE: Final = 0.9  # of a thing's usual area: what shows less is seen in part
_LIKE: Final = 70.0  # levels of RGB between the parts of one thing
_PART: Final = 0.4  # of a part's area: what the whole must lose when it splits
_Kind = Literal["appears", "vanishes", "splits"]


def extra_events(cast: RoleAssignment) -> Observation:
    """Look for things that appear, vanish or split in the middle of a clip.

    All things that are asked for are watched; others only where the prompt says that there are none.

    Raises:
        NotApplicable: nothing is asked for, nothing is tracked, or the clip is too short.
    """
    tracks = cast.tracks
    if not cast.roles and cast.expect.others != "none":
        raise NotAsked("no objects are asked for")
    if not tracks.things:
        raise NotApplicable("discarded: nothing is tracked")
    if tracks.frames < 2 * _SETTLED + 1:
        raise NotApplicable(f"too short: fewer than {2 * _SETTLED + 1} frames")
    watched = [role.track for role in cast.roles if role.track is not None]
    if cast.expect.others == "none":
        watched += extra_things(cast)
    found = sorted((frame, n, kind) for n in sorted(set(watched)) for kind, frame in _events_of(cast, n))
    faults: list[dict[str, Json]] = [
        {
            "what": kind,
            "thing": describe(cast, n),
            "frame": frame,
            "second": round(float(tracks.times_T[frame]), 6),
        }
        for frame, n, kind in found
    ]
    return Observation(faults, found[0][0] if found else None)


def _events_of(cast: RoleAssignment, n: int) -> list[tuple[_Kind, int]]:
    """List what happens to a track, and the first frame that shows it."""
    tracks = cast.tracks
    seen = np.flatnonzero(tracks.seen_NT[n])
    events: list[tuple[_Kind, int]] = []
    breaks = np.flatnonzero(np.diff(seen) > 1)
    starts = [int(seen[0]), *(int(seen[k + 1]) for k in breaks)]
    stops = [*(int(seen[k]) for k in breaks), int(seen[-1])]
    for number, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        before = start - (stops[number - 1] + 1 if number else 0)
        after = (starts[number + 1] if number + 1 < len(starts) else tracks.frames) - stop - 1
        if before >= _SETTLED:
            whole = _whole_of(cast, n, start)
            if whole is not None:
                events.append(("splits", start))
            elif not _may_come_from(cast, n, start):
                events.append(("appears", start))
        if after >= _SETTLED and not _may_come_from(cast, n, stop):
            events.append(("vanishes", stop + 1))
    return events


def _may_come_from(cast: RoleAssignment, n: int, t: int) -> bool:
    """Tell whether a thing may just have come from an edge of the frame or from behind another, or go there.

    It is near enough, and shows in part; what is whole at once has not come out step by step, unless its
    steps are as long as itself.
    """
    tracks = cast.tracks
    box, near = tracks.box_NT4[n, t], _reach(cast, n, t)
    in_part = tracks.area_NT[n, t] < _WHOLE * float(np.nanmedian(tracks.area_NT[n]))
    if not in_part and near < float((box[2:] - box[:2]).min()):
        return False
    edges = (box[0], box[1], tracks.width - 1 - box[2], tracks.height - 1 - box[3])
    return min(float(edge) for edge in edges) < near or bool(_neighbours(cast, n, t))


def _reach(cast: RoleAssignment, n: int, t: int) -> float:
    """Tell how far a thing may come in one frame, in pixels, by its steps around the frame ``t``."""
    tracks = cast.tracks
    place = tracks.position_NT2[n, max(0, t - 2) : t + 3]
    steps = np.linalg.norm(np.diff(place, axis=0), axis=1)
    return _NEAR * tracks.side + float(np.nanmax(steps, initial=0.0))


def _neighbours(cast: RoleAssignment, n: int, t: int) -> list[int]:
    """List the tracks whose boxes are near a track's at a frame, in that frame or the ones beside it."""
    tracks = cast.tracks
    box, near = tracks.box_NT4[n, t], _reach(cast, n, t)
    found: list[int] = []
    for other in range(tracks.things):
        if other == n:
            continue
        for u in range(max(0, t - 1), min(tracks.frames, t + 2)):
            theirs = tracks.box_NT4[other, u]
            if np.isnan(theirs[0]):
                continue
            apart = max(
                float(np.maximum(box[:2], theirs[:2])[k] - np.minimum(box[2:], theirs[2:])[k]) for k in (0, 1)
            )
            if apart < near:
                found.append(other)
                break
    return found


def _whole_of(cast: RoleAssignment, n: int, start: int) -> int | None:
    """Find the thing that a new one has split off from: of its color, near, and smaller than before."""
    tracks = cast.tracks
    part = float(np.nanmedian(tracks.area_NT[n, start : start + 3]))
    color = np.nanmedian(tracks.color_NT3[n, start : start + 3], axis=0)
    for other in _neighbours(cast, n, start):
        then, now = (
            tracks.area_NT[other, max(0, start - 3) : start],
            tracks.area_NT[other, start : start + 3],
        )
        if np.isnan(then).all() or np.isnan(now).all():
            continue
        theirs = np.nanmedian(tracks.color_NT3[other, max(0, start - 3) : start], axis=0)
        lost = float(np.nanmedian(then) - np.nanmedian(now))
        if lost >= _PART * part and float(np.linalg.norm(color - theirs)) < _LIKE:
            return other
    return None
