"""Configuration files: what is wrong in one is one sentence that names it."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, ValidationError
from screentest.harness.core.config import Config, checked, load_yaml, packaged
from screentest.harness.core.errors import UsageError


class Lens(Config):
    millimetres: int = Field(ge=1)


class Camera(Config):
    name: str
    frames: int = Field(default=1, ge=1)
    lenses: tuple[Lens, ...] = ()


def load(path: Path, text: str | bytes) -> Camera:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_yaml(Camera, str(path), {}, kind="camera")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "camera.yaml"


def test_a_file_is_loaded_by_path_or_by_name(path):
    camera = load(path, "name: one\nlenses: [{millimetres: 50}]\n")
    assert camera == Camera(name="one", lenses=(Lens(millimetres=50),))
    assert load_yaml(Camera, "one", {"one": path}, kind="camera") == camera


def test_all_mistakes_of_a_file_are_told_at_once(path):
    text = "nmae: a\nframes: no\nlenses: [{millimetres: 0}, {millimetres: yes, xyzzy: 2}, 3]\n"
    with pytest.raises(UsageError) as caught:
        load(path, text)
    assert str(caught.value) == (
        f"camera {path}: 7 mistakes: "
        "(1) unknown key 'lenses.1.xyzzy'; "
        "(2) unknown key 'nmae'; did you mean 'name'?; "
        "(3) 'frames' is a number, and YAML reads what stands there as yes or no; "
        "(4) the key 'name' is missing; "
        "(5) lenses.0.millimetres: it should be at least 1 and is 0; "
        "(6) lenses.1: 'millimetres' is a number, and YAML reads what stands there as yes or no; "
        "(7) lenses.2: it should be a mapping and is 3"
    )


def test_many_mistakes_are_counted(path):
    with pytest.raises(UsageError, match=r"^camera .*: 25 mistakes: .*\(20\) lenses.19.*; and 5 more$"):
        load(path, f"name: a\nlenses: [{', '.join(['{millimetres: 0}'] * 25)}]\n")


class Words(Config):
    kind: Literal["a", "b"] = "a"
    text: str = Field(default="aa", min_length=2, max_length=3, pattern="^a+$")
    listed: tuple[str, ...] = Field(default=("x",), min_length=1, max_length=2)
    mapped: dict[str, int] = Field(default_factory=dict)
    day: date = date(2027, 1, 1)
    share: float = Field(default=0.5, gt=0, lt=1, allow_inf_nan=False)
    yes: bool = True


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "c"}, "kind: it should be 'a' or 'b' and is c"),
        ({"text": "a"}, "text: it should have at least 2 characters"),
        ({"text": "aaaa"}, "text: it should have at most 3 characters"),
        ({"text": "ab"}, "text: it should match ^a+$ and is ab"),
        ({"text": ["aa"]}, "text: it should be text"),
        ({"listed": []}, "listed: it should have at least 1 entry"),
        ({"listed": ["a", "b", "c"]}, "listed: it should have at most 2 entries"),
        ({"listed": "abc"}, "listed: it should be a list and is abc"),
        ({"mapped": [1]}, "mapped: it should be a mapping"),
        ({"mapped": {"x": "y"}}, "mapped.x: it should be a whole number and is y"),
        ({"day": "soon"}, "day: it should be a day, such as 2027-03-01, and is soon"),
        ({"share": 1}, "share: it should be less than 1 and is 1"),
        ({"share": "much"}, "share: it should be a number and is much"),
        ({"share": float("inf")}, "share: it should be a finite number and is inf"),
        ({"yes": "maybe"}, "yes: it should be true or false and is maybe"),
    ],
)
def test_what_a_value_should_be_is_said_in_our_words(fields, sentence):
    with pytest.raises(UsageError) as caught:
        checked(Words, fields, "it")
    assert str(caught.value) == f"it: {sentence}"


def test_a_configuration_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Camera(name="one").name = "two"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: a\nframs: 3\n", r"unknown key 'frams'; did you mean 'frames'\?$"),
        ("name: a\nlenses: [{milimetres: 3, millimetres: 4}]", r"unknown key 'lenses.0.milimetres'; did you"),
        (
            "name: a\nxyzzy: 3\nplugh: 4\n",
            r"2 mistakes: \(1\) unknown key 'xyzzy'; \(2\) unknown key 'plugh'$",
        ),
        ("name: a\nframes: 0\n", r"frames: it should be at least 1 and is 0$"),
        ("name: a\nframes: many\n", r"frames: it should be a whole number and is many$"),
        ("frames: 1\n", r"the key 'name' is missing$"),
        ("name: a\nname: b\n", r"the key 'name' is given twice \(line 2\)$"),
        (
            "name: a\nlenses:\n- {millimetres: 1, millimetres: 2}\n",
            r"'millimetres' is given twice \(line 3\)",
        ),
        ("- name: a\n", r"should be a mapping"),
        ("", r"should be a mapping"),
        ("just words\n", r"should be a mapping"),
        ("name: [a\n", r"is not YAML: "),
        ("name: a\n---\nname: b\n", r"is not YAML: "),
        ("name: !!python/object/apply:os.system ['exit 1']\n", r"is not YAML: could not determine a constr"),
        ("? [a, b]\n: c\nname: d\n", r"is not YAML: .*unhashable key"),
        (b"name: caf\xe9\n", r"cannot be read: 'utf-8' codec"),
    ],
)
def test_what_is_wrong_is_one_sentence(path, text, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        load(path, text)
    assert "camera" in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_gets_the_nearest_one(path):
    with pytest.raises(UsageError, match=r"unknown camera 'onne'; did you mean 'one'\? Known: one, two"):
        load_yaml(Camera, "onne", {"one": path, "two": path}, kind="camera")


def test_a_missing_file_and_a_folder_are_said(tmp_path, path):
    with pytest.raises(
        UsageError, match=r"there is no camera file at .*camera.yaml; known camera names: one$"
    ):
        load_yaml(Camera, str(path), {"one": path}, kind="camera")
    for name in (str(path), "nofile"):  # where nothing has a name, every name is a path
        told = rf"^there is no camera file at {re.escape(name)}; check its name and folder$"
        with pytest.raises(UsageError, match=told):
            load_yaml(Camera, name, {}, kind="camera")
    with pytest.raises(UsageError, match="cannot be read"):
        load_yaml(Camera, f"{tmp_path}/", {}, kind="camera")


def test_what_ships_is_named_by_its_file():
    assert {"reference", "videos"} <= set(packaged("suites"))
    assert all(path.is_file() for path in packaged("policies").values())


class Scene(Config):
    title: str = ""
    length: float | None = None
    frames: int = 1
    still: bool = False
    free: dict[str, object] | None = None


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("title: no", "'title' is text, and YAML reads what stands there as yes or no; put it in quotes"),
        (
            "title: 12:30",
            "'title' is text, and YAML reads what stands there as the number 750; put it in quotes",
        ),
        ("title: 2026-01-02", "as the day 2026-01-02; put it in quotes"),
        ("title: 1.5", "as the number 1.5; put it in quotes"),
        ("length: yes", "'length' is a number, and YAML reads what stands there as yes or no"),
        ("frames: off", "'frames' is a number"),
        ("title: !!timestamp x", "cannot be: it is not of its tag"),
        ("frames: !!int x", "cannot be"),
        ("title: 2026-02-30", "has a date or number that cannot be: day is out of range"),
        (f"frames: {'9' * 5000}", "cannot be"),
        (f"free: {'[' * 900}{']' * 900}", "nested too deeply"),
        ("free: &a {b: *a}", "recursive node"),
    ],
)
def test_what_yaml_reads_otherwise_is_one_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text(line + "\n")
    with pytest.raises(UsageError, match=sentence) as caught:
        load_yaml(Scene, str(path), {}, kind="scene")
    assert "\n" not in str(caught.value)


def test_aliases_that_grow_without_measure_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    doubled = "\n".join(f"  k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9)}]" for n in range(1, 12))
    path.write_text(f"free:\n  k0: &k0 [lol, lol]\n{doubled}\n")
    with pytest.raises(UsageError, match="over 5,000,000 values with its aliases written out"):
        load_yaml(Scene, str(path), {}, kind="scene")
    path.write_text("free:\n  a: &a [1, 2]\n  b: *a\n")
    assert load_yaml(Scene, str(path), {}, kind="scene").free == {"a": [1, 2], "b": [1, 2]}


def test_plain_values_of_the_kind_that_is_meant_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text("title: 'no'\nlength: 3\nframes: 2\nstill: yes\nfree: {at: 12:30, b: yes}\n")
    scene = load_yaml(Scene, str(path), {}, kind="scene")
    assert scene == Scene(title="no", length=3.0, frames=2, still=True, free={"at": 750, "b": True})


@pytest.mark.parametrize("name", ["a kite 🎏", "\\\\ud83c\\udf8f is text", "\\🎏 after a backslash"])
def test_json_is_read_with_its_escapes(path: Path, name: str) -> None:
    assert load(path, json.dumps({"name": name, "frames": 2})) == Camera(name=name, frames=2)


def test_half_an_escaped_pair_is_told(path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not YAML: .*invalid Unicode character escape"):
        load(path, '{"name": "\\ud83c"}')
