"""The stage as one of the worlds that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....harness.core.errors import UsageError
from ....harness.core.items import ClipSettings
from ....harness.core.keys import Json, seeded_rng
from ..trials import TrialRequest
from .draw import draw_masks
from .families import FAMILIES, PUZZLES, choices, fits, sample_scene
from .scene import NATIVE_CLIPS, STAGE_VERSION, Scene
from .trial_clips import StageClip, trial_clip
from .truth import StageTruth, truth_of
from .violations import LAWS, breakable, violate, violations_of
from .words import caption

__all__ = ["Stage"]


class Stage:
    """Things on a floor before a backdrop, in three dimensions, with the mechanics and pictures of MuJoCo."""

    name = "stage"
    version = STAGE_VERSION
    families: Sequence[str] = (*FAMILIES, *PUZZLES)
    puzzles: Sequence[str] = tuple(PUZZLES)
    laws: Mapping[str, str] = LAWS
    native_clips: Sequence[ClipSettings] = tuple(NATIVE_CLIPS)
    phenomena: Sequence[str] = ()
    skill_families: Mapping[str, Sequence[str]] = {}
    fault_families: Mapping[str, Sequence[str]] = {}
    extrapolation_sets: Sequence[str] = ()

    def breakable(self, family: str) -> Sequence[str]:
        """Name the laws that a scene of the family can break."""
        return breakable(family)

    def choices(self, family: str) -> Mapping[str, Sequence[str]]:
        """Say what can be fixed of a family's scenes, and its values."""
        return choices(family)

    def fits(self, family: str, clip: ClipSettings) -> bool:
        """Say whether the family's scenes have time in a clip."""
        return fits(family, clip)

    def needed(self, family: str, law: str) -> Mapping[str, str]:
        """Say what must be fixed so that a broken law shows: a shadow has to fall."""
        del family
        return {"shadows": "yes"} if law == "shadow" else {}

    def facts(self, family: str, expect: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the facts of every scene of a family: how it is less than ideal, and a still camera."""
        if family in PUZZLES:
            return dict(expect)  # what is asked is another thing in each scene
        of = FAMILIES[family]
        camera = {"camera": "still"} if of.camera == "still" else {}
        return {**of.known, **camera, **expect}

    def sample(
        self, rng: np.random.Generator, clip: ClipSettings, family: str | None, asked: Mapping[str, str]
    ) -> Scene:
        """Draw a scene; see `families.sample_scene`."""
        return sample_scene(rng, clip, family, asked)

    def caption(self, scene: Scene, rng: np.random.Generator | None = None) -> str:
        """Say a scene in words; see `words.caption`."""
        return caption(scene, rng)

    def violate(
        self, scene: Scene, law: str, severity: float, rng: np.random.Generator, clip: ClipSettings
    ) -> Scene:
        """Break one law in a scene; see `violations.violate`."""
        return violate(scene, law, severity, rng, clip)

    def render(self, scene: Scene, clip: ClipSettings, words: str) -> tuple[NDArray[np.uint8], StageTruth]:
        """Draw a scene, with its truth."""
        masks, _, frames = draw_masks(scene, clip)
        return frames, truth_of(scene, clip, words, masks)

    def violations_of(self, law: str) -> Sequence[tuple[str, str]]:
        """List the (violation, family) pairs that break a law visibly."""
        return violations_of(law)

    def trial_clip(self, request: TrialRequest) -> StageClip | None:
        """Make a clip of a trial; see `trial_clips.trial_clip`."""
        return trial_clip(request)

    def scene_clip(self, scene: Scene, clip: ClipSettings) -> StageClip:
        """Make a clip of a scene, which is expected to show just that."""
        return StageClip(scene, clip)

    def skill_clip(self, skill: str, family: str, name: tuple[Json, ...], index: int) -> StageClip:
        """Refuse: there are none.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"the world 'stage' has no clips of the skill {skill!r}; the reference world has")

    def fault_clip(self, fault: str | None, family: str, name: tuple[Json, ...], index: int) -> StageClip:
        """Refuse: there are none.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"the world 'stage' has no clips of the fault {fault!r}; the reference world has")

    def extrapolation_scene(
        self, name: str, rng: np.random.Generator, index: int
    ) -> tuple[Scene, str] | None:
        """Draw a scene of a set: there are none."""
        del name, rng, index
        return None

    def known_paths(self, truth: StageTruth) -> Sequence[dict[str, Any]]:
        """List where each thing is, in sides, as a camera fixed at the first frame would see it."""
        height, width = truth.frame_size
        side = float(np.sqrt(height * width))
        if truth.scene.camera.move != "still":
            return []
        return [
            {"object": number, "places": (truth.position_NT2[number] / side).round(6).tolist()}
            for number in range(len(truth.scene.bodies))
        ]

    def clips(
        self, n: int, seed: Json, clip: ClipSettings, *, families: Sequence[str] = ()
    ) -> Iterator[tuple[NDArray[np.uint8], StageTruth]]:
        """Make ``n`` random clips with their truth; clip i depends on the arguments and i alone."""
        for index in range(n):
            rng = seeded_rng("stage", STAGE_VERSION, seed, index)
            family = families[int(rng.integers(len(families)))] if families else None
            scene = sample_scene(rng, clip, family)
            yield self.render(scene, clip, caption(scene, rng))
