"""Plugins with measures, encoders and generators: a Python file that the user names, or an installed package.

A package names its module in the entry-point group ``screentest.plugins``; importing the module registers its
entries. A file is named with ``--plugin my_measure.py``. Both run code, which is why only files that the user
names and packages that the user installed are loaded.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

from .catalog import MEASURES
from .core.errors import UsageError, describe
from .core.source_files import run_file

__all__ = ["GROUP", "load_entry_points", "load_file", "load_files", "loaded_files"]

GROUP = "screentest.plugins"

_LOADED: dict[Path, None] = {}


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
    MEASURES.load()  # a plug-in must not take the name of a built-in measure
    run_file(path, "plugin")
    _LOADED[path.absolute()] = None


def loaded_files() -> tuple[Path, ...]:
    """List the plugin files that were loaded, in order: what a worker must load as well."""
    return tuple(_LOADED)


def load_files(paths: Iterable[Path]) -> None:
    """Run several plugin files."""
    for path in paths:
        load_file(path)
