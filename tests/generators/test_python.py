"""`python:file.py:name` and `python:module:name`: functions, classes, factories, and mistakes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import screentest as st
from screentest.generators import GENERATORS, make_generator
from screentest.generators.base import Generator, answers
from screentest.generators.identity import identity_of
from screentest.harness.commands.main import run_cli
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.keys import file_sha256

TEXT = '''
import numpy as np
import screentest as st
from screentest.generators import Frames, Generator

def level(clip, value):
    return np.full((clip.frames, clip.height, clip.width, 3), value, np.uint8)

def plain(prompt, seed, clip, value: int = 5):
    """Draw one level."""
    return level(clip, value)

@st.generator("decorated-python", version=3)
def decorated(prompt, seed, clip, value: int = 6):
    return level(clip, value)

class Batches:
    def __init__(self, value: int = 7):
        self.value = value
    def generate(self, prompts, seeds, clip):
        return [level(clip, self.value) for _ in prompts]

class Whole(Generator):
    def __init__(self, value: int = 8):
        self.value = value
    def identity(self):
        return {"kind": "whole", "value": self.value}
    def generate(self, items):
        return [Frames(level(i.clip, self.value), 8.0) for i in items]

def factory(value: int = 9, device="auto", dtype="float32"):
    def draw(prompt, seed, clip):
        return level(clip, value)
    return draw

def whole_factory(value: int = 10):
    return Whole(value)

ready = Whole(11)

def bare(prompt, seed, clip):
    return level(clip, 1)

def bare_factory():
    return Whole(1)

def broken_factory():
    raise OSError("no weights here")

def wrong_factory():
    return 3

number = 4
'''
CLIP = ClipSettings(frames=2, height=8, width=8, fps=8)


@pytest.fixture
def file(tmp_path):
    before = dict(GENERATORS._entries)
    path = tmp_path / "models.py"
    path.write_text(TEXT)
    yield path
    GENERATORS._entries.clear()
    GENERATORS._entries.update(before)
    for name in [
        name for name, module in sys.modules.items() if getattr(module, "__file__", "") == str(path)
    ]:
        del sys.modules[name]


def drawn(made: Generator) -> int:
    (output,) = answers(made, [make_item("a", 0, CLIP)])
    assert isinstance(output, st.Frames), output
    return int(output.frames_THWC.max())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plain", 5),
        ("plain?value=50", 50),
        ("decorated", 6),
        ("decorated?value=60", 60),
        ("Batches", 7),
        ("Batches?value=70", 70),
        ("Whole", 8),
        ("Whole?value=80", 80),
        ("factory", 9),
        ("factory?value=90", 90),
        ("whole_factory?value=100", 100),
        ("ready", 11),
    ],
)
def test_a_name_in_a_file_is_a_generator(file, name, value):
    made = make_generator(f"python:{file}:{name}")
    assert drawn(made) == value
    assert made.spec
    assert identity_of(made) == identity_of(make_generator(f"python:{file}:{name}"))


def test_the_source_the_version_and_the_options_are_in_the_identity(file):
    source = [file_sha256(file)]
    for name in ("plain", "decorated", "Batches", "Whole", "factory", "ready"):
        assert identity_of(make_generator(f"python:{file}:{name}"))["source"] == source, name
    assert identity_of(make_generator(f"python:{file}:decorated"))["version"] == 3
    for name in ("plain", "decorated", "Batches", "factory", "Whole"):
        one, other = (identity_of(make_generator(f"python:{file}:{name}?value={v}")) for v in (1, 2))
        assert one != other, name


def test_device_and_dtype_reach_a_factory_that_asks_for_them(file, tmp_path):
    seen = tmp_path / "seen.py"
    seen.write_text(
        "got = []\ndef make(device, dtype):\n    got.append((device, dtype))\n    return lambda prompt: 0\n"
    )
    made = make_generator(f"python:{seen}:make", device="cpu", dtype="bfloat16")
    module = next(m for m in sys.modules.values() if getattr(m, "__file__", "") == str(seen))
    assert module.got == [("cpu", "bfloat16")]
    assert made.identity()["factory"]["options"] == {"dtype": "bfloat16"}


def test_a_module_is_imported_from_here(file, tmp_path, monkeypatch):
    (tmp_path / "inner_models").mkdir()
    (tmp_path / "inner_models" / "video.py").write_text(TEXT.replace("decorated-python", "decorated-module"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert drawn(make_generator("python:inner_models.video:plain?value=3")) == 3
    (tmp_path / "needs_more.py").write_text("import not_a_module_at_all")
    with pytest.raises(
        st.UsageError, match=r"could not be imported: ModuleNotFoundError: .*not_a_module_at_all"
    ):
        make_generator("python:needs_more:x")


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("", "should name a function or class, as python:file.py:name"),
        ("FILE", "should name a function or class"),
        ("FILE:", "should name a function or class"),
        ("nowhere.py:plain", "there is no file nowhere.py for the generator"),
        ("not_a_module_at_all:plain", "there is no module 'not_a_module_at_all' here"),
        ("folder/file:plain", "is not a Python file; it should end in .py"),
        ("FILE:plane", "did you mean 'plain'"),
        ("FILE:number", "number in .* is a int; name a function or class"),
        ("FILE:plain?valu=3", "did you mean 'value'"),
        ("FILE:plain?value=x", "value"),
        ("FILE:factory?vale=3", "did you mean 'value'"),
        ("FILE:ready?value=3", "takes no options|no option"),
        (
            "FILE:bare?step=3",
            "has no options, as options are the parameters of bare beside prompt, seed, clip; leave out",
        ),
        ("FILE:bare_factory?step=3", "the parameters of bare_factory, which has none; leave out 'step'"),
        ("FILE:broken_factory", "could not make it: OSError: no weights here"),
        ("FILE:wrong_factory", "made a int; return a function of prompt, seed and clip, or a Generator"),
    ],
)
def test_mistakes_are_one_sentence(file, argument, told):
    with pytest.raises(st.UsageError, match=told) as caught:
        make_generator(f"python:{argument.replace('FILE', str(file))}")
    assert "\n" not in str(caught.value)


def test_the_command_line_runs_it_and_an_edited_function_is_another_generator(file, tmp_path, capsys):
    def words(*more: str) -> list[str]:
        suite = Path(tmp_path / "suite.yaml")
        suite.write_text(
            "{name: one, version: 1, prompts: [a], clip: {frames: 3, height: 32, width: 32}, "
            "measures: [failure.rate]}"
        )
        place = ["--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--tracking-uri", "none"]
        return ["run", "--suite", str(suite), "--generator", f"python:{file}:plain", *place, *more]

    assert run_cli(words()) == 0
    assert run_cli(words()) == 0
    file.write_text(TEXT.replace("Draw one level", "Draw two levels"))
    capsys.readouterr()
    for name in [n for n, m in sys.modules.items() if getattr(m, "__file__", "") == str(file)]:
        del sys.modules[name]
    assert run_cli(words()) == 2
    assert "the code of the generator's plug-in" in capsys.readouterr().err


def test_the_kind_is_listed(capsys):
    assert run_cli(["list", "generators", "--json"]) == 0
    assert "python:FILE.py:NAME" in capsys.readouterr().out


def test_a_generator_from_here_is_given_to_a_wrapper(file):
    made: Any = make_generator(f"guarded:[python:{file}:plain?value=2]?prompt=hazard-words,frame=none")
    assert drawn(made) == 2
