"""The files that the code of a plug-in stands in: its own, and those beside it that it imports."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .keys import file_sha256

__all__ = ["import_root", "source_digest", "source_digests", "source_files"]


def source_digests(path: Path) -> list[str]:
    """Give the sha256 of a Python file, and of each module in its folder that it imports, at whatever depth.

    Imports are read from the text, so that one within a function counts, too. The folder is that of the file;
    of a module in a package, the one that the package lies in. What is installed elsewhere is not covered.

    Args:
        path: of the plug-in.

    Returns:
        The digest of the file, then those of the others in order.
    """
    path, *others = source_files(path)
    return [file_sha256(path), *sorted(map(file_sha256, others))]


def source_files(path: Path) -> list[Path]:
    """List a Python file, then each module in its folder that it imports, at whatever depth."""
    path = path.resolve()
    root = import_root(path)
    found, todo = {path}, [path]
    while todo:
        for other in _imported(todo.pop(), root):
            if other not in found:
                found.add(other)
                todo.append(other)
    return [path, *sorted(found - {path})]


def import_root(path: Path) -> Path:
    """Name the folder of a Python file; of a module in a package, the one that the package lies in."""
    root = path.resolve().parent
    while (root / "__init__.py").is_file() and root != root.parent:
        root = root.parent
    return root


@functools.cache
def source_digest(function: Callable[..., Any]) -> str | None:
    """Hash the function's text, so that an edited plug-in does not read results of its former self.

    Of a function in a module it is its text, that of the whole file, and that of the modules beside it that
    it imports: the function may call them.
    """
    try:
        parts = [inspect.getsource(function)]
        file = inspect.getsourcefile(function)
        if function.__module__ != "__main__" and file is not None and Path(file).is_file():
            parts += source_digests(Path(file))
    except (OSError, TypeError):  # typed at a prompt: there is no text to hash
        return None
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _imported(path: Path, root: Path) -> Iterator[Path]:
    """Yield the files below ``root`` that a file's import statements name."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return  # running it says what is wrong
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = root if node.level == 0 else path.parents[min(node.level, len(path.parents)) - 1]
            if not base.is_relative_to(root):
                continue
            parts = node.module.split(".") if node.module else []
            yield from _files(base, parts)
            for alias in node.names:
                yield from _files(base, [*parts, alias.name])


def _files(base: Path, parts: list[str]) -> Iterator[Path]:
    """Yield the files that importing a dotted name from a folder runs: packages on the way, the module."""
    place = base
    for part in parts:
        place /= part
        for file in (place / "__init__.py", place.with_name(f"{part}.py")):
            if file.is_file():
                yield file.resolve()
                break
