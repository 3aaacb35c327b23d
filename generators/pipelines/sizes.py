"""Sizes and lengths that a pipeline can make, and the nearest one to what a suite asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from ...harness.core.items import ClipSettings

__all__ = ["Grid", "divisor_in", "grid_of", "rounded"]

_SPATIAL = (
    "vae_scale_factor_spatial",
    "vae_spatial_compression_ratio",
    "vae_spatial_scale_factor",
    "vae_scale_factor",
)
_TEMPORAL = ("vae_scale_factor_temporal", "vae_temporal_compression_ratio", "vae_temporal_scale_factor")
_DIVISIBLE = re.compile(r"divisible by (\d{1,4})")
_LEAST = 8


@dataclass(frozen=True)
class Grid:
    """What a pipeline can make: sides that are multiples of ``side``, and ``step * k + 1`` frames.

    Attributes:
        only: the one number of frames that its transformer was made for; None if it is free.
    """

    side: int
    step: int
    only: int | None = None

    def with_side(self, divisor: int) -> Grid:
        """Give a grid whose sides are multiples of another number as well."""
        return replace(self, side=math.lcm(self.side, divisor))


def grid_of(pipeline: Any) -> Grid:
    """Read off a loaded pipeline what its autoencoder and the patches of its transformer allow."""
    patch, only = 1, None
    for name in ("transformer", "transformer_2"):
        config = getattr(getattr(pipeline, name, None), "config", None)
        if config is not None:
            patch = math.lcm(patch, _side_of(getattr(config, "patch_size", 1)))
            only = _number(config, ("video_length",))
    side = math.lcm(_LEAST, (_number(pipeline, _SPATIAL) or _LEAST) * patch)
    return Grid(side, _number(pipeline, _TEMPORAL) or 1, only)


def divisor_in(message: str) -> int | None:
    """Read off a pipeline's complaint by what a side must be divisible."""
    found = _DIVISIBLE.search(message)
    return int(found[1]) if found and int(found[1]) > 0 else None


def rounded(clip: ClipSettings, grid: Grid) -> tuple[int, int, int]:
    """Give the frames, height and width that are nearest to a clip's; the larger of two that are as near."""
    frames = grid.only or 1 + grid.step * _nearest((clip.frames - 1) / grid.step)
    height, width = (grid.side * max(1, _nearest(side / grid.side)) for side in (clip.height, clip.width))
    return frames, height, width


def _nearest(value: float) -> int:
    return math.floor(value + 0.5)


def _number(pipeline: Any, names: Iterable[str]) -> int | None:
    for name in names:
        value = getattr(pipeline, name, None)
        if isinstance(value, int | float) and value >= 1:
            return int(value)
    return None


def _side_of(patch: object) -> int:
    if isinstance(patch, int) and patch >= 1:
        return patch
    if isinstance(patch, list | tuple) and patch:
        last = cast("tuple[object, ...]", tuple(patch))[-1]
        return last if isinstance(last, int) and last >= 1 else 1
    return 1
