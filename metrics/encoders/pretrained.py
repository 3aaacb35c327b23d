"""What encoders that are models in the Hugging Face layout have in common."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, EncoderOptions
from .naflex import NaflexPreprocessor
from .preprocess import PREPROCESSING_VERSION, Preprocessor
from .weights import WeightsFolder, find_weights, model_type, torch_device

if TYPE_CHECKING:
    import torch

    from ...harness.core.keys import Json

__all__ = ["PretrainedEncoder"]


class PretrainedEncoder(Encoder):
    """Base of encoders with weights: they are found at once, and loaded with the first clip.

    Attributes:
        version: raised whenever the same weights would give another feature.
        model_types: the kinds of model that it reads, as ``config.json`` names them; empty for any.

    Args:
        source: ``reference``, a folder or a hub id.
        options: device and dtype.

    Raises:
        UsageError: another kind of model.
        MissingWeightsError: the weights are not on this machine and cannot be downloaded.
    """

    trial = "embeds"
    version: ClassVar[int]
    model_types: ClassVar[tuple[str, ...]] = ()

    def __init__(self, source: str, options: EncoderOptions) -> None:
        self.weights_source = source
        self._options = options
        self._weights = self.find(source)
        self._kind = model_type(self._weights, self.name, self.model_types)

    def find(self, source: str) -> WeightsFolder:
        """Find the weights of this role."""
        return find_weights(self.name, source)

    def protocol(self) -> Mapping[str, Json]:
        """List what else changes the feature: pooling, which frames are taken, and the like."""
        return {}

    @cached_property
    def _identity(self) -> Mapping[str, Json]:
        return {
            "version": self.version,
            "preprocessing": PREPROCESSING_VERSION,
            "weights": self._weights.digest,
            "dtype": self._options.dtype,
            **self.protocol(),
        }

    def identity(self) -> Mapping[str, Json]:
        """List the version, the digest of weights, settings and tokenizer, the dtype, and the protocol."""
        return self._identity

    @cached_property
    def _preprocess(self) -> Preprocessor:
        return Preprocessor.of(self._weights)

    @cached_property
    def _patches(self) -> NaflexPreprocessor:
        return NaflexPreprocessor.of(self._weights)

    def _image_inputs(self, frames_THWC: NDArray[np.uint8], dtype: torch.dtype) -> dict[str, Any]:
        """Preprocess frames, uint8 RGB (T, H, W, 3), to what a model of images takes, by name."""
        device = torch_device(self._options)
        if self._kind != "siglip2":
            return {"pixel_values": self._preprocess(frames_THWC, device).to(dtype)}
        made = dict(self._patches(frames_THWC, device))
        return {**made, "pixel_values": made["pixel_values"].to(dtype)}
