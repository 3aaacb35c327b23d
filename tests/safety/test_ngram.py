"""Hashed n-grams: each text by itself, the same every time, and what is in a text decides its features."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.errors import UsageError
from screentest.safety.linear import balanced_weights, fit_linear
from screentest.safety.ngram import CHAR_SIZES, NgramModel, features, hashed

texts = st.lists(st.text(st.characters(), max_size=60), max_size=8)
quick = settings(max_examples=60, deadline=None)
RNG = np.random.default_rng(0)
MODEL = NgramModel(RNG.normal(size=(1 << 12, 3)).astype(np.float16), np.array([0.1, -0.2, 0.3]))


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
    many = ["a red kite", "", "two dogs run", "a a a"]
    table, bias = MODEL.table.astype(np.float64), MODEL.bias
    assert features(many, 1 << 12) @ table + bias == pytest.approx(MODEL.logits(many), abs=1e-4)


def test_a_fitted_table_tells_words_apart_and_leaves_unknown_labels_out():
    many = [f"the {w} sits {p}" for w in ("kite", "dog") for p in ("here", "there", "inside", "outside")]
    labels = np.repeat([[1.0, np.nan], [0.0, 1.0]], 4, axis=0)
    labels[:2, 1] = 0.0
    weights = balanced_weights(labels, np.repeat(["x", "y"], 4))
    assert weights[labels[:, 1] != labels[:, 1], 1].sum() == 0
    assert weights.sum(0) == pytest.approx([1.0, 1.0])
    coef, bias = fit_linear(features(many, 1 << 12), labels, weights, l2=1e-4)
    fitted = NgramModel(coef.astype(np.float16), bias)
    scores = fitted.logits(["a kite flies", "a dog runs"])
    assert scores[0, 0] > scores[1, 0]
    assert scores[0, 1] < scores[1, 1]


def test_a_file_with_something_else_is_refused(tmp_path):
    with pytest.raises(UsageError, match="does not hold an n-gram model"):
        NgramModel.from_tensors({"table": np.zeros((4, 2), np.float16)}, tmp_path / "x")
    with pytest.raises(UsageError, match="power of two"):
        NgramModel.from_tensors({"table": np.zeros((6, 2), np.float16), "bias": np.zeros(2)}, tmp_path)
