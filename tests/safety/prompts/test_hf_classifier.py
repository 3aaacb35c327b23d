"""Sequence classifiers as prompt classifiers: label maps, windows, what is refused, files of any shape."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.metrics.encoders.base import EncoderOptions
from screentest.safety.label_map import LabelMap
from screentest.safety.prompts.files import classify_file
from screentest.safety.prompts.hf_classifier import TransformersClassifier, TransformersConfig
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from .tiny_models import WORDS, classifier

CPU = EncoderOptions("cpu")
SINGLE = {"fine": "none", "fight": "vcr", "wound": ("gor", "vcr")}
MANY = {"toxic": "hte", "threat": "vcr"}


@pytest.fixture(scope="module")
def single(tmp_path_factory) -> Path:
    return classifier(tmp_path_factory.mktemp("single"), tuple(SINGLE))


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    return classifier(tmp_path_factory.mktemp("many"), tuple(MANY), problem_type="multi_label_classification")


def load(folder: Path, labels, **settings) -> TransformersClassifier:
    config = TransformersConfig(model=str(folder), labels=labels, **settings)
    return TransformersClassifier("tiny", config, options=CPU)


def raw(folder: Path, text: str) -> np.ndarray:
    """Score one text with the library alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(**tokenizer(text, return_tensors="pt")).logits[0].double().numpy()


def test_exclusive_labels_add_up_and_none_is_the_rest(single):
    judge = load(single, SINGLE)
    assert judge.harms == ("vcr", "gor")
    judged = judge.classify(["a kite flies"])
    z = np.exp(raw(single, "a kite flies"))
    fine, fight, wound = z / z.sum()
    assert judged.harms[0] == pytest.approx([fight + wound, wound], abs=1e-6)
    assert judged.score[0] == pytest.approx(1 - fine, abs=1e-6)
    assert judged.flagged[0] == (judged.score[0] >= 0.5)


def test_labels_side_by_side_count_by_the_likeliest(many):
    judged = load(many, MANY).classify(["the blade"])
    toxic, threat = 1 / (1 + np.exp(-raw(many, "the blade")))
    assert judged.harms[0] == pytest.approx([threat, toxic], abs=1e-6)  # columns in the taxonomy's order
    assert judged.score[0] == pytest.approx(max(toxic, threat), abs=1e-6)


def test_a_prompt_is_judged_alike_in_any_batch(many):
    judge = load(many, MANY)
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 40))) for _ in range(70)]
    together = judge.classify(texts)
    assert together.score == pytest.approx([judge.classify([text]).score[0] for text in texts], abs=1e-6)


def test_a_long_prompt_counts_by_its_worst_window(many):
    judge = load(many, MANY, max_tokens=8)  # two of them the model's own
    rng = np.random.default_rng(1)
    words = list(rng.choice(WORDS, 60))
    scores = judge.classify([" ".join(words)]).score[0]
    step = 6 - 2  # windows of six words overlap by a quarter of eight tokens
    windows = [" ".join(words[i : i + 6]) for i in range(0, 60 - 2, step)]
    assert scores == pytest.approx(judge.classify(windows).score.max(), abs=1e-6)


def test_what_changes_a_score_changes_the_digest(single, many, tmp_path):
    base = load(single, SINGLE).digest
    moved = tmp_path / "moved"
    moved.mkdir()
    for file in single.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    assert load(moved, SINGLE).digest == base
    assert load(single, {**SINGLE, "fight": "hte"}).digest != base
    assert load(single, SINGLE, threshold=0.6).digest != base
    assert load(single, SINGLE, max_tokens=9).digest != base
    assert load(many, MANY).digest != base


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"fine": "none", "fight": "vcr"}, "lacks labels ('wound')"),
        ({**SINGLE, "figt": "vcr"}, "did you mean 'fight'"),
        ({**SINGLE, "fight": "vrc"}, "unknown category 'vrc'"),
        (dict.fromkeys(SINGLE, "none"), "nothing could be flagged"),
    ],
)
def test_a_map_that_does_not_fit_gets_a_sentence(single, labels, says):
    with pytest.raises(UsageError) as caught:
        load(single, labels)
    assert says in str(caught.value)


def test_absent_and_pickled_weights_get_a_sentence(tmp_path, single):
    with pytest.raises(MissingWeightsError, match="prompt classifier 'tiny' are not a folder"):
        load(tmp_path / "nowhere", SINGLE)
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_bytes((single / "config.json").read_bytes())
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UsageError, match="safetensors only"):
        load(pickled, SINGLE)


def test_an_output_that_is_not_finite_fails_the_prompt(single, monkeypatch):
    judge = load(single, SINGLE)
    real = judge._logits

    def broken(pieces):
        logits, owner = real(pieces)
        logits[1] = np.nan
        return logits, owner

    monkeypatch.setattr(judge, "_logits", broken)
    judged = judge.classify(["a kite", "the river", "a lamp"])
    assert list(judged.failed) == [1]
    assert np.isnan(judged.score).tolist() == [False, True, False]
    assert not judged.flagged[1]


HARD = ["", " \n", "\ud800", "\x00\x1b[31m kite", "blade " * 200_000, "a\u200bkite", "\U0001f600" * 40]


def test_hard_texts_have_a_score_or_none(many):
    judged = load(many, MANY).classify(HARD)
    assert np.isnan(judged.score).tolist() == [True, True, True, False, False, False, False]
    assert not judged.failed
    assert ((judged.harms[3:] > 0) & (judged.harms[3:] < 1)).all()


def test_the_command_reads_a_file_of_its_own(many, tmp_path, capsys):
    spec = tmp_path / "tiny.json"
    spec.write_text(json.dumps({"name": "tiny", "transformers": {"model": "weights", "labels": MANY}}))
    (tmp_path / "weights").symlink_to(many)  # found beside the file
    prompts = tmp_path / "p.csv"
    prompts.write_text("id,prompt\n1,a blade\n2,\n")
    assert run_cli(["classify", str(prompts), "--classifier", str(spec), "--device", "cpu"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert set(first["categories"]) == {"hte", "vcr"}
    assert second["reason"] == "no text"
    assert run_cli(["classify", str(prompts), "--classifier", str(spec), "--column", "promt"]) == 2
    assert "did you mean 'prompt'" in capsys.readouterr().err


def test_bytes_that_are_no_text_end_with_a_sentence(many, tmp_path):
    file = tmp_path / "p.txt"
    file.write_bytes(b"kite\n\xff\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        classify_file(file, load(many, MANY), io.StringIO())


@pytest.mark.parametrize(
    ("config", "names"),
    [({"id2label": {"10": "c", "2": "b", "0": "a"}}, ("a", "b", "c")), ({}, ("LABEL_0", "LABEL_1"))],
)
def test_labels_come_in_the_order_of_the_outputs(config, names):
    assert LabelMap.of(config, dict.fromkeys(names, "hte"), "auto", "x").labels == names


def test_one_output_is_read_by_itself():
    one = LabelMap.of({"id2label": {"0": "bad"}}, {"bad": "hte"}, "auto", "x")
    score, harms = one.read(np.array([[0.0], [2.0]]))
    assert score == pytest.approx([0.5, 1 / (1 + np.exp(-2))])
    assert (harms[:, 0] == score).all()
