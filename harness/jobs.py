"""The journal of a run's jobs at a service, ``jobs.jsonl`` in the run folder.

One line per step, flushed to the disk before the next step::

    {"item": ..., "key": ..., "begun": ...}             an attempt is about to be submitted
    {"item": ..., "key": ..., "job": ..., "at": ...}    the service accepted it: its job id and the time
    {"item": ..., "key": ..., "over": true}             its outcome is stored; a retry is a new attempt
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from .core.errors import UsageError
from .core.keys import digest

__all__ = ["JobAttempt", "JobJournal"]

_NAME = "jobs.jsonl"


@dataclass(frozen=True)
class JobAttempt:
    """One attempt at an item.

    Attributes:
        key: the same for this attempt after a kill, and a new one for the next attempt.
        job: the service's job id; None until the service gave one.
        at: when it was submitted, in seconds since 1970.
        over: whether its outcome is stored.
    """

    item: str
    key: str
    job: str | None = None
    at: float = 0.0
    over: bool = False


class JobJournal:
    """The last attempt at each item of a run; the run is its only writer.

    Raises:
        UsageError: the file is not such a journal.
    """

    def __init__(self, folder: Path, plan: str) -> None:
        self._path = folder / _NAME
        self._plan = plan
        self._last: dict[str, JobAttempt] = {}
        self._counts: dict[str, int] = {}
        self._read()

    def attempt(self, item: str) -> JobAttempt:
        """Continue the item's attempt, or begin a new one."""
        last = self._last.get(item)
        if last is not None and not last.over:
            return last
        count = self._counts.get(item, 0)
        key = digest("job", {"plan": self._plan, "item": item, "attempt": count})
        self._write({"item": item, "key": key, "begun": time.time()})
        return self._last[item]

    def submitted(self, attempt: JobAttempt, job: str) -> JobAttempt:
        """Record the service's job id of an attempt; it is on the disk when this returns."""
        self._write({"item": attempt.item, "key": attempt.key, "job": job, "at": time.time()})
        return self._last[attempt.item]

    def over(self, attempt: JobAttempt) -> None:
        """Record that an attempt's outcome is stored."""
        self._write({"item": attempt.item, "key": attempt.key, "over": True})

    def _read(self) -> None:
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        if lines[-1]:  # the writer was killed within its last line, so that step did not happen
            with self._path.open("r+b") as file:
                file.truncate(sum(len(line) + 1 for line in lines[:-1]))
        for number, line in enumerate(lines[:-1], 1):
            try:
                self._apply(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise UsageError(
                    f"line {number} of {self._path} is not a step of a job; restore the file, or, to submit "
                    "every unfinished job again and pay for it again, delete it"
                ) from None

    def _apply(self, row: dict[str, object]) -> None:
        item, key = str(row["item"]), str(row["key"])
        if "begun" in row:
            self._counts[item] = self._counts.get(item, 0) + 1
            self._last[item] = JobAttempt(item, key)
        elif "job" in row:
            self._last[item] = replace(self._last[item], job=str(row["job"]), at=float(str(row["at"])))
        else:
            self._last[item] = replace(self._last[item], over=bool(row["over"]))

    def _write(self, row: dict[str, object]) -> None:
        with self._path.open("ab") as file:
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._apply(row)
