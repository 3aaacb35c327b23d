"""Generators that are services: an item is a job, which is submitted, waited for and fetched.

A job costs money once it is submitted. So its id is written into the run folder before waiting: a killed run
resumes its jobs, and nothing is paid twice.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import traceback
import weakref
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..harness.core.errors import ScreentestError, describe
from .base import Failure, Generator, NotApplicable, Output, Refusal

if TYPE_CHECKING:
    from ..harness.core.items import Item

__all__ = ["JobGenerator", "JobResult", "JobState", "submit", "wait"]

JobState = Literal["pending", "ended", "unknown"]
"""``ended``: with or without success, as `JobGenerator.fetch` says; ``unknown``: not known to the service."""


class JobGenerator(Generator):
    """Turn items into outputs through a service with jobs.

    Each item is one job, and `batch_size` jobs run at once.

    Attributes:
        poll_every_s: seconds between two polls of the running jobs.
        timeout_s: seconds that a run waits for the jobs of a unit. A job that has not ended by then is a
            failure, and is polled again when failures are retried.
    """

    poll_every_s: float = 5.0
    timeout_s: float = 3600.0

    @abstractmethod
    def submit(self, item: Item, key: str) -> str | Refusal | Failure | NotApplicable:
        """Submit a job and return the service's job id, or why there is none.

        An exception is a failure of the item.

        Args:
            item: the item to generate.
            key: of this attempt, the same after a kill. Use it as the service's idempotency key, so that a
                job whose id was lost is not submitted twice.

        Raises:
            ScreentestError: no item can be submitted, for example without the service's key; the run ends.
        """

    @abstractmethod
    def poll(self, job: str) -> JobState:
        """Return the state of a job. An exception counts as temporary, and the job is polled again.

        Raises:
            ScreentestError: no job can be polled; the run ends, and the next run continues from here.
        """

    @abstractmethod
    def fetch(self, job: str, item: Item, folder: Path) -> Output:
        """Fetch the result of an ended job: a clip, a refusal or a failure.

        Args:
            job: the service's id.
            item: the item of the job.
            folder: for the file of a `VideoFile`, which is copied before the folder is deleted.
        """

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Submit, wait and fetch in one call without storing job ids: a kill loses the jobs.

        A run does not call this; only a generator that wraps this one does.
        """
        begun = [(item, submit(self, item, item.id)) for item in items]
        outputs: dict[str, Output] = {item.id: job for item, job in begun if not isinstance(job, str)}
        jobs = [(job, item) for item, job in begun if isinstance(job, str)]
        outputs |= {result.item.id: result.output for result in wait(self, jobs, self._scratch)}
        return [outputs[item.id] for item in items]

    @cached_property
    def _scratch(self) -> Path:
        folder = tempfile.mkdtemp(prefix="screentest-jobs-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)


@dataclass(frozen=True)
class JobResult:
    """The result of one job.

    Attributes:
        final: whether the job has ended; if not, a retry polls the same job again.
    """

    item: Item
    output: Output
    final: bool = True


def submit(generator: JobGenerator, item: Item, key: str) -> str | Refusal | Failure | NotApplicable:
    """Submit an item; an exception of the service is a `Failure` of this item alone.

    An item that the service cannot be given is not submitted.
    """
    unfit = generator.why_not(item)
    if unfit:
        return NotApplicable(unfit)
    try:
        return generator.submit(item, key)
    except ScreentestError:
        raise
    except (Exception, SystemExit) as error:
        return Failure(f"the job could not be submitted: {describe(error)}", traceback.format_exc())


def wait(generator: JobGenerator, jobs: Sequence[tuple[str, Item]], folder: Path) -> Iterator[JobResult]:
    """Wait for jobs, and yield the result of each as it ends.

    Args:
        generator: the service.
        jobs: job ids and items.
        folder: for files, valid until the caller asks for the next result.
    """
    waiting = list(jobs)
    hitches: dict[str, str] = {}
    until = time.monotonic() + generator.timeout_s
    while waiting:
        left = until - time.monotonic()
        for job, item in list(waiting):
            result = _look(generator, job, item, folder, hitches)
            if result is not None:
                waiting.remove((job, item))
                yield result
        if left <= 0:
            break
        if waiting:
            time.sleep(min(generator.poll_every_s, left))
    for job, item in waiting:
        last = f" (last: {hitches[job]})" if job in hitches else ""
        reason = (
            f"the job {job} did not end within {generator.timeout_s:g} s{last}; --retry-failed asks for it"
        )
        yield JobResult(item, Failure(reason), final=False)


def _look(
    generator: JobGenerator, job: str, item: Item, folder: Path, hitches: dict[str, str]
) -> JobResult | None:
    """Poll one job; None while it is pending, or if the service could not be asked."""
    try:
        state = generator.poll(job)
        if state == "ended":
            return JobResult(item, generator.fetch(job, item, folder))
    except ScreentestError:
        raise
    except Exception as error:  # the clip is paid for, so a temporary error must not drop it
        hitches[job] = describe(error)
        return None
    if state == "unknown":
        return JobResult(
            item, Failure(f"the service no longer knows the job {job}; --retry-failed submits anew")
        )
    hitches.pop(job, None)
    return None
