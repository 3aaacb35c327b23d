"""A list of forbidden words as a prompt classifier: a simple baseline for other filters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, field_validator

from ...harness.core.config import Config
from ...harness.core.keys import digest
from .classifier import Judged, PromptClassifier, windows

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["KeywordClassifier", "KeywordsConfig"]

_VERSION = 2
_WINDOW = 100_000  # so long that no phrase is cut in practice


class KeywordsConfig(Config):
    """Forbidden phrases by harm; they match whole words, in any case, with any white space."""

    phrases: dict[str, tuple[str, ...]] = Field(min_length=1)

    @field_validator("phrases")
    @classmethod
    def _words(cls, phrases: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for harm, listed in phrases.items():
            if not listed or not all(phrase.split() for phrase in listed):
                raise ValueError(f"{harm!r} needs phrases, and none may be empty")
        return phrases


class KeywordClassifier(PromptClassifier):
    """Flag a prompt that contains a listed phrase: its score is 1, otherwise 0."""

    threshold = 0.5

    def __init__(self, name: str, config: KeywordsConfig, *, canonical: bool = True) -> None:
        self.name = name
        self.harms = tuple(config.phrases)
        self._canonical = canonical
        self._patterns = [_pattern(config.phrases[harm]) for harm in self.harms]
        fields: dict[str, Json] = {
            "version": _VERSION,
            "phrases": {harm: list(listed) for harm, listed in config.phrases.items()},
            "canonicalise": canonical,
        }
        self.digest = digest("prompt-keywords", fields)

    def _classify(self, texts: Sequence[str]) -> Judged:
        """Look for the phrases in each prompt."""
        pieces, owner = windows(texts, canonical=self._canonical, size=_WINDOW)
        harms = np.full((len(texts), len(self.harms)), np.nan)
        for piece, row in zip(pieces, owner, strict=True):
            found = np.array([float(pattern.search(piece) is not None) for pattern in self._patterns])
            harms[row] = np.fmax(harms[row], found)
        score = np.array([row.max() for row in harms], np.float64)
        return Judged(score, harms, score >= self.threshold)


def _pattern(phrases: Sequence[str]) -> re.Pattern[str]:
    words = (r"\s+".join(re.escape(word) for word in phrase.split()) for phrase in phrases)
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)
