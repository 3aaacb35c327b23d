"""Trials of the skills: clips of the reference world, prompts that they follow, and prompts that they do not.

A trial is named by its skill, its number and its look, and its clip depends on that name alone. The prompts
that are not followed are about the very clip: the relation mirrored, the colors swapped, another number, the
other direction, the events in reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...generators.worlds.plane import COLORS, FAMILIES, NATIVE_CLIP, Scene, expectation, sample_scene
from ...harness.core.keys import seeded_rng
from ..expectation import KINDS
from ..tracking.tracks import ClipShape, Tracks, TrackSource
from .trial_clips import Reconstruct, SceneClip, dress

__all__ = [
    "SKILL_FAMILIES",
    "UNPAIRED",
    "SkillTrial",
    "counterfactual",
    "film_of",
    "frames_of",
    "prompts_of",
    "track",
]

Expect = dict[str, Any]
_TWO: Final = ("relation", "order", "collision")
SKILL_FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "shown": tuple(FAMILIES),
    "count": ("count",),
    "attributes": (*_TWO, "uniform", "still", "count"),
    "relation": ("relation",),
    "motion": ("uniform", "fall", "projectile"),
    "speed": ("uniform",),
    "camera": ("camera",),
    "order": ("order",),
    "stillness": ("still", "uniform", "still", "fall"),
    "nothing_uninvited": tuple(FAMILIES),
    "all": tuple(FAMILIES),
}
"""The families whose scenes each skill is tried on; those of `stillness` that move are for its no alone."""
UNPAIRED: Final = ("stillness",)
"""Skills that half of the clips are for the yes of, and half for the no."""
_OPPOSITE: Final = {
    "left": "right",
    "right": "left",
    "above": "below",
    "below": "above",
    "rise": "fall",
    "fall": "rise",
    "bounce": "rise",
    "throw-left": "throw-right",
    "throw-right": "throw-left",
    "pan-left": "pan-right",
    "pan-right": "pan-left",
    "zoom-in": "zoom-out",
    "zoom-out": "zoom-in",
    "slow": "fast",
    "fast": "slow",
}
_TRIES: Final = 200
_FAR: Final = 150.0  # levels of RGB between two colors that nobody mistakes for each other


@dataclass(frozen=True)
class SkillTrial:
    """One clip to try a skill on."""

    stage: str
    seed: int
    skill: str
    index: int
    look: str = "plain"

    @property
    def family(self) -> str:
        """The kind of its scene: the families of the skill take turns."""
        families = SKILL_FAMILIES[self.skill]
        return families[self.index % len(families)]


def film_of(trial: SkillTrial) -> SceneClip:
    """Draw the trial's scene: one whose words ask for the skill, or can be turned into words that do."""
    for attempt in range(_TRIES):
        rng = seeded_rng("skill trial", trial.stage, trial.seed, trial.skill, trial.index, attempt)
        scene = sample_scene(rng, NATIVE_CLIP, family=trial.family)
        if _tells(trial.skill, scene):
            return SceneClip.of(scene, NATIVE_CLIP)
    raise AssertionError(f"no scene of the family {trial.family!r} is one to try {trial.skill!r} on")


def _tells(skill: str, scene: Scene) -> bool:
    if skill == "speed":
        return "speed" in scene.facts
    if skill == "attributes" and scene.family in _TWO:  # two balls whose colors are swapped are the same two
        return scene.things[0].shape != scene.things[1].shape
    return True


def frames_of(
    trial: SkillTrial, reconstruct: Reconstruct | None = None
) -> tuple[SceneClip, NDArray[np.uint8]]:
    """Draw the trial's clip in its look: the film and its frames, uint8 RGB (T, H, W, 3)."""
    film = film_of(trial)
    rng = seeded_rng("skill trial look", trial.stage, trial.seed, trial.skill, trial.index, trial.look)
    return film, dress(film, trial.look, rng, reconstruct)


def track(frames_THWC: NDArray[np.uint8], fps: float, source: TrackSource) -> Tracks:
    """Follow the things of a clip in memory."""
    tracker = source.open()
    tracker.push(frames_THWC)
    height, width = frames_THWC.shape[1:3]
    return tracker.finish(ClipShape(height, width, fps, np.arange(len(frames_THWC)) / fps))


def prompts_of(trial: SkillTrial, film: SceneClip) -> tuple[Expect | None, Expect | None]:
    """Give what a prompt that the clip follows asks for, and one that it does not, where there are such."""
    kept: Expect = expectation(film.scene)
    if trial.skill == "stillness" and kept.get("motion") != "stay":
        return None, {**kept, "motion": "stay"}
    return kept, counterfactual(trial.skill, kept, trial.index)


def counterfactual(skill: str, expect: Mapping[str, Any], index: int) -> Expect | None:
    """Turn what a clip shows into what it does not show, in one skill; None where that cannot be done.

    Where there are several ways, they take turns by ``index``.
    """
    return _TURNED[skill](dict(expect), index)


def _not_shown(expect: Expect, index: int) -> Expect:
    """Ask for one more thing, of a color that nothing has."""
    taken = {thing.get("color") for thing in expect["objects"]}
    free = [color for color in COLORS if color not in taken]
    shape = ("ball", "square", "triangle")[index % 3]
    return {**expect, "objects": [*expect["objects"], {"shape": shape, "color": free[index % len(free)]}]}


def _other_count(expect: Expect, index: int) -> Expect:
    first, *rest = expect["objects"]
    step = -1 if index % 2 and first["count"] > 1 else 1
    return {**expect, "objects": [{**first, "count": first["count"] + step}, *rest]}


def _swapped(expect: Expect, index: int) -> Expect:
    """Swap the colors of two things; of a single kind of thing ask for another shape."""
    objects = expect["objects"]
    if len(objects) > 1:
        one, two = objects
        return {**expect, "objects": [{**one, "color": two["color"]}, {**two, "color": one["color"]}]}
    others = [s for s in ("ball", "square", "triangle") if s != objects[0]["shape"]]
    return {**expect, "objects": [{**objects[0], "shape": others[index % 2]}]}


def _mirrored(expect: Expect, index: int) -> Expect:
    del index
    relation = expect["relation"]
    return {**expect, "relation": {**relation, "is": _OPPOSITE[relation["is"]]}}


def _reversed(expect: Expect, index: int) -> Expect:
    del index
    return {**expect, "order": expect["order"][::-1]}


def _other_move(expect: Expect, index: int) -> Expect:
    """Ask for the opposite move, for one of the other kind, or for none."""
    move = expect["camera"]
    pans = ("zoom-in", "zoom-out") if move.startswith("pan") else ("pan-left", "pan-right")
    return {**expect, "camera": (_OPPOSITE[move], pans[index // 3 % 2], "still")[index % 3]}


def _opposite(key: str) -> Callable[[Expect, int], Expect | None]:
    def turned(expect: Expect, index: int) -> Expect | None:
        del index
        return {**expect, key: _OPPOSITE[expect[key]]} if expect.get(key) in _OPPOSITE else None

    return turned


def _not_still(expect: Expect, index: int) -> None:
    """Leave it: what is still cannot be asked to be still and be wrong (see `prompts_of`)."""
    del expect, index


def _uninvited(expect: Expect, index: int) -> Expect | None:
    """Ask for one thing fewer than there are; in the place of a single one for a thing of another color.

    A person has many colors, one of which might be the other.
    """
    *rest, last = expect["objects"]
    if last.get("count", 1) > 1:
        return {**expect, "objects": [*rest, {**last, "count": last["count"] - 1}]}
    left = {name: value for name, value in expect.items() if name not in ("relation", "order")}
    if rest:
        return {**left, "objects": rest}
    if last.get("kind") == "person":
        return None
    paint = KINDS[last["kind"]][0] if "kind" in last else COLORS[last["color"]]
    away = {
        color: float(np.linalg.norm(np.subtract(rgb, paint or (0, 0, 0)))) for color, rgb in COLORS.items()
    }
    far = [color for color in COLORS if away[color] > _FAR]
    return {**left, "objects": [{"shape": "ball", "color": far[index % len(far)]}]}


def _any_other(expect: Expect, index: int) -> Expect | None:
    """Turn what the words of the clip's family are about."""
    if "relation" in expect:
        return _mirrored(expect, index)
    if "order" in expect:
        return _reversed(expect, index)
    if "camera" in expect:
        return _other_move(expect, index)
    if "count" in expect["objects"][0]:
        return _other_count(expect, index)
    if expect["family"] in ("uniform", "fall", "projectile"):
        return _opposite("motion")(expect, index)
    return _not_shown(expect, index)


_TURNED: Final[dict[str, Callable[[Expect, int], Expect | None]]] = {
    "shown": _not_shown,
    "count": _other_count,
    "attributes": _swapped,
    "relation": _mirrored,
    "motion": _opposite("motion"),
    "speed": _opposite("speed"),
    "camera": _other_move,
    "order": _reversed,
    "stillness": _not_still,
    "nothing_uninvited": _uninvited,
    "all": _any_other,
}
