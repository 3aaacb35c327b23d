"""What a run records of where and with what it was made. None of it is part of an identity.

The number of threads is recorded because sums are split among them and round in another order: pixels of the
reference generator were seen to differ by up to 4 of 255 between numbers of threads, and features of encoders
may differ in their last digits. What is made of stored features and scores (aggregates, intervals, verdicts)
does not depend on it.
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

from .core.keys import Json
from .core.progress import note

__all__ = ["environment", "new_run_fields", "threads", "use_threads"]

_LIBRARIES = (
    "screentest", "torch", "torchmetrics", "transformers", "numpy", "scipy", "pandas", "av",
    "opencv-python-headless", "onnxruntime", "nudenet", "mlflow",
)  # fmt: skip


def new_run_fields(name: str) -> dict[str, Json]:
    """Give a new run its own id, its name and the time it began (UTC, ISO 8601)."""
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
    """Record PyTorch's threads within an operation and between operations, and OMP_NUM_THREADS."""
    import torch

    return {
        "torch": torch.get_num_threads(),
        "torch_interop": torch.get_num_interop_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }


def use_threads(number: int | None, record: Mapping[str, Any] | None = None) -> None:
    """Give PyTorch a number of threads, if one is asked for, and warn where a run was begun with another."""
    import torch

    if number is not None:
        torch.set_num_threads(number)
    began = ((record or {}).get("threads") or {}).get("torch")
    if began is not None and began != torch.get_num_threads():
        now = torch.get_num_threads()
        note(
            f"warning: this run was begun with {began} threads and goes on with {now}, so what is generated "
            f"and encoded from here on may round otherwise; --threads {began} keeps to the first"
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
