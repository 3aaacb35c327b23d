"""Captioners: models that say in words what frames show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from ..encoders.chat_model import FILES, ChatModel, has_chat_template, plain_text, resizing
from ..encoders.weights import find_weights, load_model, torch_device

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ..encoders.base import EncoderOptions

__all__ = ["ASKED", "Captioner"]

ASKED: Final = "Describe this video in one sentence."
"""What a model with a chat template is asked."""
_CAPTIONERS: Final = ("blip", "blip-2", "git", "vision-encoder-decoder")
"""Kinds of model that caption what they are shown without a question."""
_VIDEO_TOWERS: Final = ("timesformer", "videomae", "vivit")
_FRAMES_OF_CHAT, _FRAMES_OF_IMAGES = 8, 4

Frame = NDArray[np.uint8]


class Captioner:
    """A captioner of images (one caption a frame), or of a whole clip (one caption of all its frames).

    Read are BLIP, BLIP-2, GIT and encoder-decoders, of images or of video, and any vision-language model that
    comes with a chat template, which is asked to describe the video. Words are the likeliest ones, one after
    the other, without sampling.

    Args:
        source: a folder or a hub id.
        frames: how many frames are captioned, evenly spaced; None for as many as the model was trained with,
            8 for a model with a chat template, 4 for a captioner of images.
        tokens: of a caption at most.
        options: device and dtype.

    Raises:
        UsageError: another kind of model, or a number of frames that it cannot read.
        MissingWeightsError: the weights are not on this machine and cannot be downloaded.
    """

    def __init__(self, source: str, frames: int | None, tokens: int, options: EncoderOptions) -> None:
        self._options, self._tokens = options, tokens
        self._weights = find_weights("caption", source, also=FILES)
        config = self._weights.config()
        self._kind = str(config.get("model_type"))
        self._chat = self._kind not in _CAPTIONERS and has_chat_template(self._weights)
        if not self._chat and self._kind not in _CAPTIONERS:
            raise UsageError(
                f"the encoder 'caption' reads {', '.join(_CAPTIONERS)} models and models with a chat "
                f"template; {source!r} is {self._kind!r} and has none"
            )
        trained, self.exact = _frames_trained(self._kind, config)
        self.of_clip = self._chat or trained is not None
        self.frames = frames or trained or (_FRAMES_OF_CHAT if self._chat else _FRAMES_OF_IMAGES)
        if trained is not None and (self.frames > trained or (self.exact and self.frames != trained)):
            most = "exactly" if self.exact else "at most"
            raise UsageError(f"the captioner {source!r} reads {most} {trained} frames, not {self.frames}")

    def identity(self) -> Mapping[str, Json]:
        """List what changes a caption: weights and settings, frames, the question, and the words allowed."""
        fields: dict[str, Json] = {
            "weights": self._weights.digest,
            "dtype": self._options.dtype,
            "frames": self.frames,
            "tokens": self._tokens,
            "resizing": resizing(),
        }
        return {**fields, "asked": ASKED} if self._chat else fields

    @property
    def fewest_frames(self) -> int:
        """The number of frames that a clip needs to be captioned."""
        return self.frames if self.exact else 1

    def captions(self, frames: Sequence[Frame]) -> list[str]:
        """Caption frames, uint8 RGB (H, W, 3): one caption of them all, or one each."""
        if self._chat:
            return [self._chat_model.reply(frames, ASKED, self._tokens)]
        if self.of_clip:
            return [self._say(self._pixels(frames)[None])]
        return [self._say(self._pixels([frame_HWC])) for frame_HWC in frames]

    @cached_property
    def _chat_model(self) -> ChatModel:
        return ChatModel(self._weights, self._options)

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModelForImageTextToText

        return load_model(self._weights, AutoModelForImageTextToText, self._options)

    @cached_property
    def _processors(self) -> tuple[Any, Any]:
        from transformers import AutoImageProcessor, AutoTokenizer

        path = self._weights.path
        return (
            AutoImageProcessor.from_pretrained(path, local_files_only=True),
            AutoTokenizer.from_pretrained(path, local_files_only=True),
        )

    def _pixels(self, frames: Sequence[Frame]) -> Any:
        """Preprocess frames to (T, 3, h, w)."""
        from PIL import Image

        made = self._processors[0](images=[Image.fromarray(frame) for frame in frames], return_tensors="pt")
        x_TCHW = made["pixel_values"]
        return x_TCHW.reshape(-1, *x_TCHW.shape[-3:]).to(torch_device(self._options), self._model.dtype)

    def _say(self, pixels: Any) -> str:
        import torch

        with torch.inference_mode():
            made_1L = self._model.generate(
                pixel_values=pixels, max_new_tokens=self._tokens, do_sample=False, num_beams=1
            )
        return plain_text(self._processors[1].decode(made_1L[0], skip_special_tokens=True))


def _frames_trained(kind: str, config: Mapping[str, Any]) -> tuple[int | None, bool]:
    """Give the frames of a clip that a captioner of video reads, and whether it reads no fewer."""
    if kind == "git":
        count = config.get("num_image_with_embedding")
        return (None if count is None else int(count)), False
    encoder: Mapping[str, Any] = config.get("encoder") or {}
    if encoder.get("model_type") in _VIDEO_TOWERS:
        return int(encoder.get("num_frames", 8)), True
    return None, False
