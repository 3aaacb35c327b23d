"""Laws of two things that meet: energy and momentum, no way into one another, no effect before its cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable
from ..tracking.role_assignment import Role, RoleAssignment
from ..tracking.trajectories import Hinge, Path, fit_hinge, fit_line, path_of, until_edge
from .motion import Finding, bounce, frame_at

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["causality", "energy", "momentum", "solidity"]

_F = NDArray[np.float64]
_ERRORS: Final = 2.0
_SLOW: Final = 0.06
"""Sides a second: what is slower rests."""
_PASSED: Final = 2.0


@dataclass(frozen=True)
class Collision:
    """The first thing runs into the second: along the line on which the first one comes.

    Lengths are in sides, velocities in sides a second, along that line; 1 runs, 2 is struck.

    Attributes:
        contact: the time at which the outlines would touch, had nothing happened before; None where the first
            thing does not come nearer.
        setoff: when the second thing's velocity changes; None where it does not.
        one, two: paths until the next touch of anything else.
        reach: distance of the centroids at which the outlines touch.
        smaller: half of the extent of the smaller thing.
    """

    contact: float | None
    setoff: float | None
    one: Path
    two: Path
    hinge_one: Hinge | None
    hinge_two: Hinge | None
    axis: _F
    reach: float
    smaller: float
    masses: tuple[float, float]


def _meeting(cast: RoleAssignment) -> Collision:
    """Describe the meeting of the first two expected things.

    Raises:
        NotApplicable: none is expected, or the two are not seen in enough frames.
    """
    if cast.expect.collides is None:
        raise NotApplicable("no collision is expected")
    cast.require_view()
    roles = [cast.role_of(number) for number in cast.expect.collides]
    paths = [_alone(cast, role) for role in roles]
    one, two = paths
    if one is None or two is None or min(len(one.frames_K), len(two.frames_K)) < 6:
        raise NotApplicable("too short: the two things are not seen whole in 6 frames")
    start = one.place_K2[0], two.place_K2[0]
    away = start[1] - start[0]
    axis = away / max(float(np.hypot(*away)), 1e-9)
    tracks = cast.tracks
    halves = [_half(path, axis) for path in paths if path is not None]
    areas = [_early_area(tracks.area_NT[role.track]) for role in roles if role.track is not None]
    hinges = [_change(path) for path in (one, two)]
    setoff = None if hinges[1] is None else hinges[1].time
    moves_first = hinges[1].before if hinges[1] is not None else _velocity(two)
    if float(moves_first @ axis) > _SLOW:  # it has set off before the clip begins
        setoff = float(two.times_K[0])
    return Collision(
        contact=_contact(one, two, axis, sum(halves), setoff),
        setoff=setoff,
        one=one,
        two=two,
        hinge_one=hinges[0],
        hinge_two=hinges[1],
        axis=axis,
        reach=sum(halves),
        smaller=min(halves),
        masses=(areas[0], areas[1]),
    )


def _early_area(area_T: _F) -> float:
    """Give the median area in the first frames that show a thing."""
    return float(np.median(area_T[~np.isnan(area_T)][:4]))


def _alone(cast: RoleAssignment, role: Role) -> Path | None:
    """Give a path up to where the frame's edge may have touched the thing."""
    return None if role.track is None else until_edge(cast, path_of(cast, role.track))


def _half(path: Path, axis: _F) -> float:
    """Half of the extent of a thing along an axis, from its box."""
    size = np.median(path.box_K4[:, 2:] - path.box_K4[:, :2], axis=0)
    return 0.5 * float(np.abs(axis) @ size) if max(abs(axis)) > 0.98 else 0.25 * float(size.sum())


def _velocity(path: Path) -> _F:
    return fit_line(path.times_K, path.place_K2, path.noise).coefficients_PD[1]


def _change(path: Path) -> Hinge | None:
    """Find the change of velocity that a meeting makes; None where there is none to speak of."""
    hinge = fit_hinge(path, least=2)
    if hinge is None or hinge.change < max(0.04, 3 * hinge.error):
        return None
    return hinge


def _contact(one: Path, two: Path, axis: _F, reach: float, setoff: float | None) -> float | None:
    """Tell when the outlines touch, by the way the first thing comes and the place where the second rests."""
    until = float(one.times_K[-1]) if setoff is None else setoff
    early = one.times_K <= until + 1e-9
    if early.sum() < 3:
        early = np.arange(len(one.times_K)) < 3
    line = fit_line(one.times_K[early], one.place_K2[early] @ axis[:, None], one.noise)
    start, speed = (float(v) for v in line.coefficients_PD[:, 0])
    if speed < _SLOW:
        return None
    rest = float(two.place_K2[0] @ axis)
    return (rest - reach - start) / speed


def _meeting_of(cast: RoleAssignment) -> Collision:
    """Describe a meeting once for the four laws that speak of it."""
    return cast.derived(_meeting)


def _velocities(meeting: Collision) -> tuple[_F, _F, float]:
    """Velocities of both along the axis before and after, and the largest standard error.

    Raises:
        NotApplicable: no change is seen, or too few frames follow it.
    """
    times = [hinge.time for hinge in (meeting.hinge_one, meeting.hinge_two) if hinge is not None]
    if not times:
        raise NotApplicable("the two things are not seen to collide")
    before, after, errors = [], [], []
    for path, hinge in ((meeting.one, meeting.hinge_one), (meeting.two, meeting.hinge_two)):
        at = times[0] if hinge is None else hinge.time
        early, late = path.times_K <= at + 1e-9, path.times_K > at - 1e-9
        if early.sum() < 2 or late.sum() < 3:
            raise NotApplicable("too short: a thing is seen in too few frames before or after the collision")
        for part, into in ((early, before), (late, after)):
            fit = fit_line(path.times_K[part], path.place_K2[part] @ meeting.axis[:, None], path.noise)
            into.append(float(fit.coefficients_PD[1, 0]))
            errors.append(fit.error(np.array([0.0, 1.0])))
    return np.array(before), np.array(after), max(errors)


def energy(cast: RoleAssignment) -> Finding:
    """Measure the restitution of a collision or a bounce: the severity is how far it is above 1.

    In a collision: the speed at which the two part over that at which they come together, less two standard
    errors; more than 1 needs energy from nowhere.

    Raises:
        NotApplicable: neither is expected, or none is seen.
    """
    if cast.expect.motion in ("fall", "bounce"):
        return bounce(cast)
    meeting = _meeting_of(cast)
    before, after, error = _velocities(meeting)
    closing, parting = float(before[0] - before[1]), float(after[1] - after[0])
    if closing < _SLOW:
        raise NotApplicable("the two things do not come together")
    restitution = parting / closing
    severity = max(0.0, restitution - 1 - _ERRORS * 1.4 * error * (1 + abs(restitution)) / closing)
    time = meeting.setoff if meeting.setoff is not None else 0.0
    evidence: dict[str, Json] = {"restitution": restitution, "time": time, **_said(before, after)}
    return Finding(min(severity, 10.0), frame_at(meeting.one, time), evidence)


def momentum(cast: RoleAssignment) -> Finding:
    """Measure the drift of momentum over a collision, as a share of the momentum before it.

    Masses are as the areas that are seen, as of flat things of one stuff.

    Raises:
        NotApplicable: no collision is expected, or none is seen.
    """
    meeting = _meeting_of(cast)
    before, after, error = _velocities(meeting)
    masses = np.array(meeting.masses)
    first = float(masses @ before)
    if abs(first) < _SLOW * masses[0]:
        raise NotApplicable("nothing comes with a momentum to speak of")
    unsure = _ERRORS * 1.4 * error * float(np.hypot(*masses))
    severity = max(0.0, abs(float(masses @ after) - first) - unsure) / abs(first)
    time = meeting.setoff if meeting.setoff is not None else 0.0
    return Finding(min(severity, 10.0), frame_at(meeting.one, time), _said(before, after))


def _said(before: _F, after: _F) -> dict[str, Json]:
    return {
        "velocities_before": [float(v) for v in before],
        "velocities_after": [float(v) for v in after],
    }


def causality(cast: RoleAssignment) -> Finding:
    """Measure how long before the touch the struck thing sets off, in seconds.

    Raises:
        NotApplicable: no collision is expected, or the first thing does not come near, or the second stays.
    """
    meeting = _meeting_of(cast)
    if meeting.contact is None:
        raise NotApplicable("the first thing does not come towards the second")
    if meeting.setoff is None:
        raise NotApplicable("the second thing is not seen to set off")
    lead = meeting.contact - meeting.setoff
    evidence: dict[str, Json] = {"sets_off": meeting.setoff, "touched": meeting.contact}
    return Finding(float(np.clip(lead, 0.0, 10.0)), frame_at(meeting.two, meeting.setoff), evidence)


def solidity(cast: RoleAssignment) -> Finding:
    """Measure how deep two things go into one another: overlap over half the extent of the smaller.

    Where they touch, the ways before and after are drawn out to each other, as the deepest moment lies
    between two frames and the one thing may hide the other. A thing that passes through the other has 2.

    Raises:
        NotApplicable: no collision is expected, or the two do not come together.
    """
    meeting = _meeting_of(cast)
    common, i, j = np.intersect1d(meeting.one.frames_K, meeting.two.frames_K, return_indices=True)
    if len(common) < 6:
        raise NotApplicable("too short: the two things are not seen together in 6 frames")
    t = meeting.one.times_K[i]
    apart = (meeting.two.place_K2[j] - meeting.one.place_K2[i]) @ meeting.axis
    evidence: dict[str, Json] = {"reach": meeting.reach}
    if apart[-1] < 0:
        passed = int(np.argmax(apart < 0))
        return Finding(_PASSED, int(common[passed]), {**evidence, "passed_through": True})
    path = Path(
        common,
        t,
        apart[:, None] * np.array([[1.0, 0.0]]),
        np.zeros((len(t), 4)),
        np.zeros(len(t), bool),
        meeting.one.noise,
    )
    hinge = fit_hinge(path, least=2)
    closest, error, when = float(apart.min()), 0.0, float(t[apart.argmin()])
    if hinge is not None and hinge.before[0] < -_SLOW and hinge.change > 3 * hinge.error:
        early, late = t <= hinge.time + 1e-9, t > hinge.time - 1e-9
        if early.sum() >= 2 and late.sum() >= 2:
            one, two = (fit_line(t[part], apart[part, None], path.noise) for part in (early, late))
            (a, b), (c, d) = one.coefficients_PD[:, 0], two.coefficients_PD[:, 0]
            meet = float(np.clip((c - a) / (b - d), hinge.time - 0.2, hinge.time + 0.2))
            weights = np.array([1.0, meet])
            closest, error, when = float(a + b * meet), max(one.error(weights), two.error(weights)), meet
    overlap = max(0.0, meeting.reach - closest - _ERRORS * error) / meeting.smaller
    return Finding(
        min(overlap, _PASSED), frame_at(meeting.one, when), {**evidence, "closest": closest, "time": when}
    )
