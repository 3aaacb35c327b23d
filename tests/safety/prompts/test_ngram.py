"""Hashed n-grams: each text by itself, the same every time, and what is in a text decides its features."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.safety.prompts.ngram import (
    CHAR_SIZES,
    NgramModel,
    features,
    hashed,
    word_features,
    word_hashes,
    words_of,
)

texts = st.lists(st.text(st.characters(), max_size=60), max_size=8)
quick = settings(max_examples=60, deadline=None)
RNG = np.random.default_rng(0)
LISTED = np.sort(word_hashes(["kite", "dogs", "it's", "été"]))
MODEL = NgramModel(
    RNG.normal(size=(1 << 12, 3)).astype(np.float16),
    np.array([0.1, -0.2, 0.3]),
    LISTED,
    RNG.normal(size=(len(LISTED), 3)).astype(np.float16),
)


@quick
@given(texts)
def test_a_text_scores_the_same_alone_and_among_others(many):
    together = MODEL.logits(many)
    assert together.shape == (len(many), 3)
    for row, text in enumerate(many):
        assert MODEL.logits([text])[0] == pytest.approx(together[row], abs=1e-5)


def reference(text: str) -> int:
    """Count n-grams of words and characters the slow way."""
    words = text.split()
    pairs = sum(max(0, len(words) - gap) for gap in (1, 2))
    characters = sum(max(0, len(word) + 2 - size + 1) for word in words for size in CHAR_SIZES)
    return len(words) + pairs + characters


@quick
@given(st.lists(st.text("abcxyz", min_size=1, max_size=9), max_size=9))
def test_there_are_as_many_features_as_n_grams(words):
    text = " ".join(words)
    assert len(hashed([text], 1 << 12).bucket) == reference(text)


def test_a_word_has_one_feature_wherever_it_stands():
    buckets = 1 << 20
    sets = [set(hashed([text], buckets).bucket.tolist()) for text in ("kite", "a red kite", "KITE!")]
    assert sets[0] == sets[2]
    assert sets[0] < sets[1]
    assert set(hashed(["kine"], buckets).bucket.tolist()) != sets[0]


def test_n_grams_do_not_cross_from_one_text_to_the_next():
    split, joined = (set(hashed(t, 1 << 20).bucket.tolist()) for t in (["red", "kite"], ["red kite"]))
    assert split < joined


def test_training_features_give_the_scores_of_the_model():
    many = ["a red kite", "", "two dogs run", "a a a", "It's KITE, kite!"]
    expected = features(many, 1 << 12) @ MODEL.table.astype(np.float64) + MODEL.bias
    expected += word_features(many, LISTED) @ MODEL.word_table.astype(np.float64)
    assert expected == pytest.approx(MODEL.logits(many), abs=1e-4)


@quick
@given(st.text(st.characters(), max_size=40))
def test_words_of_a_text_are_those_that_are_hashed(text):
    text = text.encode("utf-8", "replace").decode()
    words = words_of(text)
    listed = np.unique(word_hashes(words))
    counts = word_features([text], listed).toarray()[0] * np.sqrt(len(words))
    assert counts.sum() == pytest.approx(len(words), abs=1e-3)
    assert (counts > 0.99).all()


def test_a_listed_word_adds_its_weight_and_another_word_none():
    bare = NgramModel(np.zeros((2, 3), np.float16), MODEL.bias, MODEL.words, MODEL.word_table)
    weight = MODEL.word_table[np.searchsorted(LISTED, word_hashes(["kite"]))[0]].astype(np.float64)
    assert bare.logits(["kites"])[0] == pytest.approx(MODEL.bias)
    assert bare.logits(["Kite"])[0] == pytest.approx(MODEL.bias + weight)
    assert bare.logits(["a red, red kite"])[0] == pytest.approx(MODEL.bias + weight / 2, abs=1e-6)
    empty = NgramModel(bare.table, MODEL.bias, LISTED[:0], MODEL.word_table[:0])
    assert empty.logits(["kite"])[0] == pytest.approx(MODEL.bias)


def test_only_single_words_have_a_hash():
    with pytest.raises(ValueError, match="single words"):
        word_hashes(["kite", "two dogs"])


def test_a_file_with_something_else_is_refused(tmp_path):
    whole = MODEL.tensors()
    for changed in (
        {k: v for k, v in whole.items() if k != "words"},
        whole | {"word_table": whole["word_table"][:2]},
        whole | {"bias": np.zeros(2)},
    ):
        with pytest.raises(UsageError, match="does not hold an n-gram model"):
            NgramModel.from_tensors(changed, tmp_path / "x")
    with pytest.raises(UsageError, match="power of two"):
        NgramModel.from_tensors(whole | {"table": whole["table"][:6]}, tmp_path)
