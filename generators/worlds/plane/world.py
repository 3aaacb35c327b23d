"""The reference world as one of the worlds that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from ....harness.core.keys import Json
from . import BREAKABLE, FAMILIES, LAWS, NATIVE_CLIPS, WORLD_VERSION, Truth, fits, world_clips
from .families import choices

__all__ = ["Plane"]


class Plane:
    """Colored shapes on a plane, with mechanics of their own."""

    name = "reference"
    version = WORLD_VERSION
    families: Sequence[str] = tuple(FAMILIES)
    laws: Mapping[str, str] = LAWS
    native_clips: Sequence[ClipSettings] = tuple(NATIVE_CLIPS)

    def breakable(self, family: str) -> Sequence[str]:
        """Name the laws that a scene of the family can break."""
        return tuple(BREAKABLE.get(family, ()))

    def choices(self, family: str) -> Mapping[str, Sequence[str]]:
        """Say what can be fixed of a family's scenes, and its values."""
        return choices(family)

    def fits(self, family: str, clip: ClipSettings) -> bool:
        """Say whether the family's scenes have time and room in a clip."""
        return fits(family, clip)

    def clips(
        self, n: int, seed: Json, clip: ClipSettings, *, families: Sequence[str] = ()
    ) -> Iterator[tuple[NDArray[np.uint8], Truth]]:
        """Make ``n`` random clips with their truth; see `world_clips`."""
        return world_clips(n, seed, clip, families=families)
