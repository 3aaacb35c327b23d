"""A service that keeps jobs in a folder and counts what it is paid for; and a run of it that is killed.

`python job_service.py RUN SERVICE` runs the drawing suite, and is killed while it waits for its first jobs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from screentest.generators import Failure, Output, Refusal
from screentest.generators.job_steps import JobState
from screentest.generators.jobs import JobGenerator
from screentest.harness.core.items import Item
from screentest.harness.run import Settings, run

spec = importlib.util.spec_from_file_location("shared", Path(__file__).parents[1] / "conftest.py")
assert spec is not None
assert spec.loader is not None
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)


class Service(JobGenerator):
    """Jobs are files; a prompt says what becomes of its job (see `shared.DrawingGenerator`)."""

    spec = "service:toy"
    parallel = 4
    poll_every_s = 0.0
    timeout_s = 60.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        folder.mkdir(exist_ok=True)

    def identity(self) -> Mapping[str, Any]:
        return {"source": "toy", "kind": "service", "version": 1}

    @property
    def paid(self) -> int:
        return len(list(self.folder.glob("*.json")))

    def submit(self, item: Item, key: str) -> str | Refusal | Failure:
        if (item.prompt or "").startswith("turned down"):
            return Failure("no route to the service")
        if (item.prompt or "").startswith("forbidden"):
            return Refusal("the service does not take this prompt")
        with self._lock:
            job = f"job-{self.paid}"
            (self.folder / f"{job}.json").write_text(json.dumps({"item": item.id, "key": key}))
        return job

    def poll(self, job: str) -> JobState:
        return "ended" if (self.folder / f"{job}.json").exists() else "unknown"

    def fetch(self, job: str, item: Item, folder: Path) -> Output:
        assert json.loads((self.folder / f"{job}.json").read_text())["item"] == item.id
        output = shared.DrawingGenerator().generate([item])[0]
        assert isinstance(output, Output)
        return output


class Killed(Service):
    """The process is killed when four jobs are under way."""

    together = threading.Barrier(4)

    def poll(self, job: str) -> JobState:
        self.together.wait(60)
        os.kill(os.getpid(), signal.SIGKILL)
        return super().poll(job)


if __name__ == "__main__":
    run(
        shared.drawing_suite(),
        Killed(Path(sys.argv[2])),
        Path(sys.argv[1]),
        Settings(Path(sys.argv[1] + "-cache")),
    )
