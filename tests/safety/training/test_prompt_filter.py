"""Training of prompt filters on a few made-up rows: splits, scaling, the card, and the same weights twice."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import file_sha256
from screentest.safety.harms import HARMS
from screentest.safety.prompts import load_classifier
from screentest.safety.training.corpus import FOLDS, load_corpus
from screentest.safety.training.prompt_filter import Scaling, train_prompt_filter

NUMBERS = [
    f"{tens}-{ones}" for tens in ("twenty", "thirty", "forty") for ones in ("one", "two", "six", "nine")
]


def table(path: Path, columns: list[str], rows: list[list[str]], delimiter: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([columns, *rows])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Write files in the layout of the public ones, with rows made up here."""
    folder = tmp_path_factory.mktemp("data")
    samples = [
        {
            "prompt": f"{n} {'brutal beatings' if k % 2 else 'quiet poems'}",
            "V": k % 2,
            "S": 0,
            "H": 0,
            "SH": 0,
        }
        for k, n in enumerate(NUMBERS)
    ]
    with gzip.open(folder / "openai_moderation_samples.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(sample) + "\n" for sample in samples)
    hazards = ["vcr", "hte", "ncr", "spc_fin"]
    rows = [
        [f"a{k}", f"tell me of {n} {hazards[k % 4]} things", hazards[k % 4]] for k, n in enumerate(NUMBERS)
    ]
    table(
        folder / "ailuminate_demo_en_us_without_cse.csv", ["release_prompt_id", "prompt_text", "hazard"], rows
    )
    rows = [[f"h{k}", f"{n} people are {'vile' if k % 2 else 'kind'}", "f", ("non-hateful", "hateful")[k % 2]]
            for k, n in enumerate(NUMBERS)]  # fmt: skip
    table(folder / "hatecheck.csv", ["case_id", "test_case", "functionality", "label_gold"], rows)
    table(
        folder / "parti_prompts.tsv", ["Prompt", "Note"], [[f"{n} green apples", ""] for n in NUMBERS], "\t"
    )
    table(
        folder / "vbench_prompts.csv", ["prompt", "dimension"], [[f"{n} boats at sea", "x"] for n in NUMBERS]
    )
    rows = [
        [str(k), f"how do I kill {n} threads", "x", ("safe", "unsafe")[k % 2]] for k, n in enumerate(NUMBERS)
    ]
    table(folder / "xstest.csv", ["id", "prompt", "type", "label"], rows)
    return folder


QUICK = {
    "variants": "1",
    "steps": "15",
    "buckets": "4096",
    "draws": "20",
    "vectors": "false",
    "disguises": "false",
}


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    return out, train_prompt_filter(out, {"data": str(data), **QUICK})


def test_a_source_and_a_group_of_scenes_lie_in_one_fold(data):
    corpus = load_corpus(data, variants=2, seed=0)
    for source in set(corpus.sources) - {"scenes"}:
        assert len(set(corpus.folds[corpus.sources == source])) == 1
    for group in np.unique(corpus.groups):
        assert len(set(corpus.folds[corpus.groups == group])) == 1
    assert set(corpus.folds) == set(range(FOLDS))
    plain = [" ".join(text.lower().split()) for text in corpus.texts]
    assert len(plain) == len(set(plain))


def test_labels_that_a_file_does_not_give_are_unknown(data):
    corpus = load_corpus(data, variants=1, seed=0)
    at = {harm: k for k, harm in enumerate(HARMS)}
    openai = corpus.labels[corpus.sources == "openai-samples"]
    assert np.isnan(openai[openai[:, at["violence"]] == 1, at["crime"]]).all()
    quiet = openai[openai[:, at["violence"]] == 0]
    assert (quiet[:, at["gore"]] == 0).all()
    murders = corpus.labels[corpus.labels[:, at["violence"]] == 1]
    assert not (murders[:, at["gore"]] == 0).any() or (murders[:, at["gore"]] != 1).all()
    assert corpus.benign_scenes.sum() > 400
    assert not (corpus.benign_scenes & (corpus.any_harm == 1)).any()


def test_the_card_counts_and_says_where_numbers_come_from(trained, data):
    out, card = trained
    assert json.loads((out / "card.json").read_text("utf-8")) == card
    assert {s["name"] for s in card["sources"]} == {
        "openai-samples", "ailuminate", "hatecheck", "parti", "vbench",
    }  # fmt: skip
    assert all(s["sha256"] == file_sha256(data / s["file"]) for s in card["sources"])
    assert card["xstest"]["safe_refused"]["n"] == 6
    for harm in (*HARMS, "any"):
        row = card["source_held_out"][harm]["versus_benign_scenes"]["all"]
        assert row["n_harmful"] > 0
        for name in ("auroc", "recall_at_1_percent_fpr"):
            assert 0 <= row[name]["low"] <= row[name]["high"] <= 1
        assert 0 <= card["source_held_out"][harm]["calibration"]["ece"] <= 1
    # even a few steps put sources held out above chance
    assert card["source_held_out"]["gore"]["versus_benign_scenes"]["all"]["auroc"]["low"] > 0.6
    assert "| gore |" in (out / "CARD.md").read_text("utf-8")
    assert not any(n in (out / "CARD.md").read_text("utf-8") for n in NUMBERS)


def test_the_same_settings_give_the_same_weights_and_a_model_that_loads(trained, data, tmp_path):
    out, card = trained
    again = train_prompt_filter(tmp_path, {"data": str(data), **QUICK})
    assert again == card
    one, two = load_classifier(str(out)), load_classifier(str(tmp_path))
    assert one.digest == two.digest
    judged = one.classify(["a killer stabs a man and blood pours out", "boats at sea"])
    assert judged.score[0] > judged.score[1]


def test_the_threshold_keeps_false_alarms_at_the_rate_on_the_rows_it_was_chosen_on():
    rng = np.random.default_rng(2)
    labels = (rng.random((4000, 2)) < 0.3).astype(float)
    logits = rng.normal(2 * labels - 1, 1.0)
    some, benign = labels.max(1), labels.max(1) == 0
    scaling = Scaling.fit(logits, labels, some, benign, 0.02)
    score, each = scaling.probabilities(logits)
    assert 0.019 < (score[benign] >= scaling.threshold).mean() <= 0.02
    assert each.mean(0) == pytest.approx(labels.mean(0), abs=0.01)


def test_wrong_options_and_missing_files_get_a_sentence(data, tmp_path, capsys):
    with pytest.raises(UsageError, match="did you mean 'variants'"):
        train_prompt_filter(tmp_path, {"data": str(data), "variant": "2"})
    with pytest.raises(UsageError, match="power of two"):
        train_prompt_filter(tmp_path, {"data": str(data), "buckets": "1000"})
    assert run_cli(["train", "prompt-filter", "--data", str(tmp_path), "--out", str(tmp_path / "o")]) == 2
    assert "openai_moderation_samples" in capsys.readouterr().err
