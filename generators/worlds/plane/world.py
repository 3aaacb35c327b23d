"""The reference world as one of the worlds that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from ....harness.core.keys import Json
from ..trials import TrialRequest
from . import BREAKABLE, FAMILIES, LAWS, NATIVE_CLIPS, WORLD_VERSION, Scene, Truth, fits, world_clips
from .draw import render
from .extrapolation_scenes import EXTRAPOLATION_SETS, extrapolation_scene, known_paths
from .families import choices, sample_scene
from .fault_scenes import FAULT_FAMILIES, fault_clip
from .phenomena import PHENOMENA, PhenomenonClip, phenomenon_clip
from .skill_scenes import SKILL_FAMILIES, skill_clip
from .trial_scenes import SceneClip
from .trial_violations import trial_clip, violations_of
from .truth import facts_of_family
from .violations import violate
from .words import caption

__all__ = ["Plane"]


class Plane:
    """Colored shapes on a plane, with mechanics of their own."""

    name = "reference"
    version = WORLD_VERSION
    families: Sequence[str] = tuple(FAMILIES)
    laws: Mapping[str, str] = LAWS
    native_clips: Sequence[ClipSettings] = tuple(NATIVE_CLIPS)
    phenomena: Sequence[str] = tuple(PHENOMENA)
    puzzles: Sequence[str] = ()
    skill_families: Mapping[str, Sequence[str]] = SKILL_FAMILIES
    fault_families: Mapping[str, Sequence[str]] = FAULT_FAMILIES
    extrapolation_sets: Sequence[str] = tuple(EXTRAPOLATION_SETS)

    def breakable(self, family: str) -> Sequence[str]:
        """Name the laws that a scene of the family can break."""
        return tuple(BREAKABLE.get(family, ()))

    def choices(self, family: str) -> Mapping[str, Sequence[str]]:
        """Say what can be fixed of a family's scenes, and its values."""
        return choices(family)

    def fits(self, family: str, clip: ClipSettings) -> bool:
        """Say whether the family's scenes have time and room in a clip."""
        return fits(family, clip)

    def needed(self, family: str, law: str) -> Mapping[str, str]:
        """Say what must be fixed so that a broken law shows: only what bounces can gain energy."""
        return {"motion": "bounce"} if (family, law) == ("fall", "energy") else {}

    def facts(self, family: str, expect: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the facts that hold in every scene of a family; see `facts_of_family`."""
        return facts_of_family(family, expect)

    def sample(
        self, rng: np.random.Generator, clip: ClipSettings, family: str | None, asked: Mapping[str, str]
    ) -> Scene:
        """Draw a scene; see `sample_scene`."""
        return sample_scene(rng, clip, family=family, **asked)

    def caption(self, scene: Scene, rng: np.random.Generator | None = None) -> str:
        """Say a scene in words; see `words.caption`."""
        return caption(scene, rng)

    def violate(
        self, scene: Scene, law: str, severity: float, rng: np.random.Generator, clip: ClipSettings
    ) -> Scene:
        """Break one law in a scene; see `violations.violate`."""
        return violate(scene, law, severity, rng, clip)

    def render(self, scene: Scene, clip: ClipSettings, words: str) -> tuple[NDArray[np.uint8], Truth]:
        """Draw a scene, with its truth; see `draw.render`."""
        return render(scene, clip, words=words)

    def violations_of(self, law: str) -> Sequence[tuple[str, str]]:
        """List the (violation, family) pairs that break a law visibly."""
        return violations_of(law)

    def trial_clip(self, request: TrialRequest) -> SceneClip | PhenomenonClip | None:
        """Make a clip of a trial; see `trial_violations.trial_clip`, and `phenomena` for those."""
        return phenomenon_clip(request) if request.family in PHENOMENA else trial_clip(request)

    def scene_clip(self, scene: Scene, clip: ClipSettings) -> SceneClip:
        """Make a clip of a scene, which is expected to show just that."""
        return SceneClip.of(scene, clip)

    def skill_clip(self, skill: str, family: str, name: tuple[Json, ...], index: int) -> SceneClip:
        """Make a clip whose words ask for a skill; see `skill_scenes.skill_clip`."""
        return skill_clip(skill, family, name, index)

    def fault_clip(self, fault: str | None, family: str, name: tuple[Json, ...], index: int) -> SceneClip:
        """Make a clip that shows a fault; see `fault_scenes.fault_clip`."""
        return fault_clip(fault, family, name, index)

    def extrapolation_scene(
        self, name: str, rng: np.random.Generator, index: int
    ) -> tuple[Scene, str] | None:
        """Draw a scene of a set; see `extrapolation_scenes`."""
        return extrapolation_scene(name, rng, index)

    def known_paths(self, truth: Truth) -> Sequence[dict[str, Any]]:
        """List where each thing is, up to its first touch."""
        return known_paths(truth)

    def clips(
        self, n: int, seed: Json, clip: ClipSettings, *, families: Sequence[str] = ()
    ) -> Iterator[tuple[NDArray[np.uint8], Truth]]:
        """Make ``n`` random clips with their truth; see `world_clips`."""
        return world_clips(n, seed, clip, families=families)
