"""Open-vocabulary detectors: boxes of the objects that nouns name, by OWL-ViT, OWLv2 or Grounding DINO.

Models, tokenizers and image processors (those of Pillow and NumPy) are the library's. Here each box gets a
score for every noun. For Grounding DINO, whose nouns share one sentence, that is the largest score over the
noun's tokens; the library would return pieces of text.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from ..encoders.base import EncoderOptions
from ..encoders.weights import find_weights, load_model, model_type, torch_device

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["THRESHOLDS", "Boxes", "Detector", "keep_best", "overlap"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]
_VERSION: Final = 1
THRESHOLDS: Final = {"owlvit": 0.1, "owlv2": 0.1, "grounding-dino": 0.25, "mm-grounding-dino": 0.25}
"""Kinds of detectors, and the library's default threshold for the score of a box."""
_PROCESSORS: Final = {
    "owlvit": "OwlViTImageProcessor",
    "owlv2": "Owlv2ImageProcessor",
    "grounding-dino": "GroundingDinoImageProcessor",
    "mm-grounding-dino": "GroundingDinoImageProcessor",
}
_MODELS: Final = {
    "owlvit": "OwlViTForObjectDetection",
    "owlv2": "Owlv2ForObjectDetection",
    "grounding-dino": "GroundingDinoForObjectDetection",
    "mm-grounding-dino": "MMGroundingDinoForObjectDetection",
}
_TEMPLATE: Final = "a photo of a {}"  # as in the training of OWL-ViT
_SAME: Final = 0.5  # overlap from which two boxes of one noun are one object
_ONE_THING: Final = 0.7  # likewise, for boxes of two nouns


@dataclass(frozen=True)
class Boxes:
    """The detections in one frame: M boxes.

    Attributes:
        edges_M4: left, top, right, bottom, in pixels; 0 is the frame's edge.
        scores_M: in [0, 1].
        nouns_M: index of each box's noun in the detector's nouns.
    """

    edges_M4: _F
    scores_M: _F
    nouns_M: _I


class Detector:
    """Detect objects by their nouns.

    Args:
        source: a folder or a hub id of a model of one of the kinds in `THRESHOLDS`.
        nouns: the objects to detect.
        threshold: least score of a box; None for the default of the kind.
        options: device and dtype.

    Raises:
        UsageError: another kind of model, or a noun that is too long for it.
        MissingWeightsError: the weights are not on this machine.
    """

    def __init__(
        self, source: str, nouns: Sequence[str], threshold: float | None, options: EncoderOptions
    ) -> None:
        self.nouns = tuple(nouns)
        self._options = options
        self._weights = find_weights("tracks", source)
        self._kind = model_type(self._weights, "tracks", tuple(THRESHOLDS), "looks for nouns by")
        self._threshold = THRESHOLDS[self._kind] if threshold is None else threshold

    @cached_property
    def _identity(self) -> Mapping[str, Json]:
        return {
            "detector": _VERSION,
            "kind": self._kind,
            "weights": self._weights.digest,
            "nouns": list(self.nouns),
            "threshold": self._threshold,
            "dtype": self._options.dtype,
        }

    def identity(self) -> Mapping[str, Json]:
        """List the version, the digest of the weights, the nouns, the threshold and the dtype."""
        return self._identity

    @cached_property
    def _model(self) -> Any:
        import transformers

        return load_model(self._weights, getattr(transformers, _MODELS[self._kind]), self._options)

    @cached_property
    def _processor(self) -> Any:
        import transformers

        # The kind that needs no torchvision has a name of its own since 5.0.
        name = _PROCESSORS[self._kind]
        made = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
        return made.from_pretrained(self._weights.path, local_files_only=True)

    @cached_property
    def _query(self) -> _Query:
        from transformers import AutoTokenizer

        tokenizer: Any = AutoTokenizer.from_pretrained(self._weights.path, local_files_only=True)
        if self._kind.startswith("owl"):
            room = int(self._model.config.text_config.max_position_embeddings)
            return _separate_query(tokenizer, self.nouns, room)
        return _joint_query(tokenizer, self.nouns, int(self._model.config.max_text_len))

    def __call__(self, frames_THWC: NDArray[np.uint8]) -> list[Boxes]:
        """Detect objects in frames, uint8 RGB (T, H, W, 3): boxes per frame."""
        import torch

        device = torch_device(self._options)
        pictures = self._processor(images=list(frames_THWC), return_tensors="pt")
        given = {name: value.to(device) for name, value in pictures.items()}
        given["pixel_values"] = given["pixel_values"].to(self._model.dtype)
        count = len(frames_THWC)
        query = self._query
        for name, ids in query.tokens.items():
            given[name] = torch.tensor(ids * count, device=device)
        with torch.inference_mode():
            output = self._model(**given)
        scores_TQK = output.logits.float().sigmoid().cpu().numpy().astype(np.float64)
        boxes_TQ4 = output.pred_boxes.float().cpu().numpy().astype(np.float64)
        size = frames_THWC.shape[1:3]
        return [self._boxes(scores_TQK[t], boxes_TQ4[t], size) for t in range(count)]

    def _boxes(self, scores_QK: _F, boxes_Q4: _F, size: tuple[int, int]) -> Boxes:
        """Convert centres and sizes, as shares of the image, to edges in pixels, and keep the best boxes."""
        scores_QN = np.stack([scores_QK[:, list(span)].max(axis=1) for span in self._query.spans], axis=1)
        height, width = size
        # OWLv2 reads a square, with the frame in its upper left part.
        unit = (max(size), max(size)) if self._kind == "owlv2" else (width, height)
        x, y, w, h = (boxes_Q4 * np.array([*unit, *unit])).T
        edges = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
        edges = np.clip(edges, 0, np.array([width, height, width, height]))
        return keep_best(edges, scores_QN, self._threshold)


@dataclass(frozen=True)
class _Query:
    """The query for one image: the rows of each model input, and each noun's columns of the output."""

    tokens: Mapping[str, list[Any]]
    spans: tuple[tuple[int, ...], ...]


def _separate_query(tokenizer: Any, nouns: Sequence[str], room: int) -> _Query:
    """Make a query with a sentence for each noun."""
    sentences = [_TEMPLATE.format(noun) for noun in nouns]
    whole: list[list[int]] = [tokenizer(sentence)["input_ids"] for sentence in sentences]
    _fits(nouns, [len(ids) for ids in whole], room)
    padded = tokenizer(sentences, padding="max_length", max_length=room)
    tokens = {name: list(padded[name]) for name in ("input_ids", "attention_mask")}
    return _Query(tokens, tuple((n,) for n in range(len(nouns))))


def _joint_query(tokenizer: Any, nouns: Sequence[str], room: int) -> _Query:
    """Make a query with all nouns in one sentence: ``ball. gray wall.``"""
    sentence, ends = "", [0]
    for noun in nouns:
        sentence += f"{' ' if sentence else ''}{noun}."
        ends.append(len(sentence))
    read = tokenizer(sentence, return_offsets_mapping=True, return_token_type_ids=True)
    _fits([sentence], [len(read["input_ids"])], room)
    spans: list[tuple[int, ...]] = []
    for noun, (first, last) in zip(nouns, itertools.pairwise(ends), strict=True):
        inside = [k for k, (a, b) in enumerate(read["offset_mapping"]) if first <= a < b <= last - 1]
        if not inside:
            raise UsageError(f"the detector's tokenizer reads nothing in the noun {noun!r}; use another word")
        spans.append(tuple(inside))
    tokens = {name: [read[name]] for name in ("input_ids", "attention_mask", "token_type_ids")}
    return _Query(tokens, tuple(spans))


def _fits(texts: Sequence[str], lengths: Sequence[int], room: int) -> None:
    for text, length in zip(texts, lengths, strict=True):
        if length > room:
            raise UsageError(
                f"the detector reads {room} tokens, and {text!r} has {length}; give fewer or shorter nouns"
            )


def keep_best(edges_Q4: _F, scores_QN: _F, threshold: float) -> Boxes:
    """Give each box its best noun, and keep only the best of overlapping boxes.

    Boxes overlap if their intersection over union is above 0.5, or above 0.7 for boxes of different nouns.
    """
    nouns, scores = scores_QN.argmax(axis=1), scores_QN.max(axis=1)
    large = (edges_Q4[:, 2:] - edges_Q4[:, :2]).min(axis=1) > 0
    order = [int(q) for q in np.argsort(-scores, kind="stable") if scores[q] >= threshold and large[q]]
    kept: list[int] = []
    for q in order:
        overlaps = [overlap(edges_Q4[q], edges_Q4[k]) for k in kept]
        limits = [_SAME if nouns[q] == nouns[k] else _ONE_THING for k in kept]
        if all(lap <= limit for lap, limit in zip(overlaps, limits, strict=True)):
            kept.append(q)
    return Boxes(edges_Q4[kept], scores[kept], nouns[kept].astype(np.int64))


def overlap(one: _F, two: _F) -> float:
    """Compute the intersection over union of two boxes (left, top, right, bottom)."""
    inside = np.maximum(0.0, np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2])).prod()
    areas = [(box[2:] - box[:2]).prod() for box in (one, two)]
    return float(inside / max(sum(areas) - inside, 1e-12))
