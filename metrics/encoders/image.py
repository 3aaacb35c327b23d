"""The ``subject`` encoder: what is in each frame, by an image backbone such as DINOv2."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from .base import Encoder, EncoderOptions, Feature, FrameEncoder
from .preprocess import PREPROCESSING_VERSION, Preprocessor
from .registry import ENCODERS, EncoderEntry
from .weights import find_weights, load_model, torch_device

if TYPE_CHECKING:
    import torch

    from ...harness.core.keys import Json

__all__ = ["ImageEncoder"]

_VERSION = 1
_CLASS_TOKEN = frozenset({"beit", "deit", "dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "vit_msn"})
"""Kinds of model whose token 0 stands for the whole image; of others the mean over places is taken."""


class ImageEncoder(FrameEncoder):
    """Embed frames with an image backbone; rows have length 1.

    The feature is the class token after the last norm (as VBench reads DINO), or the mean over places for a
    backbone without one. The library's own pooling head is not used: many checkpoints come without it.

    Args:
        source: ``reference``, a folder or a hub id that `AutoModel` loads as an image backbone.
        options: device and dtype.
    """

    name = "subject"

    def __init__(self, source: str, options: EncoderOptions) -> None:
        self._options = options
        self._weights = find_weights("subject", source)
        config = self._weights.config()
        if "text_config" in config:
            raise UsageError(
                f"the encoder 'subject' reads image backbones such as DINOv2; {source!r} is a model of "
                f"images and text ({config.get('model_type')!r})"
            )
        self._pooling = "class token" if config.get("model_type") in _CLASS_TOKEN else "mean"

    @cached_property
    def _identity(self) -> Mapping[str, Json]:
        return {
            "version": _VERSION,
            "preprocessing": PREPROCESSING_VERSION,
            "pooling": self._pooling,
            "weights": self._weights.digest,
            "dtype": self._options.dtype,
        }

    def identity(self) -> Mapping[str, Json]:
        """List the version, the pooling, the digest of weights and settings, and the dtype."""
        return self._identity

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModel

        return load_model(self._weights, AutoModel, self._options, unused=("pooler.",))

    @cached_property
    def _preprocess(self) -> Preprocessor:
        return Preprocessor.of(self._weights)

    def encode_frames(self, frames_THWC: NDArray[np.uint8]) -> Feature:
        """Embed frames, uint8 RGB (T, H, W, 3): float32 (T, D), each row of length 1."""
        import torch

        with torch.inference_mode():
            x_TCHW = self._preprocess(frames_THWC, torch_device(self._options))
            hidden: torch.Tensor = self._model(pixel_values=x_TCHW.to(self._model.dtype)).last_hidden_state
            hidden = hidden.float()
            if hidden.ndim == 4:  # a convolutional backbone: (T, D, h, w)
                pooled_TD = hidden.mean(dim=(2, 3))
            else:
                pooled_TD = hidden[:, 0] if self._pooling == "class token" else hidden.mean(dim=1)
            pooled_TD = pooled_TD / pooled_TD.norm(dim=-1, keepdim=True).clamp_min(1e-12)
            return pooled_TD.cpu().numpy()


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    return ImageEncoder(source or "reference", options)


ENCODERS.add("subject", EncoderEntry("an image backbone (DINOv2, ViT): an embedding a frame", _build, True))
