"""The entry of the program: Ctrl-C while it loads, and ``python -m``."""

from __future__ import annotations

import subprocess
import sys

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


def test_help_starts_without_heavy_libraries() -> None:
    heavy = ("numpy", "pydantic", "torch", "scipy", "pandas", "av", "cv2", "mlflow", "transformers", "yaml")
    code = f"import sys, screentest.harness.commands.main; print([m for m in {heavy!r} if m in sys.modules])"
    assert python("-c", code).stdout == "[]\n"
