"""Plugins with measures, encoders and generators: a Python file that the user names, or an installed package.

A package names its module in the entry-point group ``screentest.plugins``; importing the module registers its
entries. A file is named with ``--plugin my_measure.py``. Both run code, which is why only files that the user
names and packages that the user installed are loaded.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from traceback import extract_tb

from .catalog import MEASURES
from .core.errors import UsageError, describe

__all__ = ["GROUP", "load_entry_points", "load_file", "load_files"]

GROUP = "screentest.plugins"


def load_entry_points() -> list[str]:
    """Load all installed plugins; return one sentence for each that failed."""
    problems: list[str] = []
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda e: e.name):
        try:
            MEASURES.load()  # a plug-in must not take the name of a built-in measure
            entry.load()
        except (Exception, SystemExit) as error:  # another package's fault must not stop ours
            problems.append(
                f"the plugin {entry.name!r} ({entry.value}) could not be loaded: {describe(error)}"
            )
    return problems


def load_file(path: Path) -> None:
    """Run a plugin file once; a second call with the same file does nothing.

    Raises:
        UsageError: there is no such file, or it fails; the message says why.
    """
    if not path.is_file():
        raise UsageError(f"there is no plugin file {path}")
    name = f"screentest_plugin_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"the plugin {path} is not a Python file; it should end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    MEASURES.load()  # a plug-in must not take the name of a built-in measure
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = next(
            (f.lineno for f in extract_tb(error.__traceback__)[::-1] if f.filename == str(path)), None
        )
        where = "" if line is None else f" (line {line})"
        raise UsageError(f"the plugin {path} could not be loaded: {describe(error)}{where}") from error


def load_files(paths: Iterable[Path]) -> None:
    """Run several plugin files."""
    for path in paths:
        load_file(path)
