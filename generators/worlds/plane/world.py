"""The reference world as one of the worlds that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from ....harness.core.keys import Json
from . import FAMILIES, LAWS, WORLD_VERSION, Truth, world_clips

__all__ = ["Plane"]


class Plane:
    """Colored shapes on a plane, with mechanics of their own."""

    name = "reference"
    version = WORLD_VERSION
    families: Sequence[str] = tuple(FAMILIES)
    laws: Mapping[str, str] = LAWS

    def clips(
        self, n: int, seed: Json, clip: ClipSettings, *, families: Sequence[str] = ()
    ) -> Iterator[tuple[NDArray[np.uint8], Truth]]:
        """Make ``n`` random clips with their truth; see `world_clips`."""
        return world_clips(n, seed, clip, families=families)
