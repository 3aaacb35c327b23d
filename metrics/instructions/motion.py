"""Skills about time: the motion, speed, stillness and order of objects."""

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

__all__ = [
    "DIRECTIONS",
    "MotionSummary",
    "bite",
    "motion",
    "moves_as",
    "order",
    "speed",
    "stillness",
    "summarise_motion",
]

_F = NDArray[np.float64]
_Marks: TypeAlias = tuple[float, float, float]
"""Times, in seconds, at which a tenth, a half and nine tenths of a trajectory are done."""
DIRECTIONS: Final = ("left", "right", "rise", "fall", "bounce", "throw-left", "throw-right")
"""Motions that have a direction."""
_ENDS: Final = 3  # frames whose median place is the start, or the end, of a trajectory
_FEWEST: Final = 4  # least number of frames of a trajectory


@dataclass(frozen=True)
class MotionSummary:
    """A trajectory in a few numbers, in sides and seconds; right and *up* are positive.

    Attributes:
        right, up: displacement from start to end.
        across, along: distance moved horizontally and vertically, in all.
        drop, climb: how far its lowest place is below its start, and its end above the lowest place.
        arc: how far it rises above the straight line from start to end.
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


def summarise_motion(path: Path, seconds: float) -> MotionSummary:
    """Summarise a trajectory of at least 4 frames, by medians of three neighbouring frames."""
    place = path.place_K2
    smooth = np.median(np.stack([place[:-2], place[1:-1], place[2:]]), axis=0)
    times = path.times_K[1:-1]
    x, y = smooth[:, 0], smooth[:, 1]
    lowest = int(y.argmax())
    share = (times - times[0]) / max(float(times[-1] - times[0]), 1e-9)
    line = y[0] + share * (y[-1] - y[0])
    return MotionSummary(
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
    """Return the trajectory of the first copy of an object, or the judgement that it is not shown.

    Raises:
        NotApplicable: it is completely visible in too few frames, or the camera's motion is not known.
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


def _goes(way: MotionSummary, asked: str) -> bool:
    """Check whether a trajectory is the requested motion."""
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
    """Whether the subject moves as requested.

    - *left*, *right*, *rise*: it moves there, within 45 degrees, mostly without turning back, and at least
    half as
      far as the slowest motion of the reference world (`least_travel`);
    - *fall*: it comes as far below its start, and farther down than sideways;
    - *bounce*: it falls, and rises again from its lowest place;
    - *throw*: it moves to its side in an arc.

    A ``direction`` of the prompt's ``expect`` is a known fact, not a request.

    Raises:
        NotApplicable: no motion is requested, nothing is tracked, or the trajectory is not known.
    """
    asked = cast.expect.motion
    if asked is None or asked == "stay" or not cast.roles:
        raise NotAsked("no direction of motion is asked for")
    return moves_as(cast, cast.subject.place, asked)


def moves_as(cast: RoleAssignment, place: int, asked: str) -> SkillJudgement:
    """Judge whether the first copy of an object moves in one of `DIRECTIONS` (see `motion`).

    Raises:
        NotApplicable: nothing is tracked, or the trajectory is not known.
    """
    path = _path(cast, place)
    if isinstance(path, SkillJudgement):
        return path
    way = summarise_motion(path, _seconds(cast))
    evidence: dict[str, Json] = {"asked": asked, **_rounded(way)}
    if _goes(way, asked):
        return SkillJudgement(True, evidence)
    moves = max(abs(way.right), abs(way.up), way.across, way.along) >= least_travel(way.seconds)
    return SkillJudgement(False, {"failure": "another motion" if moves else "does not move", **evidence})


def _rounded(way: MotionSummary) -> dict[str, Json]:
    named = ("right", "up", "drop", "climb", "arc")
    return {name: round(float(getattr(way, name)), 4) for name in named}


def speed(cast: RoleAssignment) -> SkillJudgement:
    """Whether the subject moves at the requested speed: nearer to slow than to fast, or the reverse.

    The speed is that of the best-fitting uniform motion, in sides per second.

    Raises:
        NotApplicable: no speed is requested, nothing is tracked, or the trajectory is not known.
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
    """Whether the subject stays in place, by the longest distance between two places of its trajectory.

    Raises:
        NotApplicable: stillness is not requested, nothing is tracked, or the trajectory is not known.
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
    """Whether the object that should lose a piece does so during the clip (not never, or from the start).

    Raises:
        NotApplicable: no bite is requested, nothing is tracked, or the object is seen whole too briefly.
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

    An event is a motion of one object (see `motion`). It comes before the next if it is half done before the
    next has begun (a tenth of its distance), and done (nine tenths) before the next is half done.

    Raises:
        NotApplicable: no order is requested, nothing is tracked, or a trajectory is not known.
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
        way = summarise_motion(path, _seconds(cast))
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
    """Find when a motion has begun, is half done, and is done."""
    place = path.place_K2
    start, end = np.median(place[:_ENDS], axis=0), np.median(place[-_ENDS:], axis=0)
    whole = end - start
    share = (place - start) @ whole / max(float(whole @ whole), 1e-12)
    begun, half, done = (_first_time(path.times_K, share, part) for part in (0.1, 0.5, 0.9))
    return begun, half, done


def _first_time(times_K: _F, share_K: _F, part: float) -> float:
    """Find when a share is first reached, with linear interpolation between frames."""
    k = int(np.argmax(share_K >= part))
    if k == 0:
        return float(times_K[0])
    low, high = float(share_K[k - 1]), float(share_K[k])
    return float(times_K[k - 1] + (part - low) / (high - low) * (times_K[k] - times_K[k - 1]))
