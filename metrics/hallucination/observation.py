"""What a look at a clip finds: whether it shows something that it should not, and what shows that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..base import NotApplicable
from ..instructions.skills import color_name, look_color, look_shape
from ..tracking.role_assignment import RoleAssignment

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["Observation", "describe", "require_alone", "seen_span"]


@dataclass(frozen=True)
class Observation:
    """How many faults of one kind a clip shows, with one entry of evidence each.

    Attributes:
        faults: what was found; empty where the clip is as it should be.
        first_frame: the first frame that shows one; None where none does, or where all frames do.
        notes: what else is known.
    """

    faults: Sequence[Mapping[str, Json]] = ()
    first_frame: int | None = None
    notes: Mapping[str, Json] = field(default_factory=dict[str, "Json"])

    def __bool__(self) -> bool:
        """Return whether anything was found."""
        return bool(self.faults)


def require_alone(cast: RoleAssignment) -> None:
    """Check that the prompt says that nothing else may be seen: elsewhere an extra thing is no fault.

    Raises:
        NotApplicable: it says that other things are allowed, or does not say it.
    """
    if cast.expect.others == "allowed":
        raise NotApplicable("other things may be seen")
    if cast.expect.others is None:
        raise NotApplicable("the prompt does not say whether other things may be seen ('others: none')")


def describe(cast: RoleAssignment, track: int) -> str:
    """Name a track: its noun from a detector, or its color and its outline."""
    noun = cast.tracks.nouns[track]
    if noun is not None:
        return noun
    return f"{color_name(look_color(cast, track))} {look_shape(cast, track) or 'thing'}"


def seen_span(cast: RoleAssignment, track: int) -> dict[str, Json]:
    """Tell in which frames a track is seen: the first, the last, how many; and its box in the first."""
    seen = np.flatnonzero(cast.tracks.seen_NT[track])
    first = int(seen[0])
    box: list[Json] = [round(float(edge), 2) for edge in cast.tracks.box_NT4[track, first]]
    return {"first": first, "last": int(seen[-1]), "frames": len(seen), "box": box}
