"""Suites: what one may say, and what is refused."""

from __future__ import annotations

import jsonschema
import pytest
import yaml
from screentest.harness.errors import UsageError
from screentest.harness.suite import Suite, load_suite, packaged_suites

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
    from screentest.metrics import MEASURES, encoder_of, encoder_roles

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


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prompts": None}, "give either 'prompts' or 'prompts_from_generator: true'"),
        ({"prompts_from_generator": True}, "give either 'prompts' or 'prompts_from_generator: true'"),
        ({"prompts": []}, "give either 'prompts'"),
        ({"prompts": [{"text": "a"}, {"text": "a"}]}, "the prompt 'a' is listed twice; give it more seeds"),
        ({"prompts": [{"text": ""}]}, "prompts.0.text: "),
        ({"prompts": ["a ball"]}, "prompts.0: "),
        ({"prompts": [{"text": "a", "tag": "x"}]}, "unknown key 'prompts.0.tag'; did you mean 'tags'"),
        ({"prompts": [{"text": "a", "tags": [""]}]}, "prompts.0.tags.0: "),
        ({"prompts": [{"text": "a", "seeds": 0}]}, "prompts.0.seeds: "),
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
        ({"reference_set": {}}, "either 'world' or 'folder'"),
        ({"reference_set": {"world": "reference", "folder": "x"}}, "either 'world' or 'folder'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, changes, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        load(tmp_path, **changes)
    assert "\n" not in str(caught.value)


def test_the_same_text_with_another_image_is_another_prompt(tmp_path):
    suite = load(tmp_path, prompts=[{"text": "a"}, {"text": "a", "image": "x.png"}])
    assert len(suite.prompts) == 2
