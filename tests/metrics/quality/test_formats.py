"""Clips of another size, length or rate than the suite asked for are counted and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from screentest.generators import Frames
from screentest.generators.folder import FolderGenerator
from screentest.harness.core.media import write_clip
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run


def test_clips_that_are_not_as_asked_are_counted_and_named(
    tmp_path: Path, make_suite: Any, make_generator: Any, cache: Path, capsys: Any
) -> None:
    shapes = {"block number 0": (3, 32, 40), "block number 1": (6, 24, 32), "block number 2": (6, 32, 40)}
    generator = make_generator(1)
    generator.generate = lambda items: [
        Frames(
            np.random.default_rng(i.seed).integers(0, 255, (*shapes.get(i.prompt, (6, 32, 40)), 3), np.uint8),
            12.0 if i.prompt == "block number 2" else 8.0,
        )
        for i in items
    ]
    suite = make_suite(measures=["failure.format"], seeds=1)
    summary = run(suite, generator, tmp_path / "run", Settings(cache))
    assert summary.get("failure.format").value == 0.75
    assert sorted(str(s.evidence.get("differs")) for s in open_run(tmp_path / "run").scores()) == [
        "None",
        "['12 frames a second for 8']",
        "['3 frames for 6']",
        "['32x24 for 40x32']",
    ]
    said = capsys.readouterr().err
    assert "3 of 4 clips not as the suite asked" in said
    assert "3 frames for 6 (1)" in said


def test_the_items_of_a_folder_ask_for_no_format(
    tmp_path: Path, make_suite: Any, cache: Path, capsys: Any
) -> None:
    (tmp_path / "videos").mkdir()
    write_clip(tmp_path / "videos" / "a.mp4", np.zeros((4, 16, 16, 3), np.uint8), 8)
    suite = make_suite(prompts=(), prompts_from_generator=True, measures=["failure.format"])
    summary = run(suite, FolderGenerator(str(tmp_path / "videos")), tmp_path / "run", Settings(cache))
    assert summary.get("failure.format").n == 0
    assert "not as the suite asked" not in capsys.readouterr().err
