"""Validity of the skills: their rates on clips of known truth, and the measurement of their limits.

Lawful clips of the reference world are judged by prompts that they follow, where every skill should say yes,
and by prompts that they do not follow, where it should say no. `measure_limits` measures the limits in
`instructions.limits`, on other clips.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from ...generators.worlds.registry import find_world
from ...harness.core.errors import unknown_name
from ...harness.core.estimate import Estimate
from ...harness.core.keys import seeded_rng
from ...harness.core.stats import rate_interval
from ..base import NotApplicable
from ..expectation import read_expectation
from ..instructions.limits import FAST, SLOW, SOURCE, Limits, Source
from ..instructions.measures import SKILLS, every_skill
from ..instructions.motion import summarise_motion
from ..instructions.skills import shape_fits
from ..tracking.role_assignment import RoleAssignment, assign_roles
from ..tracking.shape_tracker import WorldSource
from ..tracking.tracks import SHAPES, Tracks
from ..tracking.trajectories import path_of
from .looks import DEGRADED, RECONSTRUCTED, Reconstruct, dress
from .skill_trials import UNPAIRED, SkillTrial, frames_of, prompts_of, track

__all__ = ["GROUPS", "SkillRow", "measure_limits", "run_skill_trial", "skill_rows", "skill_trials"]

Asked: TypeAlias = Literal["kept", "turned"]
_ASKED: Final[tuple[Asked, Asked]] = ("kept", "turned")
GROUPS: Final = {"plain": ("plain",), "degraded": DEGRADED, RECONSTRUCTED: (RECONSTRUCTED,)}
"""Groups of looks; the last is the clip after the reference generator's autoencoder."""
_QUANTILE: Final = 0.01
_STAYS: Final = ("still", "still view", "still zoom")


class SkillRow(Estimate):
    """How often a skill says yes: the share of the clips that were judged, with its Wilson interval.

    Attributes:
        skill: its name, or ``all``.
        asked: ``kept``, by a prompt that the clip follows (1 is right), or ``turned``, by one that it does
            not follow (0 is right).
        looks: one of `GROUPS`; the looks of a group alternate.
    """

    skill: str
    asked: Asked
    looks: str


def _not_applicable(reasons: Mapping[str, int]) -> dict[str, int]:
    return {"not_applicable": sum(reasons.values())} if reasons else {}


def skill_trials(n: int, seed: int = 0, *, groups: Sequence[str] = tuple(GROUPS)) -> list[SkillTrial]:
    """Plan the trials of the card: every skill on ``n`` clips of each group of looks.

    Args:
        n: clips per skill, prompt and group; twice as many for a skill with one prompt per clip.
        seed: of the clips; the limits were measured on other clips.
        groups: of `GROUPS`; the looks of a group alternate.

    Raises:
        UsageError: no such group.
    """
    for group in groups:
        if group not in GROUPS:
            raise unknown_name("group of looks", group, GROUPS)
    return [
        SkillTrial("card", seed, skill, index, GROUPS[group][index % len(GROUPS[group])])
        for skill in (*SKILLS, "all")
        for group in groups
        for index in range(2 * n if skill in UNPAIRED else n)
    ]


def run_skill_trial(trial: SkillTrial, reconstruct: Reconstruct | None = None) -> dict[str, Any]:
    """Judge one clip by its prompts.

    Returns:
        ``answers``: ``kept`` and ``turned`` -> whether the skill says yes, or why it cannot be judged.

    Raises:
        ValueError: the trial's look needs an autoencoder, and none was given.
    """
    clip, frames = frames_of(trial, reconstruct)
    tracks = track(frames, clip.clip.fps, WorldSource())
    skill = SKILLS.get(trial.skill, every_skill)
    answers: dict[Asked, bool | str] = {}
    for asked, expect in zip(_ASKED, prompts_of(trial, clip), strict=True):
        if expect is None:
            continue
        try:
            answers[asked] = bool(skill(assign_roles(tracks, read_expectation(expect))).followed)
        except NotApplicable as why:
            answers[asked] = str(why)
    return {"answers": answers}


def skill_rows(rows: Sequence[Mapping[str, Any]], confidence: float = 0.95) -> list[SkillRow]:
    """Count the answers of trials by skill, group of looks and prompt."""
    group_of = {look: group for group, looks in GROUPS.items() for look in looks}
    answers: dict[tuple[str, str], list[Mapping[str, bool | str]]] = {}
    for row in rows:
        answers.setdefault((row["skill"], group_of[row["look"]]), []).append(row["answers"])
    return [
        _row(skill, asked, looks, said, confidence)
        for (skill, looks), said in answers.items()
        for asked in _ASKED
    ]


def _row(
    skill: str, asked: Asked, looks: str, answers: Sequence[Mapping[str, bool | str]], confidence: float
) -> SkillRow:
    said = [answer[asked] for answer in answers if asked in answer]
    values = [float(answer) for answer in said if isinstance(answer, bool)]
    interval = rate_interval(values, [str(k) for k in range(len(values))], confidence)
    left_out = Counter(answer for answer in said if isinstance(answer, str))
    return SkillRow.of(
        interval,
        confidence,
        skill=skill,
        asked=asked,
        looks=looks,
        n=len(values),
        clusters=len(values),
        reasons=dict(left_out),
        left_out=_not_applicable(left_out),
    )


def measure_limits(
    source: Source = SOURCE, *, tick: Callable[[int], None] = lambda count: None
) -> tuple[Limits, Source]:
    """Measure the limits on lawful clips: ``source.clips`` scenes of each family in each look.

    Returns:
        The limits, and the source with the measured quantiles of clips in which objects stay.
    """
    found: dict[str, list[float]] = {}
    world = find_world("reference")
    size = world.native_clips[0]
    for family in world.families:
        for index in range(source.clips):
            rng = seeded_rng("skill limits", source.seed, family, index)
            clip = world.scene_clip(world.sample(rng, size, family, {}), size)
            for look in source.looks:
                look_rng = seeded_rng("skill limits", source.seed, family, index, look)
                tracks = track(dress(clip, look, look_rng), clip.clip.fps, WorldSource())
                cast = assign_roles(tracks, read_expectation(clip.expect))
                for name, value in _values(cast, tracks):
                    found.setdefault(name, []).append(value)
                tick(1)
    stays = tuple(float(np.quantile(found[name], 1 - _QUANTILE)) for name in _STAYS)
    tracker = int(str(WorldSource().identity()["version"]))
    return _limits(found), replace(
        source, world=world.version, tracker=tracker, stays=(stays[0], stays[1], stays[2])
    )


def _values(cast: RoleAssignment, tracks: Tracks) -> list[tuple[str, float]]:
    """List the values of a lawful clip for each quantity that has a limit."""
    found = [
        ("shown", float(tracks.seen_NT[role.track].mean())) for role in cast.roles if role.track is not None
    ]
    found += [
        ("fit", float(shape_fits(cast, role.track)[SHAPES.index(role.thing.shape)]))
        for role in cast.roles
        if role.track is not None and role.thing.shape in SHAPES
    ]
    expect, camera = cast.expect, tracks.camera_T4
    followed = bool(len(camera)) and not np.isnan(camera[:, 3]).any()
    if followed:
        view = float(np.hypot(camera[:, 0], camera[:, 1]).max()) / tracks.side
        zoom = float(np.abs(camera[:, 2]).max())
        kind = (expect.camera or "still").partition("-")[0]
        found += [(f"{kind} view", view), (f"{kind} zoom", zoom)]
    if expect.relation is not None:
        apart = SKILLS["relation"](cast).evidence.get("apart")
        found += [("apart", apart)] if isinstance(apart, float) else []
    track_of = cast.subject.track
    if expect.motion in ("stay", "bounce", "throw-left", "throw-right") and track_of is not None:
        path = path_of(cast, track_of)
        if len(path.frames_K) >= 4:
            way = summarise_motion(path, float(tracks.times_T[-1]))
            if expect.motion == "stay":
                found.append(("still", path.extent))
            elif expect.motion == "bounce":
                found += [("drop", way.drop), ("climb", way.climb)]
            else:
                found.append(("arc", way.arc))
    return found


def _limits(found: Mapping[str, Sequence[float]]) -> Limits:
    def least(name: str) -> float:
        return float(np.quantile(found[name], _QUANTILE))

    return Limits(
        shown_share=0.5 * least("shown"),
        shape_fit=1 - 2 * (1 - least("fit")),
        relation_apart=0.5 * least("apart"),
        speed=(SLOW + FAST) / 2,
        bounce_drop=0.5 * least("drop"),
        bounce_climb=0.5 * least("climb"),
        throw_arc=0.5 * least("arc"),
        pan=0.5 * least("pan view"),
        zoom=0.5 * least("zoom zoom"),
        still_view=0.1 * least("pan view"),
        still_zoom=0.1 * least("zoom zoom"),
    )
