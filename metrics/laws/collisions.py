"""Laws of collisions: energy, momentum, no overlap, and no effect before its cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable
from ..tracking.role_assignment import Role, RoleAssignment
from ..tracking.tracks import SHAPES
from ..tracking.trajectories import Hinge, Path, fit_hinge, fit_line, path_of, until_edge
from .conditions import require
from .motion import Finding, bounce, frame_at
from .steady_frames import steady_frames

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["causality", "energy", "momentum", "solidity"]

_F = NDArray[np.float64]
_ERRORS: Final = 2.0
_SLOW: Final = 0.06
"""Sides a second: what is slower rests."""
_PASSED: Final = 2.0
_CENTRAL: Final = 0.35  # of the reach: how far beside the middle a central hit may go
_RESOLVED: Final = 1.0  # pixels to which the place of an outline is known
_NEARBY: Final = 1 / 64  # sides, at least a pixel: a gap that no viewer sees between two things that touch
_TWO: Final = 0.5  # pixels: a quarter of one for each of two outlines
_JOINED: Final = 1.35  # of a thing's early area: a larger outline holds another thing as well
_EARLY: Final = 4  # frames from a thing's first whose median is its size


@dataclass(frozen=True)
class Collision:
    """The first thing runs into the second: along the line on which the first one comes.

    Lengths are in sides, velocities in sides a second, along that line; 1 runs, 2 is struck.

    Attributes:
        contact: the time at which the outlines would touch, had nothing happened before; None where the first
            thing does not come nearer.
        speed: of the first thing along the line, before.
        setoff: when the second thing's velocity changes; None where it does not.
        at_rest: whether the second thing is known to rest before the touch, or seen to.
        one, two: paths until the next touch of anything else.
        reach: distance of the centroids at which the outlines touch.
        smaller: half of the extent of the smaller thing.
        unresolved: how much nearer than the reach two things may seem that only touch.
        nearby: how far apart two things may seem that touch.
    """

    contact: float | None
    speed: float
    setoff: float | None
    at_rest: bool
    one: Path
    two: Path
    hinge_one: Hinge | None
    hinge_two: Hinge | None
    axis: _F
    reach: float
    smaller: float
    unresolved: float
    nearby: float
    masses: tuple[float, float]


def _collision(assigned: RoleAssignment) -> Collision:
    """Describe the collision of the two objects that are expected to collide.

    Raises:
        NotApplicable: none is expected in one plane, the two are not seen in enough frames, or they do not
            meet head on.
    """
    if assigned.expect.collides is None:
        raise NotApplicable("no collision is expected")
    require(assigned.expect, "no depth")
    assigned.require_view()
    roles = [assigned.role_of(number) for number in assigned.expect.collides]
    for role in roles:
        if role.track is not None:
            steady_frames(assigned, role)  # of torn outlines, no one can say where they touch
    paths = [_alone(assigned, role) for role in roles]
    one, two = paths
    if one is None or two is None or min(len(one.frames_K), len(two.frames_K)) < 6:
        raise NotApplicable("too short: the two things are not seen whole in 6 frames")
    start = one.place_K2[0], two.place_K2[0]
    away = start[1] - start[0]
    axis = away / max(float(np.hypot(*away)), 1e-9)
    tracks = assigned.tracks
    halves = [
        _half(assigned, role.track, path, axis)
        for role, path in zip(roles, (one, two), strict=True)
        if role.track is not None
    ]
    areas = [_early_area(tracks.area_NT[role.track]) for role in roles if role.track is not None]
    hinges = [_change(path) for path in (one, two)]
    setoff = None if hinges[1] is None else hinges[1].time
    moves_first = hinges[1].before if hinges[1] is not None else _velocity(two)
    moves = float(np.hypot(*moves_first)) > _SLOW
    if float(moves_first @ axis) > _SLOW:  # it has set off before the clip begins
        setoff = float(two.times_K[0])
    _require_central_hit(away, _first_velocity(one, hinges[0]) - moves_first, sum(halves))
    contact, speed = _contact(one, two, axis, sum(halves), setoff)
    return Collision(
        contact=contact,
        speed=speed,
        setoff=setoff,
        at_rest=not moves or assigned.expect.collides[1] in assigned.expect.at_rest,
        one=one,
        two=two,
        hinge_one=hinges[0],
        hinge_two=hinges[1],
        axis=axis,
        reach=sum(halves),
        smaller=min(halves),
        unresolved=_RESOLVED / tracks.side,
        nearby=max(_NEARBY, _RESOLVED / tracks.side) + _TWO / tracks.side,
        masses=(areas[0], areas[1]),
    )


def _early_area(area_T: _F) -> float:
    """Give the median area in the first frames that show a thing."""
    return float(np.median(area_T[~np.isnan(area_T)][:_EARLY]))


def _first_velocity(path: Path, hinge: Hinge | None) -> _F:
    return _velocity(path) if hinge is None else hinge.before


def _require_central_hit(away: _F, closing: _F, reach: float) -> None:
    """Make sure that two things meet head on: of a glancing hit, boxes and areas do not say where they touch.

    Raises:
        NotApplicable: the one would pass beside the middle of the other.
    """
    speed = float(np.hypot(*closing))
    if speed < _SLOW:
        return
    beside = abs(float(away[0] * closing[1] - away[1] * closing[0])) / speed
    if beside > _CENTRAL * reach:
        raise NotApplicable("the two things do not meet head on")


def _alone(assigned: RoleAssignment, role: Role) -> Path | None:
    """Give a path up to where the frame's edge may have touched the thing.

    Frames in which two things have run into one outline do not say where either is, nor does what a thing
    shows in part beside them: the whole is taken from such an outline.
    """
    if role.track is None:
        return None
    path = path_of(assigned, role.track)
    area_T = assigned.tracks.area_NT[role.track]
    alone = ~(area_T[path.frames_K] > _JOINED * _early_area(area_T))
    if not alone.all():
        alone &= assigned.whole_NT[role.track, path.frames_K]
    return until_edge(assigned, path.at(np.flatnonzero(alone)))


def _half(assigned: RoleAssignment, track: int, path: Path, axis: _F) -> float:
    """Half of the extent of a thing along an axis: of a disc its radius, of others from their box.

    The radius is that of its area, as soft edges make a box larger and leave the area as it is.
    """
    tracks = assigned.tracks
    whole = assigned.whole_NT[track]
    if whole.any():
        fits = np.median(tracks.shape_NTS[track, whole], axis=0)
        if SHAPES[int(fits.argmax())] == "ball":
            return float(np.sqrt(_early_area(tracks.area_NT[track, whole]) / np.pi)) / tracks.side
    size = np.median(path.box_K4[:, 2:] - path.box_K4[:, :2], axis=0)
    return 0.5 * float(np.abs(axis) @ size) if max(abs(axis)) > 0.98 else 0.25 * float(size.sum())


def _velocity(path: Path) -> _F:
    return fit_line(path.times_K, path.place_K2, path.noise).coefficients_PD[1]


def _change(path: Path) -> Hinge | None:
    """Find the change of velocity in a collision; None if there is no clear one."""
    hinge = fit_hinge(path, least=2)
    if hinge is None or hinge.change < max(0.04, 3 * hinge.error):
        return None
    return hinge


def _contact(
    one: Path, two: Path, axis: _F, reach: float, setoff: float | None
) -> tuple[float | None, float]:
    """Tell when the outlines touch, by the path of the first thing and the place where the second rests.

    Returns:
        The time, or None where it does not come nearer; and the first thing's speed along the axis.
    """
    until = float(one.times_K[-1]) if setoff is None else setoff
    early = one.times_K <= until + 1e-9
    if early.sum() < 3:
        early = np.arange(len(one.times_K)) < 3
    line = fit_line(one.times_K[early], one.place_K2[early] @ axis[:, None], one.noise)
    start, speed = (float(v) for v in line.coefficients_PD[:, 0])
    if speed < _SLOW:
        return None, speed
    rest = float(two.place_K2[0] @ axis)
    return (rest - reach - start) / speed, speed


def _collision_of(assigned: RoleAssignment) -> Collision:
    """Describe a collision, once for the four laws that read it."""
    return assigned.derived(_collision)


def _velocities(collision: Collision) -> tuple[_F, _F, float]:
    """Velocities of both along the axis before and after, and the largest standard error.

    Raises:
        NotApplicable: no change is seen, or too few frames follow it.
    """
    times = [hinge.time for hinge in (collision.hinge_one, collision.hinge_two) if hinge is not None]
    if not times:
        raise NotApplicable("the two things are not seen to collide")
    before, after, errors = [], [], []
    for path, hinge in ((collision.one, collision.hinge_one), (collision.two, collision.hinge_two)):
        at = times[0] if hinge is None else hinge.time
        early, late = path.times_K <= at + 1e-9, path.times_K > at - 1e-9
        if early.sum() < 2 or late.sum() < 3:
            raise NotApplicable("too short: a thing is seen in too few frames before or after the collision")
        for part, into in ((early, before), (late, after)):
            fit = fit_line(path.times_K[part], path.place_K2[part] @ collision.axis[:, None], path.noise)
            into.append(float(fit.coefficients_PD[1, 0]))
            errors.append(fit.error(np.array([0.0, 1.0])))
    return np.array(before), np.array(after), max(errors)


def energy(assigned: RoleAssignment) -> Finding:
    """Measure the restitution of a collision or a bounce: the severity is how far it is above 1.

    In a collision: the speed at which the two part over that at which they come together, less two standard
    errors; more than 1 needs energy from nowhere, and where the two are stated to be elastic, less than 1
    loses some.

    Raises:
        NotApplicable: neither is expected, or none is seen.
    """
    if assigned.expect.motion in ("fall", "bounce"):
        return bounce(assigned)
    collision = _collision_of(assigned)
    before, after, error = _velocities(collision)
    closing, parting = float(before[0] - before[1]), float(after[1] - after[0])
    if closing < _SLOW:
        raise NotApplicable("the two things do not come together")
    restitution = parting / closing
    gained = abs(restitution - 1) if assigned.expect.elastic else restitution - 1
    severity = max(0.0, gained - _ERRORS * 1.4 * error * (1 + abs(restitution)) / closing)
    time = collision.setoff if collision.setoff is not None else 0.0
    evidence: dict[str, Json] = {"restitution": restitution, "time": time, **_said(before, after)}
    return Finding(min(severity, 10.0), frame_at(collision.one, time), evidence)


def momentum(assigned: RoleAssignment) -> Finding:
    """Measure the drift of momentum over a collision, as a share of the two momenta's sizes before it.

    Masses are as the areas that are seen, as of flat things of one material.

    Raises:
        NotApplicable: no collision without drag is expected, or none is seen.
    """
    if assigned.expect.collides is not None:
        require(assigned.expect, "no drag")
    collision = _collision_of(assigned)
    before, after, error = _velocities(collision)
    masses = np.array(collision.masses)
    size = float(masses @ np.abs(before))
    if size < _SLOW * masses[0]:
        raise NotApplicable("nothing comes with a momentum to speak of")
    unsure = _ERRORS * 1.4 * error * float(np.hypot(*masses))
    severity = max(0.0, abs(float(masses @ (after - before))) - unsure) / size
    time = collision.setoff if collision.setoff is not None else 0.0
    return Finding(min(severity, 10.0), frame_at(collision.one, time), _said(before, after))


def _said(before: _F, after: _F) -> dict[str, Json]:
    return {
        "velocities_before": [float(v) for v in before],
        "velocities_after": [float(v) for v in after],
    }


def causality(assigned: RoleAssignment) -> Finding:
    """Measure how long before the touch the struck thing sets off, in seconds.

    The time in which the first object moves by 1/64 of the frame's side, at least a pixel, and by half a
    pixel is subtracted: a gap that no viewer sees, and what outlines are known to.

    Raises:
        NotApplicable: no collision is expected, or the first thing does not come near, or the second moves
            from the beginning, or stays.
    """
    collision = _collision_of(assigned)
    if not collision.at_rest:
        raise NotApplicable("the second thing moves from the beginning, and is not stated to rest (at_rest)")
    if collision.contact is None:
        raise NotApplicable("the first thing does not come towards the second")
    if collision.setoff is None:
        raise NotApplicable("the second thing is not seen to set off")
    lead = collision.contact - collision.setoff - collision.nearby / collision.speed
    evidence: dict[str, Json] = {"sets_off": collision.setoff, "touched": collision.contact}
    return Finding(float(np.clip(lead, 0.0, 10.0)), frame_at(collision.two, collision.setoff), evidence)


def solidity(assigned: RoleAssignment) -> Finding:
    """Measure how deep two things go into one another: overlap over half the extent of the smaller.

    The paths before and after the contact are extrapolated to each other, as the deepest moment lies between
    two frames and one object may hide the other. An overlap of one pixel does not count. An object that
    passes through the other has a severity of 2.

    Raises:
        NotApplicable: no collision is expected, or the two do not come together.
    """
    collision = _collision_of(assigned)
    common, i, j = np.intersect1d(collision.one.frames_K, collision.two.frames_K, return_indices=True)
    if len(common) < 6:
        raise NotApplicable("too short: the two things are not seen together in 6 frames")
    t = collision.one.times_K[i]
    apart = (collision.two.place_K2[j] - collision.one.place_K2[i]) @ collision.axis
    evidence: dict[str, Json] = {"reach": collision.reach}
    if apart[-1] < 0:
        passed = int(np.argmax(apart < 0))
        return Finding(_PASSED, int(common[passed]), {**evidence, "passed_through": True})
    path = Path(
        common,
        t,
        apart[:, None] * np.array([[1.0, 0.0]]),
        np.zeros((len(t), 4)),
        np.zeros(len(t), bool),
        np.zeros(len(t), bool),
        collision.one.noise,
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
    overlap = max(0.0, collision.reach - closest - _ERRORS * error - collision.unresolved) / collision.smaller
    return Finding(
        min(overlap, _PASSED), frame_at(collision.one, when), {**evidence, "closest": closest, "time": when}
    )
