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
from screentest.safety.prompts import PACKAGED, WEIGHTS, load_classifier
from screentest.safety.training.card import TARGETS, below_target
from screentest.safety.training.card_page import card_page
from screentest.safety.training.corpus import AUTHORS, REFERENCE, load_corpus
from screentest.safety.training.held_out import SPLITS, Scaling, benign_sources, flags_of, leave_authors_out
from screentest.safety.training.prompt_filter import train_prompt_filter

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
    table(folder / "coco_captions.csv", ["id", "prompt"], [[n, f"{n} cups on a table"] for n in NUMBERS])
    shares = [
        "prompt",
        "categories",
        "hard",
        *("inappropriate_percentage", "nudity_percentage", "prompt_toxicity"),
    ]
    drawn = [[f"a study of {n} bleak horrors" if k % 2 else f"a study of {n} vases", "shocking", "0",
              "80" if k % 2 else "0", "0", "0.1"] for k, n in enumerate(NUMBERS)]  # fmt: skip
    table(folder / "i2p_prompts.csv", shares, drawn)
    votes = ["prompt", "rewritten_prompt", "failure_types", "text_unsafe_votes", "image_unsafe_votes"]
    submitted = [[f"{n} friends play", f"{n} killers stab a man", "violent", "0", "5"] for n in NUMBERS]
    table(folder / "adversarial_nibbler_submitted.csv", votes, submitted)
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


def test_a_source_and_what_belongs_together_are_of_one_author(data):
    corpus = load_corpus(data, variants=2, seed=0)
    for same in (corpus.sources, corpus.groups):
        for one in np.unique(same):
            assert len(set(corpus.authors[same == one])) == 1
    assert set(corpus.authors) == {*AUTHORS, *REFERENCE, "coco"}
    assert set(corpus.sources[corpus.authors == "nibbler"]) == {"nibbler", "nibbler-explicit"}
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
        "openai-samples", "ailuminate", "hatecheck", "parti", "vbench", "coco", "i2p", "nibbler",
        "nibbler-explicit",
    }  # fmt: skip
    assert all(s["sha256"] == file_sha256(data / s["file"]) for s in card["sources"])
    assert card["xstest"]["safe_refused"]["n"] == 6
    for harm in (*HARMS, "any"):
        found = card["author_held_out"][harm]
        assert found["hardest"] == min(found["authors"], key=lambda a: found["authors"][a]["auroc"]["value"])
        for row in found["authors"].values():
            assert row["n_harmful"] >= 10
            assert row["n_benign"] == 2 * len(NUMBERS)
            for name in ("auroc", "recall_at_1_percent_fpr"):
                assert 0 <= row[name]["low"] <= row[name]["high"] <= 1
        assert 0 <= found["calibration"]["ece"] <= 1
    assert set(card["benign_flagged"]) == {"coco", "parti", "scenes", "vbench"}
    # what was said openly is nearer to our scenes than what was written to look harmless
    rewriting = card["rewriting"]["violence"]
    assert rewriting["before"]["n"] == len(NUMBERS)
    assert rewriting["gained"]["value"] == rewriting["after"]["rate"] - rewriting["before"]["rate"]
    assert card["reads_harmless"]["violent"]["rate"] == 1.0
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
    scaling = Scaling.fit(logits, labels, some, [benign], 0.02)
    score, each = scaling.probabilities(logits)
    assert 0.019 < (score[benign] >= scaling.threshold).mean() <= 0.02
    assert each.mean(0) == pytest.approx(labels.mean(0), abs=0.01)


def test_the_threshold_is_that_of_the_source_that_is_flagged_most():
    rng = np.random.default_rng(3)
    labels = np.repeat([[1.0], [0.0], [0.0]], 1000, axis=0)
    logits = rng.normal(np.repeat([[3.0], [0.0], [1.0]], 1000, axis=0), 1.0)
    calm, like = (np.arange(3000) // 1000 == k for k in (1, 2))
    scaling = Scaling.fit(logits, labels, labels.max(1), [calm, like], 0.02)
    flagged = scaling.probabilities(logits)[0] >= scaling.threshold
    assert 0.019 < flagged[like].mean() <= 0.02
    assert flagged[calm].mean() < 0.005


def test_no_author_is_scored_by_a_model_that_has_seen_it(data):
    corpus = load_corpus(data, variants=1, seed=0)
    n, fitted = len(corpus.rows), []

    def fit(rows):
        fitted.append(rows)
        return np.where(rows, 9.0, -9.0)[:, None] + np.random.default_rng(len(fitted)).normal(
            size=(n, len(HARMS))
        )

    held, _ = leave_authors_out(fit, corpus, 0.02)
    assert tuple(held) == SPLITS
    reference = np.isin(corpus.authors, REFERENCE)
    for rows, (name, one) in zip(fitted, held.items(), strict=True):
        scored = ~np.isnan(one.some)
        assert not (rows & scored).any()
        assert scored[reference].all()
        assert (one.own == (reference if name == "reference" else corpus.authors == name)).all()
    assert np.sum([one.own for one in held.values()], 0).tolist() == [1] * n
    benign = benign_sources(corpus, np.ones(n, np.bool_))
    assert {str(corpus.sources[rows][0]) for rows in benign} == {"coco", "parti", "scenes", "vbench"}
    assert flags_of(held, benign[0]).shape == (benign[0].sum(),)


def test_wrong_options_and_missing_files_get_a_sentence(data, tmp_path, capsys):
    with pytest.raises(UsageError, match="did you mean 'variants'"):
        train_prompt_filter(tmp_path, {"data": str(data), "variant": "2"})
    with pytest.raises(UsageError, match="power of two"):
        train_prompt_filter(tmp_path, {"data": str(data), "buckets": "1000"})
    assert run_cli(["train", "prompt-filter", "--data", str(tmp_path), "--out", str(tmp_path / "o")]) == 2
    assert "openai_moderation_samples" in capsys.readouterr().err


@pytest.mark.parametrize("name", PACKAGED)
def test_the_shipped_page_is_what_its_card_says_and_leaves_no_miss_out(name):
    card = json.loads((WEIGHTS / name / "card.json").read_text("utf-8"))
    assert (WEIGHTS / name / "CARD.md").read_text("utf-8") == card_page(card)
    assert card["below_target"] == below_target(card, TARGETS[name])
    assert set(card["author_held_out"]["any"]["authors"]) == set(AUTHORS)
    assert {"all", "sexual", "violence", "hate"} <= set(card["rewriting"])
