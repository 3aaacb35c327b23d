"""Vectors of words from an encoder that is made up here: which words have one, and in which order."""

import hashlib

import numpy as np
import pytest
from screentest.safety.prompts.minilm import FEATURES
from screentest.safety.prompts.ngram import word_hashes
from screentest.safety.training.word_vectors import load_word_vectors


class MadeUp:
    """Give each text features drawn by its own digest."""

    asked = 0

    def vocabulary(self):
        return ["kite", "dog", "river"]

    def features(self, texts):
        self.asked += len(texts)
        seeds = [int.from_bytes(hashlib.sha256(t.encode()).digest()[:8], "big") for t in texts]
        return np.stack([np.random.default_rng(s).normal(1, 1, FEATURES) for s in seeds]).astype(np.float32)


def test_words_of_the_vocabulary_and_of_texts_have_vectors_in_the_order_of_their_hashes(tmp_path):
    encoder = MadeUp()
    found = load_word_vectors(encoder, ["A Zebra, a kite!"], tmp_path / "words.npz")  # pyright: ignore
    words = ["a", "dog", "kite", "river", "zebra"]
    assert found.hashes.tolist() == sorted(word_hashes(words).tolist())
    own = set(word_hashes(encoder.vocabulary()).tolist())
    assert found.own.tolist() == [h in own for h in found.hashes.tolist()]
    assert found.vectors[found.own].mean(0) == pytest.approx(0, abs=1e-6)
    one = np.searchsorted(found.hashes, word_hashes(["kite"]))[0]
    alone = load_word_vectors(encoder, [], tmp_path / "words.npz")  # pyright: ignore
    same = np.searchsorted(alone.hashes, word_hashes(["kite"]))[0]
    assert found.vectors[one] == pytest.approx(alone.vectors[same], abs=1e-6)
    assert encoder.asked == len(words)  # the second time all come from the file
