"""A second world is an addition: one file is rendered, held against the laws, and read by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from screentest.generators.worlds.registry import WORLDS, World, find_world
from screentest.harness.commands.main import run_cli
from screentest.harness.plugins import load_file
from screentest.metrics.expectation import read_expectation
from screentest.metrics.tracking.shape_tracker import WorldSource
from screentest.metrics.validation.law_trials import Trial, broken_trials, lawful_trials, run

PLUGIN = """
from dataclasses import dataclass, replace

import numpy as np

from screentest.generators.worlds.registry import WORLDS
from screentest.harness.core.errors import unknown_name
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.keys import seeded_rng


@dataclass(frozen=True)
class Dot:
    clip: ClipSettings
    start: float
    gone: int | None = None
    expect = {"objects": [{"shape": "ball", "color": "red"}], "motion": "right"}
    paints = [(226, 54, 48)]
    takes_texture = True

    def draw(self, background=None):
        clip = self.clip
        frames = np.empty((clip.frames, clip.height, clip.width, 3), np.uint8)
        frames[:] = background or (30, 30, 30)
        y, x = np.mgrid[: clip.height, : clip.width]
        for t in range(clip.frames if self.gone is None else self.gone):
            frames[t][(x - self.start - 2 * t) ** 2 + (y - 32) ** 2 <= 36] = self.paints[0]
        return frames


@dataclass(frozen=True)
class Told:
    dot: Dot

    def to_json(self):
        broken = None if self.dot.gone is None else {"law": "vanish", "first_frame": self.dot.gone}
        return {"caption": "a red ball moves right", "expect": self.dot.expect, "family": "slide",
                "violation": broken}


class Dots:
    name, version = "dots", 1
    families = ("slide",)
    laws = {"vanish": "is gone from the middle of the clip on"}
    native_clips = (ClipSettings(frames=16, height=64, width=64, fps=8),)
    phenomena = ()
    puzzles = ()
    skill_families = {}
    fault_families = {}
    extrapolation_sets = ()

    def breakable(self, family):
        return ("vanish",)

    def choices(self, family):
        return {}

    def fits(self, family, clip):
        return clip.frames >= 8

    def needed(self, family, law):
        return {}

    def facts(self, family, expect):
        return {"motion": "right", **expect}

    def sample(self, rng, clip, family, asked):
        if family not in (None, *self.families):
            raise unknown_name("family", family, self.families)
        return Dot(clip, float(rng.uniform(8, 14)))

    def caption(self, scene, rng=None):
        return "a red ball moves right"

    def violate(self, scene, law, severity, rng, clip):
        if law not in self.laws:
            raise unknown_name("law", law, self.laws)
        return replace(scene, gone=clip.frames // 2)

    def render(self, scene, clip, words):
        return scene.draw(), Told(scene)

    def scene_clip(self, scene, clip):
        return scene

    def skill_clip(self, skill, family, name, index):
        raise NotImplementedError

    def fault_clip(self, fault, family, name, index):
        raise NotImplementedError

    def extrapolation_scene(self, name, rng, index):
        return None

    def known_paths(self, truth):
        return []

    def violations_of(self, law):
        return (("vanish", "slide"),) if law == "permanence" else ()

    def trial_clip(self, request):
        dot = self.sample(seeded_rng(*request.name), request.clip, request.family, {})
        return dot if request.violation is None else replace(dot, gone=request.clip.frames // 2)

    def clips(self, n, seed, clip, *, families=()):
        for index in range(n):
            yield self.render(self.sample(seeded_rng(seed, index), clip, None, {}), clip, "")


WORLDS["dots"] = Dots
"""


@pytest.fixture
def dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dots_world.py").write_text(PLUGIN)
    load_file(Path("dots_world.py"))
    yield find_world("dots")
    WORLDS.pop("dots")


def test_its_clips_are_rendered_with_their_truth(
    dots: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert isinstance(dots, World)
    words = ["world", "render", "--world", "dots", "--family", "slide", "--violate", "vanish", "--n", "2"]
    assert run_cli([*words, "--out", "clips"]) == 0
    assert "4 clips with their truth" in capsys.readouterr().out
    truth = json.loads((tmp_path / "clips" / "slide-00001-vanish.json").read_text())
    assert (truth["violation"]["first_frame"], truth["expect"]["motion"]) == (8, "right")
    assert len((tmp_path / "clips" / "pairs.csv").read_text().splitlines()) == 3
    assert run_cli(["world", "render", "--world", "dots", "--family", "slid", "--out", "none"]) == 2
    assert "did you mean 'slide'" in capsys.readouterr().err


def test_its_trials_are_held_against_the_laws(dots: World):
    (lawful,) = lawful_trials("development", 0, 1, world="dots")
    kept = run(lawful, WorldSource())
    assert kept is not None
    assert kept["found"]["permanence"] == 0.0
    assert kept["found"]["momentum"] == "no collision is expected"
    template = Trial("development", 0, "", 0, severity=1.0, world="dots")
    (broken,) = broken_trials(template, "permanence", 1)
    found = run(broken, WorldSource())
    assert found is not None
    assert found["found"]["permanence"] == pytest.approx(0.5, abs=0.1)
    assert broken_trials(template, "gravity", 1) == []


def test_its_families_are_read_as_facts(dots: World):
    assert read_expectation({"family": "slide"}).motion == "right"


def test_nothing_but_the_reference_generator_names_the_first_world():
    package = Path(WORLDS["reference"].__code__.co_filename).parents[2]
    naming = {
        path.relative_to(package).as_posix()
        for folder in ("generators", "harness", "metrics", "reports", "safety")
        for path in (package / folder).rglob("*.py")
        if "worlds.plane" in path.read_text("utf-8")
    }
    readers = ("safety/bias/glyph_reader.py", "safety/bias/labelled_people.py")  # of its glyphs, by name
    own = ("generators/worlds/plane/", "generators/reference/", *readers)
    assert [name for name in sorted(naming) if not name.startswith(own)] == []
