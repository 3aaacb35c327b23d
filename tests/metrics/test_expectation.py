"""The schema of what a prompt expects: known words, the nearest to others, and limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from screentest.generators.worlds.plane.truth import facts_of_family
from screentest.harness.core.colors import COLORS
from screentest.harness.core.errors import UsageError
from screentest.harness.suites.loading import load_suite
from screentest.metrics import NotApplicable
from screentest.metrics.expectation import Expectation, read_expectation

BALLS = [{"shape": "ball", "color": "red"}, {"shape": "square", "color": "blue"}]


@pytest.mark.parametrize(
    ("expect", "sentence"),
    [
        ({"motoin": "fall"}, "unknown key 'motoin'; did you mean 'motion'?"),
        ({"objects": [{"colour": "red"}]}, "unknown key 'objects.0.colour'; did you mean 'color'?"),
        ({"motion": "falls"}, "unknown motion 'falls'; did you mean 'fall'?"),
        ({"family": "colision"}, "unknown family 'colision'; did you mean 'collision'?"),
        ({"objects": [{"shape": "sqare"}]}, "unknown shape 'sqare'; did you mean 'square'?"),
        ({"objects": [{"kind": "biscut"}]}, "unknown kind 'biscut'; did you mean 'biscuit'?"),
        ({"objects": [{"color": "teal"}]}, "unknown color 'teal'"),
        ({"objects": BALLS, "relation": {"is": "abov"}}, "did you mean 'above'?"),
        ({"camera": "pan-lft"}, "did you mean 'pan-left'?"),
        ({"speed": "quick"}, "unknown speed 'quick'"),
        ({"objects": BALLS, "collides": [0, 2]}, "object 2 is meant, and there are 2, counted from 0"),
        ({"objects": BALLS, "collides": [1, 1]}, "two different objects meet"),
        ({"objects": BALLS, "bitten": 5}, "object 5 is meant"),
        ({"gravity": 0}, "should be a number above 0"),
        ({"gravity": True}, "'gravity' is a number, and YAML reads what stands there as yes or no"),
        ({"gravity": "earth"}, "or unknown; not 'earth'"),
        ({"gravity": float("inf")}, "inf is no number"),
        ({"custom": {"a": [float("nan")]}}, "nan is no number"),
        ({"objects": BALLS, "ways": [{"places": [[float("nan"), 0.0]]}]}, "nan is no number"),
        ({"others": "some"}, "others: it should be 'allowed' or 'none' and is some"),
        ({"objects": [{"count": -1}]}, "objects.0.count"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_the_nearest_word(expect: dict[str, Any], sentence: str):
    with pytest.raises(UsageError) as caught:
        read_expectation(expect)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("the prompt's expect: ")
    assert "\n" not in str(caught.value)


def test_what_is_nested_too_deep_is_refused():
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(UsageError, match="nested more than 12 levels deep"):
        read_expectation({"custom": {"deep": deep}})


def test_a_thing_of_any_name_is_read():
    read = read_expectation({"objects": [{"shape": "cup"}]})
    assert read.objects[0].noun == "cup"


def test_facts_are_read_and_what_is_not_stated_is_not_known():
    read = read_expectation({"objects": BALLS, "collides": [0, 1], "gravity": 1, "others": "allowed"})
    assert (read.collides, read.gravity, read.others, read.moves) == ((0, 1), 1.0, "allowed", True)
    empty = Expectation()
    assert (empty.gravity, empty.collides, empty.bitten, empty.moves) == (None, None, None, False)
    assert read_expectation({"gravity": "unknown"}).gravity is None
    with pytest.raises(NotApplicable):
        read_expectation({})


@pytest.mark.parametrize(
    ("old", "facts"),
    [
        (
            {"family": "collision", "objects": BALLS, "motion": "left"},
            {"objects": BALLS, "collides": [0, 1], "at_rest": [1], "direction": "left"},
        ),
        ({"family": "fall", "motion": "fall"}, {"motion": "fall", "gravity": 0.32}),
        ({"family": "fall", "motion": "fall", "gravity": 2.0}, {"motion": "fall", "gravity": 2.0}),
        ({"family": "occluder", "objects": BALLS}, {"objects": BALLS, "passes_behind": [0, 1]}),
        ({"family": "biscuit", "objects": BALLS}, {"objects": BALLS, "bitten": 0}),
        ({"family": "uniform", "motion": "left"}, {"motion": "left"}),
    ],
)
def test_a_family_of_a_world_is_read_as_its_facts(old: dict[str, Any], facts: dict[str, Any]):
    ideal = {**facts, "ideal": True}
    assert read_expectation(old) == read_expectation(ideal)
    family = old.pop("family")
    assert facts_of_family(family, old) == ideal


def test_ideal_states_four_facts_unless_they_are_stated_otherwise():
    ideal = read_expectation({"ideal": True, "drag": True})
    assert (ideal.drag, ideal.in_depth, ideal.constant_light, ideal.others) == (True, False, True, "none")
    open_world = read_expectation({"motion": "left"})
    assert (open_world.drag, open_world.in_depth, open_world.constant_light, open_world.others) == (None,) * 4


def test_a_suite_is_refused_before_anything_is_generated(tmp_path: Path):
    suite = tmp_path / "mine.yaml"
    head = "name: mine\nversion: 1\nmeasures: [failure.rate]\nprompts:\n"
    suite.write_text(f"{head}  - {{text: a ball, expect: {{motoin: fall}}}}\n")
    with pytest.raises(UsageError, match=r"prompts\.0\.expect: unknown key 'motoin'; did you mean 'motion'"):
        load_suite(str(suite))
    suite.write_text(f"{head}  - {{text: a ball, expect: {{a: .nan}}}}\n")
    with pytest.raises(UsageError, match="nan is no number"):
        load_suite(str(suite))


def test_the_schema_says_which_words_are_known():
    schema = Expectation.model_json_schema()
    assert set(schema["$defs"]["ExpectedThing"]["properties"]["color"]["anyOf"][0]["enum"]) == set(COLORS)
    assert schema["additionalProperties"] is False
    described = [part for part in schema["properties"].values() if "description" in part]
    assert len(described) >= 12
