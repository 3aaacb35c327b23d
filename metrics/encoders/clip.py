"""The ``clip`` encoder: frames and prompts in one space, by CLIP, SigLIP or SigLIP 2.

A source may say how a prompt longer than the text tower is read: ``openai/clip-vit-base-patch32?long=mean``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...harness.core.config import Config, checked
from ...harness.core.specs import parse_argument
from .base import Encoder, EncoderOptions, Feature, FrameEncoder, TextEncoder
from .pretrained import PretrainedEncoder
from .registry import ENCODERS, EncoderEntry
from .text_tokens import PromptTokens
from .weights import load_model, torch_device

if TYPE_CHECKING:
    import torch

    from ...harness.core.keys import Json


__all__ = ["ClipEncoder", "LongPrompts"]


class LongPrompts(Config):
    """How a prompt with more tokens than the text tower reads is embedded."""

    long: Literal["cut", "mean"] = Field(
        default="cut",
        description="cut to the tower's length, as the field does, or the mean of parts that fit",
    )


class ClipEncoder(PretrainedEncoder, FrameEncoder, TextEncoder):
    """Embed frames and prompts with a CLIP model; rows have length 1, so a dot product is a cosine.

    Args:
        source: ``reference``, a folder or a hub id of a `CLIPModel`, `SiglipModel` or `Siglip2Model`, and
            perhaps `LongPrompts`.
        options: device and dtype.
    """

    name = "clip"
    version = 1
    model_types = ("clip", "siglip", "siglip2")

    def __init__(self, source: str, options: EncoderOptions) -> None:
        spec = parse_argument(source, f"the source {source!r} of the encoder 'clip'", path=True)
        self._long = checked(LongPrompts, dict(spec.options), spec.whose).long
        super().__init__(spec.argument, options)
        self._tokens = PromptTokens(self._weights, self.name)

    def protocol(self) -> Mapping[str, Json]:
        """List how long prompts are read, where they are not cut."""
        return {} if self._long == "cut" else {"long": self._long}

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModel

        return load_model(self._weights, AutoModel, self._options)

    @cached_property
    def scale(self) -> float:
        """The factor that the model was trained to multiply cosines by, for probabilities of texts."""
        return float(self._model.logit_scale.exp())

    def encode_frames(self, frames_THWC: NDArray[np.uint8]) -> Feature:
        """Embed frames, uint8 RGB (T, H, W, 3): float32 (T, D), each row of length 1."""
        import torch

        with torch.inference_mode():
            given = self._image_inputs(frames_THWC, self._model.dtype)
            return _unit_rows(self._model.get_image_features(**given)).cpu().numpy()

    def tokenize(self, text: str) -> list[int]:
        """Turn a prompt into token ids, cut to the model's length with its end-of-text token kept."""
        return self._tokens.cut_ids(text)

    def cut(self, text: str) -> str:
        """Say how many of a prompt's tokens are not read, or in how many parts; empty where it fits."""
        return self._tokens.cut(text) if self._long == "cut" else self._tokens.split(text)

    def encode_text(self, text: str) -> Feature:
        """Embed one prompt: float32 (1, D) of length 1."""
        import torch

        parts = [self.tokenize(text)] if self._long == "cut" else self._tokens.parts(text)
        made: list[torch.Tensor] = []
        with torch.inference_mode():
            for part in parts:
                ids_BL = torch.tensor([part], device=torch_device(self._options))
                made.append(_unit_rows(self._model.get_text_features(input_ids=ids_BL)))
        if len(made) == 1:
            return made[0].cpu().numpy()
        return _of_length_one(torch.stack(made).mean(dim=0)).cpu().numpy()


def _unit_rows(output: Any) -> torch.Tensor:
    """Take the projected embedding out of what the library returns (an object since 5.0) and normalise it."""
    return _of_length_one(getattr(output, "pooler_output", output).float())


def _of_length_one(rows_BD: torch.Tensor) -> torch.Tensor:
    return rows_BD / rows_BD.norm(dim=-1, keepdim=True).clamp_min(1e-12)


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    return ClipEncoder(source or "reference", options)


ENCODERS.add(
    "clip", EncoderEntry("CLIP, SigLIP or SigLIP 2: an embedding a frame, and the prompt's", _build, True)
)
