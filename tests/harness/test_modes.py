"""The suite of modes: its files are rendered, all six ways run, and what a generator lacks does not apply."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from screentest.generators import Generator, VideoFile
from screentest.generators import make_generator as generator_of
from screentest.generators.base import ANY_START
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, start_kind
from screentest.harness.core.media import write_clip
from screentest.harness.run import Settings, run
from screentest.harness.suites.loading import load_suite
from screentest.harness.suites.starts import GOAL_CLIP, GOALS, PAIRS, STARTS, goal_scene, write_starts

MODES = ("text", "image", "extend", "extend-back", "connect", "edit")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_starts(Path("starts"))
    return tmp_path


def test_the_starts_are_the_same_files_every_time(here: Path):
    files = {path.name: path.read_bytes() for path in (here / "starts").iterdir()}
    assert len(files) == 2 * len({**STARTS, **PAIRS})
    write_starts(here / "again")
    assert {path.name: path.read_bytes() for path in (here / "again").iterdir()} == files


def test_the_suite_has_every_mode_and_only_files_that_are_rendered(here: Path):
    suite = load_suite("modes")
    kinds = {start_kind(prompt) or "text" for prompt in suite.prompts}
    assert kinds == set(MODES)
    for prompt in suite.prompts:
        assert prompt.tags == (start_kind(prompt) or "text",)
        for path in (prompt.image, prompt.video, prompt.video_to):
            assert path is None or (here / path).is_file()


def test_every_edit_starts_from_a_file_that_is_rendered_and_changes_what_it_shows(here: Path):
    suite = load_suite("edits")
    captions = {name: name.replace("-", " ") for name in PAIRS}
    for prompt in suite.prompts:
        assert start_kind(prompt) == "edit"
        assert (here / (prompt.video or "")).is_file()
        shown = captions.get(Path(prompt.video or "").stem)
        if shown is not None and "one-of-two" in prompt.tags and "world" in prompt.tags:
            asked = [word for word in prompt.text.split() if word != "a"]
            assert sum(one != two for one, two in zip(asked, shown.split(), strict=True)) == 1
    assert {"color", "shape", "one-of-two", "nothing"} <= {tag for p in suite.prompts for tag in p.tags}


def test_an_edit_that_does_nothing_keeps_every_pixel(here: Path, cache: Path):
    suite = load_suite("edits")
    prompts = tuple(prompt for prompt in suite.prompts if "nothing" in prompt.tags and "world" in prompt.tags)

    class Copies(Generator):
        spec = "copies:all"
        starts = ANY_START

        def identity(self) -> dict[str, Any]:
            return {"kind": "copies"}

        def generate(self, items: Any) -> list[Any]:
            return [VideoFile(Path(item.video)) for item in items]

    summary = run(suite.model_copy(update={"prompts": prompts}), Copies(), here / "run", Settings(cache))
    assert summary.get("edit.kept").value == 1.0
    assert summary.get("follows.all").value == 1.0


def test_a_generator_without_modes_does_not_apply_to_them(here: Path, make_generator: Any, cache: Path):
    suite = load_suite("modes").model_copy(update={"seeds": 1, "measures": ("start.seam", "failure.rate")})
    summary = run(suite, make_generator(1), here / "run", Settings(cache))
    text = sum(start_kind(prompt) is None for prompt in suite.prompts)
    assert summary.outcomes["ok"] == text
    assert summary.outcomes["not_applicable"] == len(suite.prompts) - text
    assert summary.outcomes["failed"] == 0


def test_one_prompt_of_each_mode_runs_on_the_reference_generator(here: Path, cache: Path):
    suite = load_suite("modes")
    first = {start_kind(prompt) or "text": prompt for prompt in reversed(suite.prompts)}
    part = suite.model_copy(update={"seeds": 1, "prompts": tuple(first[mode] for mode in MODES)})
    summary = run(part, generator_of("reference:base"), here / "run", Settings(cache))
    assert summary.outcomes["ok"] == 6
    assert summary.get("start.fidelity").n == 4  # image, extend, extend back, connect
    assert summary.get("start.seam").n == 3
    assert summary.get("edit.kept").n == 1
    assert summary.get("start.fidelity").value > 25
    assert all(not one.left_out.get("failed") for one in summary.aggregates)


def test_the_prompts_of_goals_are_those_of_the_scenes_that_are_rendered():
    suite = load_suite("goals")
    assert suite.clip == GOAL_CLIP
    assert [Path(prompt.image or "").stem for prompt in suite.prompts] == list(GOALS)
    for name, prompt in zip(GOALS, suite.prompts, strict=True):
        _, words, expect = goal_scene(name)
        assert (prompt.text, prompt.expect, prompt.tags) == (words, expect, (GOALS[name],))


def test_a_solved_puzzle_is_solved_at_the_size_of_the_suite(tmp_path: Path, cache: Path, monkeypatch: Any):
    if find_spec("mujoco") is None:
        pytest.skip("the world 'stage' needs the extra stage (MuJoCo)")
    from screentest.generators.worlds.stage import can_draw
    from screentest.generators.worlds.stage.draw import draw_frames

    if (why := can_draw()) is not None:
        pytest.skip(why)
    monkeypatch.chdir(tmp_path)
    small = ClipSettings(frames=17, height=120, width=208, fps=8)
    suite = load_suite("goals")
    prompts = tuple(prompt for prompt in suite.prompts if (prompt.image or "").endswith("-1.png"))
    (tmp_path / "starts").mkdir()

    class Solves(Generator):
        spec = "solves:all"
        starts = frozenset({"image"})

        def identity(self) -> dict[str, Any]:
            return {"kind": "solves"}

        def generate(self, items: Any) -> list[Any]:
            made: list[Any] = []
            for item in items:
                scene, _, _ = goal_scene(Path(item.image).stem)
                path = tmp_path / f"{Path(item.image).stem}.mp4"
                write_clip(path, draw_frames(scene, small), small.fps)
                made.append(VideoFile(path))
            return made

    for name in GOALS:
        Image.new("RGB", (208, 120), "gray").save(tmp_path / "starts" / f"{name}.png")
    part = suite.model_copy(update={"prompts": prompts, "seeds": 1, "clip": small})
    summary = run(part, Solves(), tmp_path / "run", Settings(cache))
    assert summary.get("goals.solved").value == 1.0
    assert summary.get("goals.solved").n == 3
    assert summary.get("goals.maze").n == summary.get("goals.clock").n == summary.get("goals.tower").n == 1


def test_a_generator_that_starts_from_no_image_is_told_so_before_it_makes_a_puzzle(
    tmp_path: Path, make_generator: Any, cache: Path, monkeypatch: Any
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"cannot start a clip from an image \(24\)"):
        run(load_suite("goals"), make_generator(1), tmp_path / "run", Settings(cache))


def test_goals_whose_pictures_are_missing_name_the_command(tmp_path: Path, cache: Path, monkeypatch: Any):
    monkeypatch.chdir(tmp_path)

    class Starts(Generator):
        spec = "starts:all"
        starts = ANY_START

        def identity(self) -> dict[str, Any]:
            return {"kind": "starts"}

        def generate(self, items: Any) -> list[Any]:
            raise AssertionError

    with pytest.raises(UsageError, match="'screentest suite starts goals' renders it"):
        run(load_suite("goals"), Starts(), tmp_path / "run", Settings(cache))
