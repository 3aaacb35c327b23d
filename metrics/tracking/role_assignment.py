"""Role assignment: which track is which expected object, and which tracks are not expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable, Sample
from ..derived import Derives
from ..expectation import Expectation, ExpectedThing, read_expectation
from .tracks import SHAPES, Tracks, plain_noun

__all__ = ["Role", "RoleAssignment", "assign_roles", "roles_of", "tracks_of"]

_F = NDArray[np.float64]
_OTHER_COLOR: Final = 110.0
"""Distance in RGB levels from which colors differ; the reference world's colors are farther apart."""
_LIKE: Final = 70.0
_SHADED: Final = (1.0, 1.2, 1.4, 1.6)
"""By how much darker than its name's color a thing may be seen in the light and shade of three dimensions."""
_EARLY: Final = 3  # frames from an object's first that determine its appearance
_SMALL: Final = 0.1  # of the area of the smallest expected object: smaller tracks are debris
_SECOND: Final = 0.35  # of a person's area: smaller tracks are a part of one
_WRONG_SHAPE: Final = 0.35
_SHIFT: Final = 0.03  # sides, or logarithm of the zoom: a camera that moved less is still
_AGREEING: Final = 0.6  # of the points of the background: if fewer agree, no camera motion explains them


@dataclass(frozen=True)
class Role:
    """An expected object, and the track assigned to it: None if it is not shown."""

    thing: ExpectedThing
    place: int
    track: int | None


@dataclass(frozen=True)
class RoleAssignment(Derives):
    """Expected objects with their tracks, and the tracks that are left.

    Attributes:
        roles: one for each expected copy of an object, in the order of `Expectation.objects`.
        doubles: extra tracks that look like an expected object.
        uninvited: other tracks, which are not expected.
    """

    tracks: Tracks
    expect: Expectation
    roles: tuple[Role, ...]
    doubles: tuple[int, ...]
    uninvited: tuple[int, ...]

    @property
    def subject(self) -> Role:
        """The first expected object."""
        return self.roles[0]

    def role_of(self, number: int) -> Role:
        """Give the role of an expected object by its number: the first where it is expected several times.

        Raises:
            NotApplicable: it is expected to be seen no times.
        """
        for role in self.roles:
            if role.place == number:
                return role
        raise NotApplicable(f"the object {number} is not expected to be seen")

    @property
    def shown(self) -> tuple[Role, ...]:
        """The roles that have a track."""
        return tuple(role for role in self.roles if role.track is not None)

    @property
    def missing(self) -> tuple[Role, ...]:
        """The roles that have none."""
        return tuple(role for role in self.roles if role.track is None)

    @property
    def camera_moves(self) -> bool:
        """Whether the camera is seen to move, as far as its motion is known."""
        camera = self.tracks.camera_T4
        known = camera[~np.isnan(camera[:, 3])]
        moved = np.abs(known[:, :2]).max(initial=0.0) > _SHIFT * self.tracks.side
        return bool(moved or np.abs(known[:, 2]).max(initial=0.0) > _SHIFT)

    def require_view(self) -> None:
        """Check that places can be compared across frames: the camera is still, or its motion is known.

        Raises:
            NotApplicable: the camera moves, or should move, and its motion is not known to the end.
        """
        camera = self.tracks.camera_T4
        followed = ~np.isnan(camera[:, 3])
        asked = self.expect.camera is not None and self.expect.camera != "still"
        if not followed.any():
            if asked:
                raise NotApplicable("the camera is asked to move, and nothing shows whether it does")
            return
        moved = self.camera_moves
        if (moved or asked) and (not followed.all() or float(camera[-1, 3]) < _AGREEING):
            word = "moves" if moved else "is asked to move"
            raise NotApplicable(f"the camera {word} and cannot be followed to the end")

    @cached_property
    def clear_NT(self) -> NDArray[np.bool_]:
        """Where no other object is so near that outlines could be confused."""
        return self.tracks.seen_NT & (self.tracks.visible_NT >= 1)

    @cached_property
    def placed_NT(self) -> NDArray[np.bool_]:
        """Where the place of the whole object is known."""
        return ~np.isnan(self.tracks.center_NT2[:, :, 0])

    @cached_property
    def whole_NT(self) -> NDArray[np.bool_]:
        """Where an object is completely visible."""
        return self.tracks.seen_NT & (self.tracks.visible_NT > 0.985)


def tracks_of(sample: Sample) -> Tracks:
    """Read the tracks of a clip; use it with `Sample.derived`."""
    return Tracks.from_record(sample.records["tracks"])


def roles_of(sample: Sample) -> RoleAssignment:
    """Assign the tracks of a clip to the objects that its prompt expects; use it with `Sample.derived`.

    Raises:
        NotApplicable: the prompt has no expectation.
        UsageError: the expectation is malformed.
    """
    return assign_roles(sample.derived(tracks_of), read_expectation(sample.item.expect))


def assign_roles(tracks: Tracks, expect: Expectation) -> RoleAssignment:
    """Assign tracks to the expected objects by color and outline, at the least total cost.

    A track of another color is not assigned: then the object is not shown, and the track is not expected. A
    wrong outline only adds cost: a red box may be assigned to the red ball, and the measures of instruction
    following report the wrong shape.
    """
    from scipy.optimize import linear_sum_assignment

    wanted = [(place, thing) for place, thing in enumerate(expect.objects) for _ in range(thing.count)]
    looks = [_Appearance(tracks, n) for n in range(tracks.things)]
    players: dict[int, int] = {}
    if wanted and looks:
        # Leaving a role empty costs 1, so that tracks that do not fit at all are not assigned.
        cost = np.full((len(wanted), len(looks) + len(wanted)), 1.0)
        for i, (_, thing) in enumerate(wanted):
            cost[i, : len(looks)] = [_cost(thing, look) for look in looks]
        for i, j in zip(*linear_sum_assignment(cost), strict=True):
            if j < len(looks) and cost[i, j] < 1.0:
                players[int(i)] = int(j)
    roles = tuple(Role(thing, place, players.get(i)) for i, (place, thing) in enumerate(wanted))
    doubles, uninvited = _extras(looks, [n for n in range(len(looks)) if n not in players.values()], roles)
    return RoleAssignment(tracks, expect, roles, doubles, uninvited)


class _Appearance:
    """The appearance of a track in its first frames, because it may change after an occlusion."""

    def __init__(self, tracks: Tracks, n: int) -> None:
        seen = np.flatnonzero(tracks.seen_NT[n])
        breaks = np.flatnonzero(np.diff(seen) > 1)
        first = seen[: breaks[0] + 1] if len(breaks) else seen
        whole = first[tracks.visible_NT[n, first] > 0.985]
        early = (whole if len(whole) else first)[:_EARLY]
        self.color: _F = np.median(tracks.color_NT3[n, early], axis=0)
        self.shape: _F = np.median(tracks.shape_NTS[n, early], axis=0)
        self.area = float(np.median(tracks.area_NT[n, early]))
        self.most = float(np.nanmax(tracks.area_NT[n]))
        self.noun = tracks.nouns[n]
        # Only the tracker of footage looks for occluders; the others' worlds are flat, and have no shade.
        self.lights = _SHADED if tracks.hidden_NT is not None else _SHADED[:1]
        self.share = len(seen) / tracks.frames


def _cost(thing: ExpectedThing, look: _Appearance) -> float:
    """Compute the cost of a track in a role; below 1 if it may have the role."""
    if look.noun is not None:  # a detector found it by its noun
        return 0.1 * (1 - look.share) if look.noun == plain_noun(thing.noun) else 2.0
    cost = 0.05 * (1 - look.share)
    if thing.rgb is not None:
        away = min(float(np.linalg.norm(look.color * light - np.array(thing.rgb))) for light in look.lights)
        if away > _OTHER_COLOR:
            return 2.0
        cost += 0.4 * away / _OTHER_COLOR
    else:
        cost += 0.2 / (1.0 + look.area / 100.0)  # any appearance fits: prefer the largest
    if thing.outline in SHAPES:
        fit = look.shape[SHAPES.index(thing.outline)]
        cost += _WRONG_SHAPE * float(look.shape.max() - fit) / 0.3
    return min(cost, 0.95)


def _extras(
    looks: Sequence[_Appearance], left: Sequence[int], roles: Sequence[Role]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    played = [looks[role.track] for role in roles if role.track is not None]
    smallest = min((look.area for look in played), default=0.0)
    person = any(role.thing.kind == "person" for role in roles)
    doubles: list[int] = []
    uninvited: list[int] = []
    for n in left:
        look = looks[n]
        if look.most < _SMALL * smallest:
            continue
        if person:  # a person has no single color, and a hand is not a second person
            if look.most >= _SECOND * smallest:
                doubles.append(n)
        elif any(_same(look, other) for other in played):
            doubles.append(n)
        else:
            uninvited.append(n)
    return tuple(doubles), tuple(uninvited)


def _same(one: _Appearance, two: _Appearance) -> bool:
    if one.noun is not None:
        return one.noun == two.noun
    return float(np.linalg.norm(one.color - two.color)) < _LIKE
