"""Worlds by name: what every one of them has, and where it is found. A second world is one more line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import unknown_name
from ...harness.core.items import ClipSettings
from ...harness.core.keys import Json

__all__ = ["WORLDS", "World", "find_world"]


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

    def clips(
        self, n: int, seed: Json, clip: ClipSettings, *, families: Sequence[str] = ()
    ) -> Iterator[tuple[NDArray[np.uint8], Any]]:
        """Make ``n`` random clips, uint8 RGB (T, H, W, 3), with their truth; clip i depends on i alone."""
        ...


def _plane() -> World:
    from .plane.world import Plane

    return Plane()


WORLDS: dict[str, Callable[[], World]] = {"reference": _plane}
"""Name -> how to make it; what it brings is imported then."""


def find_world(name: str) -> World:
    """Find a world.

    Raises:
        UsageError: there is none of that name; the nearest are in the message.
    """
    if name not in WORLDS:
        raise unknown_name("world", name, WORLDS)
    return WORLDS[name]()
