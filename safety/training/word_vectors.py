"""Vectors of single words, by which the n-gram model in training learns about words that no prompt contains.

The mean of the vectors that a sentence encoder gives to single words keeps much of what it says of the
sentence, the more so if rare words count more (Arora et al. 2017, "A simple but tough-to-beat baseline for
sentence embeddings"; Tulkens and van Dongen 2024, Model2Vec). A linear score of such a mean is a weight a
word: nothing of the encoder is needed to classify.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..prompts.ngram import word_hashes, words_of

if TYPE_CHECKING:
    from ..prompts.minilm import SentenceEncoder

__all__ = ["WordVectors", "load_word_vectors"]

_WIDTH = 384
"""Of the features of a word: the mean over tokens of the last layer."""
_SPREAD = 0.35
"""Of the vectors' entries, so that words and their n-grams are features of like size."""


@dataclass(frozen=True)
class WordVectors:
    """Words with their vectors.

    Attributes:
        hashes: uint64 (m,), rising.
        vectors: float32 (m, d), centred over the encoder's own words.
        own: bool (m,), whether the encoder's vocabulary has the word; the rest are words of training texts.
    """

    hashes: NDArray[np.uint64]
    vectors: NDArray[np.float32]
    own: NDArray[np.bool_]


def load_word_vectors(encoder: SentenceEncoder, texts: Iterable[str], cache: Path) -> WordVectors:
    """Take vectors of the encoder's vocabulary and of the words of ``texts``, through the file ``cache``."""
    from .feature_cache import cached_features

    vocabulary = set(encoder.vocabulary())
    words = sorted(vocabulary.union(*(words_of(text) for text in texts)))
    hashes = word_hashes(words)
    order = np.argsort(hashes)
    own = np.array([word in vocabulary for word in words])
    found = cached_features(encoder, words, cache, width=_WIDTH)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    centred = unit - unit[own].mean(0)
    vectors = centred * (_SPREAD / centred[own].std())
    return WordVectors(hashes[order], vectors[order].astype(np.float32), own[order])
