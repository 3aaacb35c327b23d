"""The ``xclip`` encoder: agreement of stretches of a clip with its prompt, by X-CLIP."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...harness.core.config import Config, checked
from ...harness.core.specs import parse_argument
from ..frame_blocks import FrameBlocks
from .base import Encoder, EncoderOptions, Feature, NotApplicable, PromptedEncoder, Stream
from .pretrained import PretrainedEncoder
from .registry import ENCODERS, EncoderEntry
from .text_tokens import PromptTokens
from .weights import load_model, torch_device

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["XClipEncoder", "XClipWindows"]


class XClipWindows(Config):
    """The windows of frames that the model reads."""

    stride: int = Field(default=1, ge=1, description="every so many frames, at the clip's own rate")


class XClipEncoder(PromptedEncoder, PretrainedEncoder):
    """Compare windows of a clip with its prompt: float32 (windows, 1), cosines.

    A window has as many frames as the model was trained with (``config.num_frames``, 8 or 16), every
    ``stride`` of them; windows follow one another without overlap, and what is left at the end is not read.
    The model adapts the text to what a window shows (Ni et al. 2022, "Expanding language-image pretrained
    models for general video recognition", section 3.3), so that there is no embedding of the text alone.

    Args:
        source: a folder or a hub id of an `XCLIPModel`, and perhaps ``?stride=2``.
        options: device and dtype.

    Raises:
        UsageError: another kind of model.
        MissingWeightsError: the weights are not on this machine and cannot be downloaded.
    """

    name = "xclip"
    version = 1
    model_types = ("xclip",)

    def __init__(self, source: str, options: EncoderOptions) -> None:
        spec = parse_argument(source, f"the source {source!r} of the encoder 'xclip'", path=True)
        self.stride = checked(XClipWindows, dict(spec.options), spec.whose).stride
        super().__init__(spec.argument, options)
        self.num_frames = int(self._weights.config()["vision_config"].get("num_frames", 8))

    @property
    def fewest_frames(self) -> int:
        """The number of frames that a clip needs to have a feature."""
        return (self.num_frames - 1) * self.stride + 1

    def protocol(self) -> Mapping[str, Json]:
        """List the windows."""
        return {"frames": self.num_frames, "stride": self.stride}

    @cached_property
    def _model(self) -> Any:
        from transformers import XCLIPModel

        return load_model(self._weights, XCLIPModel, self._options)

    @cached_property
    def tokens(self) -> PromptTokens:
        """The tokenizer, and how long a prompt may be."""
        return PromptTokens(self._weights, self.name)

    def for_prompt(self, prompt: str | None) -> Encoder:
        """Return the encoder that compares with this prompt."""
        return _OfPrompt(self, prompt)

    def cosine(self, frames_THWC: NDArray[np.uint8], prompt: str) -> float:
        """Compare ``num_frames`` frames, uint8 RGB (T, H, W, 3), with a prompt: in [-1, 1]."""
        import torch

        device = torch_device(self._options)
        with torch.inference_mode():
            x_1TCHW = self._preprocess(frames_THWC, device)[None].to(self._model.dtype)
            ids_1L = torch.tensor([self.tokens.cut_ids(prompt)], device=device)
            made = self._model(input_ids=ids_1L, pixel_values=x_1TCHW)
            video_D, text_D = made.video_embeds[0].float(), made.text_embeds[0, 0].float()
            return float(torch.nn.functional.cosine_similarity(video_D, text_D, dim=0))


class _OfPrompt(Encoder):
    """The encoder of one prompt, which is part of the identity."""

    name = XClipEncoder.name

    def __init__(self, encoder: XClipEncoder, prompt: str | None) -> None:
        self._encoder, self._prompt = encoder, prompt

    def identity(self) -> Mapping[str, Json]:
        return {**self._encoder.identity(), "prompt": self._prompt}

    def open(self, info: ClipInfo) -> Stream:
        del info
        return _Windows(self._encoder, self._prompt)


class _Windows:
    def __init__(self, encoder: XClipEncoder, prompt: str | None) -> None:
        self._encoder, self._prompt = encoder, prompt
        self._rows: list[float] = []
        self._blocks = FrameBlocks(encoder.num_frames, self._take)

    def push(self, window: Window) -> None:
        if self._prompt is not None:
            for frame_HWC in window.frames_THWC[-window.start % self._encoder.stride :: self._encoder.stride]:
                self._blocks.add(frame_HWC)

    def finish(self) -> Feature:
        if self._prompt is None:
            raise NotApplicable("no prompt")
        if not self._rows:
            raise NotApplicable(f"fewer frames than the {self._encoder.fewest_frames} that the model reads")
        return np.array(self._rows, np.float32)[:, None]

    def _take(self, frames_THWC: NDArray[np.uint8]) -> None:
        assert self._prompt is not None
        self._rows.append(self._encoder.cosine(frames_THWC, self._prompt))


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    return XClipEncoder(source or "", options)


ENCODERS.add(
    "xclip",
    EncoderEntry(
        "X-CLIP: agreement of a clip's stretches with its prompt",
        _build,
        True,
        shipped=False,
        settings="a Hugging Face id or a folder of an X-CLIP model, with ?stride=N for every N-th frame",
    ),
)
