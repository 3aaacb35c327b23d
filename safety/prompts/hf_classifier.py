"""Sequence classifiers of transformers as prompt classifiers: toxicity, hate, abuse and the like.

A configuration file names the weights and maps each label to our categories::

    name: toxicity
    transformers:
      model: unitary/toxic-bert      # a hub id or a folder, safetensors only
      labels: {toxic: hte, severe_toxic: hte, obscene: sxc, threat: vcr, insult: hte, identity_hate: hte}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...harness.core.arrays import Floats
from ...metrics.encoders.weights import torch_device
from ..label_map import Activation, LabelMap, Labels
from .classifier import WINDOW, Judged, windows
from .pretrained import LONGEST, PretrainedClassifier, PretrainedConfig, longest_input

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["TransformersClassifier", "TransformersConfig"]

_VERSION = 2
_BATCH = 32


class TransformersConfig(PretrainedConfig):
    """The sequence classifier, and the meaning of its labels."""

    labels: Labels = Field(min_length=1, description="label -> our category ids, or none")
    activation: Activation = "auto"
    max_tokens: int | None = Field(None, ge=8, description="of one window; by default what the model takes")


class TransformersClassifier(PretrainedClassifier[TransformersConfig]):
    """Classify prompts by a sequence classifier; a long prompt gets its worst window's score."""

    kind = "prompt-transformers"

    def _set_up(self, config: TransformersConfig) -> Mapping[str, Json]:
        settings = self._weights.config()
        self._map = LabelMap.of(settings, config.labels, config.activation, f"{self.what} {self.name!r}")
        self._tokens = min(config.max_tokens or LONGEST, longest_input(settings))
        self.harms = self._map.categories
        return {
            "version": _VERSION,
            "labels": self._map.labels,
            "ours": self._map.ours,
            "exclusive": self._map.exclusive,
            "threshold": self.threshold,
            "window": WINDOW,
            "tokens": self._tokens,
        }

    @cached_property
    def _model(self) -> tuple[Any, Any]:
        from transformers import AutoModelForSequenceClassification

        return self._load(AutoModelForSequenceClassification)

    def _classify(self, texts: Sequence[str]) -> Judged:
        """Classify prompts by their worst window; a failed window fails its prompt."""
        pieces, owner = windows(texts, canonical=self._canonical)
        score = np.full(len(texts), np.nan)
        harms = np.full((len(texts), len(self.harms)), np.nan)
        failed: dict[int, str] = {}
        if not pieces:
            return Judged(score, harms, np.zeros(len(texts), np.bool_))
        logits, of_piece = self._logits(pieces)
        owner = owner[of_piece]
        for row in np.unique(owner).tolist():
            try:
                some, each = self._map.read(logits[owner == row])
            except ValueError as error:
                failed[row] = str(error)
                continue
            score[row], harms[row] = some.max(), each.max(0)
        return Judged(score, harms, score >= self.threshold, failed)

    def _logits(self, pieces: Sequence[str]) -> tuple[Floats, NDArray[np.int64]]:
        """Score windows of tokens, of like length side by side: logits, and the piece that each is of."""
        import torch

        model, tokenizer = self._model
        found: Any = tokenizer(
            list(pieces),
            truncation=True,
            max_length=self._tokens,
            stride=self._tokens // 4,
            return_overflowing_tokens=True,
        )
        ids: list[list[int]] = found["input_ids"]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        out = np.empty((len(ids), len(self._map.labels)))
        device = torch_device(self._options)
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            width = len(ids[chosen[-1]])
            ids_BL = torch.full((len(chosen), width), tokenizer.pad_token_id or 0, dtype=torch.long)
            mask_BL = torch.zeros_like(ids_BL)
            for row, i in enumerate(chosen):
                ids_BL[row, : len(ids[i])] = torch.tensor(ids[i])
                mask_BL[row, : len(ids[i])] = 1
            with torch.inference_mode():
                logits = model(input_ids=ids_BL.to(device), attention_mask=mask_BL.to(device)).logits
            out[chosen] = logits.double().cpu().numpy()
        return out, np.array(found["overflow_to_sample_mapping"], np.int64)
