"""What prompt classifiers with weights in the Hugging Face layout have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import Field

from ...harness.core.config import Config
from ...harness.core.errors import UsageError
from ...harness.core.keys import digest
from ...metrics.encoders.base import EncoderOptions
from ...metrics.encoders.weights import find_weights, load_model
from .classifier import PromptClassifier

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["LONGEST", "PretrainedClassifier", "PretrainedConfig", "longest_input"]

LONGEST = 512
"""Tokens of a window, at most."""


class PretrainedConfig(Config):
    """Which model, and from which score up it flags."""

    model: str = Field(min_length=1, description="hub id, with an optional @revision, or a folder")
    threshold: float = Field(0.5, gt=0, lt=1, description="scores from here up are flagged")


C = TypeVar("C", bound=PretrainedConfig)


class PretrainedClassifier(PromptClassifier, Generic[C]):
    """Base of classifiers with weights: they are found at once, and loaded with the first prompt.

    Attributes:
        kind: of the classifier, which its digest begins with.
        what: how messages name such a classifier.

    Args:
        name: by which records speak of it.
        config: which model, and how it is read.
        canonical: undo disguises before a prompt is read.
        options: device and dtype.

    Raises:
        MissingWeightsError: the weights are not on this machine.
        UsageError: the configuration does not fit the model, or names what is unknown.
    """

    kind: ClassVar[str]
    what: ClassVar[str] = "prompt classifier"

    def __init__(
        self, name: str, config: C, *, canonical: bool = True, options: EncoderOptions | None = None
    ) -> None:
        self.name, self.threshold = name, config.threshold
        self._config, self._canonical = config, canonical
        self._options = options or EncoderOptions()
        self._weights = find_weights(name, config.model, kind="prompt classifier")
        fields = self._set_up(config)
        self.digest = digest(
            self.kind,
            {
                "weights": self._weights.digest,
                "canonicalise": canonical,
                "dtype": self._options.dtype,
                **fields,
            },
        )

    def _load(self, architecture: Any) -> tuple[Any, Any]:
        """Load the model and its tokenizer, which pads, and which knows where a token lies in the text.

        Args:
            architecture: a class of transformers, such as ``AutoModelForSequenceClassification``.

        Raises:
            UsageError: the tokenizer has no ``tokenizer.json``.
        """
        from transformers import AutoTokenizer

        model = load_model(self._weights, architecture, self._options)
        tokenizer: Any = AutoTokenizer.from_pretrained(self._weights.path, local_files_only=True)
        if not tokenizer.is_fast:
            raise UsageError(f"the tokenizer of the {self.what} {self.name!r} has no tokenizer.json")
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
            model.config.pad_token_id = tokenizer.pad_token_id
        return model, tokenizer

    @abstractmethod
    def _set_up(self, config: C) -> Mapping[str, Json]:
        """Read the configuration: set ``harms``, and list what else changes a score."""


def longest_input(settings: Mapping[str, Any]) -> int:
    """Give the longest input in tokens; models in the manner of RoBERTa keep two positions for themselves."""
    positions = int(settings.get("max_position_embeddings") or LONGEST)
    return max(8, min(LONGEST, positions - 2 if settings.get("model_type") in _ROBERTA else positions))


_ROBERTA = frozenset({"camembert", "longformer", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl"})
