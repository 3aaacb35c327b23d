"""Skills of following a prompt, one by one: whether it was asked for, and whether the clip shows it.

Each takes the cast of a clip and says yes or no with its evidence. A thing that was asked for and is not
shown is a no of its own kind, ``{"failure": "not shown"}``; a clip in which nothing at all could be tracked
is discarded by every skill that looks at things, and is a no of `shown` alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...harness.core.colors import COLORS
from ..base import NotApplicable
from ..expectation import ExpectedThing
from ..tracking.role_assignment import Role, RoleAssignment
from ..tracking.tracks import SHAPES, plain_noun
from .limits import LIMITS, SMUDGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...harness.core.keys import Json

__all__ = [
    "NotAsked",
    "Skill",
    "SkillJudgement",
    "attributes",
    "color_name",
    "count",
    "extra_things",
    "look_color",
    "look_shape",
    "nothing_uninvited",
    "placed",
    "players",
    "relation",
    "shape_fits",
    "shown",
]

_F = NDArray[np.float64]
_AXES: Final = {"left": (0, -1), "right": (0, 1), "above": (1, -1), "below": (1, 1)}
"""The axis of each relation, and the sign of the way there; y grows downwards."""


class NotAsked(NotApplicable):
    """Say that a prompt does not ask for a skill."""


@dataclass(frozen=True)
class SkillJudgement:
    """Whether a clip shows a skill, and what shows that; a no says what failed under ``failure``."""

    followed: bool
    evidence: Mapping[str, Json] = field(default_factory=dict[str, "Json"])


Skill: TypeAlias = Callable[[RoleAssignment], SkillJudgement]


def players(cast: RoleAssignment, places: Sequence[int] | None = None) -> list[int] | SkillJudgement:
    """Give the tracks of the expected things at ``places`` (of all without), or the no of what is not shown.

    Raises:
        NotApplicable: nothing at all is tracked in the clip.
    """
    nothing = _nothing_tracked(cast)
    if nothing is not None:
        return nothing
    roles = [role for role in cast.roles if places is None or role.place in places]
    absent = [role.thing.noun for role in roles if not _is_shown(cast, role)]
    if absent:
        return SkillJudgement(False, {"failure": "not shown", "missing": absent})
    return [role.track for role in roles if role.track is not None]


def _nothing_tracked(cast: RoleAssignment) -> SkillJudgement | None:
    """Give the no of a clip in which nothing moves though it should, to a source that sees what moves alone.

    Raises:
        NotApplicable: nothing is tracked in another clip: nobody can tell what there is.
    """
    if cast.tracks.things:
        return None
    if cast.tracks.sees_still:
        raise NotApplicable("discarded: nothing is tracked")
    if cast.expect.moves:
        return SkillJudgement(False, {"failure": "nothing moves"})
    raise NotApplicable(
        "nothing moves in the clip, and the source of these tracks sees nothing else; for things that stand "
        "still use 'world' or a detector"
    )


def _is_shown(cast: RoleAssignment, role: Role) -> bool:
    if role.track is None:
        return False
    return bool(cast.tracks.seen_NT[role.track].mean() >= LIMITS.shown_share)


def placed(cast: RoleAssignment, track: int) -> _F:
    """Give the centroids (K, 2) of the whole thing, in pixels, in the frames that tell.

    Raises:
        NotApplicable: it is never seen so much of that its middle is known.
    """
    place = cast.tracks.center_NT2[track, cast.placed_NT[track]]
    if not len(place):
        raise NotApplicable("too little of a thing is seen to say where it is")
    return place


def shown(cast: RoleAssignment) -> SkillJudgement:
    """Whether everything that was asked for is seen, each thing for its share of the frames.

    Raises:
        NotApplicable: no objects are asked for.
    """
    if not cast.roles:
        raise NotAsked("no objects are asked for")
    if not cast.tracks.things and not cast.tracks.sees_still:
        return _nothing_tracked(cast) or SkillJudgement(False)
    if not cast.tracks.things:
        nouns = sorted({role.thing.noun for role in cast.roles})
        return SkillJudgement(False, {"failure": "not shown", "missing": nouns, "tracked": 0})
    found = players(cast)
    return found if isinstance(found, SkillJudgement) else SkillJudgement(True)


def count(cast: RoleAssignment) -> SkillJudgement:
    """Whether each thing that is asked for in a number is seen in exactly that number, in most of the frames.

    Asked for are the objects whose ``count`` the prompt's ``expect`` gives. Things beyond the number count
    where they have the color, or the name, that was asked for.

    Raises:
        NotApplicable: no number is asked for, or nothing is tracked.
    """
    wanted = [k for k, thing in enumerate(cast.expect.objects) if "count" in thing.model_fields_set]
    if not wanted:
        raise NotAsked("no number is asked for")
    nothing = _nothing_tracked(cast)
    if nothing is not None:
        return nothing
    missing, extra, seen = 0, 0, 0
    exact = True
    told: list[Json] = []
    for place in wanted:
        thing = cast.expect.objects[place]
        number_T = cast.tracks.seen_NT[_of_kind(cast, place)].sum(axis=0)
        usual = int(np.median(number_T))
        exact &= float((number_T == thing.count).mean()) > 0.5
        missing, extra = missing + max(0, thing.count - usual), extra + max(0, usual - thing.count)
        seen += usual
        told.append({"asked": thing.count, "seen": usual, "noun": thing.noun})
    evidence: dict[str, Json] = {"missing": missing, "extra": extra, "counts": told}
    if exact:
        return SkillJudgement(True, evidence)
    return SkillJudgement(False, {"failure": "wrong count" if seen else "not shown", **evidence})


def _of_kind(cast: RoleAssignment, place: int) -> list[int]:
    """List the tracks of one kind of thing: those that play it, and those that are too many of it."""
    thing = cast.expect.objects[place]
    mine = [role.track for role in cast.roles if role.place == place and role.track is not None]
    beyond = [n for n in extra_things(cast) if _looks_like(cast, n, thing)]
    return sorted(mine + beyond)


def extra_things(cast: RoleAssignment) -> list[int]:
    """List the tracks of what nobody asked for, smudges left out."""
    asked = [_ink(cast, role.track) for role in cast.roles if role.track is not None]
    least = SMUDGE * min(asked, default=0.0)
    return [n for n in (*cast.doubles, *cast.uninvited) if _ink(cast, n) >= least]


def _ink(cast: RoleAssignment, track: int) -> float:
    """Measure how much of a thing there is to see: its area times its contrast to the ground.

    The contrast is in units that all things of a clip share: a source's confidence is contrast over contrast
    plus scatter. Of a detector's it is the odds of the score.
    """
    area, sure = (
        float(np.nanmedian(values[track])) for values in (cast.tracks.area_NT, cast.tracks.confidence_NT)
    )
    return area * sure / max(1.0 - sure, 1e-6)


def _looks_like(cast: RoleAssignment, track: int, thing: ExpectedThing) -> bool:
    noun = cast.tracks.nouns[track]
    if noun is not None:
        return noun == plain_noun(thing.noun)
    if thing.color is None:
        return track in cast.doubles
    return color_name(look_color(cast, track)) == thing.color


def attributes(cast: RoleAssignment) -> SkillJudgement:
    """Whether every object that is asked for has its own color and its own shape.

    A color is the one of `colors.COLORS` that is nearest in RGB to the median over the frames; a shape is the
    outline that fits best, if it fits at all well. Two things that have each other's color are a no. What a
    detector found by a name that says the color and the shape has them.

    Raises:
        NotApplicable: no color and no shape is asked for, or one that the tracks cannot tell, or nothing is
            tracked.
    """
    asked = [k for k, thing in enumerate(cast.expect.objects) if thing.color or thing.shape]
    if not asked or not any(cast.expect.objects[k].count for k in asked):
        raise NotAsked("no color and no shape is asked for")
    for k in asked:
        shape = cast.expect.objects[k].shape
        if shape is not None and shape not in SHAPES and not _named(cast):
            raise NotApplicable(f"the outline of a {shape} is not known; known: {', '.join(SHAPES)}")
    found = players(cast, asked)
    if isinstance(found, SkillJudgement):
        return found
    wrong: list[str] = []
    told: list[Json] = []
    roles = [role for role in cast.roles if role.place in asked]
    for role, track in zip(roles, found, strict=True):
        color, shape = _look(cast, track, role.thing)
        wrong += ["color"] if role.thing.color not in (None, color) else []
        wrong += ["shape"] if role.thing.shape not in (None, shape) else []
        told.append({"asked": role.thing.noun, "color": color, "shape": shape})
    if not wrong:
        return SkillJudgement(True, {"objects": told})
    kinds = " and ".join(sorted(set(wrong)))
    return SkillJudgement(False, {"failure": f"wrong {kinds}", "objects": told})


def _named(cast: RoleAssignment) -> bool:
    return bool(cast.tracks.things) and None not in cast.tracks.nouns


def _look(cast: RoleAssignment, track: int, thing: ExpectedThing) -> tuple[str | None, str | None]:
    """Name the color and the shape of a track; None where it cannot be said.

    Raises:
        NotApplicable: a detector was not asked for the color or the shape.
    """
    if cast.tracks.nouns[track] is None:
        return color_name(look_color(cast, track)), look_shape(cast, track)
    words = thing.noun.split()
    for asked in (thing.color, thing.shape):
        if asked is not None and asked not in words:
            raise NotApplicable(
                f"the detector looked for {thing.noun!r}, which does not say {asked!r}; name it in the noun"
            )
    return thing.color, thing.shape


def look_color(cast: RoleAssignment, track: int) -> _F:
    """Give the RGB (3,) of a track: its median over the frames in which nothing is near, if there are any."""
    frames = cast.clear_NT[track] if cast.clear_NT[track].any() else cast.tracks.seen_NT[track]
    return np.median(cast.tracks.color_NT3[track, frames], axis=0)


def look_shape(cast: RoleAssignment, track: int) -> str | None:
    """Name the outline of `SHAPES` that fits a track best; None where none fits well."""
    fits = shape_fits(cast, track)
    return SHAPES[int(fits.argmax())] if fits.max() >= LIMITS.shape_fit else None


def shape_fits(cast: RoleAssignment, track: int) -> _F:
    """Give the fit of each of `SHAPES` to a thing: medians over the frames that show it whole, if any do."""
    whole = cast.whole_NT[track]
    frames = whole if whole.any() else cast.tracks.seen_NT[track]
    return np.median(cast.tracks.shape_NTS[track, frames], axis=0)


def color_name(rgb: _F) -> str:
    """Name the nearest of `colors.COLORS`.

    Example:
        >>> color_name(np.array([230.0, 60.0, 40.0]))
        'red'
    """
    names = list(COLORS)
    away = np.linalg.norm(np.array([COLORS[name] for name in names]) - rgb, axis=1)
    return names[int(away.argmin())]


def relation(cast: RoleAssignment) -> SkillJudgement:
    """Whether the first of two things is where it should be, seen from the second: the signed relation.

    The offset of the centroids, its median over the frames that show both, points within 45 degrees of the
    way asked for, and is long enough, along that way, in units of the half extents of the two. A mirrored
    scene is a no.

    Raises:
        NotApplicable: no relation is asked for, or nothing is tracked.
    """
    asked = cast.expect.relation
    if asked is None:
        raise NotAsked("no spatial relation is asked for")
    found = players(cast, (asked.subject, asked.of))
    if isinstance(found, SkillJudgement):
        return found
    subject, of = (_first_of(cast, place) for place in (asked.subject, asked.of))
    both = cast.placed_NT[subject] & cast.placed_NT[of]
    if not both.any():
        raise NotApplicable("the two things are never seen together")
    tracks = cast.tracks
    offset = np.median(tracks.center_NT2[subject, both] - tracks.center_NT2[of, both], axis=0)
    reach = 0.0
    axis, sign = _AXES[asked.where]
    for n in (subject, of):
        box = np.median(tracks.whole_NT4[n, both], axis=0)
        reach += 0.5 * float(box[axis + 2] - box[axis])
    along, across = sign * float(offset[axis]), abs(float(offset[1 - axis]))
    apart = along / reach
    evidence: dict[str, Json] = {
        "asked": asked.where,
        "offset": [float(v) / tracks.side for v in offset],
        "apart": apart,
    }
    if along > across and apart >= LIMITS.relation_apart:
        return SkillJudgement(True, evidence)
    turned = -along > across
    return SkillJudgement(False, {"failure": "mirrored" if turned else "elsewhere", **evidence})


def _first_of(cast: RoleAssignment, place: int) -> int:
    return next(role.track for role in cast.roles if role.place == place and role.track is not None)


def nothing_uninvited(cast: RoleAssignment) -> SkillJudgement:
    """Whether nothing is seen that nobody asked for: no other thing, and no thing once too often.

    What shows less than a tenth of the least thing that is asked for, as area times contrast, is a smudge.

    Raises:
        NotApplicable: no objects are asked for, others are allowed, or nothing is tracked.
    """
    if not cast.roles:
        raise NotAsked("no objects are asked for")
    if cast.expect.others == "allowed":
        raise NotAsked("other things may be seen")
    nothing = _nothing_tracked(cast)
    if nothing is not None:
        return nothing
    extras = extra_things(cast)
    smudges = len(cast.doubles) + len(cast.uninvited) - len(extras)
    if not extras:
        return SkillJudgement(True, {"smudges": smudges})
    tracks = cast.tracks
    boxes: list[Json] = []
    for n in extras:
        t = int(tracks.seen_NT[n].argmax())
        boxes.append({"frame": t, "box": tracks.box_NT4[n, t].round(2).tolist()})
    colors = Counter(color_name(look_color(cast, n)) for n in extras)
    doubles = len(set(extras) & set(cast.doubles))
    evidence: dict[str, Json] = {
        "failure": "once too often" if doubles else "uninvited",
        "doubles": doubles,
        "others": len(extras) - doubles,
        "smudges": smudges,
        "colors": dict(colors),
        "things": boxes,
    }
    return SkillJudgement(False, evidence)
