"""The commands about the reference world: what they print and write, and their sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from screentest.generators.worlds.plane import BREAKABLE, FAMILIES, LAWS, NATIVE_CLIPS
from screentest.harness.commands.main import run_cli
from screentest.harness.commands.world import clip_size, fixed
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings

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


def test_render_writes_clips_truth_and_pairs(cli, tmp_path):
    words = ["world", "render", "--family", "fall", "--violate", "gravity", "--severity", "0.5", "--n", "2"]
    code, out, err = cli(*words, "--out", "clips", "--size", "40x32x12", "--fix", "color=red")
    assert (code, out) == (0, "4 clips with their truth: clips; pairs in clips/pairs.csv\n")
    assert "rendering: 4 of 4" in err
    assert "warning" not in err
    truth = json.loads((tmp_path / "clips" / "fall-00001-gravity.json").read_text("utf-8"))
    assert truth["clip"] == {"frames": 12, "height": 32, "width": 40, "fps": 8.0}
    assert truth["things"][0]["color"] == "red"
    assert truth["violation"]["severity"] == 0.5
    assert len((tmp_path / "clips" / "pairs.csv").read_text().splitlines()) == 3


def test_render_as_json_lists_the_clips(cli):
    code, out, _ = cli("world", "render", "--family", "still", "--out", "a", "--size", "32x32x8", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["folder"] == "a"
    assert [(clip["file"], clip["family"], clip["violation"]) for clip in told["clips"]] == [
        ("still-00000.mp4", "still", None)
    ]


def test_a_run_takes_the_clips_and_their_prompts(cli, tmp_path):
    cli("world", "render", "--family", "still", "--n", "2", "--size", "32x32x8", "--out", "clips")
    run = ["run", "--suite", "videos", "--generator", "folder:clips", "-m", "motion.flicker", "--out", "run"]
    code, out, _ = cli(*run, "--tracking-uri", "none")
    assert code == 0
    assert "2 items (2 ok, 0 refused, 0 failed)" in out


def test_a_violation_that_shows_nowhere_is_said(cli):
    words = ["world", "render", "--family", "still", "--violate", "color", "--severity", "1e-6"]
    code, out, err = cli(*words, "--size", "32x32x8", "--out", "clips")
    assert (code, out) == (0, "2 clips with their truth: clips\n")
    assert "warning: 1 of 1 violations are too small to change a pixel" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--family", "fal"], "unknown family 'fal'; did you mean 'fall'?"),
        (["--family", "fall", "--violate", "gravty"], "unknown law 'gravty'; did you mean 'gravity'?"),
        (["--family", "hazard", "--violate", "heal"], "it can break vanish, double, teleport"),
        (["--family", "block", "--size", "48x80x16"], "no room for the family 'block'"),
        (["--family", "fall", "--severity", "0.5"], "name the law with --violate"),
        (["--size", "64x64"], "should be width, height and frames, such as 64x64x16"),
        (["--fix", "red"], "should be NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_one_sentence(words, sentence, cli, tmp_path):
    code, out, err = cli("world", "render", "--out", "clips", *words)
    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_list_names_families_laws_and_sizes(cli):
    code, out, _ = cli("world", "list")
    assert code == 0
    assert {line.split()[0] for line in out.splitlines() if line.split()} >= {*FAMILIES, *LAWS}
    told = json.loads(cli("world", "list", "--json")[1])
    assert {family["name"]: tuple(family["laws"]) for family in told["families"]} == {
        name: BREAKABLE.get(name, ()) for name in FAMILIES
    }
    assert {law["name"]: set(law["families"]) for law in told["laws"]} == {
        law: {family for family, laws in BREAKABLE.items() if law in laws} for law in LAWS
    }
    assert [clip_size(size["size"], size["fps"]) for size in told["sizes"]] == list(NATIVE_CLIPS)
    assert next(f for f in told["families"] if f["name"] == "count")["fix"]["count"][-1] == "four"
    assert "block" in next(s for s in told["sizes"] if s["size"] == "48x80x16")["no_room_for"]


def test_a_size_is_width_height_and_frames():
    assert clip_size("80X48x16", 8) == ClipSettings(frames=16, height=48, width=80, fps=8)
    for text, sentence in {"-1x2x3": "should be", "4x64x16": "width", "64x64x0": "frames"}.items():
        with pytest.raises(UsageError, match=sentence):
            clip_size(text, 8)
    with pytest.raises(UsageError, match="0 fps: fps"):
        clip_size("64x64x16", 0)


def test_what_is_fixed_is_fixed_once():
    assert fixed(["color=red", "shape=ball"]) == {"color": "red", "shape": "ball"}
    with pytest.raises(UsageError, match="names 'color' twice"):
        fixed(["color=red", "color=blue"])
