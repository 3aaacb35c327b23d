"""Run a Python file that the user named, once in a process, as a module of its own."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from .errors import ScreentestError, UsageError, describe

__all__ = ["run_file"]


def run_file(path: Path, what: str) -> ModuleType:
    """Run a Python file and return its module; for the same file again, the module that is there.

    Args:
        what: what messages call it, such as ``plugin``.

    Raises:
        UsageError: there is no such file, or it fails; the message says why and in which line.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path} for the {what}")
    name = f"screentest_plugin_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"the {what} {path} is not a Python file; it should end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of Rust is no Exception
        del sys.modules[name]
        line = next(
            (f.lineno for f in extract_tb(error.__traceback__)[::-1] if f.filename == str(path)), None
        )
        where = "" if line is None or isinstance(error, ScreentestError) else f" (line {line})"
        raise UsageError(f"the {what} {path} could not be loaded: {describe(error)}{where}") from error
    return module
