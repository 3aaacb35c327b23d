"""The entry of the program: Ctrl-C while it loads, and ``python -m``."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import screentest
from screentest.harness.commands.main import COMMANDS, GROUPS, application
from typer.main import get_command

INTERRUPTED = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from screentest.harness.commands.__main__ import main
main()
"""


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=120, check=False)


def test_ctrl_c_while_the_program_loads_is_one_line():
    done = python("-c", INTERRUPTED)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_the_program_starts_as_a_module():
    done = python("-m", "screentest.harness.commands", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("screentest ")


def test_the_package_itself_starts_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["screentest", "--version"])
    init = Path(str(screentest.__file__)).resolve()
    spec = importlib.util.spec_from_file_location("screentest.__main__", init.with_name("__main__.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("screentest ")


HELP = """
import sys
from screentest.harness.commands.main import run_cli
run_cli({words!r})
print([name for name in {names!r} if name in sys.modules], file=sys.stderr)
"""
HEAVY = (
    *("numpy", "pydantic", "torch", "scipy", "pandas", "av", "cv2", "mlflow", "transformers", "yaml", "PIL"),
    *("rich", "jinja2", "fsspec", "filelock", "importlib.metadata", "email"),
)


def test_help_starts_without_heavy_libraries() -> None:
    # Parts of the standard library may be loaded by how Python itself starts here.
    before = python("-c", f"import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])")
    done = python("-c", HELP.format(words=["--help"], names=sorted({*HEAVY} - {*before.stdout.split()})))
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert done.stdout.startswith("Usage: screentest")


def test_a_command_loads_its_own_module_alone() -> None:
    others = [f"screentest.harness.commands.{name}" for name in ("rate", "validate", "detect", "prompts")]
    assert python("-c", HELP.format(words=["rate", "--help"], names=others)).stderr == f"{others[:1]}\n"
    assert python("-c", HELP.format(words=["report", "--help"], names=others)).stderr == "[]\n"


def test_each_command_is_in_the_list_under_its_name_and_with_its_own_help() -> None:
    listed: Any = get_command(application())
    assert list(listed.commands) == [*COMMANDS, *GROUPS]
    for name, stub in listed.commands.items():
        alone: Any = get_command(application(name))
        assert list(alone.commands) == [name]
        assert alone.commands[name].help == stub.help
        assert alone.commands[name].params or name in GROUPS
        assert not stub.params
