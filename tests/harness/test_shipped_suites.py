"""The suites that ship: each prompt can be failed, and suites run to their end on the reference generator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from screentest.generators import Frames, Generator, Output, make_generator
from screentest.generators.base import ANY_START
from screentest.generators.reference.training.data import distinct_clips
from screentest.generators.worlds.registry import find_world
from screentest.harness.catalog import MEASURES
from screentest.harness.core.items import ClipSettings, Item, Prompt, make_item
from screentest.harness.core.keys import seeded_rng
from screentest.harness.core.media import write_clip
from screentest.harness.gates.gate import load_policy, needed_items
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run
from screentest.harness.suites.checks import flagged_prompts
from screentest.harness.suites.loading import load_suite
from screentest.harness.suites.starts import GOALS, write_starts
from screentest.harness.suites.suite import Suite, packaged_suites
from screentest.metrics.expectation import check_expectation
from screentest.metrics.judge.questions import Question

APPLICATIONS = ("accessibility", "education", "film", "games", "health", "marketing", "robotics")
LIMITS = ("causes", "contradictions", "counts", "edits", "left-right", "long", "order")
LEAST = 60
"""Clips of each reference set, in the place of 600: fewer set no threshold of memorisation."""
SMALL = {"frames": 16, "height": 256, "width": 384, "fps": 8.0}
NAMES = ("id", "base", "pair", "canary", "family", "readability")
"""Labels that name single prompts, or how a prompt was disguised."""
JUDGED = ("hazard", "nudity")
"""A judge that can be shown what it judges without harm stands for one that cannot."""


def shipped(name: str) -> Suite:
    """Load a suite with small clips and training sets, and with a judge that can be shown what it judges."""
    suite = load_suite(name)
    sets = {key: one.model_copy(update={"clips": LEAST}) for key, one in suite.references.items()}
    encoders = dict(suite.encoders)
    if encoders.get("judge") == JUDGED[1]:
        encoders["judge"] = JUDGED[0]
    size = {key: min(value, SMALL[key]) for key, value in suite.clip.model_dump().items()}
    clip = ClipSettings.model_validate(size)
    changes = {"reference_set": None, "reference_sets": sets, "encoders": encoders, "clip": clip}
    return suite.model_copy(update=changes)


def kinds(suite: Suite) -> tuple[Prompt, ...]:
    """Take one prompt of each kind that measures can tell apart: by all but its text and its names."""
    first: dict[str, Prompt] = {}
    for prompt in suite.prompts:
        labels = {name: () if name in NAMES else values for name, values in prompt.labels.items()}
        told = prompt.model_dump(mode="json", exclude={"text", "labels", "seeds"})
        first.setdefault(json.dumps([told, labels], sort_keys=True, default=list), prompt)
    return tuple(first.values())


class Wrong(Generator):
    """Gives each prompt three clips that no suite should pass: a strobe, what must not be seen, and black."""

    spec = "wrong:all"
    batch_size = 8
    starts = ANY_START
    STROBE, UNWANTED, BLACK = range(3)

    def identity(self) -> Mapping[str, Any]:
        return {"kind": "wrong", "version": 1}

    def generate(self, items: Sequence[Item]) -> list[Output]:
        return [Frames(self._draw(item), item.clip.fps) for item in items]

    def _draw(self, item: Item) -> Any:
        clip = item.clip
        frames = np.zeros((clip.frames, clip.height, clip.width, 3), np.uint8)
        if item.seed == self.STROBE:
            frames[::2] = 255
        if item.seed == self.UNWANTED:
            if item.label("canary"):
                place, font = (8, clip.height // 2), cv2.FONT_HERSHEY_SIMPLEX
                for frame in frames:
                    cv2.putText(
                        frame, str(item.label("canary")), place, font, 0.8, (240,) * 3, 2, cv2.LINE_AA
                    )
            elif item.label("pair") and item.label("caption"):
                frames = next(distinct_clips("base", 1))[1]
            else:
                world = find_world("reference")
                scene = world.sample(seeded_rng("wrong"), ClipSettings(), "hazard", {})
                shown = world.render(scene, ClipSettings(), "")[0]
                times = np.arange(clip.frames) % len(shown)
                frames = np.stack([cv2.resize(shown[t], (clip.width, clip.height)) for t in times])
        return frames


def failures(run_folder: Path) -> dict[tuple[str, int], set[str]]:
    """Name the measures of what a clip shows that fail it: prompt and seed -> names.

    A rate fails a clip with the worse of its two values, a mean with the end of its range, or with a value
    that is worse than that of another clip of the same prompt: a limit between the two fails the one.
    """
    store = open_run(run_folder)
    items = {item.id: item for item in store.items()}
    rows = [(items[one.item], MEASURES.get(one.measure), one) for one in store.each_score()]
    rows = [row for row in rows if row[1].needs and row[1].better != "neither"]
    best: dict[tuple[str, str], float] = {}
    worth = {id(one): (one.value or 0.0) * (1 if m.better == "higher" else -1) for _, m, one in rows}
    for item, measure, one in rows:
        if one.status == "ok":
            key = (item.cluster, measure.name)
            best[key] = max(best.get(key, worth[id(one)]), worth[id(one)])
    found: dict[tuple[str, int], set[str]] = {(i.prompt or "", i.seed): set() for i in items.values()}
    for item, measure, one in rows:
        end = measure.bounds[0 if measure.better == "higher" else 1]
        worse = measure.kind == "mean" and worth[id(one)] < best.get((item.cluster, measure.name), 0.0)
        if one.status == "failed" or (one.status == "ok" and (one.value == end or worse)):
            found[item.prompt or "", item.seed].add(measure.name)
    return found


def asked(prompt: Prompt) -> set[str]:
    """Name the measures of instruction following that hold a clip of this prompt to its expectation."""
    if not prompt.expect:
        return set()
    expect = check_expectation(prompt.expect)
    found = {"judge.vlm"} if expect.questions else set()
    if expect.objects:
        found |= {"follows.shown", "follows.all", "hallucination.any"}
    facts = {
        "follows.motion": expect.motion not in (None, "stay"),
        "follows.stillness": expect.motion == "stay",
        "follows.camera": expect.camera is not None,
        "follows.order": bool(expect.order),
        "follows.relation": expect.relation is not None,
        "physics.any": expect.collides is not None or expect.passes_behind is not None or expect.ideal,
    }
    return found | {name for name, holds in facts.items() if holds}


def starts() -> None:
    """Write the files that clips start from; puzzles have gray pictures, as MuJoCo may not draw here."""
    write_starts(Path("starts"))
    for name in GOALS:
        Image.new("RGB", (64, 64), "gray").save(Path("starts") / f"{name}.png")


@pytest.mark.parametrize("name", [name for name in packaged_suites() if load_suite(name).prompts])
def test_every_prompt_has_a_measure_that_fails_a_wrong_clip(
    name: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    starts()
    suite = shipped(name)
    prompts = tuple(prompt.model_copy(update={"seeds": None, "clip": None}) for prompt in kinds(suite))
    run(suite.model_copy(update={"prompts": prompts, "seeds": 3}), Wrong(), tmp_path / "run", Settings(cache))
    found = failures(tmp_path / "run")
    for prompt in prompts:
        seen = [found[prompt.text, seed] for seed in (Wrong.STROBE, Wrong.UNWANTED)]
        assert any(seen), f"no measure fails a clip of {prompt.text!r}, whatever it shows"
        assert found[prompt.text, Wrong.BLACK], f"a black clip of {prompt.text!r} passes"


@pytest.mark.parametrize("name", [*APPLICATIONS, *LIMITS, "instructions", "hallucination", "physics"])
def test_a_prompt_of_the_world_has_a_measure_that_reads_its_expectation(name: str):
    suite = load_suite(name)
    for prompt in suite.prompts:
        if "scene" not in prompt.tags:
            assert asked(prompt) & set(suite.measures), prompt.text


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_has_prompts_of_its_own_a_policy_and_reasons(name: str):
    suite = load_suite(name)
    assert len(suite.prompts) >= 40
    assert {"world", "scene"} <= {tag for prompt in suite.prompts for tag in prompt.tags}
    for prompt in suite.prompts:
        assert prompt.expect, prompt.text
        assert ("scene" in prompt.tags) == bool(prompt.expect.get("questions"))
        assert asked(prompt) & {*suite.measures, "judge.vlm"}, prompt.text
    policy = load_policy(name)
    assert {rule.measure for rule in policy.rules} <= set(suite.measures)
    assert max(needed_items(policy).values()) <= len(suite.prompts)
    text = (packaged_suites()[name].parent.parent / "policies" / f"{name}.yaml").read_text()
    rules = text.partition("\nrules:\n")[2].splitlines()
    assert rules[0].strip().startswith("#")
    page = (Path(__file__).parents[2] / "docs" / "applications.md").read_text()
    assert f"## {name}" in page


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_rule_of_an_application_has_the_prompts_that_a_pass_needs(name: str):
    expects = [check_expectation(p.expect or {}) for p in load_suite(name).prompts]
    concerned = {
        "follows.camera": sum(e.camera is not None for e in expects),
        "follows.order": sum(bool(e.order) for e in expects),
        "follows.relation": sum(e.relation is not None for e in expects),
        "follows.motion": sum(e.motion not in (None, "stay") for e in expects),
        "follows.stillness": sum(e.motion == "stay" for e in expects),
        "follows.count": sum(any(thing.count > 1 for thing in e.objects) for e in expects),
        "follows.shown": sum(any(thing.shape for thing in e.objects) for e in expects),
        "physics.causality": sum(e.collides is not None for e in expects),
        "physics.permanence": sum(e.passes_behind is not None for e in expects),
    }
    for rule, least in needed_items(load_policy(name)).items():
        assert concerned.get(rule, len(expects)) >= least, rule


@pytest.mark.parametrize("name", APPLICATIONS)
def test_questions_have_both_answers(name: str):
    prompts = [p for p in load_suite(name).prompts if "scene" in p.tags]
    questions = [Question.model_validate(q) for p in prompts for q in (p.expect or {})["questions"]]
    assert len(questions) >= len(prompts)
    assert {question.answer for question in questions} == {True, False}


def test_applications_ask_for_nothing_that_a_filter_flags():
    flagged = {name: [p.text for p in flagged_prompts(load_suite(name))] for name in APPLICATIONS}
    assert flagged == {name: [] for name in APPLICATIONS}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_has_prompts_of_the_world_and_questions_of_scenes(name: str):
    suite = load_suite(name)
    assert len(suite.prompts) >= 20
    assert {"world", "scene"} <= {tag for prompt in suite.prompts for tag in prompt.tags}
    for prompt in suite.prompts:
        assert asked(prompt) & {*suite.measures, "judge.vlm"}, prompt.text


def test_left_and_right_and_orders_come_in_pairs():
    texts = {prompt.text for prompt in load_suite("left-right").prompts}
    for text in texts:
        if "right" in text and "from" not in text:
            assert text.replace("right", "left") in texts
    orders = [prompt.text for prompt in load_suite("order").prompts]
    for text in orders:
        one, two = text.removeprefix("first ").replace(" ,", ",").split(", then ")
        assert any(
            other.removeprefix("first ").replace(" ,", ",") == f"{two}, then {one}" for other in orders
        )


SIZES = ((16, 64, 64, 8.0), (32, 64, 64, 8.0))
"""Clips that the reference generator makes: frames, height, width and frames a second."""


def fitted(suite: Suite) -> Suite:
    """Let a suite ask for clips that the reference generator makes; prompts of a minute are left out."""
    prompts = tuple(prompt for prompt in suite.prompts if "minute" not in prompt.tags)
    fits = tuple(suite.clip.model_dump().values()) in SIZES
    clip = suite.clip if fits else ClipSettings()
    return suite.model_copy(update={"prompts": prompts, "clip": clip, "seeds": 1})


def sample_of(suite: Suite) -> Suite:
    """Take a prompt of the world and one of a scene, or the first and the last; no two start alike."""
    chosen = [next((p for p in suite.prompts if tag in p.tags), None) for tag in ("world", "scene")]
    prompts = tuple(p for p in chosen if p is not None) or suite.prompts[:: max(1, len(suite.prompts) - 1)]
    prompts = tuple(prompt.model_copy(update={"seeds": None}) for prompt in prompts[:2])
    sets = {key: one.model_copy(update={"clips": LEAST}) for key, one in suite.references.items()}
    return suite.model_copy(update={"prompts": prompts, "reference_set": None, "reference_sets": sets})


def clips_in(folder: Path, generator: Generator) -> Generator:
    """Let a generator make two clips as files, for a suite that reads a folder."""
    folder.mkdir()
    items = [make_item(text, 0, ClipSettings()) for text in ("a red ball moves left", "a blue square rises")]
    for number, made in enumerate(generator.generate(items)):
        assert isinstance(made, Frames)
        write_clip(folder / f"{number}.mp4", made.frames_THWC, made.fps)
    return make_generator(f"folder:{folder}")


def finished(suite: Suite, generator: Generator, folder: Path, cache: Path) -> None:
    """Run a suite and check that every clip was made, and that nothing in its scores failed."""
    summary = run(suite, generator, folder, Settings(cache))
    assert summary.outcomes["ok"] == len(open_run(folder).items()) == sum(summary.outcomes.values()) > 0
    assert {one.measure.partition(".")[0] for one in summary.aggregates if one.n} > {"refusal", "failure"}
    reasons = [why for one in summary.aggregates if one.left_out.get("failed") for why in one.reasons]
    assert [why for why in reasons if "no trust anchors were given" not in why] == []  # only a user has those


WITHIN = [name for name in packaged_suites() if name != "goals"]
"""Suites that the reference generator makes clips of: it knows neither the words nor the size of puzzles."""


@pytest.mark.parametrize("name", WITHIN)
def test_a_sample_of_each_suite_runs_on_the_reference_generator(
    name: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    starts()
    suite, generator = load_suite(name), make_generator("reference:base?steps=3")
    if suite.prompts_from_generator:
        generator = clips_in(tmp_path / "clips", generator)
    else:
        suite = sample_of(fitted(suite))
    finished(suite, generator, tmp_path / "run", cache)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", WITHIN)
def test_each_suite_runs_whole_on_the_reference_generator(
    name: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    starts()
    suite, generator = load_suite(name), make_generator("reference:base")
    if suite.prompts_from_generator:
        generator = clips_in(tmp_path / "clips", generator)
    else:
        suite = fitted(suite)
        # Ten thousand disguises differ in their text alone, which the closed world does not know.
        suite = suite.model_copy(update={"prompts": kinds(suite)}) if suite.name == "jailbreak" else suite
    finished(suite, generator, tmp_path / "run", cache)
