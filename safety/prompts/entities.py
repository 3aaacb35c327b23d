"""Token classifiers of transformers (entity models) as readers of names: persons, organisations and the like.

A configuration file names the weights and maps each entity to our categories::

    name: entities
    entities:
      model: dslim/bert-base-NER      # a hub id or a folder, safetensors only
      labels: {PER: lik, ORG: tmk, LOC: none, MISC: none}

``entities:MODEL`` without a file reads persons as likeness and organisations as trademarks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from ...harness.core.arrays import Floats
from ...harness.core.errors import UsageError
from ...metrics.encoders.weights import torch_device
from ..label_map import LabelMap, Labels, labels_of
from .classifier import WINDOW, Judged, Match, windows
from .names import judge_names
from .pretrained import PretrainedClassifier, PretrainedConfig, longest_input

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["EntitiesClassifier", "EntitiesConfig", "entity_of"]

_VERSION = 1
_BATCH = 16
_OUTSIDE = "O"
_DEFAULTS = {"PER": "lik", "PERSON": "lik", "ORG": "tmk"}


class EntitiesConfig(PretrainedConfig):
    """The token classifier, and the meaning of its entities."""

    labels: Labels | None = Field(
        None, description="entity without B-, I- and the like -> our category ids, or none"
    )


class EntitiesClassifier(PretrainedClassifier[EntitiesConfig]):
    """Find entities; the score of a category is that of its likeliest entity.

    An entity is a row of tokens whose likeliest labels are of one kind; its score is the mean probability of
    that kind over them.
    """

    kind = "prompt-entities"
    what = "entity model"

    def _set_up(self, config: EntitiesConfig) -> Mapping[str, Json]:
        settings = self._weights.config()
        self._labels = labels_of(settings)
        kinds = tuple(dict.fromkeys(entity_of(label) for label in self._labels))
        named = [kind for kind in kinds if kind != _OUTSIDE]
        given: Labels | None = config.labels
        if given is None:
            given = {kind: _DEFAULTS.get(kind, "none") for kind in named}
            if not set(named) & set(_DEFAULTS):
                raise UsageError(
                    f"the entity model {config.model!r} has no label PER, PERSON or ORG (its labels: "
                    f"{', '.join(self._labels)}); write a file with the section entities that maps them"
                )
        as_config = {"id2label": dict(enumerate(named))}
        self._map = LabelMap.of(as_config, given, "softmax", f"{self.what} {self.name!r}")
        self._kinds = (*named, _OUTSIDE)
        self._kind_of = np.array([self._kinds.index(entity_of(label)) for label in self._labels])
        self._begins = np.array([label.startswith("B-") for label in self._labels])
        self._tokens = longest_input(settings)
        self.harms = self._map.categories
        return {
            "version": _VERSION,
            "labels": self._labels,
            "ours": self._map.ours,
            "threshold": self.threshold,
            "window": WINDOW,
            "tokens": self._tokens,
        }

    @cached_property
    def _model(self) -> tuple[Any, Any]:
        from transformers import AutoModelForTokenClassification

        return self._load(AutoModelForTokenClassification)

    def _classify(self, texts: Sequence[str]) -> Judged:
        """Find the entities of each prompt; a window that fails fails its prompt."""
        pieces, owner = windows(texts, canonical=self._canonical)
        rows: dict[int, tuple[Match, ...]] = {int(row): () for row in owner}
        failed: dict[int, str] = {}
        for start in range(0, len(pieces), _BATCH):
            for piece, spans, logits in self._logits(pieces[start : start + _BATCH]):
                row = int(owner[start + piece])
                if not np.isfinite(logits).all():
                    failed[row] = "the model gave an output that is not finite"
                    continue
                rows[row] = (*rows[row], *self._entities(pieces[start + piece], spans, logits))
        for row in failed:
            rows.pop(row, None)
        judged = judge_names(len(texts), rows, self.harms, self.threshold)
        return Judged(judged.score, judged.harms, judged.flagged, failed, judged.found)

    def _logits(self, pieces: Sequence[str]) -> list[tuple[int, list[tuple[int, int]], Floats]]:
        """Score windows of tokens: the piece, the place of each token in it, and logits (tokens, labels)."""
        import torch

        model, tokenizer = self._model
        found: Any = tokenizer(
            list(pieces),
            truncation=True,
            max_length=self._tokens,
            stride=self._tokens // 4,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=True,
            return_tensors="pt",
        )
        device = torch_device(self._options)
        out: list[tuple[int, list[tuple[int, int]], Floats]] = []
        ids_BL, mask_BL = found["input_ids"], found["attention_mask"]
        of_piece: list[int] = found["overflow_to_sample_mapping"].tolist()
        for start in range(0, len(ids_BL), _BATCH):
            part = slice(start, start + _BATCH)
            with torch.inference_mode():
                logits = model(
                    input_ids=ids_BL[part].to(device), attention_mask=mask_BL[part].to(device)
                ).logits
            for i, scores in enumerate(logits.double().cpu().numpy(), start):
                spans = [(int(a), int(b)) for a, b in found["offset_mapping"][i].tolist()]
                real = [k for k, (a, b) in enumerate(spans) if b > a and mask_BL[i, k]]
                out.append((of_piece[i], [spans[k] for k in real], scores[real]))
        return out

    def _entities(self, text: str, spans: Sequence[tuple[int, int]], logits: Floats) -> list[Match]:
        if not len(logits):
            return []
        shifted = np.exp(logits - logits.max(1, keepdims=True))
        p = shifted / shifted.sum(1, keepdims=True)
        by_kind = np.stack([p[:, self._kind_of == k].sum(1) for k in range(len(self._kinds))], 1)
        kinds, begins = by_kind.argmax(1), self._begins[logits.argmax(1)]
        found: list[Match] = []
        at = 0
        while at < len(kinds):
            end = at + 1
            while (
                end < len(kinds) and kinds[end] == kinds[at] and (_inside_word(spans, end) or not begins[end])
            ):
                end += 1
            kind = int(kinds[at])
            for category in self._map.ours[kind] if kind < len(self._map.ours) else ():
                start, stop = spans[at][0], spans[end - 1][1]
                score = float(by_kind[at:end, kind].mean())
                found.append(Match(category, score, start, stop, text[start:stop], self._kinds[kind]))
            at = end
        return found


def _inside_word(spans: Sequence[tuple[int, int]], at: int) -> bool:
    return spans[at][0] == spans[at - 1][1]


def entity_of(label: str) -> str:
    """Take the position off a label of a token: ``B-PER`` is PER."""
    head, dash, rest = label.partition("-")
    return rest if dash and head in ("B", "I", "E", "S", "L", "U") else label
