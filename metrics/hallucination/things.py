"""Things that nobody asked for, and things that were asked for and are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base import NotApplicable
from ..instructions.skills import NotAsked, extra_things, shown
from ..tracking.role_assignment import RoleAssignment
from .observation import Observation, describe, require_alone, seen_span

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["extra", "missing"]


def extra(cast: RoleAssignment) -> Observation:
    """Look for things that nobody asked for, or that are there once too often.

    What shows less than a tenth of the least thing that is asked for, as area times contrast, is a smudge.

    Raises:
        NotApplicable: the prompt does not say that nothing else may be seen, or nothing is tracked though
            something was asked for: whatever there is then was not recognised.
    """
    require_alone(cast)
    if not cast.tracks.things and cast.roles:
        raise NotApplicable("discarded: nothing is tracked")
    found = extra_things(cast)
    faults: list[dict[str, Json]] = [
        {
            "thing": describe(cast, n),
            "kind": "once too often" if n in cast.doubles else "another",
            **seen_span(cast, n),
        }
        for n in found
    ]
    smudges = len(cast.doubles) + len(cast.uninvited) - len(found)
    first = min((int(cast.tracks.seen_NT[n].argmax()) for n in found), default=None)
    return Observation(faults, first, {"smudges": smudges})


def missing(cast: RoleAssignment) -> Observation:
    """Look for things that were asked for and are not seen, or in too few of the frames.

    Raises:
        NotApplicable: no objects are asked for; or nothing moves, and the source of the tracks sees nothing
            else.
    """
    judged = shown(cast)
    if judged.followed:
        return Observation()
    # Where nothing is tracked at all, or nothing moves, all of them are missing.
    absent = [
        role for role in cast.roles if role.track is None or not _long_enough(cast, role.track)
    ] or list(cast.roles)
    faults: list[dict[str, Json]] = []
    for role in absent:
        seen = 0 if role.track is None else int(cast.tracks.seen_NT[role.track].sum())
        faults.append({"thing": role.thing.noun, "object": role.place, "seen_frames": seen})
    if not faults:
        raise NotAsked("no objects are asked for")
    return Observation(faults)


def _long_enough(cast: RoleAssignment, track: int) -> bool:
    from ..instructions.limits import LIMITS

    return bool(cast.tracks.seen_NT[track].mean() >= LIMITS.shown_share)
