"""The ``vqa`` encoder and its measure: how surely a vision-language model says that a clip shows its prompt.

The score of Lin et al. 2024 (arXiv:2404.01291, "Evaluating text-to-visual generation with image-to-text
generation"), of frames of a clip: the probability that the model answers yes when it is asked whether it is
shown what the prompt says. The model runs here; a model behind an endpoint is the judge ``vlm``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...harness.core.config import Config, checked
from ...harness.core.errors import UsageError
from ...harness.core.specs import parse_argument
from ..base import MeasureFailed, Sample, Scored, measure
from ..encoders.base import Encoder, EncoderOptions, Feature, NotApplicable, PromptedEncoder, Stream
from ..encoders.chat_model import FILES, ChatModel, has_chat_template, resizing
from ..encoders.registry import ENCODERS, EncoderEntry
from ..encoders.weights import find_weights
from .frames import FRAMES_VERSION, Spread

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["QUESTION", "VQA", "YesNoEncoder", "YesNoSettings", "yes_probability"]

VQA: Final = "vqa"
QUESTION: Final = 'Does this video show "{prompt}"? Answer yes or no.'
_VERSION: Final = 1
_LONGEST: Final = 512
_YES: Final = ("yes", "Yes", "YES")
_NO: Final = ("no", "No", "NO")
_LEAST: Final = 0.1
"""Probability of yes and no together under which the model is not answering the question."""

Frame = NDArray[np.uint8]


class YesNoSettings(Config):
    """What the model is shown of a clip."""

    frames: int = Field(default=8, ge=1, le=64, description="evenly spaced frames of a clip")


class YesNoEncoder(PromptedEncoder):
    """Ask whether a clip shows its prompt: float64 (1, 2), the logarithms of P(yes) and P(no).

    They are of the first token of the answer, over the whole vocabulary; tokens that differ in case or in a
    space before them are added up.

    Args:
        source: a folder or a hub id of a vision-language model with a chat template, and perhaps
            `YesNoSettings`.
        options: device and dtype.

    Raises:
        UsageError: the model has no chat template.
        MissingWeightsError: the weights are not on this machine and cannot be downloaded.
    """

    name = VQA
    trial = "embeds"

    def __init__(self, source: str, options: EncoderOptions) -> None:
        self.weights_source = source
        spec = parse_argument(source, f"the source {source!r} of the encoder {VQA!r}", path=True)
        self.frames = checked(YesNoSettings, dict(spec.options), spec.whose).frames
        self._options = options
        self._weights = find_weights(VQA, spec.argument, also=FILES)
        if not has_chat_template(self._weights):
            raise UsageError(
                f"the model {spec.argument!r} has no chat template, so the encoder {VQA!r} does not know how "
                "to ask it; give a vision-language model that is made for questions"
            )

    @property
    def fewest_frames(self) -> int:
        """The number of frames that a clip needs to have a feature."""
        return 1

    @cached_property
    def _identity(self) -> Mapping[str, Json]:
        return {
            "version": _VERSION,
            "shown": FRAMES_VERSION,
            "weights": self._weights.digest,
            "dtype": self._options.dtype,
            "frames": self.frames,
            "question": QUESTION,
            "resizing": resizing(),
        }

    def identity(self) -> Mapping[str, Json]:
        """List the digest of weights, settings and tokenizer, the dtype, the frames and the question."""
        return self._identity

    def for_prompt(self, prompt: str | None) -> Encoder:
        """Return the encoder that asks for this prompt."""
        return _OfPrompt(self, prompt)

    def log_probabilities(self, frames: Sequence[Frame], prompt: str) -> Feature:
        """Ask about frames, uint8 RGB (H, W, 3): float64 (1, 2).

        Raises:
            UsageError: no token of the model is yes, or no.
        """
        p_V = self._model.first_token(frames, QUESTION.format(prompt=prompt))
        yes, no = self._tokens
        return np.log(np.maximum([[p_V[yes].sum(), p_V[no].sum()]], np.finfo(np.float64).tiny))

    @cached_property
    def _model(self) -> ChatModel:
        return ChatModel(self._weights, self._options)

    @cached_property
    def _tokens(self) -> tuple[list[int], list[int]]:
        found = self._model.tokens_of(_YES), self._model.tokens_of(_NO)
        if not all(found):
            raise UsageError(f"the model {self.weights_source!r} has no token for yes, or none for no")
        return found


class _OfPrompt(Encoder):
    """The encoder of one prompt, which is part of the identity."""

    name = VQA

    def __init__(self, encoder: YesNoEncoder, prompt: str | None) -> None:
        self._encoder, self._prompt = encoder, prompt

    def identity(self) -> Mapping[str, Json]:
        return {**self._encoder.identity(), "prompt": self._prompt}

    def open(self, info: ClipInfo) -> Stream:
        del info
        return _Asked(self._encoder, self._prompt)


class _Asked:
    def __init__(self, encoder: YesNoEncoder, prompt: str | None) -> None:
        self._encoder, self._prompt = encoder, prompt
        self._spread = Spread(encoder.frames, _LONGEST)

    def push(self, window: Window) -> None:
        if self._prompt is not None:
            self._spread.push(window)

    def finish(self) -> Feature:
        if self._prompt is None:
            raise NotApplicable("no prompt")
        frames, _ = self._spread.chosen()
        return self._encoder.log_probabilities(frames, self._prompt)


@measure("alignment.vqa", version=1, needs=(VQA,), better="higher", bounds=(0.0, 1.0))
def yes_probability(sample: Sample) -> Scored:
    """Probability of yes, of yes and no, when a vision-language model is asked if the clip shows its prompt.

    Lin et al. 2024, section 3, over frames of a clip. The model is a judge: what a difference is worth to
    people is not known before votes say it, and the order of frames is seen as far as the model sees it.

    Raises:
        NotApplicable: the item has no prompt.
        MeasureFailed: the model is likely to begin with neither yes nor no.
    """
    yes, no = (float(p) for p in np.exp(sample.features[VQA][0]))
    if yes + no < _LEAST:
        raise MeasureFailed(
            f"judge_failed: yes and no have a probability of {yes + no:.2g} together, so the model does not "
            "answer the question"
        )
    return Scored(yes / (yes + no), {"yes": yes, "no": no})


ENCODERS.add(
    VQA,
    EncoderEntry(
        "a vision-language model on this machine, asked if a clip shows its prompt",
        lambda source, options: YesNoEncoder(source or "", options),
        takes_source=True,
        shipped=False,
        settings="a Hugging Face id or a folder of a vision-language model, with ?frames=N",
    ),
)
