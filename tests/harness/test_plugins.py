"""Measures from outside: a file that the user names, and an installed package."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from screentest.harness import plugins
from screentest.harness.catalog import ENCODERS, MEASURES
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import write_clip
from screentest.harness.plugins import load_entry_points, load_file

PACKAGE = Path(__file__).parent.parent / "data" / "plugin_package"
SCREENTEST = (sys.executable, "-c", "from screentest.harness.commands.main import main; main()")

BRIGHTNESS = '''
from screentest.metrics import Sample, Scored, frame_feature, measure

@frame_feature("test.brightness", version=1)
def brightness(frames_THWC):
    return frames_THWC.mean(axis=(1, 2, 3))[:, None] / 255

@measure("test.exposure", version=1, needs=("test.brightness",), better="neither", bounds=(0.0, 1.0))
def exposure(sample: Sample):
    """Mean brightness of a clip, 0 (black) to 1 (white)."""
    rows = sample.features["test.brightness"]
    return Scored(float(rows.mean()), {"frames": len(rows)})

@measure("test.fragile", version=1, needs=("test.brightness",), better="higher", bounds=(0.0, 1.0))
def fragile(sample: Sample) -> float:
    """Fail on dark clips."""
    mean = float(sample.features["test.brightness"].mean())
    if mean < 0.3:
        raise ValueError("too dark\\nto tell")
    return mean if mean < 0.7 else float("nan")
'''


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Take what a test registered out of the registries again."""
    registries = (MEASURES, ENCODERS)
    MEASURES.load()
    before = [set(r._entries) for r in registries]
    modules = set(sys.modules)
    yield
    for registry, names in zip(registries, before, strict=True):
        for name in set(registry._entries) - names:
            del registry._entries[name]
    for name in set(sys.modules) - modules:
        if name.startswith("screentest_"):
            del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with three grey clips of known brightness in ``videos/``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    for level in (51, 102, 204):
        write_clip(tmp_path / "videos" / f"grey {level}.mp4", np.full((4, 16, 16, 3), level, np.uint8), 8)
    return tmp_path


def written(folder: Path, text: str = BRIGHTNESS) -> Path:
    path = folder / "plugin.py"
    path.write_text(text)
    return path


def running(*more: str | Path) -> list[str]:
    words = ["run", "--suite", "videos", "--generator", "folder:videos", "--tracking-uri", "none"]
    return [*words, "--out", "run", "--json", *map(str, more)]


def test_a_file_s_measures_are_taken_in_a_run(folder, capsys):
    words = running("--plugin", written(folder), "-m", "test.exposure,test.fragile,motion.flicker")
    assert run_cli(words) == 0
    aggregates = {a["measure"]: a for a in json.loads(capsys.readouterr().out)["aggregates"]}
    exposure, fragile = aggregates["test.exposure"], aggregates["test.fragile"]
    assert exposure["n"] == 3
    assert exposure["value"] == pytest.approx((51 + 102 + 204) / 3 / 255, abs=2 / 255)
    assert exposure["bounds"] == [0, 1]
    assert fragile["n"] == 1
    assert fragile["reasons"] == {"ValueError: too dark to tell": 1, "the value was nan": 1}
    assert aggregates["motion.flicker"]["left_out"]["not_applicable"] == 3  # the clips are of one color

    rules = [{"measure": "test.exposure", "max": 0.99, "max_left_out": 0}]
    (folder / "policy.yaml").write_text(
        json.dumps({"name": "p", "version": 1, "cards": "noted", "rules": rules})
    )
    gating = ["gate", "run", "--policy", "policy.yaml", "--tracking-uri", "none"]
    assert run_cli([*gating, "--plugin", "plugin.py"]) == 0


def test_a_file_is_run_once(tmp_path):
    path = written(
        tmp_path,
        BRIGHTNESS + "\nimport sys\nsys.screentest_runs = [*getattr(sys, 'screentest_runs', []), 1]\n",
    )
    try:
        load_file(path)
        load_file(tmp_path / "." / "plugin.py")
        assert sys.screentest_runs == [1]
    finally:
        del sys.screentest_runs


def test_an_edited_feature_has_another_identity(tmp_path, monkeypatch):
    from screentest.harness.catalog import make_encoder

    load_file(written(tmp_path))
    first = make_encoder("test.brightness").digest
    del ENCODERS._entries["test.brightness"]
    for name in ("test.exposure", "test.fragile"):
        del MEASURES._entries[name]
    other = tmp_path / "edited.py"
    other.write_text(BRIGHTNESS.replace("/ 255", "/ 256"))
    load_file(other)
    assert make_encoder("test.brightness").digest != first


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\nprint(y)\n", "NameError: name 'y' is not defined (line 2)"),
        ("def f(:\n", "SyntaxError: "),
        ("import a_module_that_is_not_there\n", "ModuleNotFoundError: No module named"),
        ("raise SystemExit(0)\n", "SystemExit: 0 (line 1)"),
        ("raise ValueError('two\\nlines')\n", "ValueError: two lines (line 1)"),
        (BRIGHTNESS.replace("test.exposure", "motion.flicker"), "measure named 'motion.flicker' already"),
        (BRIGHTNESS.replace("test.brightness", "flow"), "encoder named 'flow' already"),
    ],
)  # fmt: skip
def test_a_broken_file_is_one_sentence(folder, capsys, text, sentence):
    path = written(folder, text)
    assert run_cli(running("--plugin", path, "-m", "motion.flicker")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: the plugin {path} could not be loaded: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert not (folder / "run").exists()


def test_what_is_no_python_file_is_said(tmp_path):
    with pytest.raises(UsageError, match="there is no plugin file"):
        load_file(tmp_path)
    (tmp_path / "plugin.txt").write_text("x = 1")
    with pytest.raises(UsageError, match=r"is not a Python file; it should end in \.py"):
        load_file(tmp_path / "plugin.txt")


def test_a_plugin_that_fails_to_load_is_a_warning(capsys, monkeypatch):
    broken = importlib.metadata.EntryPoint("broken", "a_module_that_is_not_there", plugins.GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [broken])
    assert run_cli(["list", "measures", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "motion.flicker" in {row["name"] for row in json.loads(out)}
    assert err == (
        "warning: the plugin 'broken' (a_module_that_is_not_there) could not be loaded: "
        "ModuleNotFoundError: No module named 'a_module_that_is_not_there'\n"
    )


def test_the_example_package_says_where_its_plugin_is(monkeypatch, tmp_path):
    """Its folder and its entry point, as an installer would lay them out."""
    shutil.copytree(PACKAGE / "screentest_redness", tmp_path / "screentest_redness")
    (tmp_path / "screentest_redness-0.1.0.dist-info").mkdir()
    about = tmp_path / "screentest_redness-0.1.0.dist-info"
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: screentest-redness\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[screentest.plugins]\nredness = screentest_redness\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_entry_points() == []
    assert MEASURES.get("example.redness").summary.startswith("Mean share of red")


def test_an_installed_package_s_measure_is_listed_and_scores(folder):
    shutil.copytree(PACKAGE, folder / "source")  # setuptools builds in the source's folder
    site = folder / "site"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([sys.executable, *install, "--target", site, folder / "source"], check=True, timeout=300)
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def screentest(*words: str) -> str:
        done = subprocess.run(
            [*SCREENTEST, *words], env=environment, capture_output=True, text=True, check=True, timeout=300
        )
        assert "warning" not in done.stderr
        return done.stdout

    listed = {row["name"]: row for row in json.loads(screentest("list", "measures", "--json"))}
    assert listed["example.redness"]["needs"] == "example.reds"
    assert "example.reds" in {row["name"] for row in json.loads(screentest("list", "encoders", "--json"))}
    (aggregate,) = json.loads(screentest(*running("-m", "example.redness")))["aggregates"]
    assert aggregate["n"] == 3
    assert aggregate["value"] == pytest.approx(1 / 3, abs=0.01)
