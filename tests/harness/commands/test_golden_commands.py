"""``rerun`` and ``compare --same-seed`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.run_folder.store import open_run

PROGRAM = """
import json, sys
import cv2, numpy as np
item = json.loads(sys.stdin.readline())
clip = item["clip"]
size = (clip["width"], clip["height"])
film = cv2.VideoWriter(item["output"], cv2.VideoWriter_fourcc(*"mp4v"), clip["fps"], size)
for t in range(clip["frames"]):
    film.write(np.full((clip["height"], clip["width"], 3), 60 + SHADE + 5 * t + 20 * item["seed"], np.uint8))
film.release()
"""
SUITE = {
    "name": "grey",
    "version": 1,
    "seeds": 2,
    "clip": {"frames": 4, "height": 32, "width": 48, "fps": 8},
    "prompts": ["one", "two"],
    "measures": ["motion.flicker"],
}
OFF = ("--tracking-uri", "none")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("make.py").write_text(PROGRAM.replace("SHADE", "0"))
    Path("grey.yaml").write_text(json.dumps(SUITE))
    words = ["--generator", "command:python3 make.py?version=1", "--out", "golden", "--meta", "why=test"]
    assert run_cli(["run", "--suite", "grey.yaml", *words, "--dtype", "bfloat16", *OFF]) == 0
    return Path("golden")


def test_a_run_is_repeated_from_its_record_and_is_the_same(made, capsys):
    Path("grey.yaml").unlink()  # the record has the suite
    assert run_cli(["rerun", "golden", *OFF]) == 0
    record = open_run(Path("golden-rerun")).record
    assert record["rerun_of"] == open_run(made).record["id"]
    assert record["made_with"] == {"device": "auto", "dtype": "bfloat16", "plugins": []}
    assert record["meta"] == {"why": "test"}
    assert record["plan"] == open_run(made).record["plan"]
    capsys.readouterr()
    assert run_cli(["compare", "golden-rerun", "golden", "--same-seed"]) == 0
    out, _ = capsys.readouterr()
    assert out == "PASS: 4 of 4 items the same, 4 by every frame\n"  # and no table without rows
    assert run_cli(["rerun", "golden", "--out", "golden", *OFF]) == 2
    assert "is the run itself" in capsys.readouterr().err


def test_a_program_that_changed_is_said_and_its_clips_differ(made, capsys):
    Path("make.py").write_text(PROGRAM.replace("SHADE", "8"))
    assert run_cli(["rerun", "golden", "--out", "now", *OFF]) == 0
    assert "warning: the generator is not what it was: generator.words" in capsys.readouterr().err
    assert run_cli(["compare", "now", "golden", "--same-seed"]) == 1
    out, err = capsys.readouterr()
    assert "FAIL: 0 of 4 items the same, 0 by every frame; 4 differ" in out
    assert "changed since: the generator's identity" in err
    assert run_cli(["compare", "now", "golden", "--same-seed", "--min-psnr", "20"]) == 0
    capsys.readouterr()
    assert run_cli(["compare", "now", "golden", "--same-seed", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "FAIL"
    assert {item["equal_frames"] for item in told["items"]} == {0}


def test_tolerances_without_same_seed_are_wrong_usage(made, capsys):
    assert run_cli(["compare", "golden", "golden", "--min-psnr", "20"]) == 2
    assert "are for --same-seed" in capsys.readouterr().err
