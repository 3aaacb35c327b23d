"""Trials of the probes: scenes of the reference world, lawful and with planted violations, in many looks.

A trial is named by what it shows, and its clip depends on that name alone. Each lawful scene is tried once a
look, and is the twin of every violation that is planted in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...generators.worlds.plane import FAMILIES, NATIVE_CLIP, Scene, Thing, fits, sample_scene
from ...harness.core.items import ClipSettings
from ...harness.core.keys import Json, seeded_rng
from ..encoders.base import NotApplicable
from ..laws.evaluation import LAWS, cast_for, find_all
from ..laws.motion import Finding
from ..tracking.tracks import ClipShape, Tracks, TrackSource
from .trial_clips import Reconstruct, SceneClip, beside, dress, recolored, resized_things, stays_inside
from .violations import MOTION_OF, plant, plants_of

__all__ = [
    "STAGES",
    "VARIETIES",
    "Stage",
    "Trial",
    "film_of",
    "follow",
    "frames_of",
    "lawful_trials",
    "planted_trials",
    "run",
]

_TRIES: Final = 12


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
"""The stages by name. Probes are built on ``development``, thresholds are quantiles of ``thresholds``."""

VARIETIES: Final[dict[str, str]] = {
    "native": "16 x 64 x 64 at 8 fps",
    "fast": "5 frames a second, so that things move 1.6 times as far from frame to frame",
    "slow": "24 frames at 12 a second, so that things move two thirds as far",
    "small": "things of 0.7 times the size",
    "large": "things of 1.25 times the size",
    "wide": "24 frames of 54 x 96",
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
    """One clip to try the probes on; without a law it is lawful."""

    stage: str
    seed: int
    family: str
    index: int
    variety: str = "native"
    look: str = "plain"
    law: str | None = None
    violation: str | None = None
    severity: float = 0.0

    @property
    def scene(self) -> str:
        """What the clip shares with its twin: their cluster."""
        return f"{self.family}-{self.index}"

    @property
    def twin(self) -> Trial:
        """The lawful trial of the same scene."""
        return replace(self, law=None, violation=None, severity=0.0)


def lawful_trials(
    stage: str, seed: int, n: int, *, variety: str = "native", look: str = "plain"
) -> list[Trial]:
    """List ``n`` lawful scenes of each family that has room in the variety's clips."""
    clip = _CLIPS.get(variety, NATIVE_CLIP)
    families = [family for family in FAMILIES if fits(family, clip)]
    return [Trial(stage, seed, family, i, variety, look) for i in range(n) for family in families]


def planted_trials(template: Trial, law: str, n: int) -> list[Trial]:
    """List ``n`` violations of a law, spread over the violations and families that can show it.

    Stage, seed, variety, look and severity are the template's.
    """
    clip = _CLIPS.get(template.variety, NATIVE_CLIP)
    pairs = [(violation, family) for violation, family in plants_of(law) if fits(family, clip)]
    trials: list[Trial] = []
    for k in range(n if pairs else 0):
        index, place = divmod(k, len(pairs))
        violation, family = pairs[place]
        if (law, family) in MOTION_OF:  # every other scene of the family has that motion
            index = 2 * index + 1
        trials.append(replace(template, law=law, violation=violation, family=family, index=index))
    return trials


def film_of(trial: Trial) -> SceneClip | None:
    """Make a trial's film; None where its scene has no room for what is asked."""
    clip = _CLIPS.get(trial.variety, NATIVE_CLIP)
    drawn = next((drawn for drawn in _scenes(trial, clip) if drawn is not None), None)
    if drawn is None:
        return None
    scene, more = drawn
    film: SceneClip | None = SceneClip.of(scene, clip)
    first = trial.violation == "uninvited"  # which has to keep clear of all that is there
    if more is not None and first:
        film = film.with_more(more)
    if trial.violation is not None:
        rng = seeded_rng("probe trial", *_name(trial), trial.violation, trial.severity)
        film = plant(film, trial.violation, trial.severity, rng)
    return film if film is None or more is None or first else film.with_more(more)


def _scenes(trial: Trial, clip: ClipSettings) -> Iterator[tuple[Scene, Thing | None] | None]:
    """Draw lawful scenes, and what more is in them, until one has the room that the variety needs."""
    stage = STAGES[trial.stage]
    asked = {"motion": ("fall", "bounce")[trial.index % 2]} if trial.family == "fall" else {}
    for attempt in range(_TRIES):
        rng = seeded_rng("probe trial", *_name(trial), attempt)
        scene = recolored(sample_scene(rng, clip, family=trial.family, **asked), stage.palette, rng)
        factor = _FACTORS.get(trial.variety, float(rng.uniform(*stage.sizes)))
        scene = resized_things(scene, factor)
        if factor > 1 and not stays_inside(scene, clip):
            yield None
        elif trial.variety == "together":
            more = beside(scene, clip, [*_name(trial), attempt], stage.palette)
            yield None if more is None else (scene, more)
        else:
            yield scene, None


def _name(trial: Trial) -> tuple[Json, ...]:
    return (trial.stage, trial.seed, trial.family, trial.index, trial.variety)


def frames_of(
    trial: Trial, reconstruct: Reconstruct | None = None
) -> tuple[SceneClip, NDArray[np.uint8]] | None:
    """Draw a trial's clip in its look: the film and its frames, uint8 RGB (T, H, W, 3)."""
    film = film_of(trial)
    if film is None:
        return None
    rng = seeded_rng("probe trial look", *_name(trial), trial.look)
    return film, dress(film, trial.look, rng, reconstruct)


def follow(source: TrackSource, frames_THWC: NDArray[np.uint8], fps: float) -> Tracks:
    """Give the tracks of a whole clip, uint8 RGB (T, H, W, 3)."""
    tracker = source.open()
    tracker.push(frames_THWC)
    _, height, width, _ = frames_THWC.shape
    times = np.arange(len(frames_THWC)) / fps
    tracks = tracker.finish(ClipShape(height, width, fps, times))
    return replace(tracks, source=dict(source.identity()))


def run(trial: Trial, source: TrackSource, reconstruct: Reconstruct | None = None) -> dict[str, Any] | None:
    """Try all probes on one clip; None where the scene has no room for it.

    Returns:
        ``found`` (law -> severity, or the reason why it does not apply) and ``ms``
        (milliseconds of processor time for tracks and for laws).
    """
    made = frames_of(trial, reconstruct)
    if made is None:
        return None
    film, frames = made
    began = time.process_time()
    try:
        tracks = follow(source, frames, film.clip.fps)
    except NotApplicable as why:  # a source may say that it sees nothing in such a clip
        found: dict[str, Finding | str] = dict.fromkeys(LAWS, str(why))
        followed = time.process_time()
    else:
        followed = time.process_time()
        found = find_all(cast_for(tracks, film.expect))
    ended = time.process_time()
    said = {law: f if isinstance(f, str) else f.severity for law, f in found.items()}
    spent = [1e3 * (followed - began), 1e3 * (ended - followed)]
    return {"found": said, "ms": spent}
