"""Trials of signs: lawful clips of every family of a world, and clips with a planted fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...generators.worlds.registry import World, find_world
from ...harness.core.items import ClipSettings
from ...harness.core.keys import Json, seeded_rng

__all__ = ["FAULTS", "SEVERITIES", "SignTrial", "lawful_sign_trials", "planted_sign_trials", "trial_frames"]

FAULTS: Final[dict[str, tuple[str, ...]]] = {
    "signs.appears": ("vanish", "uninvited", "double"),
    "signs.merges": ("merge",),
    "signs.splits": ("split",),
    "signs.shadows": ("shadow",),
    "signs.warp": ("warp",),
}
"""Sign -> the planted faults that it is of."""
SEVERITIES: Final = (0.5, 1.0)


@dataclass(frozen=True)
class SignTrial:
    """One clip; without a fault it is lawful."""

    world: str
    seed: int
    family: str
    index: int
    fault: str | None = None
    severity: float = 0.0

    @property
    def scene(self) -> str:
        """What the clip shares with its lawful twin: their cluster."""
        return f"{self.family}-{self.index}"


def lawful_sign_trials(world: str, seed: int, n: int) -> list[SignTrial]:
    """List ``n`` lawful clips of each family, but no puzzle, with room in the world's first native size."""
    found = find_world(world)
    clip = found.native_clips[0]
    return [
        SignTrial(world, seed, family, i)
        for family in found.families
        if family not in found.puzzles and found.fits(family, clip)
        for i in range(n)
    ]


def planted_sign_trials(world: str, seed: int, n: int, fault: str) -> list[SignTrial]:
    """List ``n`` scenes with a fault at each severity, spread over the families that can show it."""
    found = find_world(world)
    clip = found.native_clips[0]
    families = [f for f in found.families if fault in found.breakable(f) and found.fits(f, clip)]
    return [
        SignTrial(world, seed, families[k % len(families)], k // len(families), fault, severity)
        for k in range(n if families else 0)
        for severity in SEVERITIES
    ]


def trial_frames(trial: SignTrial) -> tuple[NDArray[np.uint8], ClipSettings]:
    """Draw a trial's clip, uint8 RGB (T, H, W, 3)."""
    world = find_world(trial.world)
    clip = world.native_clips[0]
    scene = _scene(world, trial, clip)
    return world.scene_clip(scene, clip).draw(), clip


def _scene(world: World, trial: SignTrial, clip: ClipSettings) -> Any:
    name: tuple[Json, ...] = ("sign trial", trial.world, trial.seed, trial.family, trial.index)
    asked = {} if trial.fault is None else dict(world.needed(trial.family, trial.fault))
    scene = world.sample(seeded_rng(*name), clip, trial.family, asked)
    if trial.fault is None:
        return scene
    return world.violate(scene, trial.fault, trial.severity, seeded_rng(*name, trial.fault), clip)
