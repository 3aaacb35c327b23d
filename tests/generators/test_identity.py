"""A generator from a plug-in: its source is part of its identity, and its faults are said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from screentest.generators import GENERATORS, make_generator
from screentest.generators.identity import SOURCE, identity_of, source_in
from screentest.generators.reference.options import make_reference
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import file_sha256
from screentest.harness.plugins import load_file
from screentest.harness.run import Settings, plan_run, run

PLUGIN = """
import numpy as np
from screentest.generators import GENERATORS, Frames, Generator, GeneratorKind

class Grey(Generator):
    def __init__(self, spec):
        self.spec = spec
    def identity(self):
        return {"kind": "grey", "level": 100}
    def generate(self, items):
        size = [(i.clip.frames, i.clip.height, i.clip.width, 3) for i in items]
        return [Frames(np.full(shape, 100, np.uint8), 8) for shape in size]

class Versioned(Grey):
    def identity(self):
        return {"kind": "versioned", "source": "v1"}

def make(argument, device, dtype):
    if argument == "nothing":
        return None
    return Versioned(argument) if argument == "versioned" else Grey(f"grey:{int(argument)}")

GENERATORS.add("NAME", GeneratorKind(make, "grey:LEVEL: one grey"))
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Any:
    added: list[str] = []

    def load(name: str, text: str = PLUGIN) -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text(text.replace("NAME", name))
        load_file(path)
        added.append(name)
        return path

    yield load
    for name in added:
        del GENERATORS._entries[name]


def test_the_source_of_a_plugin_is_in_its_identity_and_in_the_plan(plugin, make_suite):
    path = plugin("grey-a")
    made = make_generator("grey-a:5")
    assert identity_of(made) == {"kind": "grey", "level": 100, SOURCE: [file_sha256(path)]}
    before = plan_run(make_suite(), made).digest
    plugin("grey-b", PLUGIN.replace("100, np.uint8", "101, np.uint8"))
    assert plan_run(make_suite(), make_generator("grey-b:5")).digest != before


def test_an_edited_plugin_is_another_plan_in_the_folder_of_the_first(plugin, make_suite, tmp_path, cache):
    plugin("grey-a")
    run(make_suite(), make_generator("grey-a:5"), tmp_path / "run", Settings(cache))
    plugin("grey-b", PLUGIN + "# edited\n")
    with pytest.raises(UsageError, match=r"another plan: the code of the generator's plug-in. Choose"):
        run(make_suite(), make_generator("grey-b:5"), tmp_path / "run", Settings(cache))


def test_a_plugin_that_lists_a_source_is_believed_and_a_class_of_ours_has_none(plugin):
    plugin("grey-a")
    assert identity_of(make_generator("grey-a:versioned")) == {"kind": "versioned", "source": "v1"}
    assert SOURCE not in identity_of(make_reference("base", "cpu", "float32"))


def test_a_class_without_a_file_says_that_it_cannot_know(make_suite, tmp_path, cache, capsys):
    space: dict[str, Any] = {"__name__": "nowhere"}
    exec(compile(PLUGIN.rpartition("GENERATORS.add")[0], "<typed in>", "exec"), space)
    made = space["Grey"]("grey:1")
    assert identity_of(made)[SOURCE] is None
    run(make_suite(), made, tmp_path / "run", Settings(cache))
    assert "the source code of grey:1 cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("light", r"the plug-in of --generator grey-a:light could not make it: ValueError: invalid literal"),
        ("nothing", r"the plug-in of --generator grey-a:nothing made a NoneType and not a Generator"),
    ],
)
def test_a_plugin_that_cannot_make_one_is_a_sentence(plugin, argument, said):
    plugin("grey-a")
    with pytest.raises(UsageError, match=said):
        make_generator(f"grey-a:{argument}")


def test_the_source_is_found_within_a_guard_too(plugin):
    path = plugin("grey-a")
    inside = {"kind": "guarded", "inner": dict(identity_of(make_generator("grey-a:5")))}
    assert source_in(inside) == [file_sha256(path)]
    assert source_in({"kind": "guarded", "inner": {"kind": "x", "source": None}}) is None
    assert source_in(identity_of(make_reference("base", "cpu", "float32"))) is False
