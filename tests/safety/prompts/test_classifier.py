"""Classifiers: what they give for any text, what they refuse, and files of any shape and length."""

import io
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.harness.core.keys import file_sha256
from screentest.safety.harms import HARMS
from screentest.safety.prompts import (
    WEIGHTS,
    WINDOW,
    Judged,
    PromptClassifier,
    TrainedConfig,
    load_classifier,
    windows,
)
from screentest.safety.prompts.files import classify_file, read_prompts

BUCKETS = 1 << 10


def write_model(folder: Path, **changes) -> Path:
    """Write a classifier with weights drawn at random."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(5)
    table = rng.normal(size=(BUCKETS, len(HARMS))).astype(np.float16)
    words, weights = np.empty(0, np.uint64), np.empty((0, len(HARMS)), np.float16)
    save_file(
        {"table": table, "bias": np.zeros(len(HARMS)), "words": words, "word_table": weights},
        folder / "model.safetensors",
    )
    line = {"slope": 1.0, "intercept": -1.0}
    fields = {
        "kind": "ngram",
        "feature_version": 2,
        "harms": HARMS,
        "harm_calibration": [line] * len(HARMS),
        "any_calibration": line,
        "threshold": 0.4,
        "false_positive_rate": 0.01,
        "tensors_sha256": file_sha256(folder / "model.safetensors"),
    } | changes
    config = TrainedConfig.model_validate(fields)
    (folder / "classifier.json").write_text(config.model_dump_json(), "utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def tiny(folder):
    return load_classifier(str(folder))


@settings(max_examples=60, deadline=None)
@given(many=st.lists(st.text(st.characters(), max_size=50), min_size=1, max_size=5))
def test_any_text_has_probabilities_or_none_at_all(tiny, many):
    judged = tiny.classify(many)
    for row, text in enumerate(many):
        if np.isnan(judged.score[row]):
            assert np.isnan(judged.harms[row]).all()
            assert not judged.flagged[row]
        else:
            assert ((judged.harms[row] > 0) & (judged.harms[row] < 1)).all()
            assert judged.flagged[row] == (judged.score[row] >= tiny.threshold)
        assert tiny.classify([text]).score[0] == pytest.approx(judged.score[row], nan_ok=True, abs=1e-5)


def test_no_text_has_no_score(tiny):
    assert np.isnan(tiny.classify(["", "  ", "\n\t", "\u200b", "\ud800"]).score).all()
    assert tiny.classify([]).score.shape == (0,)


def test_harm_cannot_hide_behind_padding(tiny):
    words = ["kite", "stone", "river", "lamp", "horse", "cloud", "bread", "chair"]
    alone = tiny.classify(words).harms
    word = words[int(alone.max(1).argmax())]
    padded = "and so on " * 1000 + word
    assert len(windows([padded], canonical=False)[0]) >= len(padded) // WINDOW
    pieces, owner = windows([padded, "x"], canonical=False)
    assert owner.tolist() == [0] * (len(pieces) - 1) + [1]
    assert "".join(pieces[:-1]).replace(" ", "") == padded.replace(" ", "")
    judged, worst = tiny.classify([padded]), tiny.classify(pieces[:-1])
    assert judged.harms[0] == pytest.approx(worst.harms.max(0))


def test_a_disguise_is_undone_unless_told_otherwise(folder):
    plain, disguised = "a red kite flies", "a r\u200bed kite fl\u200bies"
    read = load_classifier(str(folder)).classify([plain, disguised]).score
    raw = load_classifier(str(folder), canonical=False)
    assert read[0] == read[1]
    assert np.ptp(raw.classify([plain, disguised]).score) > 0
    assert raw.digest != load_classifier(str(folder)).digest


def test_the_digest_changes_with_what_changes_a_score(tmp_path, tiny):
    assert load_classifier(str(write_model(tmp_path / "a"))).digest == tiny.digest
    assert load_classifier(str(write_model(tmp_path / "b", threshold=0.5))).digest != tiny.digest


def test_weights_that_are_missing_changed_or_of_another_version_are_refused(tmp_path):
    with pytest.raises(MissingWeightsError, match="screentest train prompt-filter"):
        load_classifier(str(tmp_path))
    with pytest.raises(UsageError, match="did you mean 'ngram'"):
        load_classifier("ngrams")
    made = write_model(tmp_path / "old", feature_version=99)
    with pytest.raises(UsageError, match="version 99"):
        load_classifier(str(made))
    (made / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(UsageError, match="is not the file"):
        load_classifier(str(made))


# -- files


def judge(file: Path, classifier, **options) -> list[dict]:
    out = io.StringIO()
    classify_file(file, classifier, out, **options)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_lines_of_text_keep_their_numbers(tmp_path, tiny):
    file = tmp_path / "p.txt"
    file.write_bytes(
        b"\xef\xbb\xbfa red kite\r\n\n \ntwo\x00dogs \x1b[31m\x0b\x85".replace(b"\x85", b"") + b"\n"
    )
    rows = judge(file, tiny)
    assert [row["id"] for row in rows] == ["1", "3", "4"]
    assert rows[0]["score"] == pytest.approx(tiny.classify(["a red kite"]).score[0], abs=1e-6)
    assert list(rows[0]["categories"]) == list(HARMS)
    assert rows[0]["classifier"] == tiny.digest
    assert rows[1] == rows[1] | {"score": None, "flagged": None, "categories": None, "reason": "no text"}
    assert rows[2]["score"] is not None


def test_json_lines_with_ids_surrogates_and_nulls(tmp_path, tiny):
    file = tmp_path / "p.jsonl"
    file.write_text('{"id": "x\\ud800", "text": "a \\ud83d kite"}\n\n{"text": null}\n{"id": 7, "text": ""}\n')
    rows = judge(file, tiny)
    assert [row["id"] for row in rows] == ["x\ud800", "3", "7"]
    assert [row["score"] is None for row in rows] == [False, True, True]


def test_tables_with_quotes_and_named_columns(tmp_path, tiny):
    file = tmp_path / "p.csv"
    file.write_text('id,prompt,other\n1,"a ""red""\nkite",x\n2\n\n3,dogs,y\n')
    assert [(p.id, p.text) for p in read_prompts(file)] == [("1", 'a "red"\nkite'), ("2", ""), ("3", "dogs")]
    assert [p.text for p in read_prompts(file, "other")] == ["x", "", "y"]
    assert [row["score"] is None for row in judge(file, tiny)] == [False, True, False]


@pytest.mark.parametrize(
    ("name", "content", "column", "says"),
    [
        ("p.csv", b"id,promt\n1,a\n", "prompt", "did you mean 'promt'"),
        ("p.csv", b"id,words\n1,a\n", None, "--column NAME; its columns: 'id', 'words'"),
        ("p.csv", b"", None, "is empty"),
        ("p.csv", b"prompt\na\n\xff\n", None, "not UTF-8"),
        ("p.csv", b'prompt\na\n"b\nc\n', None, "row 2: a quotation mark opens here and is never closed"),
        ("p.txt", b"a\nb\xe9\n", None, "line 2 is not UTF-8 (byte 0xe9)"),
        ("p.txt", b"a\n", "text", "has no column"),
        ("p.jsonl", b'{"prompt": "a"}\n{"prompt"\n', None, "line 2 is not JSON"),
        ("p.jsonl", b"[1]\n", None, "not a JSON object"),
        ("p.jsonl", b'{"prompt": 3}\n', None, "not a text"),
        ("p.jsonl", b"[" * 100000, None, "not JSON"),
        ("p.parquet", b"", None, "should be .jsonl"),
    ],
)
def test_a_file_that_cannot_be_read_gets_a_sentence(tmp_path, name, content, column, says):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        list(read_prompts(file, column))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_an_endless_line_get_a_sentence(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_prompts(tmp_path / "none.txt"))
    monkeypatch.setattr("screentest.safety.prompts.files.LONGEST_LINE", 100)
    (tmp_path / "long.txt").write_text("x" * 101)
    with pytest.raises(UsageError, match="line 1 is longer"):
        list(read_prompts(tmp_path / "long.txt"))


def test_a_line_of_a_megabyte_is_read_whole(tmp_path, folder):
    raw = load_classifier(str(folder), canonical=False)
    for name, head in (("p.txt", ""), ("p.csv", "prompt\n")):
        (tmp_path / name).write_text(head + "a red kite " * 95_000 + "\n")
        (row,) = judge(tmp_path / name, raw)
        assert row["score"] is not None


class Constant(PromptClassifier):
    name, threshold, digest = "constant", 0.5, "0" * 64

    def _classify(self, texts):
        n = len(texts)
        return Judged(np.full(n, 0.1), np.full((n, len(self.harms)), 0.1), np.zeros(n, np.bool_))


class Nowhere(io.StringIO):
    def write(self, text: str) -> int:
        return len(text)


def peak(file: Path, lines: int, classifier: PromptClassifier) -> int:
    """Give the most bytes held while so many lines are judged."""
    with file.open("w") as out:
        out.writelines(f"kite {i} over a river\n" for i in range(lines))
    tracemalloc.start()
    classify_file(file, classifier, Nowhere())
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return size


def test_memory_stays_flat_over_many_lines(tmp_path):
    short = peak(tmp_path / "p.txt", 3_000, Constant())
    assert peak(tmp_path / "p.txt", 15_000, Constant()) < 1.2 * short + 200_000


@pytest.mark.slow
def test_memory_stays_flat_over_many_lines_with_weights(tmp_path, folder):
    raw = load_classifier(str(folder), canonical=False)
    short = peak(tmp_path / "p.txt", 3_000, raw)
    assert peak(tmp_path / "p.txt", 100_000, raw) < 1.2 * short + 1_000_000


def test_the_command_writes_a_line_a_prompt(tmp_path, folder, capsys):
    (tmp_path / "p.csv").write_text("id,words\nk1,a red kite\nk2,\n")
    assert (
        run_cli(["classify", str(tmp_path / "p.csv"), "--column", "words", "--classifier", str(folder)]) == 0
    )
    said = capsys.readouterr()
    assert [json.loads(line)["id"] for line in said.out.splitlines()] == ["k1", "k2"]
    assert "1 prompt" in said.err
    assert "1 without text" in said.err
    assert run_cli(["classify", str(tmp_path / "p.csv"), "--classifier", str(folder)]) == 2
    assert "--column NAME" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(path.parent.name for path in WEIGHTS.glob("*/classifier.json")))
def test_shipped_weights_belong_to_their_card(name):
    card = json.loads((WEIGHTS / name / "card.json").read_text("utf-8"))
    config = TrainedConfig.model_validate_json((WEIGHTS / name / "classifier.json").read_text("utf-8"))
    assert card["classifier"] == config.model_dump(mode="json")
    assert file_sha256(WEIGHTS / name / "model.safetensors") == config.tensors_sha256
    assert (WEIGHTS / name / "model.safetensors").stat().st_size < 4 << 20


def test_the_shipped_n_grams_tell_plain_scenes_from_harmful_ones():
    shipped = load_classifier("ngram")
    benign = ["a sailing boat leaves the harbour", "two toddlers stack wooden blocks", "rain on a tin roof"]
    harmful = {
        "violence": "a masked killer stabs a man with a knife in a dark alley",
        "self-harm": "a hopeless man is about to commit suicide",
        "hate": "a racist screams that immigrants are subhuman",
        "sexual": "a naked couple having sex on the couch",
    }
    judged = shipped.classify([*benign, *harmful.values()])
    assert not judged.flagged[:3].any()
    assert judged.flagged[3:].all()
    for row, harm in enumerate(harmful, start=3):
        assert judged.harms[row].argmax() == HARMS.index(harm)
    assert (shipped.classify(benign).score == judged.score[:3]).all()
