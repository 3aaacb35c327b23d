"""Reconstruct a clip by encoding and decoding it with the autoencoder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ....harness.core.errors import MissingWeightsError
from ....harness.core.keys import file_sha256
from .parts import WEIGHTS

if TYPE_CHECKING:
    from .vae import VAE

__all__ = ["Reconstruction", "reconstruct"]


class Reconstruction:
    """An autoencoder as a function of clips, uint8 RGB (T, H, W, 3); its weights are loaded at the first.

    Args:
        folder: of the autoencoder; the shipped one unless given.

    Raises:
        MissingWeightsError: the weights are not there.
    """

    def __init__(self, folder: Path = WEIGHTS / "vae") -> None:
        self._weights = folder / "model.safetensors"
        if not self._weights.is_file():
            raise MissingWeightsError(
                f"{self._weights} is missing, which comes with the package; install that again"
            )

    @property
    def digest(self) -> str:
        """The sha256 of the weights."""
        return file_sha256(self._weights)

    @cached_property
    def _model(self) -> VAE:
        from .vae import load_vae

        return load_vae(self._weights.parent)

    def __call__(self, frames_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Code and decode one clip."""
        return reconstruct(self._model, frames_THWC)


def reconstruct(model: VAE, frames_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Code and decode one clip, uint8 (T, H, W, 3)."""
    import torch

    from .vae import encode_clips, to_pixels

    latents = encode_clips(model, torch.from_numpy(frames_THWC)[None], torch.device("cpu"))
    with torch.inference_mode():
        return to_pixels(model.decode(latents))[0].numpy()
