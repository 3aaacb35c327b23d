"""The reference world: scenes with real mechanics, their ground truth, captions, and violations of laws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from ....harness.core.keys import Json, seeded_rng
from .draw import render
from .families import FAMILIES, fits, sample_scene
from .glyphs import HAZARD
from .mechanics import Contact, simulate
from .raster import coverage
from .scene import GRAVITY, NATIVE_CLIP, NATIVE_CLIPS, WORLD_VERSION, Camera, Scene, Thing, Violation
from .truth import Truth, expectation
from .violations import BREAKABLE, LAWS, breakable, violate
from .words import COLORS, MOTIONS, SHAPES, SIZES, caption

__all__ = [
    "BREAKABLE",
    "COLORS",
    "FAMILIES",
    "GRAVITY",
    "HAZARD",
    "LAWS",
    "MOTIONS",
    "NATIVE_CLIP",
    "NATIVE_CLIPS",
    "SHAPES",
    "SIZES",
    "WORLD_VERSION",
    "Camera",
    "Contact",
    "Scene",
    "Thing",
    "Truth",
    "Violation",
    "breakable",
    "caption",
    "coverage",
    "expectation",
    "fits",
    "render",
    "sample_scene",
    "simulate",
    "violate",
    "world_clips",
]


def world_clips(
    n: int, seed: Json, clip: ClipSettings = NATIVE_CLIP, *, families: Sequence[str] = ()
) -> Iterator[tuple[NDArray[np.uint8], Truth]]:
    """Make ``n`` random clips with their truth; clip i depends on its arguments and i alone.

    The families take turns by chance; without any, every clip shows a single shape in one of `MOTIONS`.
    """
    for index in range(n):
        rng = seeded_rng("reference-world", WORLD_VERSION, seed, index)
        family = families[int(rng.integers(len(families)))] if families else None
        scene = sample_scene(rng, clip, family=family)
        yield render(scene, clip, words=caption(scene, rng))
