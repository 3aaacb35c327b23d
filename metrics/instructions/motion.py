"""Skills of following a prompt in time: where things go, how fast, in what order."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable
from ..tracking.area_loss import largest_loss
from ..tracking.role_assignment import RoleAssignment
from ..tracking.trajectories import Path, fit_line, path_of
from .limits import LIMITS, least_travel, still_travel
from .skills import NotAsked, SkillJudgement, players

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["DIRECTIONS", "PathSummary", "bite", "motion", "order", "speed", "stillness", "way_of"]

_F = NDArray[np.float64]
_Marks: TypeAlias = tuple[float, float, float]
"""When a tenth, a half and nine tenths of a way are done, in seconds."""
DIRECTIONS: Final = ("left", "right", "rise", "fall", "bounce", "throw-left", "throw-right")
"""Motions that have a direction."""
_ENDS: Final = 3  # frames whose median place is the beginning, or the end, of a way
_FEWEST: Final = 4  # frames that a way is read from


@dataclass(frozen=True)
class PathSummary:
    """A way in a few numbers, in sides and seconds; x grows to the right, and *up* is positive.

    Attributes:
        right, up: from its beginning to its end.
        across, along: how far it goes sideways, and up and down, in all.
        drop, climb: how far its lowest place is below its beginning, and its end above the lowest.
        arc: how far it rises above the straight line from its beginning to its end.
        seconds: of the clip.
    """

    right: float
    up: float
    across: float
    along: float
    drop: float
    climb: float
    arc: float
    seconds: float


def way_of(path: Path, seconds: float) -> PathSummary:
    """Measure a way of at least 4 frames; its places are medians of three neighbouring frames."""
    place = path.place_K2
    smooth = np.median(np.stack([place[:-2], place[1:-1], place[2:]]), axis=0)
    times = path.times_K[1:-1]
    x, y = smooth[:, 0], smooth[:, 1]
    lowest = int(y.argmax())
    share = (times - times[0]) / max(float(times[-1] - times[0]), 1e-9)
    line = y[0] + share * (y[-1] - y[0])
    return PathSummary(
        right=float(x[-1] - x[0]),
        up=float(y[0] - y[-1]),
        across=float(np.abs(np.diff(x)).sum()),
        along=float(np.abs(np.diff(y)).sum()),
        drop=float(y[lowest] - y[0]),
        climb=float(y[lowest] - y[lowest:].min()),
        arc=float((line - y).max()),
        seconds=seconds,
    )


def _path(cast: RoleAssignment, place: int) -> Path | SkillJudgement:
    """Give the path of the first thing at a place among the objects, or the no of a thing that is not shown.

    Raises:
        NotApplicable: it is seen as a whole in too few frames, or the camera moves and cannot be followed.
    """
    found = players(cast, (place,))
    if isinstance(found, SkillJudgement):
        return found
    cast.require_view()
    path = path_of(cast, found[0])
    if len(path.frames_K) < _FEWEST:
        raise NotApplicable(f"too short: a thing is seen whole in fewer than {_FEWEST} frames")
    return path


def _seconds(cast: RoleAssignment) -> float:
    return float(cast.tracks.times_T[-1] - cast.tracks.times_T[0])


def _goes(way: PathSummary, asked: str) -> bool:
    """Tell whether a way is the motion that a word asks for."""
    need = least_travel(way.seconds)
    sideways = abs(way.right) > abs(way.up)
    if asked in ("left", "right"):
        gone = way.right if asked == "right" else -way.right
        return gone >= need and sideways and gone >= 0.5 * way.across
    if asked == "rise":
        return way.up >= need and not sideways and way.up >= 0.5 * way.along
    if asked == "fall":
        return way.drop >= need and way.drop > abs(way.right)
    if asked == "bounce":
        return way.drop >= LIMITS.bounce_drop and way.climb >= LIMITS.bounce_climb
    gone = way.right if asked == "throw-right" else -way.right
    return gone >= need and way.arc >= LIMITS.throw_arc


def motion(cast: RoleAssignment) -> SkillJudgement:
    """Whether the subject goes where the word for its motion says.

    - *left*, *right*, *rise*: its way leads there, within 45 degrees, mostly without turning back, and over
      half the travel of the slowest motion that the reference world shows (`least_travel`);
    - *fall*: it comes as far below its beginning, and farther down than sideways;
    - *bounce*: it falls, and rises again from its lowest place;
    - *throw*: it goes to its side in an arc.

    A ``direction`` of the prompt's ``expect`` is known, and not asked for.

    Raises:
        NotApplicable: no direction is asked for, nothing is tracked, or the way is not seen.
    """
    asked = cast.expect.motion
    if asked is None or asked == "stay" or not cast.roles:
        raise NotAsked("no direction of motion is asked for")
    path = _path(cast, cast.subject.place)
    if isinstance(path, SkillJudgement):
        return path
    way = way_of(path, _seconds(cast))
    evidence: dict[str, Json] = {"asked": asked, **_rounded(way)}
    if _goes(way, asked):
        return SkillJudgement(True, evidence)
    moves = max(abs(way.right), abs(way.up), way.across, way.along) >= least_travel(way.seconds)
    return SkillJudgement(False, {"failure": "another motion" if moves else "does not move", **evidence})


def _rounded(way: PathSummary) -> dict[str, Json]:
    named = ("right", "up", "drop", "climb", "arc")
    return {name: round(float(getattr(way, name)), 4) for name in named}


def speed(cast: RoleAssignment) -> SkillJudgement:
    """Whether the subject moves at the speed asked for: nearer to slow than to fast, or the reverse.

    The speed is that of the uniform motion that fits its way best, in sides a second.

    Raises:
        NotApplicable: no speed is asked for, nothing is tracked, or the way is not seen.
    """
    asked = cast.expect.speed
    if asked is None or not cast.roles:
        raise NotAsked("no speed is asked for")
    path = _path(cast, cast.subject.place)
    if isinstance(path, SkillJudgement):
        return path
    velocity = fit_line(path.times_K, path.place_K2, path.noise).coefficients_PD[1]
    value = float(np.hypot(velocity[0], velocity[1]))
    seconds = _seconds(cast)
    evidence: dict[str, Json] = {"asked": asked, "speed": value, "parted_at": LIMITS.speed}
    if value * seconds < least_travel(seconds):
        return SkillJudgement(False, {"failure": "does not move", **evidence})
    if (value >= LIMITS.speed) == (asked == "fast"):
        return SkillJudgement(True, evidence)
    return SkillJudgement(False, {"failure": "too slow" if asked == "fast" else "too fast", **evidence})


def stillness(cast: RoleAssignment) -> SkillJudgement:
    """Whether the subject stays where it is, as asked: the longest distance between two places of its way.

    Raises:
        NotApplicable: the subject is not asked to stay, nothing is tracked, or the way is not seen.
    """
    if cast.expect.motion != "stay" or not cast.roles:
        raise NotAsked("nothing is asked to stay still")
    path = _path(cast, cast.subject.place)
    if isinstance(path, SkillJudgement):
        return path
    limit = still_travel(_seconds(cast))
    evidence: dict[str, Json] = {"extent": path.extent, "limit": limit}
    if path.extent <= limit:
        return SkillJudgement(True, evidence)
    return SkillJudgement(False, {"failure": "moves", **evidence})


def bite(cast: RoleAssignment) -> SkillJudgement:
    """Whether the object that should lose a piece does so during the clip: never, or from the start, is a no.

    Raises:
        NotApplicable: nothing is asked to lose a piece, nothing is tracked, or it is seen whole too briefly.
    """
    number = cast.expect.bitten
    if number is None or not cast.roles:
        raise NotAsked("nothing is asked to lose a piece")
    found = players(cast, (number,))
    if isinstance(found, SkillJudgement):
        return found
    whole = np.flatnonzero(cast.whole_NT[found[0]])
    if len(whole) < _FEWEST:
        raise NotApplicable(f"too short: the object is seen whole in fewer than {_FEWEST} frames")
    loss = largest_loss(cast.tracks.area_NT[found[0], whole])
    if loss is None:
        return SkillJudgement(False, {"failure": "no piece is lost"})
    return SkillJudgement(True, {"frame": int(whole[loss.at]), "left": round(loss.left / loss.full, 4)})


def order(cast: RoleAssignment) -> SkillJudgement:
    """Whether each event happens, and each after the one before it.

    An event is a motion of one thing (see `motion`). It comes before the next where it is half done before
    the next has begun (a tenth of its way), and done (nine tenths) before the next is half done.

    Raises:
        NotApplicable: no order is asked for, nothing is tracked, or a way is not seen.
    """
    steps = cast.expect.order
    if len(steps) < 2:
        raise NotAsked("no order of events is asked for")
    marks: list[_Marks] = []
    told: list[Json] = []
    for step in steps:
        path = _path(cast, step.object)
        if isinstance(path, SkillJudgement):
            return path
        way = way_of(path, _seconds(cast))
        if not _goes(way, step.motion):
            gone: dict[str, Json] = {"object": step.object, "asked": step.motion, **_rounded(way)}
            return SkillJudgement(False, {"failure": "an event does not happen", **gone})
        marks.append(_progress(path))
        told.append({"object": step.object, **dict(zip(("begun", "half", "done"), marks[-1], strict=True))})
    if all(_before(one, two) for one, two in itertools.pairwise(marks)):
        return SkillJudgement(True, {"events": told})
    reverse = all(_before(two, one) for one, two in itertools.pairwise(marks))
    return SkillJudgement(
        False, {"failure": "reversed" if reverse else "not one after the other", "events": told}
    )


def _before(one: _Marks, two: _Marks) -> bool:
    return one[1] <= two[0] and one[2] <= two[1]


def _progress(path: Path) -> _Marks:
    """Tell when a way is begun, half done and done."""
    place = path.place_K2
    start, end = np.median(place[:_ENDS], axis=0), np.median(place[-_ENDS:], axis=0)
    whole = end - start
    share = (place - start) @ whole / max(float(whole @ whole), 1e-12)
    begun, half, done = (_first_time(path.times_K, share, part) for part in (0.1, 0.5, 0.9))
    return begun, half, done


def _first_time(times_K: _F, share_K: _F, part: float) -> float:
    """Find when a share is first reached, between frames by a straight line."""
    k = int(np.argmax(share_K >= part))
    if k == 0:
        return float(times_K[0])
    low, high = float(share_K[k - 1]), float(share_K[k])
    return float(times_K[k - 1] + (part - low) / (high - low) * (times_K[k] - times_K[k - 1]))
