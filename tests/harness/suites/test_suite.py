"""Suites: what one may say, and what is refused."""

from __future__ import annotations

import jsonschema
import pytest
import yaml
from pydantic import BaseModel, Field
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import Prompt
from screentest.harness.plan import suite_items
from screentest.harness.policies.policy import Policy
from screentest.harness.suites.loading import join_suites, load_suite
from screentest.harness.suites.suite import Suite, packaged_suites, read_suite
from screentest.metrics.expectation import Expectation

MINIMAL = {"name": "mine", "version": 1, "measures": ["motion.flicker"], "prompts": [{"text": "a ball"}]}


def load(tmp_path, **changes) -> Suite:
    path = tmp_path / "suite.yaml"
    fields = {k: v for k, v in {**MINIMAL, **changes}.items() if v is not None}
    path.write_text(yaml.safe_dump(fields))
    return load_suite(str(path))


def test_a_few_lines_are_a_suite(tmp_path):
    suite = load(tmp_path)
    assert (suite.seeds, suite.clip.frames, suite.prompts[0].text) == (1, 16, "a ball")


@pytest.mark.parametrize("name", sorted(packaged_suites()))
def test_packaged_suites_are_named_by_their_file_and_have_known_measures(name):
    from screentest.harness.catalog import MEASURES, encoder_of, encoder_roles

    suite = load_suite(name)
    assert suite.name == name
    assert suite.description
    needs = {encoder_of(n) for m in suite.measures for n in MEASURES.get(m).needs}
    assert needs & set(encoder_roles()) <= set(suite.encoders)


@pytest.mark.parametrize("name", sorted(packaged_suites()))
def test_the_schema_accepts_packaged_suites_and_refuses_a_misspelling(name):
    schema = Suite.model_json_schema()
    raw = yaml.safe_load(packaged_suites()[name].read_text())
    jsonschema.validate(raw, schema)
    with pytest.raises(jsonschema.ValidationError, match="mesures"):
        jsonschema.validate({**raw, "mesures": []}, schema)


def keys_without_description(model: type[BaseModel]) -> list[str]:
    """Walk a model's JSON schema and list the keys that it says nothing about."""
    schema = model.model_json_schema()
    found: list[str] = []
    for name, part in {model.__name__: schema, **schema.get("$defs", {})}.items():
        for form in (part, *part.get("anyOf", ())):
            found += [
                f"{name}.{key}" for key, of in form.get("properties", {}).items() if not of.get("description")
            ]
    return found


def test_the_walk_finds_a_key_without_description():
    class Inner(BaseModel):
        said: int = Field(description="so many")
        unsaid: int

    class Outer(BaseModel):
        inner: tuple[Inner, ...]

    assert keys_without_description(Outer) == ["Outer.inner", "Inner.unsaid"]


@pytest.mark.parametrize("model", [Suite, Policy, Expectation])
def test_the_schema_describes_every_key(model):
    assert keys_without_description(model) == []


def test_the_schema_takes_a_prompt_of_text_alone():
    schema = Suite.model_json_schema()
    jsonschema.validate({**MINIMAL, "prompts": ["a cat", {"text": "a dog"}]}, schema)
    for wrong in (3, ["a cat"], {"txt": "a cat"}, ""):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**MINIMAL, "prompts": [wrong]}, schema)


def test_a_prompt_of_text_alone_is_a_plain_string(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nversion: 1\nmeasures: [motion.flicker]\nprompts:\n- a cat runs\n- {text: a dog, seeds: 3}\n"
    )
    plain, full = read_suite(str(path)).prompts
    assert plain == Prompt(text="a cat runs")
    assert (full.text, full.seeds) == ("a dog", 3)


@pytest.mark.parametrize(
    ("written", "shown"), [("no", "yes or no"), ("12:30", "750"), ("2027-01-02", "2027-01-02")]
)
def test_a_plain_prompt_that_yaml_reads_as_something_else_is_refused(tmp_path, written, shown):
    path = tmp_path / "s.yaml"
    path.write_text(f"name: s\nversion: 1\nmeasures: [motion.flicker]\nprompts: [a cat, {written}]\n")
    with pytest.raises(
        UsageError, match=f"prompts.1: .* YAML reads what stands there as {shown}; put it in quotes"
    ):
        read_suite(str(path))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prompts": None}, "give one of 'prompts', 'prompts_from_generator: true'"),
        ({"prompts_from_generator": True}, "give one of 'prompts', 'prompts_from_generator: true'"),
        ({"prompts": []}, "give one of 'prompts'"),
        ({"prompts": [{"text": "a"}, {"text": "a"}]}, "the prompt 'a' is listed twice; give it more seeds"),
        ({"prompts": [{"text": ""}]}, "prompts.0.text: "),
        ({"prompts": [["a ball"]]}, "prompts.0: it should be a mapping"),
        ({"prompts": [{"text": "a", "tag": "x"}]}, "unknown key 'prompts.0.tag'; did you mean 'tags'"),
        ({"prompts": [{"text": "a", "tags": [""]}]}, "prompts.0.tags.0: "),
        ({"prompts": [{"text": "a", "seeds": 0}]}, "prompts.0.seeds: "),
        ({"prompts": [{"text": "a", "image": "x", "video": "y"}]}, "not both"),
        ({"prompts": [{"text": "a", "use": "edit"}]}, "'use: edit' .* give the prompt a 'video'"),
        ({"prompts": [{"text": "a", "video": "x", "use": "conect"}]}, "prompts.0.use: .*'connect'"),
        ({"prompts": [{"text": "a", "video": "x", "use": "connect"}]}, "belong together"),
        ({"prompts": [{"text": "a", "video": "x", "video_to": "y"}]}, "belong together"),
        ({"prompts": [{"text": "a", "video": "x", "strength": 0.5}]}, "with 'use: edit' only"),
        ({"prompts": [{"text": "a", "video": "x", "use": "edit", "strength": 0}]}, "prompts.0.strength: "),
        ({"prompts": [{"text": "a", "video": "x", "use": "edit", "strength": 1.1}]}, "prompts.0.strength: "),
        (
            {"prompts": [{"text": "a", "video": "x"}, {"text": "a", "video": "x", "use": "extend"}]},
            "listed twice",
        ),
        ({"measures": []}, "measures: "),
        ({"seeds": 0}, "seeds: "),
        ({"version": 0}, "version: "),
        ({"name": "../up"}, "name: "),
        ({"name": "Mine"}, "name: "),
        ({"clip": {"fps": 0}}, "clip.fps: "),
        ({"clip": {"fps": float("nan")}}, "clip.fps: "),
        ({"clip": {"fps": float("inf")}}, "clip.fps: "),
        ({"clip": {"frames": 0}}, "clip.frames: "),
        ({"clip": {"widht": 64}}, "unknown key 'clip.widht'; did you mean 'width'"),
        ({"prompts": [{"text": "a", "clip": {"frames": 0}}]}, "prompts.0.clip: frames: "),
        ({"prompts": [{"text": "a", "clip": {"height": 8192, "width": 8192}}]}, "prompts.0.clip: "),
        ({"prompts": [{"text": "a", "clip": {"widht": 9}}]}, "unknown key 'prompts.0.clip.widht'"),
        ({"prompts": [{"text": "a"}, {"text": "a", "clip": {}}]}, "listed twice"),
        ({"reference_set": {}}, "one of 'world', 'folder' and 'training_set'"),
        (
            {"reference_set": {"world": "reference", "folder": "x"}},
            "one of 'world', 'folder' and 'training_set'",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path, changes, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        load(tmp_path, **changes)
    assert "\n" not in str(caught.value)


def test_the_same_text_with_another_image_is_another_prompt(tmp_path):
    suite = load(tmp_path, prompts=[{"text": "a"}, {"text": "a", "image": "x.png"}])
    assert len(suite.prompts) == 2


# -- several suites as one


def test_suites_with_a_comma_between_them_are_one(tmp_path):
    both = load_suite("red-team,contrast")
    parts = [load_suite("red-team"), load_suite("contrast")]
    assert both.name == "red-team_contrast"
    assert [p.text for p in both.prompts] == [p.text for part in parts for p in part.prompts]
    assert set(both.measures) == {m for part in parts for m in part.measures}
    assert both.encoders == {"judge": "nudity"}
    alone = {item.id for part in parts for item in suite_items(part)}
    assert {item.id for item in suite_items(both)} == alone  # so that runs of either are paired with it


def test_each_prompt_of_joined_suites_keeps_its_seeds(tmp_path):
    few = load(tmp_path, seeds=2)
    many = few.model_copy(
        update={"name": "many", "seeds": 3, "prompts": (few.prompts[0].model_copy(update={"text": "b"}),)}
    )
    assert [p.seeds for p in join_suites([few, many]).prompts] == [2] * len(few.prompts) + [3]


def test_suites_that_cannot_be_one_say_why(tmp_path):
    suite = load(tmp_path)
    cases = [
        ({"clip": suite.clip.model_copy(update={"frames": 99})}, "clip differs"),
        ({"encoders": {"clip": "elsewhere"}}, "the encoder 'clip' is"),
        ({}, "is listed twice"),
    ]
    base = suite.model_copy(update={"encoders": {"clip": "reference"}})
    for changes, sentence in cases:
        with pytest.raises(UsageError, match=sentence):
            join_suites([base, suite.model_copy(update={"name": "other", **changes})])
    with pytest.raises(UsageError, match="unknown suite 'contrasts'"):
        load_suite("red-team,contrasts")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prompts": [{"text": " \u3000\t"}]}, "the prompt is blank"),
        ({"prompts": [{"text": ""}]}, "the prompt is blank"),
        ({"prompts": [{"text": "\u200b\u2060 \u3164"}]}, "the prompt is blank"),
        ({"prompts": [None]}, "prompts.0: it should be a mapping and is empty"),
        (
            {"prompts": [{"text": "a ball", "tags": [False]}]},
            "tags.0: it should be text, and YAML reads what stands there as yes or no; put it in quotes",
        ),
        (
            {"prompts": [{"text": "a \x1b[31mred ball"}]},
            r"'a \\\\x1b\[31mred ball' has the control character U\+001B",
        ),
        ({"prompts": [{"text": "a \x00ball"}]}, r"U\+0000"),
        ({"prompts": [{"text": "a \x9bball"}]}, r"U\+009B"),
        ({"prompts": [{"text": "a ball", "seeds": 1_000_000_000}]}, "seeds: it should be at most 10000"),
        ({"seeds": 1_000_000_000}, "seeds: it should be at most 10000"),
        (
            {"seeds": 10_000, "prompts": [{"text": f"ball {k}"} for k in range(101)]},
            "1,010,000 items",
        ),
    ],
)
def test_prompts_that_are_none_and_suites_without_an_end_are_refused(tmp_path, changes, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        load(tmp_path, **changes)
    assert str(caught.value).isprintable()


def test_prompts_keep_line_ends_and_tabs(tmp_path):
    assert load(tmp_path, prompts=[{"text": "a ball\n\tfalls"}]).prompts[0].text == "a ball\n\tfalls"


def test_prompts_that_differ_in_case_or_composition_alone_are_known(tmp_path):
    texts = ["A ball", "caf\u00e9", "a ball", "cafe\u0301", "a box"]
    suite = load(tmp_path, prompts=[{"text": text} for text in texts])
    assert suite.alike() == [("A ball", "a ball"), ("caf\u00e9", "cafe\u0301")]
