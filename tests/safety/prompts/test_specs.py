"""Every kind of classifier behind the command, on files that nobody would want to read."""

import json
from pathlib import Path

import pytest
from screentest.harness.commands.main import run_cli
from screentest.safety.prompts.moderation_endpoint import ModerationEndpoint
from screentest.safety.taxonomy import crosswalk

from .tiny_models import TEMPLATE, classifier, guard

KINDS = ("transformers", "guard", "moderation", "ensemble", "ngram")
HARD = [
    "",
    " \t",
    "\x00\x01\x1b[2J",
    "\x07 kite",
    "\ud800",
    "kite \udfff blade",
    "\u202e\u200bkite",
    "blade " * 180_000,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Write a configuration file for each kind."""
    where = tmp_path_factory.mktemp("classifiers")
    labels = {"toxic": "hte", "threat": "vcr"}
    classifier(where / "bert", tuple(labels), problem_type="multi_label_classification", positions=512)
    guard(where / "llama", TEMPLATE, positions=3000)
    specs = {
        "transformers": {"transformers": {"model": "bert", "labels": labels}},
        "guard": {
            "guard": {"model": "llama", "safe": "safe", "unsafe": "unsafe", "least_mass": 0, "window": 4096}
        },
        "moderation": {"moderation": {"model": "stub", "base_url": "http://localhost:9", "key_env": None}},
        "ensemble": {"ensemble": {"members": ["ngram", "transformers.yaml"], "rule": "any"}},
    }
    for name, spec in specs.items():
        (where / f"{name}.yaml").write_text(json.dumps({"name": name, **spec}))
    return where


@pytest.fixture(autouse=True)
def endpoint(monkeypatch):
    """Answer in the endpoint's place."""
    given = {row.label: 0.1 for row in crosswalk("openai-moderation").labels}

    def answer(self, pieces):
        return json.dumps({"results": [{"category_scores": given} for _ in pieces]}).encode()

    monkeypatch.setattr(ModerationEndpoint, "_request", answer)


def command(folder: Path, kind: str, file: Path, *more: str) -> int:
    name = kind if kind == "ngram" else str(folder / f"{kind}.yaml")
    return run_cli(["classify", str(file), "--classifier", name, "--device", "cpu", *more])


@pytest.mark.parametrize("kind", KINDS)
def test_hard_prompts_have_a_score_or_a_reason(folder, kind, tmp_path, capsys):
    file = tmp_path / "p.jsonl"
    file.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in HARD))
    assert command(folder, kind, file) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == len(HARD)
    for row in rows:
        if row["score"] is None:
            assert (row["flagged"], row["reason"]) == (None, "no text")
        else:
            assert 0 <= row["score"] <= 1
            assert row["flagged"] == (row["score"] >= row["threshold"])
    judged = [row["score"] is not None for row in rows]
    assert judged[:2] == [False, False]
    assert judged[4] is False
    assert judged[2:4] + judged[5:] == [True] * 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "content", "more", "says"),
    [
        ("p.txt", b"kite\n\xe9\n", (), "is not UTF-8"),
        ("p.csv", b"id,words\n1,kite\n", (), "--column NAME"),
        ("p.csv", b"id,words\n1,kite\n", ("--column", "word"), "did you mean 'words'"),
        ("p.csv", b"", (), "is empty"),
    ],
)
def test_files_that_cannot_be_read_end_with_a_sentence(
    folder, kind, tmp_path, capsys, name, content, more, says
):
    file = tmp_path / name
    file.write_bytes(content)
    assert command(folder, kind, file, *more) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_file_is_no_prompts(folder, kind, tmp_path, capsys):
    (tmp_path / "p.txt").write_bytes(b"")
    assert command(folder, kind, tmp_path / "p.txt") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "0 prompts" in said.err
