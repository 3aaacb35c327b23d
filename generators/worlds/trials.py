"""Trial clips, which a world makes for validation: clips of known truth, lawful or with one law broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...harness.core.items import ClipSettings
from ...harness.core.keys import Json

__all__ = ["TrialClip", "TrialRequest"]

Color = tuple[int, int, int]


class TrialClip(Protocol):
    """A clip before it is drawn: what happens, and what a faithful clip shows."""

    @property
    def clip(self) -> ClipSettings:
        """Size, rate and length."""
        ...

    @property
    def expect(self) -> Mapping[str, Any]:
        """What the clip should show, were it lawful: the ``expect`` of its prompt."""
        ...

    @property
    def paints(self) -> Sequence[Color]:
        """Colors of its things, which another ground has to stay clear of."""
        ...

    @property
    def takes_texture(self) -> bool:
        """Whether a texture may be laid behind: not where the camera moves, as the texture would not."""
        ...

    def draw(self, background: Color | None = None) -> NDArray[np.uint8]:
        """Draw the frames, uint8 RGB (T, H, W, 3), on the clip's own ground or another color."""
        ...


@dataclass(frozen=True)
class TrialRequest:
    """One clip of a bench; it depends on these fields alone.

    Attributes:
        name: what its random numbers come from; a lawful clip and its violations share it.
        family: of the world's scenes.
        index: its number in the family.
        clip: size, rate and length.
        palette: colors that the things take, by name.
        sizes: factors between which the things are made smaller; of one value where they are made larger.
        extra: put one more thing into the scene, at rest and expected.
        violation: which of the world's violations to plant; None for a lawful clip.
        severity: of the violation, in (0, 1].
    """

    name: tuple[Json, ...]
    family: str
    index: int
    clip: ClipSettings
    palette: tuple[str, ...]
    sizes: tuple[float, float] = (1.0, 1.0)
    extra: bool = False
    violation: str | None = None
    severity: float = 0.0
