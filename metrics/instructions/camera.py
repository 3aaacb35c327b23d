"""The skill `camera`: judge the camera's motion from the background, or from objects that stay in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable
from ..tracking.role_assignment import RoleAssignment
from .limits import LIMITS
from .skills import NotAsked, SkillJudgement, players

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["camera"]

_F = NDArray[np.float64]
_AGREEING: Final = 0.6  # of the background points: if fewer agree, no camera motion explains them
_LEAST_FOLLOWED: Final = 1 / 3  # of the clip
_ENDS: Final = 3  # frames at an end of the clip
_FEWEST: Final = 4  # least number of frames of a trajectory


def camera(cast: RoleAssignment) -> SkillJudgement:
    """Whether the camera does what is asked: pan to a side, zoom in or out, or stay still.

    The motion is estimated from the background, which a pan to the left moves to the right. A pan must go
    half as far as the least of the lawful pans, without a zoom of such size; a zoom likewise. If the
    background is lost during the clip, at least a third of the clip must show it, and the motion is
    extrapolated. If less is shown, objects are used instead, unless one of them is asked to move: on a
    uniform background, a panning camera and a sliding object look the same.

    Raises:
        NotApplicable: nothing is asked of the camera, or neither the ground nor a thing shows what it does.
    """
    asked = cast.expect.camera
    if asked is None:
        raise NotAsked("nothing is asked of the camera")
    found = _followed(cast)
    if isinstance(found, SkillJudgement):
        return found
    path, share, seen_by = found
    right, down = (float(v) for v in -path[-1, :2] / cast.tracks.side / share)
    closer = float(path[-1, 2]) / share
    far = float(np.hypot(path[:, 0], path[:, 1]).max()) / cast.tracks.side
    evidence: dict[str, Json] = {"asked": asked, "right": right, "down": down, "zoom": closer}
    evidence |= {"followed": round(share, 3), "seen_by": seen_by}
    if asked == "still":
        kept = far <= LIMITS.still_view and float(np.abs(path[:, 2]).max()) <= LIMITS.still_zoom
        if kept and share < 1:
            raise NotApplicable("the ground shows too little to follow the camera to the end")
        return SkillJudgement(kept, evidence if kept else {"failure": "the camera moves", **evidence})
    if asked.startswith("pan"):
        gone = right if asked == "pan-right" else -right
        good = gone >= LIMITS.pan and gone > abs(down) and abs(closer) < LIMITS.zoom
    else:
        gone = closer if asked == "zoom-in" else -closer
        good = gone >= LIMITS.zoom and np.hypot(right, down) < LIMITS.pan
    if good:
        return SkillJudgement(True, evidence)
    moves = np.hypot(right, down) >= LIMITS.pan or abs(closer) >= LIMITS.zoom
    return SkillJudgement(
        False, {"failure": "another move" if moves else "the camera does not move", **evidence}
    )


def _followed(cast: RoleAssignment) -> tuple[_F, float, str] | SkillJudgement:
    """Return the camera's known motion, (K, 4), its share of the clip, and what it was estimated from."""
    path, times = cast.tracks.camera_T4, cast.tracks.times_T
    lost = np.flatnonzero(np.isnan(path[:, 3]))
    last = int(lost[0]) - 1 if len(lost) else len(path) - 1
    share = float((times[last] - times[0]) / (times[-1] - times[0])) if last > 0 else 0.0
    if share >= _LEAST_FOLLOWED and float(path[last, 3]) >= _AGREEING:
        return path[: last + 1], share, "the ground"
    if not cast.roles or cast.expect.motion is not None or cast.expect.moves or cast.expect.order:
        raise NotApplicable("the ground shows too little to follow the camera")
    found = players(cast)
    return found if isinstance(found, SkillJudgement) else (_seen_by_things(cast, found), 1.0, "the things")


def _seen_by_things(cast: RoleAssignment, tracked: list[int]) -> _F:
    """Estimate the camera's motion from objects that stay in place: rows like `Tracks.camera_T4`.

    Raises:
        NotApplicable: none is seen whole from the beginning of the clip to its end.
    """
    tracks = cast.tracks
    middle = np.array([(tracks.width - 1) / 2, (tracks.height - 1) / 2])
    paths: list[_F] = []
    for n in tracked:
        whole = np.flatnonzero(cast.whole_NT[n])
        if len(whole) < _FEWEST or whole[0] > _ENDS or whole[-1] < tracks.frames - 1 - _ENDS:
            continue
        place, area = tracks.center_NT2[n, whole] - middle, tracks.area_NT[n, whole]
        zoom = 0.5 * np.log(area / np.median(area[:_ENDS]))
        shift = place - np.exp(zoom)[:, None] * place[0]
        path = np.concatenate([shift, zoom[:, None], np.ones((len(whole), 1))], axis=1)
        paths.append(np.median(np.stack([path[:-2], path[1:-1], path[2:]]), axis=0))
    if not paths:
        raise NotApplicable("neither the ground nor a thing shows what the camera does")
    return max(paths, key=len)
