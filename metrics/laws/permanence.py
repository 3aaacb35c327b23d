"""Laws of persistence: objects stay, keep their shape and color, and none appears from nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable
from ..tracking.area_loss import largest_loss
from ..tracking.role_assignment import Role, RoleAssignment
from .conditions import require
from .motion import SOFT, Finding, each, worst
from .steady_frames import (
    is_ghost,
    on_known_ground,
    require_followed,
    require_movers,
    require_unmixed_light,
    steady_frames,
    subtracts,
    view_moves,
)

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["color", "permanence", "persistence", "rigidity", "uninvited"]

_F = NDArray[np.float64]
_OVERLOOKED: Final = 0.3  # of a thing: what shows less may be overlooked
_ENOUGH: Final = 0.4  # of a thing: what shows less may have the color of its edge
_GAP: Final = 2  # frames: what is not seen for longer was hidden
_PART: Final = 3  # frames on either side of a step
_SCATTERS: Final = 2.0  # standard deviations of either side that a step has to exceed
_RELIT: Final = (
    1.6  # by how much brighter or darker a solid thing may seem where it turns, or moves under a lamp
)
_NORMAL: Final = 1.2533  # of a normal distribution: the standard deviation over the mean absolute one


def permanence(assigned: RoleAssignment) -> Finding:
    """Measure what is gone of the expected things though nothing hides it, or is there once too often.

    Where a thing is not seen, or less of it than should be, it is placed on the straight line between where
    it was last and where it is next, or on its extrapolated path. What should show there and does not counts
    for that frame, if it is more than 0.3 of the object; what went behind another object may stay there,
    unless it is stated to pass and nothing slows it. A double counts as one frame, if nothing else may be
    seen. The severity is the sum over the frames, as a share of the clip.

    Raises:
        NotApplicable: no expected thing is shown; or the tracker follows what moves, and all should stay
            or nothing is stated by which a thing could be known again.
    """
    if not assigned.shown:
        raise NotApplicable("discarded: nothing of what is expected is shown")
    require_movers(assigned)
    roles = (
        [role for role in assigned.shown if _is_known_again(role)] if subtracts(assigned) else assigned.shown
    )
    if not roles:
        raise NotApplicable(
            "no color and no fixed outline is expected, by which a thing could be known again"
        )
    frames = assigned.tracks.frames
    lacking = np.zeros(frames)
    for role in roles:
        lacking = np.maximum(lacking, _lacking(assigned, role))
    extra = np.zeros(frames, bool)
    if assigned.expect.others == "none" and not _takes_more(assigned):
        for n in assigned.doubles:
            extra |= assigned.tracks.seen_NT[n]
    fault = np.maximum(lacking, extra)
    evidence: dict[str, Json] = {
        "gone_frames": np.flatnonzero(lacking).tolist(),
        "doubled_frames": np.flatnonzero(extra).tolist(),
    }
    first = int((fault > 0).argmax()) if fault.any() else None
    return Finding(float(fault.mean()), first, evidence)


def _is_known_again(role: Role) -> bool:
    """Say whether a thing that is gone for a while could be known again by its color or outline."""
    return role.thing.kind not in SOFT and (role.thing.rgb is not None or role.thing.outline is not None)


def _takes_more(assigned: RoleAssignment) -> bool:
    """Say whether the tracker may take for a thing what is none: a shadow that moves, or what is nearer."""
    return view_moves(assigned) or (subtracts(assigned) and assigned.expect.constant_light is False)


def _lacking(assigned: RoleAssignment, role: Role) -> _F:
    """Tell, for each frame, what share of a thing should be seen and is not; 0 up to `_OVERLOOKED`."""
    tracks, n = assigned.tracks, role.track
    assert n is not None
    lacking = np.zeros(tracks.frames)
    seen = tracks.seen_NT[n]
    known = np.flatnonzero(assigned.placed_NT[n])
    doubtful = np.flatnonzero(tracks.visible_NT[n] < 1 - _OVERLOOKED)
    doubtful = doubtful[doubtful > int(seen.argmax())]
    if not len(doubtful) or len(known) < 2:
        return lacking
    size = np.nanmedian(tracks.whole_NT4[n, :, 2:] - tracks.whole_NT4[n, :, :2], axis=0)
    hidden_from = None if _must_come_out(assigned, role) else _hidden_for_good(assigned, n, known, size)
    for t in doubtful:
        if hidden_from is not None and t >= hidden_from:
            break
        place = _where(tracks.times_T, tracks.center_NT2[n], known, int(t))
        lacking[t] = _shows(assigned, n, int(t), place, size) - tracks.visible_NT[n, t]
    return np.where(lacking > _OVERLOOKED, lacking, 0.0)


def _must_come_out(assigned: RoleAssignment, role: Role) -> bool:
    """Say whether a thing is known to come out again from behind another: it passes, and nothing slows it."""
    behind, expect = assigned.expect.passes_behind, assigned.expect
    return behind is not None and behind[0] == role.place and expect.drag is False


def _hidden_for_good(assigned: RoleAssignment, n: int, known: NDArray[np.int64], size: _F) -> int | None:
    """Number the frame from which a thing may rest behind another; None where it is seen to the end.

    It is last seen where its path leads behind another thing, at least in part.
    """
    tracks = assigned.tracks
    gone = int(np.flatnonzero(tracks.seen_NT[n])[-1]) + 1
    if gone >= tracks.frames:
        return None
    place = _where(tracks.times_T, tracks.center_NT2[n], known[known < gone], gone)
    return gone if _hidden(assigned, n, gone, place, size) > _OVERLOOKED else None


def _where(times_T: _F, place_T2: _F, known: NDArray[np.int64], t: int) -> _F:
    """Place a thing at a frame from those in which its place is known."""
    if t in known:
        return place_T2[t]
    before, after = known[known < t], known[known > t]
    if len(before) and len(after):
        a, b = before[-1], after[0]
        share = (times_T[t] - times_T[a]) / (times_T[b] - times_T[a])
        return place_T2[a] + share * (place_T2[b] - place_T2[a])
    near = before[-3:] if len(before) else after[:3]
    if len(near) < 2:
        return place_T2[near[0]]
    a, b = near[0], near[-1]
    slope = (place_T2[b] - place_T2[a]) / (times_T[b] - times_T[a])
    return place_T2[b] + slope * (times_T[t] - times_T[b])


def _shows(assigned: RoleAssignment, n: int, t: int, place: _F, size: _F) -> float:
    """Tell what share of a thing at a place would be in the frame and clear of other things."""
    tracks = assigned.tracks
    low, high = place - size / 2, place + size / 2
    inside = np.minimum(high, [tracks.width - 0.5, tracks.height - 0.5]) - np.maximum(low, -0.5)
    return float(np.clip(inside / size, 0.0, 1.0).prod()) - _hidden(assigned, n, t, place, size)


def _hidden(assigned: RoleAssignment, n: int, t: int, place: _F, size: _F) -> float:
    """Tell what share of a thing at a place would lie behind other things, each counted on its own."""
    tracks = assigned.tracks
    if tracks.hidden_NT is not None and tracks.hidden_NT[n, t]:
        return 1.0
    low, high = place - size / 2, place + size / 2
    hidden = 0.0
    for other in range(tracks.things):
        box = tracks.box_NT4[other, t]
        if other != n and not np.isnan(box[0]):
            lap = np.clip((np.minimum(high, box[2:]) - np.maximum(low, box[:2])) / size, 0.0, 1.0)
            hidden += float(lap.prod())
    return hidden


def uninvited(assigned: RoleAssignment) -> Finding:
    """Count frames that show a thing that nobody asked for: the severity is their share of the clip.

    Raises:
        NotApplicable: nothing is expected, so that nothing is unexpected; or the camera moves, or nothing
            of what is expected is seen, and the tracker takes what differs from a background for a thing.
    """
    if not assigned.expect.objects:
        raise NotApplicable("no objects are expected")
    require(assigned.expect, "no others")
    require_unmixed_light(assigned)
    if subtracts(assigned) and not assigned.shown:
        raise NotApplicable("nothing of what is expected is seen: the clip may be of something else")
    tracks = assigned.tracks
    if view_moves(assigned):
        raise NotApplicable(
            "the camera moves, and the tracker may take what is nearer or farther for a thing of its own"
        )
    if assigned.uninvited and subtracts(assigned):
        for role in assigned.shown:  # what is torn off from one of them is no thing
            steady_frames(assigned, role)
    others = [n for n in assigned.uninvited if not is_ghost(assigned, n)]
    there = tracks.seen_NT[others].any(axis=0) if others else np.zeros(tracks.frames, bool)
    boxes: list[Json] = []
    for n in others:
        t = int(tracks.seen_NT[n].argmax())
        boxes.append({"frame": t, "box": tracks.box_NT4[n, t].round(2).tolist()})
    return Finding(float(there.mean()), int(there.argmax()) if there.any() else None, {"things": boxes})


def rigidity(assigned: RoleAssignment) -> Finding:
    """Measure how far an outline changes: the largest change that lasts for three frames.

    The largest of the changes of the form's moments of order 2, 3 and 4, which turning leaves as they are
    (see `outlines.form_moments`; from a disc to a square it is 0.6, to a triangle 0.57), and of the change of
    size (logarithm of the area, halved), less that by the camera's zoom. The size counts only where it is
    stated that nothing comes nearer. The first three whole frames are
    the measure of it. What comes out from behind something near the end is compared by as few frames as
    there are.

    A tracker that has to estimate what is behind a thing gives outlines with rough edges: there the moment of
    order 2 and the size alone count, from the median before a frame to that from it on, less twice the
    scatter of either.

    Raises:
        NotApplicable: no rigid thing is expected, or none is seen whole in 6 frames.
    """
    rigid = [role for role in assigned.shown if _is_rigid(assigned, role)]
    if assigned.shown and not rigid:
        raise NotApplicable("nothing of a fixed outline is expected (shape)")
    assigned.require_view()
    require_followed(assigned)
    return each(rigid, lambda role: _outline_change(assigned, role))


def _outline_change(assigned: RoleAssignment, role: Role) -> Finding | None:
    tracks = assigned.tracks
    whole = np.flatnonzero(on_known_ground(assigned, role))
    if len(whole) < 3 or tracks.seen_NT[role.track].sum() < 6:
        return None
    size_K = 0.5 * np.log(tracks.area_NT[role.track, whole]) - np.nan_to_num(tracks.camera_T4[whole, 2])
    if assigned.expect.in_depth is not False:  # what comes nearer grows
        size_K = np.zeros(len(whole))
    if subtracts(assigned):
        looks = np.stack([tracks.form_NT4[role.track, whole, 1], size_K], axis=1)
        return _clear_step(looks, whole, role)
    looks = np.concatenate([tracks.form_NT4[role.track, whole, 1:], size_K[:, None]], axis=1)
    return _lasting_change(looks, whole, role, spread=False)


def _is_rigid(assigned: RoleAssignment, role: Role) -> bool:
    return (
        role.thing.outline is not None
        and role.thing.kind not in SOFT
        and role.place != assigned.expect.bitten
    )


def color(assigned: RoleAssignment) -> Finding:
    """Measure how far a color changes: the largest change that lasts for three frames, over 255 levels.

    The change is the root mean square over RGB. The first three frames that show enough of a thing are what
    it is compared with. What comes out from behind something near the end is compared by as few frames as
    there are.

    Raises:
        NotApplicable: no thing is expected, or none is seen in 6 frames.
    """
    require(assigned.expect, "constant light")
    require_followed(assigned)
    return each(assigned.shown, lambda role: _color_change(assigned, role))


def _color_change(assigned: RoleAssignment, role: Role) -> Finding | None:
    tracks = assigned.tracks
    if subtracts(assigned):
        enough = np.flatnonzero(steady_frames(assigned, role))
    else:
        enough = np.flatnonzero(tracks.seen_NT[role.track] & (tracks.visible_NT[role.track] > _ENOUGH))
    if len(enough) < 6:
        return None
    looks = tracks.color_NT3[role.track, enough] / 255
    if subtracts(assigned):
        looks = _relit(looks)
    return _lasting_change(looks, enough, role, spread=True)


def _relit(looks_K3: _F) -> _F:
    """Give each color the brightness of the first ones, as far as a solid thing's light and shade explain."""
    first = np.median(looks_K3[:_PART], axis=0)
    gains = (looks_K3 @ first) / np.maximum(np.square(looks_K3).sum(axis=1), 1e-6)
    return looks_K3 * np.clip(gains, 1 / _RELIT, _RELIT)[:, None]


def _lasting_change(looks_KD: _F, frames: NDArray[np.int64], role: Role, *, spread: bool) -> Finding:
    """Find the largest change from the first frames on that lasts, and where it is half of that."""
    smooth_KD = _smoothed(looks_KD, frames)
    change = np.abs(smooth_KD - smooth_KD[0])
    size = np.sqrt(np.square(change).mean(axis=1)) if spread else change.max(axis=1)
    at = int(size.argmax())
    first = int(np.argmax(size > 0.5 * size[at]))
    evidence: dict[str, Json] = {
        "object": role.place,
        "before": smooth_KD[0].round(3).tolist(),
        "after": smooth_KD[at].round(3).tolist(),
        "frame": int(frames[at]),
    }
    return Finding(float(min(size[at], 10.0)), int(frames[first]), evidence)


def _clear_step(looks_KD: _F, frames: NDArray[np.int64], role: Role) -> Finding:
    """Find the largest change from before a frame to after it, beyond the scatter of either.

    The frame is that which leaves the least absolute distance from the two medians. Fewer than six frames
    show no step.
    """
    best = Finding(0.0)
    for look_K in looks_KD.T:
        splits = [_Step.at(look_K, k) for k in range(_PART, len(look_K) - _PART + 1)]
        if not splits:
            break
        step = min(splits, key=lambda s: s.left)
        change = abs(step.after - step.before) - _SCATTERS * step.scatter
        if change > best.severity:
            evidence: dict[str, Json] = {
                "object": role.place,
                "before": round(step.before, 3),
                "after": round(step.after, 3),
                "frame": int(frames[step.first]),
            }
            best = Finding(min(change, 10.0), int(frames[step.first]), evidence)
    return best


@dataclass(frozen=True)
class _Step:
    """The medians before and from index ``first`` on, what they leave, and the larger scatter around them."""

    first: int
    before: float
    after: float
    left: float
    scatter: float

    @classmethod
    def at(cls, look_K: _F, first: int) -> _Step:
        parts = look_K[:first], look_K[first:]
        middles = [float(np.median(part)) for part in parts]
        away = [np.abs(part - middle) for part, middle in zip(parts, middles, strict=True)]
        scatter = _NORMAL * max(float(part.mean()) for part in away)
        return cls(first, middles[0], middles[1], float(sum(part.sum() for part in away)), scatter)


def _smoothed(looks_KD: _F, frames: NDArray[np.int64]) -> _F:
    """Take medians of three frames that follow each other, those at an end from the three nearest to it.

    What is seen in fewer than three frames between gaps is what changes least from the first frames.
    """
    smooth_KD = np.empty_like(looks_KD)
    breaks = np.flatnonzero(np.diff(frames) > _GAP) + 1
    for part in np.split(np.arange(len(frames)), breaks):
        looks = looks_KD[part]
        if len(part) >= 3:
            inner = np.median(np.stack([looks[:-2], looks[1:-1], looks[2:]]), axis=0)
            smooth_KD[part] = np.concatenate([inner[:1], inner, inner[-1:]])
        elif not part[0]:
            smooth_KD[part] = looks.mean(axis=0)
        else:
            change = np.abs(looks - smooth_KD[0])
            smooth_KD[part] = np.take_along_axis(looks, change.argmin(axis=0)[None], axis=0)
    return smooth_KD


def persistence(assigned: RoleAssignment) -> Finding:
    """Measure what share of a bite grows back.

    Raises:
        NotApplicable: no bite is expected, or none is seen, or too few frames follow it.
    """
    bitten = [role for role in assigned.shown if role.place == assigned.expect.bitten]
    if not bitten:
        raise NotApplicable("no bite is expected")
    findings = [finding for role in bitten if (finding := _regrown(assigned, role)) is not None]
    if not findings:
        raise NotApplicable("no bite is seen")
    return worst(findings)


def _regrown(assigned: RoleAssignment, role: Role) -> Finding | None:
    whole = np.flatnonzero(assigned.whole_NT[role.track])
    area = assigned.tracks.area_NT[role.track, whole]
    if len(area) < 5:
        raise NotApplicable("too short: the bite is not seen whole in 5 frames")
    loss = largest_loss(area)
    if loss is None:
        return None
    bite, full, left = loss.at, loss.full, loss.left
    after = area[bite:]
    if len(after) < 3:
        raise NotApplicable("too short: fewer than three frames follow the bite")
    lasting = _medians(after)
    share = (lasting - left) / (full - left)
    at = int(share.argmax())
    first = int(np.argmax(share > 0.5 * share[at]))
    evidence: dict[str, Json] = {
        "bitten_frame": int(whole[bite]),
        "area_before": full,
        "area_bitten": left,
        "area_later": float(lasting[at]),
    }
    return Finding(float(np.clip(share[at], 0.0, 10.0)), int(whole[bite + first + 1]), evidence)


def _medians(values: _F) -> _F:
    """Take running medians of three."""
    return np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
