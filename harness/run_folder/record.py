"""The environment that a run records: versions, hardware, git state, threads. None of it is part of a key.

The number of threads is recorded because it changes the order in which sums are rounded. Pixels of the
reference generator differed by up to 4 of 255 between numbers of threads, and features of encoders may differ
in their last digits. Aggregates, intervals and verdicts of stored scores do not depend on it.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..core.keys import Json
from ..core.progress import note

__all__ = ["environment", "new_run_fields", "thread_count", "threads", "use_threads"]

_LIBRARIES = (
    "screentest", "torch", "torchmetrics", "transformers", "numpy", "scipy", "pandas", "av",
    "opencv-python-headless", "onnxruntime", "nudenet", "mlflow", "diffusers", "ray",
)  # fmt: skip


def new_run_fields(name: str) -> dict[str, Json]:
    """Make the fields of a new run: its id, its name and its start time (UTC, ISO 8601)."""
    return {"id": uuid4().hex, "name": name, "created": datetime.now(UTC).isoformat(timespec="seconds")}


def environment() -> dict[str, Json]:
    """Record versions, hardware and the git state of the working folder."""
    return {
        "versions": _versions(),
        "hardware": _hardware(),
        "threads": threads(),
        "git": _git(Path.cwd()),
    }


def threads() -> dict[str, Json]:
    """Record PyTorch's threads within and between operations, and OMP_NUM_THREADS."""
    import torch

    return {
        "torch": torch.get_num_threads(),
        "torch_interop": torch.get_num_interop_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }


def thread_count() -> int:
    """Give PyTorch's number of threads within an operation."""
    import torch

    return torch.get_num_threads()


def use_threads(number: int | None, record: Mapping[str, Any] | None = None) -> None:
    """Set PyTorch's number of threads, if given, and warn if the run was started with another number."""
    import torch

    if number is not None:
        torch.set_num_threads(number)
    began = ((record or {}).get("threads") or {}).get("torch")
    if began is not None and began != torch.get_num_threads():
        now = torch.get_num_threads()
        note(
            f"warning: this run was started with {began} threads and continues with {now}, so clips and "
            f"features may now be rounded differently; --threads {began} keeps the first number"
        )


def _versions() -> dict[str, Json]:
    versions: dict[str, Json] = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            versions[library] = None
    return versions


def _hardware() -> dict[str, Json]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    record: dict[str, Json] = {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "gpu": None,
    }
    import torch

    record["threads"] = torch.get_num_threads()
    if torch.cuda.is_available():
        record["gpu"] = torch.cuda.get_device_name()
    return record


def _git(folder: Path) -> dict[str, Json] | None:
    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    return None if commit is None else {"commit": commit, "dirty": bool(ask("status", "--porcelain"))}
