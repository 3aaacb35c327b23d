"""Words to tensors: a word-level tokenizer in the Hugging Face format, and a frozen CLIP text model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel

from ....harness.core.config import Config
from ....harness.core.errors import UsageError
from ....metrics.encoders.base import EncoderOptions
from ....metrics.encoders.weights import WeightsFolder, load_model
from .checkpoint import TEXT_FILES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["TextConditioner", "TextConfig", "build_tokenizer", "load_tokenizer", "tokenize"]

_SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")


class TextConfig(Config):
    """The size of the text model; ``vocabulary`` is what its tokenizer holds, special tokens included."""

    vocabulary: int
    width: int = 128
    depth: int = 2
    heads: int = 4
    length: int = 32


def build_tokenizer(words: Sequence[str], length: int) -> PreTrainedTokenizerFast:
    """Build a tokenizer of whole lower-case words; a word that it does not know becomes ``<unk>``.

    ``length`` is what `tokenize` pads and cuts to, the two end marks included.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate((*_SPECIAL, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=length,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a checkpoint.

    Raises:
        UsageError: it is missing or damaged.
    """
    from transformers import PreTrainedTokenizerFast

    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises Exception itself
        reason = " ".join(str(error).split())[:160]
        raise UsageError(
            f"the tokenizer in {folder} cannot be read ({reason}); get the files again"
        ) from None
    return cast("PreTrainedTokenizerFast", tokenizer)


def tokenize(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> Tensor:
    """Turn texts into token ids (B, L), padded and cut to the tokenizer's length."""
    encoded = tokenizer(list(texts), padding="max_length", truncation=True, return_tensors="pt")
    return cast(Tensor, encoded["input_ids"])


def clip_text_config(config: TextConfig, projection: int = 512) -> CLIPTextConfig:
    """Describe a small CLIP text tower over our tokenizer."""
    return CLIPTextConfig(
        vocab_size=config.vocabulary,
        hidden_size=config.width,
        intermediate_size=4 * config.width,
        num_hidden_layers=config.depth,
        num_attention_heads=config.heads,
        max_position_embeddings=config.length,
        pad_token_id=_SPECIAL.index("<pad>"),
        bos_token_id=_SPECIAL.index("<s>"),
        eos_token_id=_SPECIAL.index("</s>"),
        projection_dim=projection,
    )


class TextConditioner:
    """The text conditioning of the diffusion transformer: a frozen CLIP text model and its tokenizer."""

    def __init__(self, model: CLIPTextModel, tokenizer: PreTrainedTokenizerFast) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Self:
        """Load the text tower of a CLIP model saved in the Hugging Face format, and its tokenizer.

        Raises:
            MissingWeightsError: a file is not there.
            UsageError: a file is damaged, or the model is of another kind.
        """
        tokenizer = load_tokenizer(folder)
        weights = WeightsFolder(str(folder), folder, TEXT_FILES)
        model = cast("CLIPTextModel", load_model(weights, CLIPTextModel, EncoderOptions(device)))
        return cls(model, tokenizer)

    @property
    def width(self) -> int:
        """Length of its vectors, D."""
        return 2 * int(self.model.config.hidden_size)

    def __call__(self, prompts: Sequence[str]) -> tuple[list[Tensor], Tensor]:
        """Read prompts: the tokens of each as vectors (L, D), end marks included, and pooled, of all (B, D).

        The first half of a vector is what the model makes of the token in its sentence, and the second is the
        word's own embedding, of unit variance: words that the contrastive loss found alike, since a small
        square looks much like a small ball, stay apart in it. Of the pooled vectors the second half is the
        sum of the words' over the square root of their number. A prompt longer than the tokenizer's length is
        cut there.
        """
        ids = tokenize(self.tokenizer, prompts).to(self.model.device)  # (B, longest)
        kept = ids.ne(cast(int, self.tokenizer.pad_token_id))[:, :, None]
        with torch.no_grad():  # and no inference mode: a transformer is trained on what it gives
            out = self.model(input_ids=ids)
            own = self.model.get_input_embeddings()(ids)  # (B, longest, D / 2)
            own = kept * F.layer_norm(own, own.shape[-1:])
        words = torch.cat([cast(Tensor, out.last_hidden_state), own], dim=-1)
        lengths = kept.sum(1)  # (B, 1)
        pooled = torch.cat([cast(Tensor, out.pooler_output), own.sum(1) * lengths.rsqrt()], dim=-1)
        return [row[:length] for row, length in zip(words, lengths[:, 0].tolist(), strict=True)], pooled
