"""Trials of signs: lawful clips of every family of a world, and clips with a planted fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ...generators.worlds.registry import World, find_world
from ...generators.worlds.trials import TrialClip
from ...harness.core.items import ClipSettings
from ...harness.core.keys import Json, seeded_rng

__all__ = ["FAULTS", "SEVERITIES", "SignTrial", "lawful_sign_trials", "planted_sign_trials", "trial_clip"]

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
    """List lawful clips of each family, but no puzzle, with room in the world's first native size.

    There are ``n`` of each family whose scenes are static, and a third as many of the others.
    """
    found = find_world(world)
    clip = found.native_clips[0]
    return [
        SignTrial(world, seed, family, i)
        for family in found.families
        if family not in found.puzzles and found.fits(family, clip)
        for i in range(n if _static(found, family) else max(1, round(n / 3)))
    ]


def planted_sign_trials(world: str, seed: int, n: int, fault: str) -> list[SignTrial]:
    """List ``n`` scenes with a fault at each severity, spread over the families that can show it.

    A picture bends where the scene is static, as it must be for the sign to say something.
    """
    found = find_world(world)
    clip = found.native_clips[0]
    families = [f for f in found.families if fault in found.breakable(f) and found.fits(f, clip)]
    if fault in FAULTS["signs.warp"]:
        families = [f for f in families if _static(found, f)]
    return [
        SignTrial(world, seed, families[k % len(families)], k // len(families), fault, severity)
        for k in range(n if families else 0)
        for severity in SEVERITIES
    ]


def trial_clip(trial: SignTrial) -> tuple[TrialClip, ClipSettings]:
    """Make the clip of a trial, which says what is expected of it."""
    world = find_world(trial.world)
    clip = world.native_clips[0]
    return world.scene_clip(_scene(world, trial, clip), clip), clip


def _static(world: World, family: str) -> bool:
    return world.facts(family, {}).get("static") is True


def _scene(world: World, trial: SignTrial, clip: ClipSettings) -> Any:
    name: tuple[Json, ...] = ("sign trial", trial.world, trial.seed, trial.family, trial.index)
    asked = {} if trial.fault is None else dict(world.needed(trial.family, trial.fault))
    scene = world.sample(seeded_rng(*name), clip, trial.family, asked)
    if trial.fault is None:
        return scene
    return world.violate(scene, trial.fault, trial.severity, seeded_rng(*name, trial.fault), clip)
