"""Clips of the stage for trials: scenes in the colors and surfaces that a bench asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.colors import COLORS
from ....harness.core.items import ClipSettings
from ....harness.core.keys import seeded_rng
from ..trials import Color, TrialRequest
from .draw import draw_frames
from .families import sample_scene
from .scene import SURFACES, Scene
from .truth import expectation
from .violations import violate

__all__ = ["StageClip", "trial_clip"]


@dataclass(frozen=True)
class StageClip:
    """What a clip shows, before it is drawn."""

    scene: Scene
    clip: ClipSettings

    @property
    def expect(self) -> Mapping[str, Any]:
        """What the clip should show, were it lawful."""
        return expectation(self.scene.lawful(), self.clip)

    @property
    def paints(self) -> Sequence[Color]:
        """Colors of its things."""
        return [COLORS[body.color] for body in self.scene.bodies]

    @property
    def takes_texture(self) -> bool:
        """No texture is laid behind: the stage has floors and backdrops of its own."""
        return False

    def draw(self, background: Color | None = None) -> NDArray[np.uint8]:
        """Draw the frames, uint8 RGB (T, H, W, 3).

        Raises:
            ValueError: another background is asked for; the stage has its own.
        """
        if background is not None:
            raise ValueError("the stage has floors and backdrops of its own")
        return draw_frames(self.scene, self.clip)


_SEEN: Final = ("noise", "checker", "planks")
"""Surfaces of trials in the palettes of thresholds; trials with other colors have the other surfaces."""
_CARD: Final = frozenset(("yellow", "purple"))


def trial_clip(request: TrialRequest) -> StageClip | None:
    """Make a clip of a trial; None where more is asked for than the stage has."""
    if request.extra:
        return None
    rng = seeded_rng("stage trial", *request.name)
    unseen = set(request.palette) <= _CARD
    surfaces = tuple(s for s in SURFACES if (s in _SEEN) != unseen)
    scene = sample_scene(rng, request.clip, request.family, palette=request.palette, surfaces=surfaces)
    low, high = request.sizes
    factor = low if low == high else float(rng.uniform(low, high))
    if factor != 1.0:  # things seem smaller where the camera shows more
        scene = replace(scene, camera=replace(scene.camera, view=scene.camera.view / factor))
    if request.violation is not None:
        own = seeded_rng("stage trial", *request.name, request.violation, request.severity)
        scene = violate(scene, request.violation, request.severity, own, request.clip)
    return StageClip(scene, request.clip)
