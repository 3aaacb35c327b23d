"""Laws of the motion of one object: gravity, inertia and continuity."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable
from ..tracking.area_loss import largest_loss
from ..tracking.role_assignment import Role, RoleAssignment
from ..tracking.trajectories import Path, fit_falls, fit_hinge, path_of
from .conditions import require
from .steady_frames import of_one_form, require_followed, subtracts, untorn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ...harness.core.keys import Json

__all__ = [
    "FALLS",
    "SOFT",
    "STEADY",
    "Finding",
    "bounce",
    "continuity",
    "each",
    "gravity",
    "inertia",
    "worst",
]

_F = NDArray[np.float64]
FALLS: Final = ("fall", "bounce", "throw-left", "throw-right")
"""Motions that gravity rules."""
STEADY: Final = ("left", "right", "rise", "stay")
"""Motions in which nothing changes the velocity but a touch."""
SOFT: Final = ("person", "biscuit")
"""Kinds whose outline may change by itself: a person moves, a biscuit is bitten."""
_RESTING: Final = 0.1
"""Sides a second: the change of a slower thing's velocity is measured against this speed."""
_MOMENTS: Final = 5  # between two frames at which extrapolated paths are compared
_DRIFTS: Final = 1.0  # pixels
_ERRORS: Final = 2.0
"""A severity is what is left after so many standard errors: what may be scatter does not count."""


@dataclass(frozen=True)
class Finding:
    """How badly a clip keeps a law, and what shows it.

    Attributes:
        severity: 0 where it is kept; each law says in what unit.
        first_frame: the first frame at fault, where there is a fault.
        evidence: plain JSON values.
    """

    severity: float
    first_frame: int | None = None
    evidence: Mapping[str, Json] = field(default_factory=dict[str, "Json"])


def worst(findings: Iterable[Finding]) -> Finding:
    """Choose the gravest finding, the earliest of those that are alike.

    Raises:
        NotApplicable: there is none.
    """
    found = list(findings)
    if not found:
        raise NotApplicable("too short: no thing is seen whole in enough frames")
    return max(found, key=lambda f: f.severity)


def each(roles: Iterable[Role], law: Callable[[Role], Finding | None]) -> Finding:
    """Give the gravest finding of the roles that a law can be held against; None is of too few frames.

    Raises:
        NotApplicable: it can be held against none, for the reason of the last that gave one.
    """
    findings: list[Finding] = []
    reason: NotApplicable | None = None
    for role in roles:
        try:
            finding = law(role)
        except NotApplicable as why:
            reason = why
            continue
        if finding is not None:
            findings.append(finding)
    if not findings and reason is not None:
        raise reason
    return worst(findings)


def whole_path(assigned: RoleAssignment, role: Role, least: int) -> Path | None:
    """Give the path of a role's track, or None where it is shown whole in fewer than ``least`` frames."""
    if role.track is None:
        return None
    path = path_of(assigned, role.track)
    return path if len(path.frames_K) >= least else None


def frame_at(path: Path, time: float) -> int:
    """Number the first frame of a path that is not before a time."""
    after = np.flatnonzero(path.times_K >= time - 1e-9)
    return int(path.frames_K[after[0] if len(after) else -1])


def gravity(assigned: RoleAssignment) -> Finding:
    """Fit parabolas of one gravity to the subject's fall: the severity is in units of gravity's own effect.

    The larger of ``|g^ - g| / g``, less two standard errors, and the rms left by the parabolas as a share of
    ``g t^2 / 8``, the distance of the longest part of the path from a straight line under gravity. What does
    not fall, or falls evenly, has 1. The law is that of a free fall: a gravity must be stated, and that
    nothing slows the fall or comes nearer.

    Raises:
        NotApplicable: nothing is expected to fall freely, or it is seen whole in too few frames.
    """
    if assigned.expect.motion not in FALLS:
        raise NotApplicable("nothing is expected to fall")
    require(assigned.expect, "known gravity", "no drag", "no depth")
    assigned.require_view()
    path = whole_path(assigned, assigned.subject, 5)
    falls = None if path is None else fit_falls(path)
    if path is None or falls is None:
        raise NotApplicable("too short: the fall is not seen whole in 5 frames")
    g = assigned.expect.gravity
    assert g is not None  # required above
    away = max(0.0, abs(falls.g - g) - _ERRORS * falls.error) / g
    bend = g * falls.longest**2 / 8
    rough = max(0.0, falls.rms - 2 * path.noise) / bend
    severity = min(max(away, rough), 10.0)
    evidence: dict[str, Json] = {
        "g": falls.g,
        "g_expected": g,
        "g_error": falls.error,
        "rms": falls.rms,
        "bounces": [round(time, 3) for time, *_ in falls.bounces],
        "track": _points(path),
    }
    return Finding(severity, int(path.frames_K[0]), evidence)


def bounce(assigned: RoleAssignment) -> Finding:
    """Measure the restitution of the subject's bounces: the severity is how far the highest is above 1.

    Raises:
        NotApplicable: the subject is not expected to fall in one plane, or is not seen to bounce.
    """
    require(assigned.expect, "no depth")
    assigned.require_view()
    path = whole_path(assigned, assigned.subject, 7)
    falls = None if path is None else fit_falls(path)
    if path is None or falls is None:
        raise NotApplicable("too short: the fall is not seen whole in 7 frames")
    findings: list[Finding] = []
    for time, before, after, error in falls.bounces:
        if abs(before) < _RESTING or before * after > 0:
            continue
        restitution = abs(after) / abs(before)
        sure = _ERRORS * error * (1 + restitution) / abs(before)
        evidence: dict[str, Json] = {"restitution": restitution, "error": sure / _ERRORS, "time": time}
        severity = min(max(0.0, restitution - 1 - sure), 10.0)
        findings.append(Finding(severity, frame_at(path, time), evidence))
    if not findings:
        raise NotApplicable("no bounce is seen")
    return worst(findings)


def inertia(assigned: RoleAssignment) -> Finding:
    """Look for a change of velocity that no touch explains: its size over the speed.

    For each expected object and each part of its path between contacts, the best hinge of two uniform
    motions; the change of velocity less two standard errors, over the speed before or after (the larger),
    or over 0.1 sides a second where both are slower. A frame that shows a thing in part, or beside its
    contact with another, says too little of where it is, and is left out.

    Raises:
        NotApplicable: no uniform motion without drag is expected, or no part of a path is long enough.
    """
    if (assigned.expect.motion not in STEADY and assigned.expect.direction is None) or assigned.expect.order:
        raise NotApplicable("no uniform motion is expected")
    require(assigned.expect, "no drag", "no depth")
    assigned.require_view()
    require_followed(assigned)
    return each(assigned.shown, lambda role: _velocity_change(assigned, role))


def _velocity_change(assigned: RoleAssignment, role: Role) -> Finding | None:
    path = whole_path(assigned, role, 6)
    findings: list[Finding] = []
    for part in [] if path is None else _undivided(assigned, role, path).untouched(6, margin=1):
        hinge = fit_hinge(part, least=3 if subtracts(assigned) else 2)
        if hinge is None:
            continue
        speed = max(float(np.hypot(*hinge.before)), float(np.hypot(*hinge.after)), _RESTING)
        severity = max(0.0, hinge.change - _ERRORS * hinge.error - _drift(assigned, part, hinge.time)) / speed
        evidence: dict[str, Json] = {
            "object": role.place,
            "velocity_before": [float(v) for v in hinge.before],
            "velocity_after": [float(v) for v in hinge.after],
            "time": hinge.time,
            "track": _points(part),
        }
        findings.append(Finding(min(severity, 10.0), frame_at(part, hinge.time + 1e-6), evidence))
    return worst(findings) if findings else None


def _drift(assigned: RoleAssignment, part: Path, time: float) -> float:
    """Give the change of velocity at a time, in sides a second, that outlines may seem to have.

    The middle of an outline that is estimated may drift by a pixel over the motion on either side.
    """
    if not subtracts(assigned):
        return 0.0
    durations = time - float(part.times_K[0]), float(part.times_K[-1]) - time
    return sum(_DRIFTS / assigned.tracks.side / max(duration, 1e-9) for duration in durations)


def _undivided(assigned: RoleAssignment, role: Role, path: Path) -> Path:
    """Leave out the frames of a path that show its thing in part; a bite, which moves its middle, is a touch.

    Raises:
        NotApplicable: as of `steady_frames.steady_frames`.
    """
    assert role.track is not None  # it has a path
    loss = largest_loss(assigned.tracks.area_NT[role.track, path.frames_K])
    if role.place == assigned.expect.bitten and loss is not None and subtracts(assigned):
        bites = np.arange(len(path.frames_K)) == loss.at - 1
        path = replace(path, touched_K=path.touched_K | bites, met_K=path.met_K | bites)
    return path.at(np.flatnonzero(of_one_form(assigned, role)[path.frames_K]))


def continuity(assigned: RoleAssignment) -> Finding:
    """Look for a jump: the distance in sides that no motion before and after a step explains.

    The paths before and after the step are extrapolated to each other; the jump is the smallest distance
    between them during the step, so that a bounce is none. Of the centroid and the two edges along each
    axis, the one that moved least counts: a bite moves some of them, a jump all.

    Raises:
        NotApplicable: no thing is expected, or none is seen whole in 4 frames.
    """
    assigned.require_view()
    require_followed(assigned)
    roles = assigned.shown
    if subtracts(assigned):  # the outline of what has no fixed one may change at once
        roles = tuple(
            role for role in roles if role.thing.outline is not None and role.thing.kind not in SOFT
        )
        if not roles:
            raise NotApplicable(
                "nothing of a fixed outline is expected (shape), by which a jump could be told"
            )
    findings: list[Finding] = []
    for role in roles:
        path = whole_path(assigned, role, 4)
        if path is not None and role.track is not None:
            sure = path.at(np.flatnonzero(untorn(assigned, role.track)[path.frames_K]))
            findings += [_largest_jump(sure, role)] if len(sure.frames_K) >= 4 else []
    return worst(findings)


def _largest_jump(path: Path, role: Role) -> Finding:
    t = path.times_K
    traces = np.stack(
        [path.place_K2, path.box_K4[:, :2], path.box_K4[:, 2:]]
    )  # centroid and edges: (3, K, 2)
    best, at = 0.0, 0
    bounds = _gaps_by_neighbours(t, traces)
    for k in np.argsort(-bounds, kind="stable"):
        if bounds[k] <= best:
            break
        # By the two or the three frames on either side: a bounce among the three is no straight path.
        if path.touched_K[k] and (k == 0 or k == len(t) - 2):
            continue  # of a single frame behind a touch, no one can say where it should be
        gap = np.inf
        for back, on in ((1, 1), (1, 2), (2, 1), (2, 2)):
            before, after = slice(max(0, k - back), k + 1), slice(k + 1, min(len(t), k + 2 + on))
            gap = min(gap, _gap(t, traces, before, after))
            if gap <= best:
                break
        if gap > best:
            best, at = gap, int(k)
    here, there = path.place_K2[at], path.place_K2[min(at + 1, len(t) - 1)]
    evidence: dict[str, Json] = {
        "object": role.place,
        "from": [float(v) for v in here],
        "to": [float(v) for v in there],
        "frames": [int(path.frames_K[at]), int(path.frames_K[min(at + 1, len(t) - 1)])],
    }
    return Finding(best, int(path.frames_K[min(at + 1, len(t) - 1)]), evidence)


def _gaps_by_neighbours(t: _F, traces_3K2: _F) -> _F:
    """Measure all gaps by two frames on either side, (K - 1,): no gap is larger; infinite at the ends."""
    bounds = np.full(len(t) - 1, np.inf)
    if len(t) < 4:
        return bounds
    steps = np.diff(t)[None, :, None]
    speed = np.diff(traces_3K2, axis=1) / steps
    apart = np.diff(traces_3K2, axis=1)[:, 1:-1]
    shares = np.linspace(0.0, 1.0, _MOMENTS)[:, None, None, None]
    inner = steps[:, 1:-1]
    away = apart - (1 - shares) * inner * speed[:, 2:] - shares * inner * speed[:, :-2]  # (S, 3, K - 3, 2)
    nearest = np.abs(away).min(axis=1)
    bounds[1:-1] = np.hypot(nearest[..., 0], nearest[..., 1]).min(axis=0)
    return bounds


def _gap(t: _F, traces_3K2: _F, before: slice, after: slice) -> float:
    """Measure the smallest distance between two paths, extrapolated to the step between them."""
    low, high = float(t[before][-1]), float(t[after][0])
    when = np.linspace(low, high, _MOMENTS)
    one, two = (_drawn_out(t[part], traces_3K2[:, part], when) for part in (before, after))
    if one is None and two is None:
        return 0.0
    if one is None or two is None:  # a single frame on this side: only the other side says how it moves
        known, t_end = (two, low) if one is None else (one, high)
        lone = traces_3K2[:, before if one is None else after][:, 0]
        assert known is not None
        apart = known[:, when == t_end][:, 0] - lone
        return float(np.hypot(*np.abs(apart).min(axis=0)))
    apart_S2 = np.abs(two - one).min(axis=0)
    return float(np.hypot(apart_S2[:, 0], apart_S2[:, 1]).min())


def _drawn_out(t: _F, traces_3K2: _F, when_S: _F) -> _F | None:
    """Extrapolate straight paths to other times, (3, S, 2); None for a single frame."""
    if len(t) < 2:
        return None
    end = t - t.mean()
    slope = (traces_3K2 * end[None, :, None]).sum(axis=1) / np.square(end).sum()
    return traces_3K2.mean(axis=1)[:, None] + slope[:, None] * (when_S - t.mean())[None, :, None]


def _points(path: Path) -> list[Json]:
    """List a path for a page: frame, x and y in sides."""
    rows = zip(path.frames_K.tolist(), path.place_K2.round(4).tolist(), strict=True)
    return [[frame, x, y] for frame, (x, y) in rows]
