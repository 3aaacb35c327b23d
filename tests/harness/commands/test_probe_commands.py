"""The commands that probe clips outside of a run: what they print, and their sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.core.media import write_clip

from ...metrics.helpers import tiny_vjepa2

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in an empty folder; give its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCREENTEST_CACHE", raising=False)

    def call(*words: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_cli([str(word) for word in words])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call


def roll(path: Path, speed: int, frames: int = 8, side: int = 32) -> None:
    clip = np.full((frames, side, side, 3), 40, np.uint8)
    for t, frame in enumerate(clip):
        frame[8:20, speed * t : speed * t + 10] = 220
    write_clip(path, clip, 8)


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    folder = tmp_path / "takes"
    folder.mkdir()
    (tmp_path / "made").mkdir()
    for name in ("ball", "cup"):
        roll(folder / f"{name}_take-1.mp4", 3)
        roll(folder / f"{name}_take-2.mp4", 2)
    roll(tmp_path / "made" / "ball.mp4", 1)
    return folder


def test_physics_iq_prints_scenarios_scores_and_what_was_left_out(cli, takes):
    words = ["physics-iq", "--takes", takes, "--generated", "made", "--seconds", "1", "--scale", "2"]
    code, out, err = cli(*words)
    assert code == 0
    lines = [line.split() for line in out.splitlines() if line.split()]
    assert next(line for line in lines if line[0] == "ball")[1:4] == ["1", "of", "1"]
    assert next(line for line in lines if line[0] == "cup")[1:5] == ["0", "of", "1", "-"]
    assert "left out, 1: no file for the generated clip" in out
    assert "shots: 2 of 2" in err

    code, out, _ = cli(*words, "--json")
    result = json.loads(out)
    assert (code, result["shots"], result["scenarios"]) == (0, 1, 1)
    assert result["settings"] == {"seconds": 1.0, "scale": 2, "stretch": False}
    ball = result["rows"][0]
    assert set(ball["files"]) == {"take1", "take2", "generated"}
    assert result["verified"]["value"] == pytest.approx(ball["verified"])
    assert result["original"]["low"] is None


def test_physics_iq_with_a_manifest(cli, takes, tmp_path):
    rows = "scenario,take1,take2,generated\nfall,ball_take-1.mp4,cup_take-1.mp4,ball.mp4\n"
    (tmp_path / "shots.csv").write_text(rows)
    words = ["--takes", takes, "--generated", "made", "--manifest", "shots.csv", "--seconds", "1"]
    code, out, _ = cli("physics-iq", *words, "--json")
    assert (code, json.loads(out)["rows"][0]["scenario"]) == (0, "fall")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--generated", "nowhere"), "error: nowhere is not a folder of videos\n"),
        (("--generated", "made"), "not one of 2 shots could be compared"),
        (("--generated", "made", "--manifest", "no.csv"), "the manifest no.csv cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(cli, takes, words, sentence):
    code, out, err = cli("physics-iq", "--takes", takes, *words)
    assert (code, out) == (2, "")
    assert sentence in err


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for k in range(3):
        roll(tmp_path / f"{k}.mp4", 2 + k, frames=18)
        roll(tmp_path / f"{k}_still.mp4", 0, frames=18)
    path = tmp_path / "pairs.csv"
    path.write_text(
        "possible,impossible,tag\n0.mp4,0_still.mp4,inertia\n1.mp4,1_still.mp4,inertia\n2.mp4,gone.mp4,x\n"
    )
    return path


def test_surprise_prints_shares_with_intervals_and_what_was_left_out(cli, pairs, tmp_path):
    weights = tiny_vjepa2(tmp_path / "weights")
    words = ["surprise", "--pairs", pairs, "--encoder", weights, "--device", "cpu"]
    code, out, _ = cli(*words, "--json")
    result = json.loads(out)
    assert (code, result["how"], result["accuracy"][0]["n"]) == (0, "mean of the windows", 2)
    assert [share["tag"] for share in result["accuracy"]] == [None, "inertia"]
    scores = [row["scores"] for row in result["rows"]]
    assert scores[2] is None
    assert all(s["possible"] > 0 and s["impossible"] > 0 for s in scores[:2])

    code, out, _ = cli(*words, "--reduce", "max")
    assert code == 0
    assert "surprise: max of the windows" in out
    assert "left out, 1:" in out
    assert next(line for line in out.splitlines() if line.split()[:1] == ["inertia"])


def test_surprise_without_a_model_is_a_sentence(cli, pairs):
    code, out, err = cli("surprise", "--pairs", pairs, "--encoder", "./none")
    assert (code, out) == (2, "")
    assert "the weights './none' of the encoder 'surprise' are not a folder" in err
    code, _, err = cli("surprise", "--pairs", pairs, "--encoder", "reference")
    assert (code, "has no 'reference' that comes with the package" in err) == (2, True)


def test_surprise_of_a_generator_is_its_denoising_loss(cli, tmp_path):
    words = [
        "world",
        "render",
        "--family",
        "uniform",
        "--violate",
        "inertia",
        "--n",
        2,
        "--out",
        tmp_path / "made",
    ]
    assert cli(*words)[0] == 0
    listed = tmp_path / "made" / "pairs.csv"
    asked = ["surprise", "--pairs", listed, "--generator", "reference:base", "--levels", 2, "--device", "cpu"]
    code, out, _ = cli(*asked, "--json")
    result = json.loads(out)
    assert (code, result["how"]) == (0, "denoising loss, mean over 2 noise levels")
    assert [share["tag"] for share in result["accuracy"]] == [None, "inertia"]
    scores = [row["scores"] for row in result["rows"]]
    assert len(scores) == 2
    assert all(0 < value < 1 for pair in scores for value in pair.values())
    assert json.loads(cli(*asked, "--json")[1]) == result
    assert json.loads(cli(*asked, "--seed", 0, "--json")[1]) == result
    other = json.loads(cli(*asked, "--seed", 1, "--json")[1])
    assert [row["scores"] for row in other["rows"]] != scores
    code, out, _ = cli(*asked)
    assert "surprise: denoising loss, mean over 2 noise levels" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "say what is surprised: --encoder WEIGHTS or --generator SPEC"),
        (("--encoder", "x", "--generator", "reference:base"), "say what is surprised"),
        (("--generator", "folder:clips"), "folder:clips does not give its denoising loss of a clip"),
        (("--generator", "reference:base", "--reduce", "max"), "--reduce is for --encoder"),
        (("--encoder", "x", "--levels", "4"), "--levels is for --generator"),
        (("--encoder", "x", "--seed", "4"), "--seed is for --generator"),
        (("--generator", "reference:base?cascade=on"), "with a cascade has no denoising loss"),
    ],
)
def test_what_is_surprised_is_one_model(cli, pairs, words, sentence, tmp_path):
    (tmp_path / "clips").mkdir()
    words = [f"folder:{tmp_path / 'clips'}" if word == "folder:clips" else word for word in words]
    code, out, err = cli("surprise", "--pairs", pairs, *words)
    assert (code, out) == (2, "")
    assert sentence.replace("folder:clips", f"folder:{tmp_path / 'clips'}") in err
    assert "Traceback" not in err


def test_validate_says_what_it_needs(cli, tmp_path):
    sentence = (
        "error: say what to validate: --measures NAMES (or all), --probes (measures of laws), --skills "
        "(measures of instructions), --hallucination, --sound, --signs or --goals; one at a time, and --real "
        "with --measures, --probes or --signs alone\n"
    )
    assert cli("validate")[::2] == cli("validate", "--probes", "--skills")[::2] == (2, sentence)
    assert cli("validate", "--goals", "--real", tmp_path)[::2] == (2, sentence)
    code, _, err = cli("validate", "--skills", "--source", "blobs")
    assert (code, "--skills takes --out, --n and --seed" in err) == (2, True)
    code, _, err = cli("validate", "--probes", "--source", "blob")
    assert (code, "the source 'blob' of the encoder 'tracks' is unknown" in err) == (2, True)
    code, _, err = cli("validate", "--probes", "--thresholds", "none.json")
    assert (code, err) == (2, "error: the thresholds none.json cannot be read: No such file or directory\n")
    code, _, err = cli("validate", "--probes", "--calibrate", "--thresholds", "none.json")
    assert (code, "--calibrate computes new thresholds" in err) == (2, True)


def test_validate_lays_out_the_card(cli, monkeypatch):
    from screentest.metrics.validation import bench as validation
    from screentest.metrics.validation import law_card as card

    monkeypatch.setattr(card, "conditions", lambda world: (card.Condition(look="plain", variety="native"),))
    code, out, _ = cli("validate", "--probes", "--n", "2", "--seed", "7", "--out", "made")
    assert (code, "card: made/CARD.md" in out) == (0, True)
    assert next(line for line in out.splitlines() if line.split()[:1] == ["gravity"])
    written = card.LawCard.model_validate_json(Path("made", validation.CARD).read_text())
    assert {line.split()[0] for line in out.splitlines() if line.strip()} >= {c.law for c in written.cells}
    code, out, _ = cli("validate", "--probes", "--n", "2", "--seed", "7", "--out", "made", "--json")
    assert (code, json.loads(out)["clips"]) == (0, written.clips)


def test_validate_lays_out_the_card_of_the_skills(cli, monkeypatch):
    from screentest.metrics.validation import bench
    from screentest.metrics.validation.skill_card import SkillRow

    left_out = {"left_out": {"not_applicable": 1}, "reasons": {"x": 1}}
    row = SkillRow(skill="count", asked="kept", looks="plain", n=2, value=0.5, low=0.1, high=0.9, **left_out)
    monkeypatch.setattr(bench, "run_trials", lambda *a: a[2].parent.mkdir(parents=True) or [])
    monkeypatch.setattr(bench, "skill_rows", lambda rows: [row])
    code, out, _ = cli("validate", "--skills", "--n", "2", "--out", "deep/made")
    assert (code, "card: deep/made/SKILLS.md" in out) == (0, True)
    assert next(line for line in out.splitlines() if line.split()[:2] == ["count", "0.50"])
    written = bench.SkillsCard.model_validate_json(Path("deep/made/skills.json").read_text())
    assert written.rows == (row,)
    text = Path("deep/made/SKILLS.md").read_text()
    assert "| count | kept | 50.0 % [10.0, 90.0] of 2 |  |  |" in text
    assert "- count, kept, plain: x (1)" in text


def test_a_folder_that_cannot_be_made_is_a_sentence(cli):
    Path("file").write_text("")
    code, _, err = cli("validate", "--skills", "--n", "2", "--out", "file/made")
    assert (code, "file/made/skills-trials.jsonl cannot be written: Not a directory" in err) == (2, True)


def test_extrapolate_says_what_to_run(cli, monkeypatch):
    from screentest.metrics.validation import extrapolation

    monkeypatch.setattr(extrapolation, "write_sets", lambda out, n, reconstruct, seed: out / "suite.yaml")
    code, out, _ = cli("extrapolate", "--out", "ood", "--n", "3")
    assert code == 0
    assert "3 starting clips of each of in, speed, size, combination: ood/suite.yaml" in out
    assert "screentest run --suite ood/floor.yaml --generator folder:ood/reconstructed" in out


def test_calibration_wants_enough_clips(cli, monkeypatch):
    from screentest.metrics.validation import bench as validation

    monkeypatch.setattr(validation, "LOOKS", {"plain": None})
    code, _, err = cli("validate", "--probes", "--calibrate", "--n", "2", "--out", "made")
    assert code == 2
    assert "lawful clips show no quantile that one in 100 exceeds; 99 are needed: raise --n" in err
