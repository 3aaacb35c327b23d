"""Marks that must stay: a bite that is asked for takes a piece, and the piece stays away."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..base import NotApplicable
from ..instructions.motion import bite
from ..instructions.skills import NotAsked
from ..laws.permanence import persistence
from ..tracking.role_assignment import RoleAssignment
from .observation import Observation

__all__ = ["no_mark"]

_GROWN_BACK: Final = 0.5  # of the piece: if more comes back, the mark does not last


def no_mark(cast: RoleAssignment) -> Observation:
    """Look for a bite that leaves no mark: no piece is lost in the clip, or more than half of it grows back.

    A thing that is not shown is missing, and says nothing of marks.

    Raises:
        NotApplicable: no bite is asked for, the thing is not shown, or it is seen whole too briefly.
    """
    if cast.expect.bitten is None or not cast.roles:
        raise NotAsked("nothing is asked to lose a piece")
    judged = bite(cast)
    thing = cast.role_of(cast.expect.bitten).thing.noun
    if judged.evidence.get("failure") == "not shown":
        raise NotApplicable(f"{thing} is not shown")
    if not judged.followed:
        return Observation([{"thing": thing, "what": "no piece is lost"}])
    try:
        grown = persistence(cast)
    except NotApplicable as why:
        return Observation(notes={**judged.evidence, "afterwards": str(why)})
    share = round(float(np.clip(grown.severity, 0.0, 1.0)), 4)
    if grown.severity <= _GROWN_BACK:
        return Observation(notes={**judged.evidence, "grown_back": share})
    return Observation(
        [{"thing": thing, "what": "the piece grows back", "share": share, **grown.evidence}],
        grown.first_frame,
    )
