"""Several generators: their names, their steps, and the checkpoints that a star stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.matrix import NamedGenerator, is_pattern, named_generators


def test_each_generator_has_a_name_of_its_own():
    named = named_generators(["reference:base", "reference:base?steps=5", "reference.base"])
    assert [one.name for one in named] == ["reference-base", "reference-base-steps-5", "reference.base"]
    clash = named_generators(["folder:a/b", "folder:a-b", "folder:a_b"])
    assert [one.name for one in clash] == ["folder-a-b", "folder-a-b-2", "folder-a_b"]


def test_a_star_is_every_checkpoint_by_its_step(tmp_path):
    for name in ("checkpoint-1000", "checkpoint-500", "checkpoint-50", "final", "other"):
        (tmp_path / name).mkdir()
    spec = f"diffusers:{tmp_path}/checkpoint-*?steps=3,base=org/model"
    assert is_pattern(spec)
    named = named_generators([spec])
    assert [one.step for one in named] == [50, 500, 1000]
    assert named[0].spec == f"diffusers:{tmp_path}/checkpoint-50?steps=3,base=org/model"
    assert len({one.name for one in named}) == 3
    assert [one.short for one in named] == ["checkpoint-50", "checkpoint-500", "checkpoint-1000"]
    (tmp_path / "other" / "checkpoint-50").mkdir()
    twice = named_generators([f"diffusers:{tmp_path}/checkpoint-50*", f"diffusers:{tmp_path}/other/*"])
    assert [one.short for one in twice] == ["checkpoint-50", "checkpoint-500", "checkpoint-50-2"]
    everything = named_generators([f"diffusers:{tmp_path}/*"])
    assert [one.step for one in everything] == [None, None, 50, 500, 1000]
    with pytest.raises(UsageError, match="no file or folder fits"):
        named_generators([f"diffusers:{tmp_path}/step-*"])


def test_a_star_in_an_option_or_in_a_command_stands_for_itself():
    specs = ["command:python make.py *?version=1", "diffusers:org/model?negative=[a*b]"]
    assert not any(map(is_pattern, specs))
    assert [one.spec for one in named_generators(specs)] == specs


def test_a_file_lists_specs_and_names(tmp_path):
    (tmp_path / "checkpoint-20").mkdir()
    file = tmp_path / "models.yaml"
    file.write_text(
        "generators:\n  - reference:early\n  - {name: best, generator: reference:base, step: 9}\n"
        f"  - {{name: tuned, generator: 'diffusers:{tmp_path}/checkpoint-*'}}\n"
    )
    assert named_generators([], file) == [
        NamedGenerator("reference:early", "reference-early", None, "reference-early"),
        NamedGenerator("reference:base", "best", 9, "best"),
        NamedGenerator(
            f"diffusers:{tmp_path}/checkpoint-20", "tuned-checkpoint-20", 20, "tuned-checkpoint-20"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("generators: []", "generators: it should have at least 1 entry"),
        ("generator: [a]", "unknown key 'generator'; did you mean 'generators'"),
        ("generators: [{name: a}]", "the key 'generators.0.generator' is missing"),
        ("generators: [{generator: a, name: x}, {generator: b, name: x}]", "have the name 'x'"),
        ("generators: [a:b, a:b]", "the generator a:b is given twice; give it once"),
        ("[", "is not YAML"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, text, sentence):
    file = tmp_path / "models.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=sentence):
        named_generators([], file)


def test_without_a_generator_what_to_give_is_said():
    with pytest.raises(UsageError, match="give --generator KIND:ARGUMENT, or a file"):
        named_generators([])
    with pytest.raises(UsageError, match="--generator is empty"):
        named_generators([""])
    with pytest.raises(UsageError, match=r"no generators file at .*gone\.yaml"):
        named_generators([], Path("gone.yaml"))
