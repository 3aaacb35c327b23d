"""The encoder ``subject``: an embedding of each frame by an image backbone such as DINOv2."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from .base import Encoder, EncoderOptions, Feature, FrameEncoder
from .pretrained import PretrainedEncoder
from .registry import ENCODERS, EncoderEntry
from .weights import load_model, torch_device

if TYPE_CHECKING:
    import torch

    from ...harness.core.keys import Json

__all__ = ["ImageEncoder"]

_CLASS_TOKEN = frozenset({"beit", "deit", "dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "vit_msn"})
"""Kinds of model whose token 0 stands for the whole image; of others the mean over places is taken."""


class ImageEncoder(PretrainedEncoder, FrameEncoder):
    """Embed frames with an image backbone; rows have length 1.

    The feature is the class token after the last norm (as VBench reads DINO), or the mean over places for a
    backbone without one. The library's own pooling head is not used: many checkpoints come without it.

    Args:
        source: ``reference``, a folder or a hub id that `AutoModel` loads as an image backbone.
        options: device and dtype.
    """

    name = "subject"
    version = 1

    def __init__(self, source: str, options: EncoderOptions) -> None:
        super().__init__(source, options)
        if "text_config" in self._weights.config():
            raise UsageError(
                f"the encoder 'subject' reads image backbones such as DINOv2; {source!r} is a model of "
                f"images and text ({self._kind!r})"
            )
        self._pooling = "class token" if self._kind in _CLASS_TOKEN else "mean"

    def protocol(self) -> Mapping[str, Json]:
        """List the pooling."""
        return {"pooling": self._pooling}

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModel

        return load_model(self._weights, AutoModel, self._options, unused=("pooler.",))

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
