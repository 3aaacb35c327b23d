"""Run a Python file that the user named, once in a process, as a module of its own."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from .errors import ScreentestError, UsageError, describe
from .plugin_sources import import_root, source_files

__all__ = ["run_file"]


def run_file(path: Path, what: str) -> ModuleType:
    """Run a Python file and return its module; for the same file again, the module that is there.

    It may import the modules beside it: its folder comes last among those that Python looks in, so that
    nothing there stands in for what is installed.

    Args:
        what: what messages call it, such as ``plugin``.

    Raises:
        UsageError: there is no such file, or it fails; the message says why and in which line. Or it
            imports a module beside it whose name is that of another one.
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
    folder = str(import_root(path))
    if folder not in sys.path:
        sys.path.append(folder)
    _check_names(path, what)
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


def _check_names(path: Path, what: str) -> None:
    """Refuse a file that would be given another module than the one of that name beside it."""
    root = import_root(path)
    for file in source_files(path)[1:]:
        name = file.relative_to(root).parts[0].removesuffix(".py")
        ours = [root / f"{name}.py", root / name / "__init__.py"]
        try:
            found = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            continue
        if found is None or found.origin is None or file not in ours or Path(found.origin).resolve() in ours:
            continue
        raise UsageError(
            f"the {what} {path} imports {name!r}, and Python has another module of that name than {file} "
            f"({found.origin}); rename the file"
        )
