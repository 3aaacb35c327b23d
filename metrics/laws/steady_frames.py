"""Frames in which a thing's outline is sure, and the conditions of a tracker that subtracts a background.

A tracker that has to estimate what is behind a thing (`Tracks.hidden_NT` is not None) gives outlines that may
be torn where the thing is like its background, and may hold a part of a thing beside it or a shadow. What
such an outline says of form, color and place is no evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable

if TYPE_CHECKING:
    from ..tracking.role_assignment import Role, RoleAssignment

__all__ = [
    "is_ghost",
    "of_one_form",
    "on_known_ground",
    "require_followed",
    "require_movers",
    "require_unmixed_light",
    "steady_frames",
    "subtracts",
    "unlike",
    "untorn",
    "view_moves",
]

_F = NDArray[np.float64]
_B = NDArray[np.bool_]
_TORN: Final = 0.12  # logarithm of the area: a frame that is farther from its neighbors' median is torn
_AROUND: Final = 5  # frames that a frame is compared with, itself among them
_MOSTLY: Final = 2 / 3  # of the frames that show a thing whole: if fewer are not torn, none is sure
_APART: Final = 1 / 64  # sides, at least 2 pixels: things that are nearer may take of each other's outlines
_EARLY: Final = 3  # frames
_FORM: Final = {
    "ball": (0.0, 0.2),
    "square": (0.0, 0.3),
    "triangle": (0.0, 0.3),
    "block": (0.308, 0.3),
    "wall": (0.735, 0.3),
}
"""Outline -> modulus of ``E z^2`` in units of ``E |z|^2`` (see `outlines.form_moments`), and how far
from it the thing alone may be seen: all but a ball change in perspective."""
_SAME_FORM: Final = 0.15  # in that: what is farther from a thing's median form is torn
_EDGE: Final = 2.0  # pixels between a thing and the frame's edge at which it leaves
_COVERED: Final = 0.5  # of a thing's box: a frame in which it covers as much hides the background there
_HIDES: Final = 0.6  # of the frames: what a thing hides for longer may be taken from it


def subtracts(assigned: RoleAssignment) -> bool:
    """Say whether the tracker subtracts a background that it has to estimate."""
    return assigned.tracks.hidden_NT is not None


def require_followed(assigned: RoleAssignment) -> None:
    """Make sure that what is followed are the things that are expected, each on its own.

    Raises:
        NotApplicable: the tracker subtracts a background, and the light changes, everything should stay, or a
            thing that should be seen is not told apart.
    """
    require_unmixed_light(assigned)
    require_movers(assigned)
    if not subtracts(assigned):
        return
    for role in assigned.missing:
        if role.thing.shape is not None and role.place not in assigned.expect.at_rest:
            raise NotApplicable(
                f"the {role.thing.noun} is not seen alone: it may be a part of what is followed as another"
            )


def require_unmixed_light(assigned: RoleAssignment) -> None:
    """Make sure that no shadow which moves can be taken for a thing.

    Raises:
        NotApplicable: the light is stated to change, and the tracker subtracts a background.
    """
    if subtracts(assigned) and assigned.expect.constant_light is False:
        raise NotApplicable("the light changes, and the tracker may take a shadow that moves for a thing")


def require_movers(assigned: RoleAssignment) -> None:
    """Make sure that what is followed should be followed.

    Raises:
        NotApplicable: everything should stay, and the tracker follows only what moves.
    """
    if subtracts(assigned) and assigned.expect.motion == "stay":
        raise NotApplicable("everything should stay, and the tracker follows only what moves")


def view_moves(assigned: RoleAssignment) -> bool:
    """Say whether a tracker that subtracts a background has taken a camera's motion out of it."""
    return subtracts(assigned) and bool(
        np.abs(np.nan_to_num(assigned.tracks.camera_T4[:, :3])).max(initial=0)
    )


def is_ghost(assigned: RoleAssignment, track: int) -> bool:
    """Say whether a track is a place where the background was taken wrongly, until something passes there.

    It is there from the first frame on, and is gone in mid-picture before the last.
    """
    tracks = assigned.tracks
    seen = np.flatnonzero(tracks.seen_NT[track])
    if not subtracts(assigned) or seen[0] > 0 or seen[-1] == tracks.frames - 1:
        return False
    left, top, right, bottom = tracks.box_NT4[track, seen[-1]] + 0.5
    return bool(min(left, top, tracks.width - right, tracks.height - bottom) > _EDGE)


def untorn(assigned: RoleAssignment, track: int) -> _B:
    """Mark the frames (T,) in which a thing is seen and its area is like that of the frames around.

    Of other trackers, all that show it.
    """
    tracks = assigned.tracks
    seen = tracks.seen_NT[track]
    if not subtracts(assigned):
        return seen
    frames = np.flatnonzero(seen)
    size_K = np.log(np.maximum(tracks.area_NT[track, frames], 1.0))
    marked = np.zeros(tracks.frames, bool)
    marked[frames] = np.abs(size_K - _middles(size_K)) <= _TORN
    return marked


def _middles(values_K: _F) -> _F:
    """Take running medians; those at an end are of the frames nearest to it."""
    count = len(values_K)
    if count <= _AROUND:
        return np.full(count, float(np.median(values_K)) if count else 0.0)
    parts = np.lib.stride_tricks.sliding_window_view(values_K, _AROUND)
    inner = np.median(parts, axis=1)
    half = _AROUND // 2
    return np.concatenate([[inner[0]] * half, inner, [inner[-1]] * half])


def _stands_apart(assigned: RoleAssignment, track: int) -> _B:
    """Mark the frames (T,) in which no other thing is so near that their outlines may be mixed."""
    tracks = assigned.tracks
    apart = np.ones(tracks.frames, bool)
    least = max(2.0, _APART * tracks.side)
    box = tracks.box_NT4[track]
    for other in range(tracks.things):
        if other == track:
            continue
        rival = tracks.box_NT4[other]
        gap = np.maximum(box[:, :2], rival[:, :2]) - np.minimum(box[:, 2:], rival[:, 2:])
        apart &= ~(gap.max(axis=1) < least)  # NaN where either is not seen
    return apart


def unlike(assigned: RoleAssignment) -> str | None:
    """Say why a clip cannot be held against an expectation: nothing that is followed looks as it is stated.

    None for one that can: of another tracker, or with a thing whose outline is as stated, or not stated.
    """
    if not subtracts(assigned) or not assigned.shown:
        return None
    for role in assigned.shown:
        if role.thing.kind == "wall" and len(assigned.roles) > 1:
            continue  # it is never followed, as it never moves
        sure = _alone(assigned, role)
        whole = assigned.whole_NT[role.track]
        if _early_form(assigned, role, sure if sure.any() else whole):
            return None
    named = assigned.shown[0].thing.noun
    return f"what is followed as the {named} has another outline, so that the clip may be of something else"


def _alone(assigned: RoleAssignment, role: Role) -> _B:
    """Mark the frames (T,) that show a thing whole, apart from others, and not torn."""
    assert role.track is not None  # it is shown
    whole = assigned.whole_NT[role.track]
    return whole & untorn(assigned, role.track) & _stands_apart(assigned, role.track)


def _early_form(assigned: RoleAssignment, role: Role, sure_T: _B) -> bool:
    """Say whether the first frames of some show the outline that is stated, or none is stated."""
    early = np.flatnonzero(sure_T)[:_EARLY]
    stated = _FORM.get(role.thing.outline or "")
    if stated is None or not len(early):
        return True
    form, away = stated
    return abs(float(np.median(assigned.tracks.form_NT4[role.track, early, 1])) - form) <= away


def steady_frames(assigned: RoleAssignment, role: Role) -> _B:
    """Mark the frames (T,) whose outline of a thing is sure: whole, apart from others, and not torn.

    Of a tracker that does not subtract a background, all frames that show the thing whole.

    Raises:
        NotApplicable: most outlines are torn, or what is followed has another outline than is stated.
    """
    assert role.track is not None  # it is shown
    whole = assigned.whole_NT[role.track]
    if not subtracts(assigned):
        return whole
    if (whole & untorn(assigned, role.track)).sum() < _MOSTLY * whole.sum():
        raise NotApplicable(
            f"the outline of the {role.thing.noun} is torn: it is hard to tell from the background"
        )
    sure = _alone(assigned, role)
    if not _early_form(assigned, role, sure):
        raise NotApplicable(
            f"what is followed as the {role.thing.noun} has another outline: it is not seen alone"
        )
    return sure


def on_known_ground(assigned: RoleAssignment, role: Role) -> _B:
    """Mark the `steady_frames` (T,) in which a thing is where it does not stay: the background is seen.

    Raises:
        NotApplicable: as of `steady_frames`, or it stays at one place for most of the clip.
    """
    sure = steady_frames(assigned, role)
    if not subtracts(assigned) or role.track is None:
        return sure
    known = sure & ~_stays(assigned, role.track)
    if sure.any() and not known.any():
        raise NotApplicable(f"the {role.thing.noun} stays where it is, and the background there is not seen")
    return known


def of_one_form(assigned: RoleAssignment, role: Role) -> _B:
    """Mark the frames of `on_known_ground` (T,) in which a thing has its usual form: its middle is sure.

    Raises:
        NotApplicable: as of `on_known_ground`.
    """
    sure = on_known_ground(assigned, role)
    if not subtracts(assigned) or not sure.any():
        return sure
    form_T = assigned.tracks.form_NT4[role.track, :, 1]
    return sure & (np.abs(form_T - float(np.median(form_T[sure]))) <= _SAME_FORM)


def _stays(assigned: RoleAssignment, track: int) -> _B:
    """Mark the frames (T,) in which a thing is where it is for long."""
    tracks = assigned.tracks
    box = tracks.box_NT4[track]
    low, high = np.maximum(box[:, None, :2], box[None, :, :2]), np.minimum(box[:, None, 2:], box[None, :, 2:])
    lap_TT = np.clip(high - low, 0.0, None).prod(axis=2)  # NaN where it is not seen in either
    area_T = (box[:, 2:] - box[:, :2]).prod(axis=1)
    covered_TT = lap_TT > _COVERED * area_T[:, None]
    return covered_TT.mean(axis=1) > _HIDES
