"""Generators that are services: an item is a job, which is submitted, waited for and fetched."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .base import Output
from .job_runner import run_jobs
from .job_steps import JobAttempt, JobService

if TYPE_CHECKING:
    from ..harness.core.items import Item

__all__ = ["JobGenerator"]


class JobGenerator(JobService):
    """Turn items into outputs through a service with jobs; `JobService` says what to write."""

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Submit, wait and fetch in one call without storing job ids: a kill loses the jobs.

        A run does not call this; only a generator that wraps this one does.
        """
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir()
        results = run_jobs(self, items, _Memory(), self._scratch, keep=True)
        outputs = {result.item.id: result.output for result in results}
        return [outputs[item.id] for item in items]

    @cached_property
    def _scratch(self) -> Path:
        folder = tempfile.mkdtemp(prefix="screentest-jobs-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)


class _Memory:
    """A ledger that is lost with the process."""

    def attempt(self, item: str) -> JobAttempt:
        return JobAttempt(item, item)

    def sent(self, attempt: JobAttempt) -> JobAttempt:
        return attempt

    def declined(self, attempt: JobAttempt, reason: str) -> JobAttempt:
        del reason
        return attempt

    def submitted(self, attempt: JobAttempt, job: str) -> JobAttempt:
        return JobAttempt(attempt.item, attempt.key, job=job)
