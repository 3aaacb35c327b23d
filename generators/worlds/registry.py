"""Worlds by name: what every one of them has, and where it is found. Another is one more line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import unknown_name
from ...harness.core.items import ClipSettings
from ...harness.core.keys import Json
from .trials import TrialClip, TrialRequest

__all__ = ["WORLDS", "SceneTruth", "World", "find_world"]

Frames = NDArray[np.uint8]
"""RGB, (T, H, W, 3)."""


class SceneTruth(Protocol):
    """What a rendered clip shows."""

    def to_json(self) -> dict[str, Any]:
        """List everything as plain JSON values.

        Among them are ``caption``, ``expect``, ``family`` and ``violation``, which is None, or has the
        ``law`` that is broken and the ``first_frame`` that shows it.
        """
        ...


@runtime_checkable
class World(Protocol):
    """Simulated scenes of which everything is known."""

    @property
    def name(self) -> str:
        """By which suites ask for it."""
        ...

    @property
    def version(self) -> int:
        """Raised when any of its clips changes."""
        ...

    @property
    def families(self) -> Sequence[str]:
        """Name the families of its scenes."""
        ...

    @property
    def laws(self) -> Mapping[str, str]:
        """Say, of each law that can be broken, what its violation does."""
        ...

    @property
    def native_clips(self) -> Sequence[ClipSettings]:
        """Name the sizes that it is made for."""
        ...

    def breakable(self, family: str) -> Sequence[str]:
        """Name the laws that a scene of the family can break."""
        ...

    def choices(self, family: str) -> Mapping[str, Sequence[str]]:
        """Say what can be fixed of a family's scenes, and its values."""
        ...

    def fits(self, family: str, clip: ClipSettings) -> bool:
        """Say whether the family's scenes have time and room in a clip."""
        ...

    def needed(self, family: str, law: str) -> Mapping[str, str]:
        """Say what must be fixed of a family's scenes so that the broken law shows."""
        ...

    def facts(self, family: str, expect: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the facts that hold in every scene of a family to an expectation; what is stated stays."""
        ...

    def sample(
        self, rng: np.random.Generator, clip: ClipSettings, family: str | None, asked: Mapping[str, str]
    ) -> Any:
        """Draw a scene of a family, or of any; ``asked`` fixes some of its `choices`.

        Raises:
            UsageError: no such family or choice, or a clip that has no room for it.
        """
        ...

    def caption(self, scene: Any, rng: np.random.Generator | None = None) -> str:
        """Say a scene in words: one of several phrasings, or the plainest without ``rng``."""
        ...

    def violate(
        self, scene: Any, law: str, severity: float, rng: np.random.Generator, clip: ClipSettings
    ) -> Any:
        """Break one law in a scene by a severity in (0, 1]; everything else stays as it is.

        Raises:
            UsageError: the scene cannot break it visibly, or the severity is out of range.
        """
        ...

    def render(self, scene: Any, clip: ClipSettings, words: str) -> tuple[Frames, SceneTruth]:
        """Draw a scene, with its truth; ``words`` is the caption to record."""
        ...

    def violations_of(self, law: str) -> Sequence[tuple[str, str]]:
        """List the (violation, family) pairs of trials that break a law of `metrics.laws` visibly."""
        ...

    def trial_clip(self, request: TrialRequest) -> TrialClip | None:
        """Make a clip of a trial; None where its scene has no room for what is asked."""
        ...

    def scene_clip(self, scene: Any, clip: ClipSettings) -> TrialClip:
        """Make a clip of a scene, which is expected to show just that."""
        ...

    @property
    def phenomena(self) -> Sequence[str]:
        """Name kinds of lawful everyday motion, as families of trials that no threshold is made from."""
        ...

    @property
    def puzzles(self) -> Sequence[str]:
        """Name the families that are puzzles to solve: what moves in them is driven, and no law is tried."""
        ...

    @property
    def skill_families(self) -> Mapping[str, Sequence[str]]:
        """Name the families whose scenes each skill of following a prompt is tried on."""
        ...

    def skill_clip(self, skill: str, family: str, name: tuple[Json, ...], index: int) -> TrialClip:
        """Make a clip whose words ask for a skill; it depends on the arguments alone.

        Raises:
            UsageError: the world has no clips of the skill (see `skill_families`).
        """
        ...

    @property
    def fault_families(self) -> Mapping[str, Sequence[str]]:
        """Name the families whose scenes can show each fault: what nobody asked for, or what is missing."""
        ...

    def fault_clip(self, fault: str | None, family: str, name: tuple[Json, ...], index: int) -> TrialClip:
        """Make a clip that shows a fault, or none, with the ``expect`` of the faithful clip.

        Raises:
            UsageError: the world has no clips of the fault (see `fault_families`).
        """
        ...

    @property
    def extrapolation_sets(self) -> Sequence[str]:
        """Name the sets of scenes in and out of what a generator was trained on, if there are any."""
        ...

    def extrapolation_scene(self, name: str, rng: np.random.Generator, index: int) -> tuple[Any, str] | None:
        """Draw a scene of a set, with the words for it; None where it has no room."""
        ...

    def known_paths(self, truth: Any) -> Sequence[dict[str, Any]]:
        """List where each thing of a rendered scene is, as the ``ways`` of an expectation."""
        ...

    def clips(
        self, n: int, seed: Json, clip: ClipSettings, *, families: Sequence[str] = ()
    ) -> Iterator[tuple[Frames, Any]]:
        """Make ``n`` random clips, uint8 RGB (T, H, W, 3), with their truth; clip i depends on i alone."""
        ...


def _plane() -> World:
    from .plane.world import Plane

    return Plane()


def _stage() -> World:
    from .stage.world import Stage

    return Stage()


WORLDS: dict[str, Callable[[], World]] = {"reference": _plane, "stage": _stage}
"""Name -> how to make it; what it brings is imported then."""


def find_world(name: str) -> World:
    """Find a world.

    Raises:
        UsageError: there is none of that name; the nearest are in the message.
    """
    if name not in WORLDS:
        raise unknown_name("world", name, WORLDS)
    return WORLDS[name]()
