"""Prompts as tokens: cut to the length that a text tower reads, or read in parts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .weights import WeightsFolder

__all__ = ["PromptTokens"]

_PADDED: Final = ("siglip", "siglip2")
"""Kinds of model that were trained with texts padded to full length."""


class PromptTokens:
    """The tokenizer of a text tower, and the number of tokens that it reads.

    The tower reads the sentence off its end-of-text token, so a cut that loses it would embed nothing in
    particular.

    Args:
        weights: the model's folder.
        encoder: its name, for sentences.
    """

    def __init__(self, weights: WeightsFolder, encoder: str) -> None:
        self._weights, self._encoder = weights, encoder

    def cut_ids(self, text: str) -> list[int]:
        """Turn a prompt into token ids, cut to the tower's length with its end-of-text token kept."""
        whole = self._ids(text)
        if len(whole) > self.room:
            return [*whole[: self.room - 1], whole[-1]]
        return self._padded(text) or whole

    def parts(self, text: str) -> list[list[int]]:
        """Turn a prompt into parts that each fit, split between words, as evenly as whole words let it be.

        A prompt that fits is one part. A single word that does not fit is cut.
        """
        if len(self._ids(text)) <= self.room:
            return [self.cut_ids(text)]
        words = text.split()
        count = 2
        while True:
            size = -(-len(words) // count)
            parts = [" ".join(words[start : start + size]) for start in range(0, len(words), size)]
            if size == 1 or all(len(self._ids(part)) <= self.room for part in parts):
                return [self.cut_ids(part) for part in parts]
            count += 1

    def cut(self, text: str) -> str:
        """Say how many of a prompt's tokens are not read; empty where all are."""
        count = len(self._ids(text))
        if count <= self.room:
            return ""
        return f"the encoder {self._encoder} reads {self.room} of the prompt's {count} tokens"

    def split(self, text: str) -> str:
        """Say in how many parts a prompt is read; empty where it is one."""
        count = len(self.parts(text))
        if count == 1:
            return ""
        return (
            f"the encoder {self._encoder} reads the prompt in {count} parts of at most {self.room} tokens "
            "and takes the mean of their embeddings"
        )

    @cached_property
    def room(self) -> int:
        """Tokens that the text tower reads, from the settings beside the weights."""
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(self._weights.path, local_files_only=True)
        return int(config.text_config.max_position_embeddings)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._weights.path, local_files_only=True)

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, verbose=False)["input_ids"])

    def _padded(self, text: str) -> list[int] | None:
        if self._weights.config().get("model_type") not in _PADDED:
            return None
        return list(self._tokenizer(text, padding="max_length", max_length=self.room)["input_ids"])
