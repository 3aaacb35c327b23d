"""The interface of prompt classifiers, and the classifiers trained here, on n-grams or on MiniLM.

A long prompt is classified in windows and gets the score of the worst one, so that padding cannot hide harm.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...harness.core.arrays import Floats
from ...harness.core.config import Config
from ...harness.core.errors import ScreentestError
from ...harness.core.keys import digest
from ...harness.core.text import REPLACEMENT, well_formed
from ..calibration import Calibration
from ..harms import HARMS

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["Backbone", "Judged", "Match", "PromptClassifier", "TrainedClassifier", "TrainedConfig", "windows"]

WEIGHTS = Path(__file__).parent.parent / "weights"
PACKAGED = ("ngram", "minilm")
"""Classifiers trained here, with their weights in the package."""
WINDOW = 1024
"""Characters of a window; longer prompts are split at white space."""
_TEXT_VERSION = 2
"""Version of the normalisation of texts before classification."""
CONFIG, TENSORS = "classifier.json", "model.safetensors"


@dataclass(frozen=True)
class Judged:
    """The result of classifying n prompts.

    Attributes:
        score: probability of any harm, float64 (n,); NaN for a prompt without text, or if classification
            failed.
        harms: probability of each harm, float64 (n, k), columns as the classifier's ``harms``; NaN if a harm
            is unknown.
        flagged: whether the score reaches the classifier's threshold, bool (n,); meaningless if the score is
            NaN.
        failed: row -> why classification failed; such a prompt is neither safe nor harmful.
        found: row -> the words that a reader of names went by, for a reviewer to see.
    """

    score: Floats
    harms: Floats
    flagged: NDArray[np.bool_]
    failed: Mapping[int, str] = field(default_factory=dict[int, str])
    found: Mapping[int, tuple[Match, ...]] = field(default_factory=dict[int, "tuple[Match, ...]"])


class Match(NamedTuple):
    """A name in a prompt.

    Attributes:
        category: id of the taxonomy.
        score: in [0, 1]: how surely these words are such a name.
        start, end: its place in the text that was read (canonical; of a long prompt, in its window), in
            characters.
        text: as it stands there.
        entry: the entry or rule by which it was found.
    """

    category: str
    score: float
    start: int
    end: int
    text: str
    entry: str


class PromptClassifier(ABC):
    """Base of prompt classifiers, which give probabilities of harms.

    Attributes:
        name: name in records and reports.
        harms: harms that are scored, in the order of the columns: `HARMS`, or ids of the taxonomy.
        threshold: least score that is flagged.
        digest: 64 hex digits of everything that changes a probability.
    """

    name: str
    harms: tuple[str, ...] = HARMS
    threshold: float
    digest: str

    def classify(self, texts: Sequence[str]) -> Judged:
        """Classify prompts, each independently of the others.

        Texts are made `well_formed` first. A prompt that cannot be classified is in ``failed`` with the
        reason; the others are classified.

        Raises:
            ScreentestError: no prompt can be classified, for example because weights are missing.
        """
        return self._classify_each([well_formed(text) for text in texts])

    def _classify_each(self, texts: list[str]) -> Judged:
        """Classify together; on an error, in halves, down to the prompts that cause it."""
        try:
            return self._classify(texts)
        except ScreentestError:
            raise
        except Exception as error:
            if len(texts) <= 1:
                reason = _sentence(error, texts)
                none = np.full((len(texts), 1 + len(self.harms)), np.nan)
                flagged = np.zeros(len(texts), np.bool_)
                return Judged(none[:, 0], none[:, 1:], flagged, dict.fromkeys(range(len(texts)), reason))
        half = len(texts) // 2
        return _joined(self._classify_each(texts[:half]), self._classify_each(texts[half:]))

    @abstractmethod
    def _classify(self, texts: Sequence[str]) -> Judged:
        """Classify well-formed prompts; an exception fails single prompts only."""

    def usage(self) -> Mapping[str, float]:
        """Return the costs so far, for classifiers that cost more than time."""
        return {}


def _sentence(error: Exception, texts: Sequence[str]) -> str:
    """Describe the error in one line, without its message if that quotes a prompt."""
    said = " ".join(str(error).split())[:200]
    quotes = any(text and (text in str(error) or repr(text)[1:-1] in str(error)) for text in texts)
    return type(error).__name__ if quotes or not said else f"{type(error).__name__}: {said}"


def _joined(a: Judged, b: Judged) -> Judged:
    failed = {**a.failed, **{row + len(a.score): why for row, why in b.failed.items()}}
    return Judged(
        np.concatenate([a.score, b.score]),
        np.concatenate([a.harms, b.harms]),
        np.concatenate([a.flagged, b.flagged]),
        failed,
        {**a.found, **{row + len(a.score): names for row, names in b.found.items()}},
    )


class Backbone(Protocol):
    """A model that scores texts before calibration."""

    def logits(self, texts: Sequence[str]) -> Floats:
        """Score texts of at most a window: (n, k)."""
        ...


class _Line(Config):
    slope: float = Field(gt=0)
    intercept: float


class TrainedConfig(Config):
    """The configuration of a trained classifier (``classifier.json``)."""

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
            "text_version": _TEXT_VERSION,
            "canonicalise": canonical,
            "window": WINDOW,
        }
        self.digest = digest("prompt-classifier", fields)

    def _classify(self, texts: Sequence[str]) -> Judged:
        """Classify prompts by their worst window."""
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


def windows(
    texts: Iterable[str], *, canonical: bool, size: int = WINDOW
) -> tuple[list[str], NDArray[np.int64]]:
    """Split texts into windows of ``size`` characters; also return the index of each window's text.

    An empty text, or one of only broken characters, has no window.
    """
    from ..transforms.canonical import canonicalise

    pieces: list[str] = []
    owner: list[int] = []
    for index, text in enumerate(texts):
        for piece in _cut(text, size):
            plain = _printable(piece)
            read = _printable(canonicalise(plain)) if canonical and plain else plain
            if read.strip(f"{REPLACEMENT} "):
                pieces.append(read)
                owner.append(index)
    return pieces, np.array(owner, np.int64)


def _cut(text: str, size: int) -> Iterable[str]:
    start = 0
    while len(text) - start > size:
        space = text.rfind(" ", start + size // 2, start + size)
        end = space if space > 0 else start + size
        yield text[start:end]
        start = end
    yield text[start:]


def _printable(text: str) -> str:
    """Replace control characters, which may come from references (``&#0;``), with spaces."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return "".join(" " if c < " " or c == "\x7f" else c for c in text).strip()
