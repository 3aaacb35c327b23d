"""Classify prompts: calibrated probabilities of each harm, from n-grams, from MiniLM, or from both by a rule.

A long prompt is read in windows and counts by its worst one, so that harm cannot hide behind padding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from ..harness.config import Config, explain
from ..harness.errors import MissingWeightsError, UsageError, unknown_name
from ..harness.keys import digest, file_sha256
from .calibration import Calibration, logit
from .corpus import HARMS

if TYPE_CHECKING:
    from ..harness.keys import Json

__all__ = [
    "Backbone",
    "CombinedClassifier",
    "Judged",
    "PromptClassifier",
    "TrainedClassifier",
    "TrainedConfig",
    "load_classifier",
    "windows",
]

WEIGHTS = Path(__file__).parent / "weights"
WINDOW = 1024
"""Characters that are read at once; longer prompts are cut at white space."""
CONFIG, TENSORS = "classifier.json", "model.safetensors"

Floats = NDArray[np.float64]
Rule = Literal["any", "mean"]


@dataclass(frozen=True)
class Judged:
    """What a classifier says of n prompts.

    Attributes:
        score: probability of any harm, float64 (n,); NaN for a prompt without text.
        harms: probability of each harm, float64 (n, k), columns as the classifier's ``harms``; NaN likewise.
        flagged: whether the score reaches the classifier's threshold, bool (n,); False says nothing where the
            score is NaN.
    """

    score: Floats
    harms: Floats
    flagged: NDArray[np.bool_]


class PromptClassifier(ABC):
    """Give calibrated probabilities of harms.

    Attributes:
        name: ``ngram``, ``minilm``, or both with the rule.
        harms: what is scored, in the order of the columns.
        threshold: scores from here up are flagged; chosen by training for a stated rate of false alarms.
        digest: 64 hex digits of everything that changes a probability.
    """

    name: str
    harms: tuple[str, ...] = HARMS
    threshold: float
    digest: str

    @abstractmethod
    def classify(self, texts: Sequence[str]) -> Judged:
        """Judge prompts; each by itself, whatever else is in the list."""


class Backbone(Protocol):
    """A model that scores texts before calibration."""

    def logits(self, texts: Sequence[str]) -> Floats:
        """Score texts that are no longer than a window: (n, k)."""
        ...


class _Line(Config):
    slope: float = Field(gt=0)
    intercept: float


class TrainedConfig(Config):
    """What stands beside the weights of a trained classifier (``classifier.json``)."""

    schema_version: Literal[1] = 1
    kind: Literal["ngram", "minilm"]
    feature_version: int
    harms: tuple[str, ...]
    harm_calibration: tuple[_Line, ...]
    any_calibration: _Line
    threshold: float = Field(ge=0, le=1)
    false_positive_rate: float = Field(gt=0, lt=1, description="on benign scenes, for which it was chosen")
    tensors_sha256: str
    encoder_sha256: str | None = None


class TrainedClassifier(PromptClassifier):
    """A backbone with its calibration and threshold."""

    def __init__(self, config: TrainedConfig, backbone: Backbone, *, canonical: bool = True) -> None:
        self.name = config.kind
        self.harms = config.harms
        self.threshold = config.threshold
        self._backbone = backbone
        self._canonical = canonical
        self._lines = [Calibration(line.slope, line.intercept) for line in config.harm_calibration]
        self._any = Calibration(config.any_calibration.slope, config.any_calibration.intercept)
        fields: dict[str, Json] = {
            **config.model_dump(mode="json"),
            "canonicalise": canonical,
            "window": WINDOW,
        }
        self.digest = digest("prompt-classifier", fields)

    def classify(self, texts: Sequence[str]) -> Judged:
        """Judge prompts by their worst window."""
        pieces, owner = windows(texts, canonical=self._canonical)
        worst = np.full((len(texts), len(self.harms)), -np.inf)
        if pieces:
            np.maximum.at(worst, owner, self._backbone.logits(pieces))
        empty = np.isneginf(worst).all(1)
        harms = np.full_like(worst, np.nan)
        for column, line in enumerate(self._lines):
            harms[~empty, column] = line(worst[~empty, column])
        score = np.full(len(texts), np.nan)
        score[~empty] = self._any(worst[~empty].max(1))
        return Judged(score, harms, score >= self.threshold)


class CombinedClassifier(PromptClassifier):
    """Several classifiers by a rule: ``any`` flags what one of them flags, ``mean`` averages log-odds.

    Scores are first moved so that each member's threshold lies at even odds; the combined threshold is 0.5
    by that, and ``any`` is the highest of the moved scores. They order prompts; they are not calibrated.
    """

    threshold = 0.5

    def __init__(self, members: Sequence[PromptClassifier], rule: Rule) -> None:
        if len({member.harms for member in members}) != 1:
            raise UsageError("classifiers that are combined must score the same harms, in the same order")
        self.name = f"{rule}({', '.join(member.name for member in members)})"
        self.harms = members[0].harms
        self._members, self._rule = tuple(members), rule
        self.digest = digest("prompt-combination", {"rule": rule, "members": [m.digest for m in members]})

    def classify(self, texts: Sequence[str]) -> Judged:
        """Judge prompts by every member."""
        judged = [member.classify(texts) for member in self._members]
        moved = np.stack(
            [
                logit(j.score) - logit(np.array(m.threshold))
                for j, m in zip(judged, self._members, strict=True)
            ]
        )
        harms = np.stack([logit(j.harms) for j in judged])
        together = np.max if self._rule == "any" else np.mean
        score, harm = (Calibration(1.0, 0.0)(together(x, axis=0)) for x in (moved, harms))
        return Judged(score, harm, score >= self.threshold)


def windows(texts: Iterable[str], *, canonical: bool) -> tuple[list[str], NDArray[np.int64]]:
    """Cut texts into windows: the windows, and for each the index of its text. No text, no window."""
    from .transforms_canonical import canonicalise

    pieces: list[str] = []
    owner: list[int] = []
    for index, text in enumerate(texts):
        for piece in _cut(text):
            plain = _printable(piece)
            read = canonicalise(plain) if canonical and plain else plain
            if read.strip():
                pieces.append(read)
                owner.append(index)
    return pieces, np.array(owner, np.int64)


def _cut(text: str) -> Iterable[str]:
    start = 0
    while len(text) - start > WINDOW:
        space = text.rfind(" ", start + WINDOW // 2, start + WINDOW)
        end = space if space > 0 else start + WINDOW
        yield text[start:end]
        start = end
    yield text[start:]


def _printable(text: str) -> str:
    """Put spaces for control characters, and drop halves of surrogate pairs, which no encoding can write."""
    if text.isascii() and text.isprintable():
        return text.strip()
    kept = text.encode("utf-8", "ignore").decode("utf-8")
    return "".join(" " if c < " " or c == "\x7f" else c for c in kept).strip()


def load_classifier(name: str, *, canonical: bool = True, encoder: str | None = None) -> PromptClassifier:
    """Load a classifier: ``ngram``, ``minilm``, ``any`` or ``mean`` of both, or a folder from training.

    Args:
        name: which.
        canonical: undo disguises (look-alike letters, spacing, encodings) before a prompt is read.
        encoder: folder or hub id of MiniLM; by default the package of the extra ``encoders``, or the hub.

    Raises:
        MissingWeightsError: weights are not on this machine; the sentence says what to do.
        UsageError: an unknown name, or a folder that holds something else.
    """
    if name == "any" or name == "mean":
        members = [load_classifier(n, canonical=canonical, encoder=encoder) for n in ("ngram", "minilm")]
        return CombinedClassifier(members, name)
    packaged = ("ngram", "minilm")
    if name in packaged:
        return _load_folder(WEIGHTS / name, canonical, encoder)
    if not Path(name).is_dir():
        raise unknown_name("prompt classifier", name, (*packaged, "any", "mean"))
    return _load_folder(Path(name), canonical, encoder)


def _load_folder(folder: Path, canonical: bool, encoder: str | None) -> TrainedClassifier:
    config_file, tensors_file = folder / CONFIG, folder / TENSORS
    if not config_file.is_file() or not tensors_file.is_file():
        raise MissingWeightsError(
            f"no prompt classifier is at {folder} ({CONFIG} and {TENSORS}); "
            "train one with `screentest train prompt-filter --data FOLDER --out FOLDER`"
        )
    try:
        config = TrainedConfig.model_validate_json(config_file.read_text("utf-8"))
    except ValidationError as error:
        raise UsageError(f"{config_file}: {explain(error, TrainedConfig)}") from None
    if file_sha256(tensors_file) != config.tensors_sha256:
        raise UsageError(f"{tensors_file} is not the file that {config_file} was written for")
    return TrainedClassifier(config, _backbone(config, tensors_file, encoder), canonical=canonical)


def _backbone(config: TrainedConfig, file: Path, encoder: str | None) -> Backbone:
    from safetensors.numpy import load_file

    tensors: dict[str, NDArray[Any]] = load_file(file)
    if config.kind == "ngram":
        from . import ngram

        _check_version(file, config.feature_version, ngram.VERSION)
        return ngram.NgramModel.from_tensors(tensors, file)
    from . import minilm

    _check_version(file, config.feature_version, minilm.VERSION)
    return minilm.MiniLMModel.from_tensors(tensors, file, minilm.find_encoder(encoder))


def _check_version(file: Path, found: int, expected: int) -> None:
    if found != expected:
        raise UsageError(
            f"{file} was trained on features of version {found}, not {expected} as here; train it again"
        )
