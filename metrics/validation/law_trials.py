"""Trials of the laws: clips of a simulated world, lawful and with one law broken, in many looks.

A trial is named by what it shows, and its clip depends on that name alone. Each lawful scene is tried once a
look, and is the twin of every violation of the same scene.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...generators.worlds.registry import World, find_world
from ...generators.worlds.trials import TrialClip, TrialRequest
from ...harness.core.items import ClipSettings
from ...harness.core.keys import Json, seeded_rng
from ..encoders.base import NotApplicable
from ..laws.evaluation import LAWS, assignment_for, find_all
from ..laws.motion import Finding
from ..tracking.tracks import ClipShape, Tracks, TrackSource
from .looks import Reconstruct, dress

__all__ = [
    "STAGES",
    "VARIETIES",
    "WORLD",
    "Stage",
    "Trial",
    "broken_trials",
    "clip_of",
    "follow",
    "frames_of",
    "lawful_trials",
    "run",
]

WORLD: Final = "reference"
"""The world of trials, where none is named."""


@dataclass(frozen=True)
class Stage:
    """What trials are for; no two stages share a seed, a color of a subject or a size.

    Attributes:
        palette: colors of shapes.
        sizes: factors by which the world's radii are drawn smaller.
    """

    name: str
    palette: tuple[str, ...]
    sizes: tuple[float, float]


STAGES: Final = {
    "development": Stage("development", ("red", "green", "blue", "white"), (1.0, 1.0)),
    "thresholds": Stage("thresholds", ("red", "green", "blue", "white"), (1.0, 1.0)),
    "card": Stage("card", ("yellow", "purple"), (0.86, 0.94)),
}
"""The stages by name. Laws are built on ``development``, thresholds are quantiles of ``thresholds``."""

VARIETIES: Final[dict[str, str]] = {
    "native": "the world's own size, 16 x 64 x 64 at 8 fps in the reference world",
    "fast": "5 frames a second, so that things move 1.6 times as far from frame to frame",
    "slow": "24 frames at 12 a second, so that things move two thirds as far",
    "small": "things of 0.7 times the size",
    "large": "things of 1.25 times the size",
    "wide": "24 frames of 54 x 96",
    "everyday": "lawful motion beyond the world's own scenes: chases, drag, friction, depth, shadows ...",
    "together": "one more thing than in any scene of the thresholds, at rest and expected",
}
"""Kinds of scenes; thresholds are made of ``native`` ones only, and the others are out of distribution."""
_CLIPS: Final = {
    "fast": ClipSettings(frames=12, height=64, width=64, fps=5.0),
    "slow": ClipSettings(frames=24, height=64, width=64, fps=12.0),
    "wide": ClipSettings(frames=24, height=54, width=96, fps=12.0),
}
_FACTORS: Final = {"small": 0.7, "large": 1.25}


@dataclass(frozen=True)
class Trial:
    """One clip to hold against the laws; without a law it is lawful."""

    stage: str
    seed: int
    family: str
    index: int
    variety: str = "native"
    look: str = "plain"
    law: str | None = None
    violation: str | None = None
    severity: float = 0.0
    world: str = WORLD

    @property
    def scene(self) -> str:
        """What the clip shares with its twin: their cluster."""
        return f"{self.family}-{self.index}"

    @property
    def twin(self) -> Trial:
        """The lawful trial of the same scene."""
        return replace(self, law=None, violation=None, severity=0.0)


def lawful_trials(
    stage: str,
    seed: int,
    n: int,
    *,
    variety: str = "native",
    look: str = "plain",
    world: str = WORLD,
    rare: int = 1,
) -> list[Trial]:
    """List ``n`` lawful scenes of each family that has room in the variety's clips.

    Those of the variety ``everyday`` are of the world's phenomena. Of a law that one or two families show,
    there are ``rare`` times as many scenes of these together, as few others speak of it.
    """
    found = find_world(world)
    clip = _clip(found, variety)
    families: Sequence[str] = [
        family for family in found.families if family not in found.puzzles and found.fits(family, clip)
    ]
    if variety == "everyday":
        families = found.phenomena
    counts = dict.fromkeys(families, n)
    for among in _rare_families(found) if rare > 1 else ():
        for family in among & counts.keys():
            counts[family] = max(counts[family], n * rare // len(among))
    return [
        Trial(stage, seed, family, i, variety, look, world=world)
        for i in range(max(counts.values(), default=0))
        for family in families
        if i < counts[family]
    ]


def _rare_families(world: World) -> list[set[str]]:
    """List the one or two families that show a law, for each law that no more families show."""
    shown = [{family for _, family in world.violations_of(law)} for law in LAWS]
    return [families for families in shown if 1 <= len(families) <= 2]


def broken_trials(template: Trial, law: str, n: int) -> list[Trial]:
    """List ``n`` violations of a law, spread over the violations and families that can show it.

    World, stage, seed, variety, look and severity are the template's.
    """
    world = find_world(template.world)
    clip = _clip(world, template.variety)
    pairs = [pair for pair in world.violations_of(law) if world.fits(pair[1], clip)]
    trials: list[Trial] = []
    for k in range(n if pairs else 0):
        index, place = divmod(k, len(pairs))
        violation, family = pairs[place]
        if world.needed(family, violation):  # every other scene of the family has what is needed
            index = 2 * index + 1
        trials.append(replace(template, law=law, violation=violation, family=family, index=index))
    return trials


def clip_of(trial: Trial) -> TrialClip | None:
    """Make a trial's clip, not yet drawn; None where its scene has no room for what is asked."""
    world = find_world(trial.world)
    stage = STAGES[trial.stage]
    factor = _FACTORS.get(trial.variety)
    return world.trial_clip(
        TrialRequest(
            name=_name(trial),
            family=trial.family,
            index=trial.index,
            clip=_clip(world, trial.variety),
            palette=stage.palette,
            sizes=stage.sizes if factor is None else (factor, factor),
            extra=trial.variety == "together",
            violation=trial.violation,
            severity=trial.severity,
        )
    )


def _clip(world: World, variety: str) -> ClipSettings:
    return _CLIPS.get(variety) or world.native_clips[0]


def _name(trial: Trial) -> tuple[Json, ...]:
    return (trial.stage, trial.seed, trial.family, trial.index, trial.variety)


def frames_of(
    trial: Trial, reconstruct: Reconstruct | None = None
) -> tuple[TrialClip, NDArray[np.uint8]] | None:
    """Draw a trial's clip in its look: the clip and its frames, uint8 RGB (T, H, W, 3)."""
    clip = clip_of(trial)
    if clip is None:
        return None
    rng = seeded_rng("probe trial look", *_name(trial), trial.look)
    return clip, dress(clip, trial.look, rng, reconstruct)


def follow(source: TrackSource, frames_THWC: NDArray[np.uint8], fps: float) -> Tracks:
    """Give the tracks of a whole clip, uint8 RGB (T, H, W, 3)."""
    tracker = source.open()
    tracker.push(frames_THWC)
    _, height, width, _ = frames_THWC.shape
    times = np.arange(len(frames_THWC)) / fps
    tracks = tracker.finish(ClipShape(height, width, fps, times))
    return replace(tracks, source=dict(source.identity()))


def run(trial: Trial, source: TrackSource, reconstruct: Reconstruct | None = None) -> dict[str, Any] | None:
    """Hold one clip against all laws; None where the scene has no room for it.

    Returns:
        ``found`` (law -> severity, or the reason why it does not apply) and ``ms``
        (milliseconds of processor time for tracks and for laws).
    """
    made = frames_of(trial, reconstruct)
    if made is None:
        return None
    clip, frames = made
    began = time.process_time()
    try:
        tracks = follow(source, frames, clip.clip.fps)
    except NotApplicable as why:  # a source may say that it sees nothing in such a clip
        found: dict[str, Finding | str] = dict.fromkeys(LAWS, str(why))
        followed = time.process_time()
    else:
        followed = time.process_time()
        found = find_all(assignment_for(tracks, clip.expect))
    ended = time.process_time()
    said = {law: f if isinstance(f, str) else f.severity for law, f in found.items()}
    spent = [1e3 * (followed - began), 1e3 * (ended - followed)]
    return {"found": said, "ms": spent}
