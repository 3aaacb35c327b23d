from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch
from screentest.generators.reference.model.text import (
    TextConditioner,
    build_tokenizer,
    load_tokenizer,
    tokenize,
)
from screentest.harness.core.errors import UsageError
from transformers import AutoTokenizer, CLIPModel

from ..conftest import TINY_TEXT, WORDS, write_text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text(tmp_path_factory.mktemp("text"))


def test_words_become_ids_and_unknown_ones_the_unknown_id() -> None:
    tokenizer = build_tokenizer(WORDS, 8)
    known = tokenizer.get_vocab()
    ids = tokenize(tokenizer, ["A RED ball", "zebras ☃ fall", ""])
    assert ids.shape == (3, 8)
    start, end, pad, unknown = (known[token] for token in ("<s>", "</s>", "<pad>", "<unk>"))
    assert ids[0].tolist() == [start, known["a"], known["red"], known["ball"], end, pad, pad, pad]
    assert ids[1].tolist()[1:4] == [unknown, unknown, unknown]
    assert ids[2].tolist()[:3] == [start, end, pad]


def test_a_long_prompt_is_cut_and_keeps_its_end_mark() -> None:
    tokenizer = build_tokenizer(WORDS, 8)
    ids = tokenize(tokenizer, ["red " * 50])
    assert ids.shape == (1, 8)
    assert ids[0, -1] == tokenizer.get_vocab()["</s>"]


def test_a_saved_tokenizer_reads_alike(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(WORDS, 16)
    tokenizer.save_pretrained(tmp_path)
    texts = ["a big blue square moves left", "nothing of this world"]
    assert torch.equal(tokenize(load_tokenizer(tmp_path), texts), tokenize(tokenizer, texts))
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        load_tokenizer(tmp_path)


def test_the_conditioner_gives_a_vector_a_token_and_one_for_all(folder: Path) -> None:
    told = TextConditioner.load(folder)
    words, pooled = told(["a red ball falls", "a blue ball", ""])
    assert told.width == 2 * TINY_TEXT.width == 64
    assert [tuple(text.shape) for text in words] == [(6, 64), (5, 64), (2, 64)]
    assert pooled.shape == (3, 64)
    assert torch.equal(pooled[1, :32], words[1][-1, :32])  # what the end mark has read
    torch.testing.assert_close(words[0][:2], words[1][:2])  # causal: alike up to the first different word
    assert not torch.is_inference(pooled)
    assert not any(p.requires_grad for p in told.model.parameters())


def test_it_reads_what_the_whole_model_reads(folder: Path) -> None:
    model = CLIPModel.from_pretrained(folder).eval()
    ids = AutoTokenizer.from_pretrained(folder)(["a red ball"], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        out = model.text_model(input_ids=ids)
    words, pooled = TextConditioner.load(folder)(["a red ball"])
    torch.testing.assert_close(words[0][:, :32], out.last_hidden_state[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(pooled[:, :32], out.pooler_output, atol=1e-5, rtol=1e-5)


def test_a_word_s_own_half_is_the_same_wherever_it_stands(folder: Path) -> None:
    one, two = TextConditioner.load(folder)(["a red ball", "the red square moves left"])[0]
    torch.testing.assert_close(one[2, 32:], two[2, 32:])  # "red", behind the start mark and an article
    assert not torch.allclose(one[2, :32], two[2, :32])
    torch.testing.assert_close(one[:, 32:].var(1, correction=0), torch.ones(5), atol=0.05, rtol=0)
    gap = (one[3, 32:] - two[3, 32:]).norm() / one[3, 32:].norm()
    assert gap > 0.5  # "ball" and "square"


def test_a_prompt_reads_alike_in_any_company(folder: Path) -> None:
    told = TextConditioner.load(folder)
    (words, _), (_, pooled) = told(["a red ball"]), told(["a red ball", "the big blue square moves left"])
    torch.testing.assert_close(pooled[0, :32], words[0][-1, :32], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(pooled[0, 32:], words[0][:, 32:].sum(0) / 5**0.5, atol=1e-6, rtol=1e-5)


def test_loading_says_nothing(
    folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        TextConditioner.load(folder)
    assert (caplog.text, *capfd.readouterr()) == ("", "", "")


def test_a_damaged_folder_is_one_sentence(tmp_path: Path) -> None:
    write_text(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 2
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match="lack parameters"):
        TextConditioner.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 64)
    with pytest.raises(UsageError, match="cannot be loaded") as error:
        TextConditioner.load(tmp_path)
    assert "\n" not in str(error.value)
