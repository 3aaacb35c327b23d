"""Thresholds from lawful footage: at a rate that the clips support, or one sentence that says why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import write_clip
from screentest.metrics.tracking.stabilized_tracker import MotionSource
from screentest.metrics.validation.footage import footage_thresholds

from ..helpers import texture
from ..tracking.scenes import RED, Shape, draw

EXPECT = {"objects": [{"shape": "ball", "color": "red"}], "motion": "right", "ideal": True}


def folder_of(folder: Path, clips: int) -> Path:
    ground = texture(64, 64, 1, blur=1.5) // 2 + 60
    folder.mkdir()
    rows = []
    for k in range(clips):
        ball = Shape("ball", RED, 7.0, lambda t, k=k: (10.0 + k + 2.5 * t, 30.0))
        write_clip(folder / f"{k}.mp4", draw([ball], 14, ground), 8.0)
        rows.append({"file": f"{k}.mp4", "expect": EXPECT})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_footage_gives_thresholds_at_a_rate_that_it_supports(tmp_path: Path):
    folder = folder_of(tmp_path / "real", 4)
    made = footage_thresholds(folder, MotionSource(), alarms=0.2)
    assert made.settings["clips"] == 4
    assert made.laws["inertia"].n == 4
    assert made.laws["inertia"].threshold >= made.laws["inertia"].largest
    assert "gravity" not in made.laws  # nothing falls
    with pytest.raises(
        UsageError, match=r"of 0.01 needs 99 lawful clips of a law, and at most 4 of these 4 can"
    ):
        footage_thresholds(folder, MotionSource(), alarms=0.01)


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path):
    with pytest.raises(UsageError, match=r"has no manifest.jsonl; write one"):
        footage_thresholds(tmp_path, MotionSource(), alarms=0.2)
    (tmp_path / "manifest.jsonl").write_text('{"file": "a.mp4"}\n')
    with pytest.raises(UsageError, match=r"line 1 of .* has no 'file' and 'expect'"):
        footage_thresholds(tmp_path, MotionSource(), alarms=0.2)
    (tmp_path / "manifest.jsonl").write_text(json.dumps({"file": "../a.mp4", "expect": EXPECT}))
    with pytest.raises(UsageError, match=r"line 1 of .*'../a.mp4' leads out of"):
        footage_thresholds(tmp_path, MotionSource(), alarms=0.2)
    (tmp_path / "manifest.jsonl").write_text(json.dumps({"file": "a.mp4", "expect": {"objcts": []}}))
    with pytest.raises(UsageError, match=r"line 1 of .* is wrong: expect: .*objects"):
        footage_thresholds(tmp_path, MotionSource(), alarms=0.2)
