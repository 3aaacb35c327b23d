"""The journal of a run's jobs at a service, ``jobs.jsonl`` in the run folder.

One line per step, flushed to the disk before the next step::

    {"item": ..., "key": ..., "begun": ...}             an attempt is about to be sent
    {"item": ..., "key": ..., "declined": ...}          the service did not take it, and why
    {"item": ..., "key": ..., "job": ..., "at": ...}    the service accepted it: its job id and the time
    {"item": ..., "key": ..., "over": true, ...}        its outcome is stored; a retry is a new attempt

A declined attempt can be sent again. One that was begun, and neither declined nor accepted, is uncertain:
the service may have taken it. The last line also has the seconds from the submission to the stored clip, and
what the service said of the cost.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ...generators.job_steps import JobAttempt
from ..core.errors import UsageError
from ..core.keys import Json, digest

__all__ = ["JOURNAL", "JobJournal", "ServiceUse", "read_service_use"]

JOURNAL = "jobs.jsonl"


class ServiceUse(BaseModel):
    """What a run used of a service, from its journal.

    Attributes:
        sent: requests to submit a job; ``declined`` of them the service did not take (a rate limit ...).
        jobs: jobs that the service took; ``ended`` of them have a stored outcome.
        uncertain: attempts of which it is not known whether the service took them.
        seconds: median seconds from a job's submission to its stored clip; None without one.
        service_seconds: sum of the service's own time, of jobs whose time it said; None without one.
        usd: sum of the costs known, of ``priced`` jobs; None without one.
        quota: what the service last said is left.
    """

    model_config = ConfigDict(frozen=True)

    sent: int
    declined: int
    jobs: int
    ended: int
    uncertain: int
    seconds: float | None = None
    service_seconds: float | None = None
    usd: float | None = None
    priced: int = 0
    quota: dict[str, Any] = {}


class JobJournal:
    """The last attempt at each item of a run; the run is its only writer.

    Raises:
        UsageError: the file is not such a journal.
    """

    def __init__(self, folder: Path, plan: str) -> None:
        self._path = folder / JOURNAL
        self._plan = plan
        self._last: dict[str, JobAttempt] = {}
        self._counts: dict[str, int] = {}
        self._owners: dict[str, str] = {}
        for row in _read(self._path, mend=True):
            self._apply(row)

    def attempt(self, item: str) -> JobAttempt:
        """Continue the item's attempt, or make a new one."""
        last = self._last.get(item)
        if last is not None and not last.over:
            return last
        count = self._counts.get(item, 0)
        return JobAttempt(item, digest("job", {"plan": self._plan, "item": item, "attempt": count}))

    def sent(self, attempt: JobAttempt) -> JobAttempt:
        """Record that an attempt is about to be sent; it is on the disk when this returns."""
        return self._write({"item": attempt.item, "key": attempt.key, "begun": time.time()})

    def declined(self, attempt: JobAttempt, reason: str) -> JobAttempt:
        """Record that the service did not take an attempt."""
        return self._write({"item": attempt.item, "key": attempt.key, "declined": reason})

    def submitted(self, attempt: JobAttempt, job: str) -> JobAttempt:
        """Record the service's job id of an attempt; it is on the disk when this returns.

        Raises:
            ValueError: it is the id of another item's job, whose clip would be taken for this item's.
        """
        if self._owners.get(job, attempt.item) != attempt.item:
            raise ValueError(
                f"the service gave the job {job} to two items; the clip of one would be taken for the other's"
            )
        return self._write({"item": attempt.item, "key": attempt.key, "job": job, "at": time.time()})

    def over(self, attempt: JobAttempt, account: Mapping[str, Json] | None = None) -> None:
        """Record that an attempt's outcome is stored, with what is known of its time and cost."""
        self._write({**(account or {}), "item": attempt.item, "key": attempt.key, "over": True})

    def _apply(self, row: Mapping[str, Any]) -> JobAttempt:
        item, key = str(row["item"]), str(row["key"])
        if "begun" in row:
            self._counts[item] = self._counts.get(item, 0) + 1
            self._last[item] = JobAttempt(item, key, sent=True)
        elif "declined" in row:
            self._last[item] = replace(self._last[item], sent=False)
        elif "job" in row:
            self._last[item] = replace(self._last[item], job=str(row["job"]), at=float(str(row["at"])))
            self._owners[str(row["job"])] = item
        else:
            last = self._last.get(item, JobAttempt(item, key))
            self._last[item] = replace(last, over=bool(row["over"]))
        return self._last[item]

    def _write(self, row: Mapping[str, Any]) -> JobAttempt:
        with self._path.open("ab") as file:
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return self._apply(row)


def read_service_use(folder: Path) -> ServiceUse | None:
    """Add up what a run used of a service; None for a run without jobs.

    Raises:
        UsageError: the file is not a journal of jobs.
    """
    rows = list(_read(folder / JOURNAL))
    if not rows:
        return None
    open_attempts: set[str] = set()
    at: dict[str, float] = {}
    for row in rows:
        if "begun" in row:
            open_attempts.add(row["key"])
        elif "declined" in row or "job" in row or "over" in row:
            open_attempts.discard(row["key"])
        if "job" in row:
            at[row["key"]] = row["at"]
    ended = [row for row in rows if row.get("over") and row["key"] in at]
    seconds = [row["seconds"] for row in ended if "seconds" in row]
    own = [row["service_seconds"] for row in ended if "service_seconds" in row]
    usd = [row["usd"] for row in ended if "usd" in row]
    return ServiceUse(
        sent=sum("begun" in row for row in rows),
        declined=sum("declined" in row for row in rows),
        jobs=sum("job" in row for row in rows),
        ended=len(ended),
        uncertain=len(open_attempts),
        seconds=round(statistics.median(seconds), 3) if seconds else None,
        service_seconds=round(sum(own), 3) if own else None,
        usd=round(sum(usd), 6) if usd else None,
        priced=len(usd),
        quota=next((row["quota"] for row in reversed(rows) if row.get("quota")), {}),
    )


def _read(path: Path, *, mend: bool = False) -> Iterable[dict[str, Any]]:
    """Read the steps of a journal; without its last line, if the writer was killed within it.

    Raises:
        UsageError: a line is not a step.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    if lines[-1] and mend:
        with path.open("r+b") as file:
            file.truncate(sum(len(line) + 1 for line in lines[:-1]))
    known: set[str] = set()
    for number, line in enumerate(lines[:-1], 1):
        try:
            row = json.loads(line)
            _check(row, known)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(
                f"line {number} of {path} is not a step of a job; restore the file, or, to submit "
                "every unfinished job again and pay for it again, delete it"
            ) from None
        yield row


def _check(row: Any, known: set[str]) -> None:
    """Raise a ValueError, KeyError or TypeError where a line is not a step that can follow those before."""
    item, key = row["item"], row["key"]
    steps = [name for name in ("begun", "declined", "job", "over") if name in row]
    if not isinstance(item, str) or not isinstance(key, str) or not steps:
        raise ValueError("not a step")
    if "job" in row:
        float(row["at"])
    if steps[0] == "begun":
        known.add(item)
    elif item not in known:
        raise KeyError(item)
