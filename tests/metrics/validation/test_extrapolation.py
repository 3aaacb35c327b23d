"""Beginnings to go on from: in and out of what was trained on, with the answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from screentest.generators.worlds.plane import NATIVE_CLIP
from screentest.generators.worlds.plane.extrapolation_scenes import EXTRAPOLATION_SETS as SETS
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import seeded_rng
from screentest.harness.core.media import open_clip
from screentest.harness.suites.suite import read_suite
from screentest.metrics.validation import extrapolation
from screentest.metrics.validation.extrapolation import write_sets


def drawn(name: str, n: int = 12) -> list[extrapolation.Scene]:
    scenes = [SETS[name](seeded_rng("test of sets", name, k), k) for k in range(n)]
    return [found[0] for found in scenes if found is not None]


def test_each_set_leaves_the_training_in_one_respect():
    speeds = {name: [abs(s.subject.vx) for s in drawn(name) if s.family == "uniform"] for name in SETS}
    assert all(0.13 <= v <= 0.35 for name in ("in", "size", "combination") for v in speeds[name])
    assert all(v < 0.1 or v > 0.44 for v in speeds["speed"])
    radii = {name: [thing.radius for s in drawn(name) for thing in s.things] for name in SETS}
    assert all(0.1 < r < 0.18 for name in ("in", "speed") for r in radii[name])
    assert all(r < 0.1 or r > 0.18 for r in radii["size"])
    together = {(s.family, len(s.things), s.subject.kind) for s in drawn("combination")}
    assert together == {("uniform", 1, "biscuit"), ("uniform", 2, "shape"), ("projectile", 1, "shape")}


def unchanged(frames_THWC: np.ndarray) -> np.ndarray:
    """Stand for an autoencoder."""
    return frames_THWC


def test_the_suite_asks_with_beginnings_and_the_folders_hold_the_answers(tmp_path: Path):
    suite = read_suite(str(write_sets(tmp_path / "sets", 2, unchanged, seed=4)))
    assert [p.tags[0] for p in suite.prompts] == [name for name in SETS for _ in range(2)]
    for prompt in suite.prompts:
        assert prompt.video is not None
        assert prompt.expect is not None
        start = open_clip(Path(prompt.video))
        assert sum(len(w.frames_THWC) for w in start.windows()) == 8
        for way in prompt.expect["ways"]:
            assert way["first"] == 8
            assert len(way["places"]) == NATIVE_CLIP.frames
            assert way["places"][8] is not None
    floor = yaml.safe_load((tmp_path / "sets" / "floor.yaml").read_text())
    assert floor["prompts_from_generator"]
    for name in ("true", "reconstructed"):
        lines = (tmp_path / "sets" / name / "manifest.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        assert len({(row["prompt"], row["seed"]) for row in rows}) == len(rows) == 8
        assert all((tmp_path / "sets" / name / row["file"]).is_file() for row in rows)
    with pytest.raises(UsageError, match="sets is there already; name a folder"):
        write_sets(tmp_path / "sets", 2, unchanged)


def test_the_same_seed_gives_the_same_sets(tmp_path: Path):
    texts: list[str] = []
    for folder in ("one", "two"):
        path = write_sets(tmp_path / folder, 2, unchanged, seed=1)
        texts.append(path.read_text().replace(str(tmp_path / folder), ""))
    assert texts[0] == texts[1]
