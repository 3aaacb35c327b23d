"""Trials of the skills: clips of a simulated world, prompts that they follow, and prompts that they do not.

A trial is named by its skill, its number and its look, and its clip depends only on that name. A prompt that
is not followed changes one fact of the clip: the relation mirrored, the colors swapped, another number, the
other direction, the events in reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...generators.worlds.registry import find_world
from ...generators.worlds.trials import TrialClip
from ...harness.core.colors import COLORS
from ...harness.core.keys import seeded_rng
from ..expectation import KINDS
from ..tracking.tracks import ClipShape, Tracks, TrackSource
from .looks import Reconstruct, dress

__all__ = [
    "UNPAIRED",
    "SkillTrial",
    "clip_of",
    "counterfactual",
    "frames_of",
    "prompts_of",
    "track",
]

Expect = dict[str, Any]
UNPAIRED: Final = ("stillness", "bite")
"""Skills with one prompt per clip: half of the clips follow it, half do not."""
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
_PALETTE: Final = ("red", "green", "blue", "yellow", "purple", "white")
_FAR: Final = 150.0  # levels of RGB between two colors that nobody mistakes for each other


@dataclass(frozen=True)
class SkillTrial:
    """One clip to judge by a skill."""

    stage: str
    seed: int
    skill: str
    index: int
    look: str = "plain"
    world: str = "reference"

    @property
    def family(self) -> str:
        """The family of its scene; the families of the skill alternate."""
        families = find_world(self.world).skill_families[self.skill]
        return families[self.index % len(families)]


def clip_of(trial: SkillTrial) -> TrialClip:
    """Make the trial's clip, whose prompt asks for the skill or can be changed to do so."""
    name = (trial.stage, trial.seed, trial.skill)
    return find_world(trial.world).skill_clip(trial.skill, trial.family, name, trial.index)


def frames_of(
    trial: SkillTrial, reconstruct: Reconstruct | None = None
) -> tuple[TrialClip, NDArray[np.uint8]]:
    """Draw the trial's clip in its look: the clip and its frames, uint8 RGB (T, H, W, 3)."""
    clip = clip_of(trial)
    rng = seeded_rng("skill trial look", trial.stage, trial.seed, trial.skill, trial.index, trial.look)
    return clip, dress(clip, trial.look, rng, reconstruct)


def track(frames_THWC: NDArray[np.uint8], fps: float, source: TrackSource) -> Tracks:
    """Track the objects of a clip in memory."""
    tracker = source.open()
    tracker.push(frames_THWC)
    height, width = frames_THWC.shape[1:3]
    return tracker.finish(ClipShape(height, width, fps, np.arange(len(frames_THWC)) / fps))


def prompts_of(trial: SkillTrial, clip: TrialClip) -> tuple[Expect | None, Expect | None]:
    """Return the ``expect`` of a prompt that the clip follows, and of one that it does not, if any."""
    kept: Expect = dict(clip.expect)
    if trial.skill == "bite":
        return (None, kept) if trial.index % 2 else (kept, None)
    if trial.skill == "stillness" and kept.get("motion") != "stay":
        return None, {**kept, "motion": "stay"}
    return kept, counterfactual(trial.skill, kept, trial.index)


def counterfactual(skill: str, expect: Mapping[str, Any], index: int) -> Expect | None:
    """Change the ``expect`` of a clip so that the clip fails it in one skill; None if that is not possible.

    If there are several changes, they alternate by ``index``.
    """
    return _TURNED[skill](dict(expect), index)


def _not_shown(expect: Expect, index: int) -> Expect:
    """Ask for one more object, of a color that nothing has."""
    taken = {thing.get("color") for thing in expect["objects"]}
    free = [color for color in _PALETTE if color not in taken]
    shape = ("ball", "square", "triangle")[index % 3]
    return {**expect, "objects": [*expect["objects"], {"shape": shape, "color": free[index % len(free)]}]}


def _other_count(expect: Expect, index: int) -> Expect:
    first, *rest = expect["objects"]
    step = -1 if index % 2 and first["count"] > 1 else 1
    return {**expect, "objects": [{**first, "count": first["count"] + step}, *rest]}


def _swapped(expect: Expect, index: int) -> Expect:
    """Swap the colors of two objects; for a single kind of object ask for another shape."""
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
    """Return None: a still clip has no counterfactual of stillness (see `prompts_of`)."""
    del expect, index


def _uninvited(expect: Expect, index: int) -> Expect | None:
    """Ask for one object fewer than there are; instead of a single one, for an object of another color.

    A person has many colors, one of which might be the other color.
    """
    *rest, last = expect["objects"]
    if last.get("count", 1) > 1:
        return {**expect, "objects": [*rest, {**last, "count": last["count"] - 1}]}
    of_two = ("relation", "order", "collides", "at_rest", "passes_behind")
    left = {name: value for name, value in expect.items() if name not in of_two}
    if rest:
        return {**left, "objects": rest}
    if last.get("kind") == "person":
        return None
    paint = KINDS[last["kind"]][0] if "kind" in last else COLORS[last["color"]]
    away = {
        color: float(np.linalg.norm(np.subtract(COLORS[color], paint or (0, 0, 0)))) for color in _PALETTE
    }
    far = [color for color in _PALETTE if away[color] > _FAR]
    return {**left, "objects": [{"shape": "ball", "color": far[index % len(far)]}]}


def _any_other(expect: Expect, index: int) -> Expect | None:
    """Change the fact that the clip's family is about."""
    if "relation" in expect:
        return _mirrored(expect, index)
    if "order" in expect:
        return _reversed(expect, index)
    if "camera" in expect:
        return _other_move(expect, index)
    if "count" in expect["objects"][0]:
        return _other_count(expect, index)
    if expect.get("motion") in _OPPOSITE and "kind" not in expect["objects"][0]:
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
    "bite": _not_still,
    "nothing_uninvited": _uninvited,
    "all": _any_other,
}
