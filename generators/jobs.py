"""Generators that are services: an item is a job that is submitted, waited for and fetched.

A job costs money from the moment it is submitted. So its id is written into the run folder before the wait:
a run that was killed picks its jobs up, and nothing is paid for twice.
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
from .base import Failure, Generator, Output, Refusal

if TYPE_CHECKING:
    from ..harness.core.items import Item

__all__ = ["JobGenerator", "JobResult", "JobState", "submit", "wait"]

JobState = Literal["pending", "ended", "unknown"]
"""``ended`` well or not: `JobGenerator.fetch` says which; ``unknown``: the service knows no such job."""


class JobGenerator(Generator):
    """Turn items into outputs through a service that keeps jobs.

    A job is one item's, and `batch_size` says how many are under way at once.

    Attributes:
        poll_every_s: seconds between two looks at the jobs under way.
        timeout_s: seconds that a run waits for the jobs of a unit. One that has not ended by then is a
            failure, and is looked at again when failures are retried.
    """

    poll_every_s: float = 5.0
    timeout_s: float = 3600.0

    @abstractmethod
    def submit(self, item: Item, key: str) -> str | Refusal | Failure:
        """Begin a job and return the service's id of it, or what it said instead of taking it.

        What this raises is a failure of the item.

        Args:
            item: what to make.
            key: of this attempt at the item, the same after a kill: give it to a service that takes an
                idempotency key, so that a job whose id was lost on the way is not begun twice.

        Raises:
            ScreentestError: no item can be served (a key of the service is missing ...); the run ends.
        """

    @abstractmethod
    def poll(self, job: str) -> JobState:
        """Say how a job stands. What this raises is taken for a hitch, and the job is looked at again.

        Raises:
            ScreentestError: no job can be looked at; the run ends, and the next one goes on from here.
        """

    @abstractmethod
    def fetch(self, job: str, item: Item, folder: Path) -> Output:
        """Fetch what came of a job that has ended: a clip, the service's refusal, or its failure.

        Args:
            job: the service's id.
            item: whose job it is.
            folder: for the files of a `VideoFile`; they are copied out of it, and it goes.
        """

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Submit, wait and fetch in one call that keeps no ids: a kill loses its jobs.

        A run does not call this; a generator around this one does.
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
    """What came of one job.

    Attributes:
        final: whether the job is over; else the same job is looked at when the failure is retried.
    """

    item: Item
    output: Output
    final: bool = True


def submit(generator: JobGenerator, item: Item, key: str) -> str | Refusal | Failure:
    """Submit an item; an exception of the service is a `Failure` of this item alone."""
    try:
        return generator.submit(item, key)
    except ScreentestError:
        raise
    except Exception as error:
        return Failure(f"the job could not be submitted: {describe(error)}", traceback.format_exc())


def wait(generator: JobGenerator, jobs: Sequence[tuple[str, Item]], folder: Path) -> Iterator[JobResult]:
    """Wait for jobs and give what came of each, as they end.

    Args:
        generator: the service.
        jobs: the ids and the items of what was submitted.
        folder: for files, until the caller asks for the next result.
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
    """Look at one job; None while it is pending, or where the service could not be asked."""
    try:
        state = generator.poll(job)
        if state == "ended":
            return JobResult(item, generator.fetch(job, item, folder))
    except ScreentestError:
        raise
    except Exception as error:  # the clip is paid for: a hitch is no reason to give it up
        hitches[job] = describe(error)
        return None
    if state == "unknown":
        return JobResult(
            item, Failure(f"the service no longer knows the job {job}; --retry-failed submits anew")
        )
    hitches.pop(job, None)
    return None
