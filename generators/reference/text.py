"""Words to tensors: a word-level tokenizer in the Hugging Face format, and a small CLIP text model on top."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from ...harness.config import Config
from ...harness.errors import UsageError

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
    length: int = 16


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


class TextConditioner(nn.Module):
    """What the diffusion transformer knows of a prompt; trained together with it."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.model = CLIPTextModel(clip_text_config(config))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Read token ids (B, L): one vector a token (B, L, D) and one for the whole text (B, D)."""
        out = self.model(input_ids=ids)
        return cast(Tensor, out.last_hidden_state), cast(Tensor, out.pooler_output)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device
