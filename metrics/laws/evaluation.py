"""All laws of one clip at once: what each finds, and why others do not apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from ..base import NotApplicable, Sample
from ..expectation import read_expectation
from ..tracking.role_assignment import RoleAssignment, assign_roles, roles_of
from ..tracking.tracks import Tracks
from ..tracking.trajectories import path_of
from .collisions import causality, energy, momentum, solidity
from .motion import Finding, continuity, gravity, inertia
from .permanence import color, permanence, persistence, rigidity, uninvited
from .steady_frames import unlike

__all__ = ["LAWS", "assignment_for", "discarded", "find_all", "law_roles", "unfit", "unjudged"]

LAWS: Final[dict[str, Callable[[RoleAssignment], Finding]]] = {
    "gravity": gravity,
    "inertia": inertia,
    "momentum": momentum,
    "energy": energy,
    "permanence": permanence,
    "continuity": continuity,
    "solidity": solidity,
    "rigidity": rigidity,
    "color": color,
    "causality": causality,
    "persistence": persistence,
    "uninvited": uninvited,
}
"""Every law, and what looks for it to be broken."""
_ROUGH: Final = 13.0  # levels of a channel around the fitted ground
_LONG: Final = 5  # frames: in fewer, what begins to move may not have got anywhere
_STILL: Final = 0.025  # sides: what never gets farther than that from where it was does not move


def assignment_for(tracks: Tracks, expect: Mapping[str, Any] | None) -> RoleAssignment:
    """Find out which track is which expected thing.

    Raises:
        NotApplicable: the prompt does not say what to expect, or names no thing.
        UsageError: what it says is wrong.
    """
    return _with_objects(assign_roles(tracks, read_expectation(expect)))


def law_roles(sample: Sample) -> RoleAssignment:
    """Assign the tracks of a clip to what its prompt expects of laws; a reading, to be `derived`.

    Raises:
        NotApplicable: the prompt does not say what to expect, or names no thing.
        UsageError: what it says is wrong.
    """
    return _with_objects(sample.derived(roles_of))


def _with_objects(assigned: RoleAssignment) -> RoleAssignment:
    if not any(thing.count for thing in assigned.expect.objects):
        raise NotApplicable("the prompt's expect names no objects")
    return assigned


def unfit(tracks: Tracks) -> str | None:
    """Say why no law can be held against a clip, whatever it shows; None for one that is fit for it.

    The tracker of colored shapes takes a smooth ground away. Footage has none: what stands out from it there
    is no thing. The lawful clips of the trials have noise of up to 10 levels and finer textures.
    """
    if tracks.background_spread is not None and tracks.background_spread > _ROUGH:
        return (
            "the background is not plain, and the tracker 'world' follows colored shapes "
            "on a plain background; use 'blobs' or a detector with thresholds of its own"
        )
    return None


def unjudged(assigned: RoleAssignment) -> str | None:
    """Say why no law can be held against a clip with its expectation; None where laws can."""
    return unfit(assigned.tracks) or unlike(assigned)


def discarded(assigned: RoleAssignment) -> str | None:
    """Say why a clip says nothing of laws; None for one that does.

    The subject is not shown, is there twice from the first frame on, or stands still though it was asked to
    move: the clip does not show what happens, and is counted apart.
    """
    track = assigned.subject.track
    if track is None and not assigned.tracks.sees_still:
        return "nothing like the subject is seen to move" if assigned.expect.moves else None
    if track is None:
        return "the subject is not shown"
    tracks = assigned.tracks
    first = int(tracks.seen_NT[track].argmax())
    if any(tracks.seen_NT[n, first] for n in assigned.doubles):
        return "the subject is there more than once from the beginning"
    if not assigned.expect.moves:
        return None
    try:
        assigned.require_view()
    except NotApplicable:
        return None  # no one can tell what moves
    path = path_of(assigned, track)
    if len(path.frames_K) >= _LONG and path.extent < _STILL:
        return "the subject stands still, and was asked to move"
    return None


def find_all(assigned: RoleAssignment) -> dict[str, Finding | str]:
    """Hold a clip against every law: what was found, or one sentence that says why a law does not apply."""
    if (why := unjudged(assigned)) is not None:
        return dict.fromkeys(LAWS, why)
    reason = discarded(assigned)
    found: dict[str, Finding | str] = {}
    for name, law in LAWS.items():
        if reason is not None:
            found[name] = f"discarded: {reason}"
            continue
        try:
            finding = law(assigned)
        except NotApplicable as why:
            found[name] = str(why)
            continue
        assert np.isfinite(finding.severity)
        found[name] = finding
    return found
