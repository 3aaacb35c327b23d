"""Error of an object's velocity, where its true path is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..base import NotApplicable, Sample, Scored, measure
from ..expectation import ExpectedPath
from .evaluation import discarded, law_roles

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ..tracking.role_assignment import RoleAssignment

__all__ = ["velocity_error"]

_FEWEST: Final = 3  # steps from frame to frame: fewer say little of a velocity


@measure(
    "physics.velocity_error",
    version=1,
    needs=("tracks",),
    better="lower",
    bounds=(0.0, None),
    unit="sides/s",
)
def velocity_error(sample: Sample) -> Scored:
    """Mean distance between a thing's velocity and its true one, in sides a second.

    A side is the square root of the frame's area. ``e = mean |v_t - v^_t|`` (Kang et al. 2024, "How far is
    video generation from world model", section 3) over all steps into the frames that the generator answers
    for, and over the objects whose path is known (``ways`` of the prompt's ``expect``). A step counts
    if the object is placed before and after it.

    Raises:
        NotApplicable: no path is known, the clip is discarded, a thing is not shown, or in too few frames.
    """
    assigned = sample.derived(law_roles)
    if not assigned.expect.ways:
        raise NotApplicable("the prompt's expect holds no ways")
    reason = discarded(assigned)
    if reason is not None:
        raise NotApplicable(f"discarded: {reason}")
    assigned.require_view()
    errors = {way.object: _errors(assigned, way) for way in assigned.expect.ways}
    every = np.concatenate(list(errors.values()))
    evidence: dict[str, Json] = {
        "steps": len(every),
        "objects": {str(n): round(float(part.mean()), 6) for n, part in errors.items()},
    }
    return Scored(float(every.mean()), evidence)


def _errors(assigned: RoleAssignment, way: ExpectedPath) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Measure the distance of velocities, a step each.

    Raises:
        NotApplicable: the thing is not shown, or in too few frames.
    """
    role = next(role for role in assigned.roles if role.place == way.object)
    if role.track is None:
        raise NotApplicable(f"discarded: the {role.thing.noun} is not shown")
    tracks = assigned.tracks
    frames = min(tracks.frames, len(way.places))
    nowhere = (np.nan, np.nan)
    true_T2 = np.array([nowhere if place is None else place for place in way.places[:frames]])
    seen_T2 = tracks.still_NT2[role.track, :frames] / tracks.side
    steps_S = np.diff(tracks.times_T[:frames])[:, None]
    away_S2 = (np.diff(seen_T2, axis=0) - np.diff(true_T2, axis=0)) / steps_S
    answered = away_S2[max(way.first - 1, 0) :]
    known = answered[~np.isnan(answered).any(axis=1)]
    if len(known) < _FEWEST:
        raise NotApplicable(
            f"too short: the {role.thing.noun} is seen in too few of the frames whose truth is known"
        )
    return np.hypot(known[:, 0], known[:, 1])
