"""Preprocessing of SigLIP 2 models of any aspect ratio (NaFlex): frames as rows of patches.

Tschannen et al. 2025, "SigLIP 2" (section 2.4.2): a frame is resized, keeping its aspect ratio as far as
whole patches let it, to at most a number of patches, and the rest of the rows is filled up with zeros.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .preprocess import Preprocessor

if TYPE_CHECKING:
    import torch

    from .weights import WeightsFolder

__all__ = ["NaflexPreprocessor"]

_EPS = 1e-5


@dataclass(frozen=True)
class NaflexPreprocessor:
    """From uint8 frames of one size to patches, a mask and the grid of patches."""

    pixels: Preprocessor
    patch: int
    most: int

    @classmethod
    def of(cls, weights: WeightsFolder) -> NaflexPreprocessor:
        """Read the settings that lie with a model's weights.

        Raises:
            UsageError: there are none, or one that is not supported.
        """
        pixels = Preprocessor.of(weights)
        settings = weights.read_json("preprocessor_config.json") or {}
        if not settings:
            settings = (weights.read_json("processor_config.json") or {}).get("image_processor", {})
        return cls(pixels, int(settings.get("patch_size", 16)), int(settings.get("max_num_patches", 256)))

    def __call__(self, frames_THWC: NDArray[np.uint8], device: torch.device) -> Mapping[str, Any]:
        """Preprocess frames, uint8 RGB (T, H, W, 3): patches (T, most, 3 patch^2), their mask, their grid."""
        import torch

        from .resample import resample

        rows, columns = self.grid(*frames_THWC.shape[1:3])
        x_TCHW = torch.tensor(frames_THWC, device=device).permute(0, 3, 1, 2)
        x_TCHW = resample(x_TCHW, (rows * self.patch, columns * self.patch), self.pixels.filter)
        x_TCHW = self.pixels.normalized(x_TCHW)
        count, p = len(frames_THWC), self.patch
        patches = x_TCHW.reshape(count, 3, rows, p, columns, p).permute(0, 2, 4, 3, 5, 1)
        patches_TLD = torch.zeros(count, self.most, 3 * p * p, device=device)
        patches_TLD[:, : rows * columns] = patches.reshape(count, rows * columns, 3 * p * p)
        mask_TL = torch.zeros(count, self.most, dtype=torch.int32, device=device)
        mask_TL[:, : rows * columns] = 1
        grid_T2 = torch.tensor([[rows, columns]] * count, device=device)
        return {"pixel_values": patches_TLD, "pixel_attention_mask": mask_TL, "spatial_shapes": grid_T2}

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Return the rows and columns of patches: of the largest scale, to 1e-5, with at most ``most``.

        The scale is found by the library's bisection, whose remainder decides at the edges.
        """

        def patches(scale: float) -> tuple[int, int]:
            rows, columns = (max(1, math.ceil(side * scale / self.patch)) for side in (height, width))
            return rows, columns

        low, high = _EPS / 10, 100.0
        while high - low >= _EPS:
            middle = (low + high) / 2
            rows, columns = patches(middle)
            low, high = (middle, high) if rows * columns <= self.most else (low, middle)
        return patches(low)
