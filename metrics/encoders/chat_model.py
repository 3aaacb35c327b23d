"""Vision-language models that are asked in a chat: frames and a text in, words or their probabilities out."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError, describe
from .weights import WeightsFolder, load_model, torch_device

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from .base import EncoderOptions

__all__ = ["FILES", "ChatModel", "has_chat_template", "plain_text", "resizing"]

FILES: Final = ("chat_template.json", "generation_config.json")
"""Settings that such models read besides those of other encoders."""

Frame = NDArray[np.uint8]


def has_chat_template(weights: WeightsFolder) -> bool:
    """Say whether a model comes with the form in which it is asked."""
    if {"chat_template.jinja", "chat_template.json"} & set(weights.files):
        return True
    settings = (weights.read_json(name) for name in ("processor_config.json", "tokenizer_config.json"))
    return any(found and found.get("chat_template") for found in settings)


def resizing() -> Json:
    """Name what the library resizes frames with, which moves pixels by single levels."""
    return "torchvision" if importlib.util.find_spec("torchvision") else "pillow"


def plain_text(text: str) -> str:
    """Bring what a model says to one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class ChatModel:
    """A model of images and text with a chat template, for inference.

    Frames are shown as images, in order, before the text: every such model reads that, and few read a video.

    Args:
        weights: its folder.
        options: device and dtype.
    """

    def __init__(self, weights: WeightsFolder, options: EncoderOptions) -> None:
        self._weights, self._options = weights, options

    @cached_property
    def processor(self) -> Any:
        """The library's processor of the model.

        Raises:
            UsageError: it cannot be loaded.
        """
        from transformers import AutoProcessor

        try:
            return AutoProcessor.from_pretrained(self._weights.path, local_files_only=True)
        except (
            Exception
        ) as error:  # the library raises what it likes where a library that it needs is missing
            hint = ""
            if importlib.util.find_spec("torchvision") is None:
                hint = "; many such models need `pip install torchvision num2words`"
            reason = " ".join(describe(error).split())[:200]
            raise UsageError(
                f"the processor of the weights {self._weights.source!r} cannot be loaded: {reason}{hint}"
            ) from error

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModelForImageTextToText

        return load_model(self._weights, AutoModelForImageTextToText, self._options)

    def reply(self, frames: Sequence[Frame], text: str, tokens: int) -> str:
        """Answer in words, the likeliest one after the other, at most so many tokens."""
        import torch

        given = self._inputs(frames, text)
        with torch.inference_mode():
            made_1L = self._model.generate(**given, max_new_tokens=tokens, do_sample=False, num_beams=1)
        new = made_1L[0, given["input_ids"].shape[1] :]
        return plain_text(self._tokenizer.decode(new, skip_special_tokens=True))

    def first_token(self, frames: Sequence[Frame], text: str) -> NDArray[np.float64]:
        """Give the probability of each token, (V,), as the first of the answer."""
        import torch

        with torch.inference_mode():
            logits_1LV = self._model(**self._inputs(frames, text)).logits
            return torch.softmax(logits_1LV[0, -1].double(), dim=-1).cpu().numpy()

    def tokens_of(self, words: Sequence[str]) -> list[int]:
        """List the tokens that are one of these words, with or without a space before it."""
        known: dict[str, int] = self._tokenizer.get_vocab()
        read = {key: self._tokenizer.decode([key]).strip() for key in known.values()}
        return sorted(key for key, word in read.items() if word in words)

    @property
    def _tokenizer(self) -> Any:
        return getattr(self.processor, "tokenizer", self.processor)

    def _inputs(self, frames: Sequence[Frame], text: str) -> dict[str, Any]:
        from PIL import Image

        shown = [Image.fromarray(frame_HWC) for frame_HWC in frames]
        content = [*({"type": "image"} for _ in shown), {"type": "text", "text": text}]
        asked = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        made = self.processor(text=[asked], images=[shown], return_tensors="pt")
        device, dtype = torch_device(self._options), self._model.dtype
        return {
            name: part.to(device, dtype) if part.is_floating_point() else part.to(device)
            for name, part in made.items()
        }
