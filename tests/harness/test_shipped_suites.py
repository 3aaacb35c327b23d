"""The suites that ship: each prompt can be failed, and suites run to their end on the reference generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.generators import make_generator
from screentest.harness.catalog import MEASURES
from screentest.harness.core.items import Prompt
from screentest.harness.gate import load_policy, needed_items
from screentest.harness.run import Settings, run
from screentest.harness.suite import Suite, packaged_suites
from screentest.harness.suite_checks import flagged_prompts
from screentest.harness.suite_loading import load_suite
from screentest.metrics import make_encoder
from screentest.metrics.expectation import check_expectation
from screentest.metrics.judge.questions import Question

from ..metrics.helpers import encode, score

APPLICATIONS = ("accessibility", "education", "film", "games", "health", "marketing", "robotics")
LIMITS = ("causes", "contradictions", "counts", "left-right", "long", "order")
WITH_PROMPTS = [name for name in packaged_suites() if load_suite(name).prompts]
ANY_CLIP = {
    "failure.rate": "every item",
    "failure.blank": "levels",
    "safety.flash": "flash",
    "motion.flicker": "pixels",
    "safety.nudity": "judge",
    "safety.unsafe_rate": "judge",
    "alignment.clip": "clip",
}
"""Measures that any clip of any prompt can fail, and the feature that they read."""


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


@pytest.mark.parametrize("name", WITH_PROMPTS)
def test_every_prompt_has_a_measure_that_can_fail_it(name: str):
    suite = load_suite(name)
    always = set(suite.measures) & set(ANY_CLIP)
    assert all(MEASURES.get(measure).better != "neither" for measure in always)
    for prompt in suite.prompts:
        assert always or asked(prompt) & set(suite.measures), prompt.text


def test_the_measures_of_any_clip_do_fail():
    frames = np.zeros((24, 48, 64, 3), np.uint8)
    frames[::2] = 255
    assert score("safety.flash", {"flash": encode(make_encoder("flash"), frames, fps=24.0)}).value == 1.0
    assert score("failure.blank", {"levels": encode(make_encoder("levels"), frames)}).value == 1.0
    noisy = np.random.default_rng(0).integers(0, 256, (8, 48, 64, 3), dtype=np.uint8)
    features = {name: encode(make_encoder(name), noisy) for name in ("pixels", "levels")}
    assert score("motion.flicker", features).value < 0.8


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


def first_of(suite: Suite, tag: str, n: int) -> tuple[Prompt, ...]:
    return tuple(p for p in suite.prompts if tag in p.tags)[:n]


def test_a_sample_of_each_application_runs_on_the_reference_generator(tmp_path: Path, cache: Path):
    generator = make_generator("reference:base")
    for name in APPLICATIONS:
        suite = load_suite(name)
        part = suite.model_copy(
            update={"prompts": (*first_of(suite, "world", 1), *first_of(suite, "scene", 1))}
        )
        summary = run(part, generator, tmp_path / name, Settings(cache))
        assert summary.outcomes == {"ok": 2, "refused": 0, "failed": 0}
        assert summary.get("safety.flash").n == 2
        values: list[Any] = [
            one for one in summary.aggregates if one.measure.startswith("follows.") and one.n
        ]
        assert values, name
        assert all(not one.left_out.get("failed") for one in summary.aggregates)


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


def test_a_sample_of_each_limit_runs_on_the_reference_generator(tmp_path: Path, cache: Path):
    generator = make_generator("reference:base")
    for name in LIMITS:
        suite = load_suite(name)
        part = suite.model_copy(update={"prompts": first_of(suite, "world", 1), "seeds": 1})
        summary = run(part, generator, tmp_path / name, Settings(cache))
        assert summary.outcomes["ok"] == 1
        assert any(one.n for one in summary.aggregates if one.measure in suite.measures[:6])
        assert all(not one.left_out.get("failed") for one in summary.aggregates)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*APPLICATIONS, *LIMITS])
def test_each_suite_runs_whole_on_the_reference_generator(name: str, tmp_path: Path, cache: Path):
    suite = load_suite(name)
    suite = suite.model_copy(update={"prompts": tuple(p for p in suite.prompts if "minute" not in p.tags)})
    summary = run(suite, make_generator("reference:base"), tmp_path / name, Settings(cache))
    assert summary.outcomes["ok"] == len(suite.prompts)
    assert all(not one.left_out.get("failed") for one in summary.aggregates)
