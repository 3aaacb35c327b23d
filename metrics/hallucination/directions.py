"""Left for right: what moves, lies or is looked at to the other side than was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..base import NotApplicable
from ..instructions.camera import camera
from ..instructions.motion import moves_as
from ..instructions.skills import NotAsked, SkillJudgement, relation
from ..tracking.role_assignment import RoleAssignment

if TYPE_CHECKING:
    from ...harness.core.keys import Json
from .observation import Observation

__all__ = ["MIRRORED", "mirrored"]

MIRRORED: Final = {
    "left": "right",
    "right": "left",
    "throw-left": "throw-right",
    "throw-right": "throw-left",
    "pan-left": "pan-right",
    "pan-right": "pan-left",
}
_Judge = Callable[[str], SkillJudgement]


def mirrored(cast: RoleAssignment) -> Observation:
    """Look for motions, relations and pans that go to the other side than was asked for.

    A clip that goes to neither side says nothing of left and right: `follows.motion`, ``relation``, ``order``
    and ``camera`` say how often that is.

    Raises:
        NotApplicable: no side is asked for, or the clip shows none of them to either side.
    """
    asked = list(_asked(cast))
    if not asked:
        raise NotAsked("no side is asked for")
    faults: list[dict[str, Json]] = []
    neither: list[str] = []
    judged = 0
    for what, side, judge in asked:
        try:
            if judge(side).followed:
                judged += 1
            elif (turned := judge(MIRRORED[side])).followed:
                judged += 1
                faults.append({**turned.evidence, "what": what, "asked": side, "shown": MIRRORED[side]})
            else:
                neither.append(what)
        except NotApplicable as why:
            neither.append(f"{what}: {why}")
    if not judged:
        raise NotApplicable(f"neither side is shown ({'; '.join(dict.fromkeys(neither))})")
    return Observation(faults, None, {"sides": judged, "neither": list[Any](neither)})


def _asked(cast: RoleAssignment) -> Iterator[tuple[str, str, _Judge]]:
    """List the sides that a prompt asks for, each with the judge of one side."""
    expect = cast.expect
    if expect.order:
        for step in expect.order:
            if step.motion in MIRRORED:
                yield "motion", step.motion, lambda side, step=step: moves_as(cast, step.object, side)
    elif expect.motion in MIRRORED and cast.roles:
        yield "motion", expect.motion, lambda side: moves_as(cast, cast.subject.place, side)
    place = expect.relation
    if place is not None and place.where in MIRRORED:

        def relates(side: str) -> SkillJudgement:
            asked = expect.model_copy(update={"relation": place.model_copy(update={"where": side})})
            return relation(replace(cast, expect=asked))

        yield "relation", place.where, relates
    if expect.camera in MIRRORED:
        yield (
            "camera",
            expect.camera,
            lambda side: camera(replace(cast, expect=expect.model_copy(update={"camera": side}))),
        )
