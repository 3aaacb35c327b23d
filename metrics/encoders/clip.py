"""The ``clip`` encoder: frames and prompts in one space, by CLIP or SigLIP."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, EncoderOptions, Feature, FrameEncoder, TextEncoder
from .pretrained import PretrainedEncoder
from .registry import ENCODERS, EncoderEntry
from .weights import load_model, torch_device

if TYPE_CHECKING:
    import torch


__all__ = ["ClipEncoder"]

_PADDING: dict[str, bool | str] = {"clip": False, "siglip": "max_length"}
"""How each kind of model was trained to have its texts padded."""


class ClipEncoder(PretrainedEncoder, FrameEncoder, TextEncoder):
    """Embed frames and prompts with a CLIP model; rows have length 1, so a dot product is a cosine.

    Args:
        source: ``reference``, a folder or a hub id of a `CLIPModel` or `SiglipModel`.
        options: device and dtype.
    """

    name = "clip"
    version = 1
    model_types = tuple(_PADDING)

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModel

        return load_model(self._weights, AutoModel, self._options)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._weights.path, local_files_only=True)

    @cached_property
    def scale(self) -> float:
        """The factor that the model was trained to multiply cosines by, for probabilities of texts."""
        return float(self._model.logit_scale.exp())

    def encode_frames(self, frames_THWC: NDArray[np.uint8]) -> Feature:
        """Embed frames, uint8 RGB (T, H, W, 3): float32 (T, D), each row of length 1."""
        import torch

        with torch.inference_mode():
            x_TCHW = self._preprocess(frames_THWC, torch_device(self._options))
            return _unit_rows(self._model.get_image_features(pixel_values=x_TCHW.to(self._model.dtype)))

    def tokenize(self, text: str) -> list[int]:
        """Turn a prompt into token ids, cut to the model's length with its end-of-text token kept.

        The text tower reads the sentence off its end-of-text token, so a cut that loses it would embed
        nothing in particular.
        """
        room = self._room
        padding = _PADDING[self._kind]
        whole: list[int] = self._tokenizer(text)["input_ids"]
        if len(whole) > room:
            return [*whole[: room - 1], whole[-1]]
        if padding == "max_length":
            whole = self._tokenizer(text, padding="max_length", max_length=room)["input_ids"]
        return whole

    def cut(self, text: str) -> str:
        """Say how many of a prompt's tokens are not read; empty where all are."""
        count = len(self._tokenizer(text, verbose=False)["input_ids"])
        if count <= self._room:
            return ""
        return f"the encoder {self.name} reads {self._room} of the prompt's {count} tokens"

    @cached_property
    def _room(self) -> int:
        """Tokens that the text tower reads, from the settings beside the weights."""
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(self._weights.path, local_files_only=True)
        return int(config.text_config.max_position_embeddings)

    def encode_text(self, text: str) -> Feature:
        """Embed one prompt: float32 (1, D) of length 1."""
        import torch

        ids_BL = torch.tensor([self.tokenize(text)], device=torch_device(self._options))
        with torch.inference_mode():
            return _unit_rows(self._model.get_text_features(input_ids=ids_BL))


def _unit_rows(output: Any) -> Feature:
    """Take the projected embedding out of what the library returns (an object since 5.0) and normalise it."""
    embedding_BD: torch.Tensor = getattr(output, "pooler_output", output)
    embedding_BD = embedding_BD.float()
    embedding_BD = embedding_BD / embedding_BD.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    return embedding_BD.cpu().numpy()


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    return ClipEncoder(source or "reference", options)


ENCODERS.add("clip", EncoderEntry("CLIP or SigLIP: an embedding a frame, and the prompt's", _build, True))
