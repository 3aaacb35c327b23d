import json
from pathlib import Path

import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.core.media import write_clip
from screentest.harness.judges.memorisation_card import CARD
from screentest.safety.memorisation import recall_card
from screentest.safety.memorisation.transformations import TRANSFORMATIONS

from ...metrics.helpers import pan


def folder_of(place: Path, count: int, first: int) -> Path:
    place.mkdir()
    for k in range(count):
        write_clip(place / f"{k}.mp4", pan(2, size=32, seed=first + k), 8.0)
    return place


def test_a_card_of_a_users_sets_and_its_resumption(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recall_card, "TRANSFORMATIONS", {"crop": TRANSFORMATIONS["crop"]})  # for speed
    train, held_out = folder_of(tmp_path / "train", 2, 0), folder_of(tmp_path / "held", 56, 100)
    words = [
        "memorisation-card",
        *("--reference", f"train={train}", "--reference", f"held_out={held_out}"),
        *("--measures", "memorisation.hash_replicated", "--n", "2"),
        *("--out", str(tmp_path / "card"), "--cache", str(tmp_path / "cache")),
    ]
    assert run_cli([*words, "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    crop = [one for one in card["rows"] if one["transformation"] == "crop"]
    assert [one["severity"] for one in crop] == [0.95, 0.85, 0.75]
    assert all(one["n"] == 2 and one["nearest_is_right"]["value"] == 1.0 for one in crop)
    assert card["thresholds"][0]["held_out"] >= 20
    assert json.loads((tmp_path / "card" / CARD).read_text())["rows"] == card["rows"]
    assert run_cli(words) == 0
    said = capsys.readouterr()
    assert "planted copies" in said.out
    assert "6 of 6" not in said.err  # no trial was run again


def test_a_suite_without_such_a_measure_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["memorisation-card", "--measures", "motion.flicker", "--out", str(tmp_path)]
    assert run_cli(words) == 2
    assert "no measure that compares clips with a training set" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["memorisation-card", "--reference", f"train={tmp_path / 'none'}", "--out", str(tmp_path)]
    assert run_cli(words) == 2
    assert "there is no such folder of videos" in capsys.readouterr().err


@pytest.mark.parametrize(("own", "other"), [("train", "held_out"), ("held_out", "train")])
def test_a_set_of_the_users_is_not_compared_with_one_of_the_world(
    own: str, other: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder, cache = folder_of(tmp_path / "own", 2, 0), tmp_path / "cache"
    words = ["memorisation-card", "--reference", f"{own}={folder}", "--cache", str(cache)]
    assert run_cli([*words, "--out", str(tmp_path / "card")]) == 2
    said = capsys.readouterr().err
    assert f"the reference set '{own}' is the folder {folder}" in said
    assert f"--reference {other}=DIR" in said
    assert not cache.exists()


def test_too_few_held_out_clips_are_refused_before_anything_is_encoded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sets = {name: folder_of(tmp_path / name, 2, first) for name, first in (("train", 0), ("held_out", 9))}
    words = [word for name, folder in sets.items() for word in ("--reference", f"{name}={folder}")]
    words += ["--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "card")]
    assert run_cli(["memorisation-card", *words]) == 2
    assert "'held_out' has 2 clips, and at least 40 are needed, 20 for each half" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()
