"""Measures of instruction following, one per skill.

All read the encoder ``tracks`` and the prompt's ``expect``, and are rates: 1 if the clip follows the prompt.

- A requested object that is not shown gives a 0 with the evidence ``{"failure": "not shown"}``, in every
skill
  that needs it; `follows.shown` says how often this is the case.
- A clip in which nothing could be tracked is *discarded* by the skills about objects: they do not apply. It
is a 0
  of `follows.shown`, and so of `follows.all`, so that an empty clip does not escape.
- A skill that the prompt does not ask for does not apply.

`instructions.limits` has the limits and the lawful clips that they come from; each score's evidence has their
digest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..base import NotApplicable, Sample, Scored, measure
from ..tracking.role_assignment import RoleAssignment, roles_of
from .camera import camera
from .limits import DIGEST
from .motion import bite, motion, order, speed, stillness
from .skills import NotAsked, Skill, SkillJudgement, attributes, count, nothing_uninvited, relation, shown

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["SKILLS", "every_skill", "judge_all"]

SKILLS: Final[dict[str, Skill]] = {
    "shown": shown,
    "count": count,
    "attributes": attributes,
    "relation": relation,
    "motion": motion,
    "speed": speed,
    "camera": camera,
    "order": order,
    "stillness": stillness,
    "bite": bite,
    "nothing_uninvited": nothing_uninvited,
}
"""Skill -> the function that judges it; each is the measure ``follows.<name>``."""


def judge_all(cast: RoleAssignment) -> dict[str, SkillJudgement | str]:
    """Judge every skill that the prompt asks for; a skill that cannot be judged has the reason instead."""
    found: dict[str, SkillJudgement | str] = {}
    for name, skill in SKILLS.items():
        try:
            found[name] = skill(cast)
        except NotAsked:
            continue
        except NotApplicable as why:
            found[name] = str(why)
    return found


def every_skill(cast: RoleAssignment) -> SkillJudgement:
    """Whether every skill that the prompt asks for is followed.

    Raises:
        NotApplicable: no skill is asked for, or none fails and one cannot be judged.
    """
    found = judge_all(cast)
    if not found:
        raise NotAsked("the prompt asks for nothing that could be followed")
    failed = [
        name for name, judged in found.items() if isinstance(judged, SkillJudgement) and not judged.followed
    ]
    unjudged = {name: why for name, why in found.items() if isinstance(why, str)}
    evidence: dict[str, Json] = {"asked": list(found), "failed": failed, "not_judged": unjudged}
    if failed:
        first = found[failed[0]]
        assert isinstance(first, SkillJudgement)
        return SkillJudgement(False, {"failure": first.evidence.get("failure"), **evidence})
    if unjudged:
        name, why = next(iter(unjudged.items()))
        raise NotApplicable(f"{name} cannot be judged: {why}")
    return SkillJudgement(True, evidence)


def _measured(skill: Skill) -> Callable[[Sample], Scored]:
    """Make a measure of a skill."""

    def follows(sample: Sample) -> Scored:
        judged = skill(sample.derived(roles_of))
        return Scored(float(judged.followed), {**judged.evidence, "limits": DIGEST[:12]})

    follows.__doc__ = skill.__doc__
    return follows


for _name, _skill in {**SKILLS, "all": every_skill}.items():
    measure(
        f"follows.{_name}",
        version=2,
        needs=("tracks",),
        better="higher",
        bounds=(0.0, 1.0),
        kind="rate",
    )(_measured(_skill))
