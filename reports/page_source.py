"""Tell whether the page of a run still shows the run as it is, so that it need not be drawn again.

The page names the digest of what it was made of: the files of the run folder, the names of the clips in it,
the votes on judges beside it, and the code, cards, suites and other data of this package, but for weights.
Stored clips are never written again under the same name; where a store has them, those that are gone count.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ..harness.core.errors import ScreentestError
from ..harness.core.keys import digest, file_sha256

__all__ = ["page_is_current", "page_source"]

_SUFFIXES = frozenset({".json", ".jsonl", ".sqlite", ".csv"})
_NOT_SHOWN = frozenset({"finished.json"})
_PARTS = ("generators", "harness", "metrics", "reports", "safety")
_NOT_READ = frozenset({".pyc", ".safetensors", ".npz", ".onnx", ".pt"})
_NAMED = re.compile(rb'<meta name="screentest-source" content="([0-9a-f]{64})">')
_HEAD = 8192
"""Bytes of a page that hold its head."""


def page_source(run: Path) -> str:
    """Hash what the page of one run is made of: 64 hex digits, or "" where a part of it cannot be read."""
    try:
        return _hashed(run)
    except (OSError, ValueError, ScreentestError):
        return ""


def _hashed(run: Path) -> str:
    of_run = [path for path in run.iterdir() if path.suffix in _SUFFIXES and path.name not in _NOT_SHOWN]
    of_run += (run / "verdicts").glob("*.json")
    judges = sorted((run.absolute().parent / "judges").glob("*.json"))
    clips = hashlib.sha256()
    with os.scandir(run / "clips") as entries:  # empty where a store has them
        for name in sorted(entry.name for entry in entries):
            clips.update(os.fsencode(name) + b"\n")
    gone = _gone_elsewhere(run)
    return digest(
        "page",
        {
            **({"gone": gone} if gone else {}),
            "run": {path.relative_to(run).as_posix(): file_sha256(path) for path in of_run if path.is_file()},
            "name": os.fsencode(run.resolve().name).hex(),
            "clips": clips.hexdigest(),
            "judges": {path.name: file_sha256(path) for path in judges},
            "code": dict(_of_package(_folders())),
            "version": importlib.metadata.version("screentest"),
        },
    )


def _gone_elsewhere(run: Path) -> list[str]:
    """List the clips that are gone from the store that ``run.json`` names, if it names one."""
    record: Any = json.loads((run / "run.json").read_bytes())
    if not isinstance(record, dict) or not record.get("clips"):
        return []
    from ..harness.run_folder.store import open_run  # here, as most runs have their clips in their folder

    with closing(open_run(run)) as store:
        return store.absent_clips()


def _folders() -> dict[str, Path]:
    """Find the folders of this package, without importing what is in them."""
    package = __name__.split(".", maxsplit=1)[0]
    specs = {part: importlib.util.find_spec(f"{package}.{part}") for part in _PARTS}
    return {
        part: Path(place)
        for part, spec in specs.items()
        for place in (() if spec is None else spec.submodule_search_locations or ())
    }


def _of_package(folders: dict[str, Path]) -> Iterator[tuple[str, str]]:
    for part, folder in folders.items():
        for place, inner, files in os.walk(folder):
            inner[:] = [name for name in inner if name != "__pycache__"]
            for path in (Path(place, name) for name in files):
                if path.suffix not in _NOT_READ and not path.name.startswith("."):
                    yield f"{part}/{path.relative_to(folder).as_posix()}", file_sha256(path)


def page_is_current(run: Path) -> bool:
    """Say whether ``report.html`` in a run folder shows this run alone, as it is now, with all defaults."""
    try:
        with (run / "report.html").open("rb") as file:
            named = _NAMED.search(file.read(_HEAD))
    except OSError:
        return False
    return named is not None and named.group(1).decode() == page_source(run)
