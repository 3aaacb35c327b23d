"""The command that trains: what it names, what can be set, and sentences before any work is begun."""

from __future__ import annotations

import json

import pytest
from screentest.generators.reference import TRAINABLE, train
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        code = run_cli(list(words))
        out, err = capsys.readouterr()
        assert not list(tmp_path.iterdir())
        return code, out, err

    return call


def test_help_names_everything_that_can_be_trained(cli):
    code, out, _ = cli("train", "--help")
    assert code == 0
    named = " ".join(out.split()).replace("prompt- ", "prompt-")
    assert ", ".join((*TRAINABLE, "prompt-filter", "prompt-stack")) + " or detector" in named


@pytest.mark.parametrize("what", [*TRAINABLE, "prompt-filter", "prompt-stack"])
def test_settings_are_listed_with_defaults_and_words(cli, what):
    code, out, _ = cli("train", what, "--settings", "--json")
    assert code == 0
    rows = {row["setting"]: row for row in json.loads(out)}
    assert rows["--seed"]["default"] == "0"
    if what in TRAINABLE:
        assert rows["--steps"]["about"] == "updates of the weights"
    else:
        assert rows["--data"]["default"] == "required"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "dti", "--out", "x"], "unknown thing to train 'dti'; did you mean 'dit'?"),
        (["train", "dti", "--settings"], "unknown thing to train 'dti'; did you mean 'dit'?"),
        (["train", "dit"], "name a folder with --out for what 'train dit' writes"),
        (["train", "dit", "--out", "x", "--stepz", "3"], "unknown key 'stepz'; did you mean 'steps'?"),
        (
            ["train", "dit", "--out", "x", "--start", "gone"],
            "no config.json and no model.safetensors in gone",
        ),
        (
            ["train", "vae", "--out", "x", "--start", "gone"],
            "no config.json and no model.safetensors in gone",
        ),
    ],
)
def test_wrong_usage_is_said_before_any_work(cli, words, sentence):
    code, out, err = cli(*words)
    assert (code, out) == (2, "")
    assert sentence in " ".join(err.split())


def test_a_file_is_no_folder_to_train_into(tmp_path):
    (tmp_path / "mine.yaml").write_text("x")
    with pytest.raises(UsageError, match=r"is a file; name a folder"):
        train("dit", out=tmp_path / "mine.yaml", overrides={})
