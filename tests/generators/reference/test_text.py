from __future__ import annotations

from pathlib import Path

import pytest
import torch
from screentest.generators.reference.text import (
    TextConditioner,
    build_tokenizer,
    load_tokenizer,
    tokenize,
)
from screentest.generators.reference.words import vocabulary
from screentest.harness.errors import UsageError

from .conftest import TINY_TEXT


def test_words_become_ids_and_unknown_ones_the_unknown_id() -> None:
    tokenizer = build_tokenizer(vocabulary(), 8)
    known = tokenizer.get_vocab()
    ids = tokenize(tokenizer, ["A RED ball", "zebras ☃ fall", ""])
    assert ids.shape == (3, 8)
    start, end, pad, unknown = (known[token] for token in ("<s>", "</s>", "<pad>", "<unk>"))
    assert ids[0].tolist() == [start, known["a"], known["red"], known["ball"], end, pad, pad, pad]
    assert ids[1].tolist()[1:4] == [unknown, unknown, unknown]
    assert ids[2].tolist()[:3] == [start, end, pad]


def test_a_long_prompt_is_cut_and_keeps_its_end_mark() -> None:
    tokenizer = build_tokenizer(vocabulary(), 8)
    ids = tokenize(tokenizer, ["red " * 50])
    assert ids.shape == (1, 8)
    assert ids[0, -1] == tokenizer.get_vocab()["</s>"]


def test_a_saved_tokenizer_reads_alike(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(vocabulary(), 16)
    tokenizer.save_pretrained(tmp_path)
    texts = ["a big blue square moves to the left", "nothing of this world"]
    assert torch.equal(tokenize(load_tokenizer(tmp_path), texts), tokenize(tokenizer, texts))
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        load_tokenizer(tmp_path)


def test_the_conditioner_gives_a_vector_a_token_and_one_for_all() -> None:
    ids = tokenize(build_tokenizer(vocabulary(), TINY_TEXT.length), ["a red ball falls", "a blue ball falls"])
    words, pooled = TextConditioner(TINY_TEXT).eval()(ids)
    assert words.shape == (2, 16, 32)
    assert pooled.shape == (2, 32)
    assert (pooled[0] - pooled[1]).abs().max() > 1e-4
    # Causal: what stands before the first different word is the same.
    torch.testing.assert_close(words[0, :2], words[1, :2])
