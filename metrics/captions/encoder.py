"""The ``caption`` encoder: a captioner's words for a clip, and their place among sentences.

A source names the captioner, and may name the sentence encoder and what is captioned::

    Salesforce/blip-image-captioning-base
    microsoft/git-base-vatex?text=minilm
    HuggingFaceTB/SmolVLM2-500M-Video-Instruct?frames=8,tokens=60
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ...harness.core.config import Config, checked
from ...harness.core.specs import parse_argument
from ..encoders.base import Encoder, EncoderOptions, Feature, NotApplicable, Record, Stream, TextEncoder
from ..encoders.registry import ENCODERS, EncoderEntry
from ..judge.frames import FRAMES_VERSION, Spread
from .captioner import Captioner
from .sentences import MINILM, Sentences

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["CAPTION", "CaptionEncoder", "CaptionSettings"]

CAPTION = "caption"
_VERSION = 1
_LONGEST = 512


class CaptionSettings(Config):
    """What is captioned, and by what captions are compared."""

    text: str = Field(
        default=MINILM, min_length=1, description="sentence encoder: minilm, a folder, or a hub id"
    )
    frames: int | None = Field(
        default=None, ge=1, le=64, description="evenly spaced frames; as the model's kind asks if not given"
    )
    tokens: int = Field(default=40, ge=1, le=512, description="of a caption at most")


class CaptionEncoder(Encoder, TextEncoder):
    """Caption a clip: a record of captions, and of their embeddings ``sentences`` (captions, D), float32.

    Args:
        source: a captioner, and perhaps `CaptionSettings`.
        options: device and dtype.

    Raises:
        UsageError: a kind of model that is not read.
        MissingWeightsError: the weights are not on this machine and cannot be downloaded.
    """

    name = CAPTION
    trial = "embeds"

    def __init__(self, source: str, options: EncoderOptions) -> None:
        self.weights_source = source
        spec = parse_argument(source, f"the source {source!r} of the encoder {CAPTION!r}", path=True)
        settings = checked(CaptionSettings, dict(spec.options), spec.whose)
        self.captioner = Captioner(spec.argument, settings.frames, settings.tokens, options)
        self.sentences = Sentences(settings.text, options)

    @property
    def fewest_frames(self) -> int:
        """The number of frames that a clip needs to have a feature."""
        return self.captioner.fewest_frames

    @cached_property
    def _identity(self) -> Mapping[str, Json]:
        return {
            "version": _VERSION,
            "frames": FRAMES_VERSION,
            "captioner": dict(self.captioner.identity()),
            "text": dict(self.sentences.identity()),
        }

    def identity(self) -> Mapping[str, Json]:
        """List the captioner, the frames that it sees, and the sentence encoder."""
        return self._identity

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _Captions(self)

    def encode_text(self, text: str) -> Feature:
        """Embed one prompt: float32 (1, D) of length 1."""
        return self.sentences.encode(text)

    def cut(self, text: str) -> str:
        """Say how many of a prompt's tokens are not read; empty where all are."""
        count, room = self.sentences.count(text), self.sentences.room
        return "" if count <= room else f"the encoder {CAPTION} reads {room} of the prompt's {count} tokens"


class _Captions:
    def __init__(self, encoder: CaptionEncoder) -> None:
        self._encoder = encoder
        self._spread = Spread(encoder.captioner.frames, _LONGEST)

    def push(self, window: Window) -> None:
        self._spread.push(window)

    def finish(self) -> Record:
        captioner, sentences = self._encoder.captioner, self._encoder.sentences
        frames, times = self._spread.chosen()
        if len(frames) < captioner.fewest_frames:
            raise NotApplicable(f"fewer frames than the {captioner.fewest_frames} that the captioner reads")
        captions = captioner.captions(frames)
        said_at = times if not captioner.of_clip else [times[0]]
        told: list[Json] = [
            {"seconds": round(at, 3), "text": text} for at, text in zip(said_at, captions, strict=True)
        ]
        return Record(
            {"sentences": np.concatenate([sentences.encode(text) for text in captions])}, {"captions": told}
        )


ENCODERS.add(
    CAPTION,
    EncoderEntry(
        "a captioner's words for a clip, placed by a sentence encoder",
        lambda source, options: CaptionEncoder(source or "", options),
        takes_source=True,
        shipped=False,
        settings="a Hugging Face id or a folder of a captioner or of a vision-language model, with "
        "?text=SENTENCE_ENCODER,frames=N",
    ),
)
