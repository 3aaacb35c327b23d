"""Run the jobs of a service: several at once, each submitted, waited for and fetched in a thread of its own.

Requests that the service turns down or does not answer are repeated: after the time that it asks for, and
else after waits that double up to a cap. Where it asks for a wait, no job is submitted meanwhile. A service
that answers nothing for `JobService.patience_s` ends the run.
"""

from __future__ import annotations

import shutil
import threading
import time
import traceback
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path
from typing import TYPE_CHECKING

from ..harness.core.errors import ScreentestError, ServiceDown, describe
from .base import NotApplicable
from .job_steps import JobAttempt, JobLedger, JobResult, JobService, Later, Uncertain

if TYPE_CHECKING:
    from ..harness.core.items import Item

__all__ = ["run_jobs"]

_LOST_AFTER = 3
"""Polls in a row that must not know a job, as a service may know it a moment after it gave its id."""
_FETCHES = 5
"""How often the clip of an ended job is asked for."""


class _Stopped(Exception):
    """End a job's thread because the run ends."""


def run_jobs(
    generator: JobService,
    items: Iterable[Item],
    ledger: JobLedger,
    folder: Path,
    *,
    keep: bool = False,
) -> Generator[JobResult]:
    """Submit, wait for and fetch the jobs of items; yield each result as it comes.

    When the caller stops, or an error ends the run, requests under way are waited for, so that a job that the
    service takes at this moment is known by its id.

    Args:
        items: asked for one by one, when there is room for a job.
        ledger: is written before each step, from one thread at a time.
        folder: for files; that of a result is deleted when the next one is asked for, unless ``keep``.

    Raises:
        ScreentestError: further items would fail, too; `ServiceDown` where the service does not answer.
    """
    run = _Run(generator, ledger, folder)
    rest = iter(items)
    pending: set[Future[JobResult]] = set()
    with ThreadPoolExecutor(max(1, generator.parallel), "screentest-job") as pool:
        try:
            for item in rest:
                pending.add(pool.submit(run.one, item))
                if len(pending) < generator.parallel:
                    continue
                ended, pending = wait_for(pending, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield from run.given(future.result(), keep)
            while pending:
                ended, pending = wait_for(pending, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield from run.given(future.result(), keep)
        finally:
            run.stop.set()


class _Run:
    """What the threads share."""

    def __init__(self, generator: JobService, ledger: JobLedger, folder: Path) -> None:
        self.stop = threading.Event()
        self._generator = generator
        self._ledger = ledger
        self._folder = folder
        self._lock = threading.Lock()
        self._heard = time.monotonic()
        self._free_from = 0.0

    def given(self, result: JobResult, keep: bool) -> Iterator[JobResult]:
        """Yield a result, and delete its files afterwards."""
        yield result
        if not keep:
            shutil.rmtree(self._folder / result.item.id, ignore_errors=True)

    def one(self, item: Item) -> JobResult:
        """Take one item to its end; one that the service cannot be given is not submitted."""
        with self._lock:
            attempt = self._ledger.attempt(item.id)
        unfit = self._generator.why_not(item)
        if unfit and not attempt.sent:
            return JobResult(item, attempt, NotApplicable(unfit))
        if attempt.job is None:
            submitted = self._submit(item, attempt)
            if isinstance(submitted, JobResult):
                return submitted
            attempt = submitted
        return self._wait(item, attempt, str(attempt.job))

    # -- submitting

    def _submit(self, item: Item, attempt: JobAttempt) -> JobAttempt | JobResult:
        """Submit until the service takes the job or refuses the item."""
        generator = self._generator
        if attempt.sent and not generator.idempotent and not generator.resubmit_uncertain:
            return _uncertain(item, attempt, "the run ended before it was known")
        waits = _Waits(generator)
        while True:
            self._hold()
            with self._lock:
                attempt = self._ledger.sent(attempt)
            try:
                answer = generator.submit(item, attempt.key)
            except Later as later:
                with self._lock:
                    attempt = self._ledger.declined(attempt, str(later))
                self._again(waits, later)
                continue
            except ScreentestError as error:
                with self._lock:
                    self._ledger.declined(attempt, describe(error))
                raise
            except (Exception, SystemExit) as error:
                if not generator.idempotent:
                    why = str(error) if isinstance(error, Uncertain) else describe(error)
                    return _uncertain(item, attempt, why, traceback.format_exc())
                if isinstance(error, Uncertain):
                    self._again(waits, Later(str(error)))
                    continue
                reason = f"the job could not be submitted: {describe(error)}"
                return JobResult.failed(item, attempt, reason, final=False, details=traceback.format_exc())
            self._was_heard()
            if not isinstance(answer, str):
                return JobResult(item, attempt, answer)
            try:
                with self._lock:
                    return self._ledger.submitted(attempt, answer)
            except ValueError as error:
                return JobResult.failed(item, attempt, str(error), final=True)

    # -- waiting

    def _wait(self, item: Item, attempt: JobAttempt, job: str) -> JobResult:
        """Poll a job until it has ended, and fetch its result."""
        generator = self._generator
        until = time.monotonic() + generator.timeout_s
        waits, unknown, fetches, last = _Waits(generator), 0, 0, ""
        while True:
            ended = False
            try:
                state = generator.poll(job)
                self._was_heard()
                ended = state == "ended"
                if ended:
                    fetches += 1
                    return self._fetch(item, attempt, job)
                unknown = unknown + 1 if state == "unknown" else 0
                pause, last = generator.poll_every_s, ""
                waits = _Waits(generator)
            except ScreentestError:
                raise
            except Exception as error:  # the clip is paid for, so a temporary error must not drop it
                last = str(error) if isinstance(error, Later) else describe(error)
                asked = error.seconds if isinstance(error, Later) else None
                pause = waits.next(asked)
                if not ended:
                    pause = self._within_patience(last, asked, pause)
            if unknown >= _LOST_AFTER:
                return JobResult.failed(
                    item,
                    attempt,
                    f"the service no longer knows the job {job}; --retry-failed submits anew",
                    final=True,
                )
            if fetches >= _FETCHES:
                return JobResult.failed(
                    item,
                    attempt,
                    f"the clip of the job {job} could not be fetched in {_FETCHES} attempts (last: {last}); "
                    "--retry-failed fetches it again",
                    final=False,
                )
            left = until - time.monotonic()
            if left <= 0:
                told = f" (last: {last})" if last else ""
                return JobResult.failed(
                    item,
                    attempt,
                    f"the job {job} did not end within {generator.timeout_s:g} s{told}; "
                    "--retry-failed asks for it",
                    final=False,
                )
            self._pause(min(pause, left))

    def _fetch(self, item: Item, attempt: JobAttempt, job: str) -> JobResult:
        place = self._folder / item.id
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        output = self._generator.fetch(job, item, place)
        return JobResult(item, attempt, output, account=self._generator.account(job))

    # -- repeating

    def _again(self, waits: _Waits, later: Later) -> None:
        """Wait before a job is submitted again; if the service asked for the wait, no job is submitted."""
        pause = self._within_patience(str(later), later.seconds, waits.next(later.seconds))
        if later.seconds is not None:
            with self._lock:
                self._free_from = max(self._free_from, time.monotonic() + pause)
        self._pause(pause)

    def _hold(self) -> None:
        """Wait until the service asks no more to be left alone."""
        while (left := self._free_from - time.monotonic()) > 0:
            self._pause(left)

    def _was_heard(self) -> None:
        self._heard = time.monotonic()

    def _within_patience(self, reason: str, asked: float | None, pause: float) -> float:
        """Shorten a wait of our own so that the last attempt is made when the patience ends.

        Raises:
            ServiceDown: it has ended, or the service asks to be left alone for longer; with what to do.
        """
        name, patience = self._generator.spec.partition("?")[0], self._generator.patience_s
        silent = time.monotonic() - self._heard
        for_how_long = f"{round(silent, 1) if silent >= 1 else round(silent, 3):g} s"
        if asked is not None and asked > patience:
            raise ServiceDown(
                f"the service of {name} asks for a wait of {asked:g} s ({reason}), longer than the "
                f"{patience:g} s that this run waits; the same command goes on from here later"
            )
        if silent >= patience:
            raise ServiceDown(
                f"the service of {name} has not taken or answered a request for {for_how_long}, and this run "
                f"waits {patience:g} s (last: {reason}); once it does, the same command goes on from here"
            )
        if asked is None:
            return min(pause, patience - silent)
        if silent + asked > patience:
            raise ServiceDown(
                f"the service of {name} asks for a wait of {asked:g} s ({reason}) after {for_how_long} "
                f"without an answer, together longer than the {patience:g} s that this run waits; the same "
                "command goes on from here later"
            )
        return pause

    def _pause(self, seconds: float) -> None:
        """Wait; the end of the run ends the wait.

        Raises:
            _Stopped: it has ended.
        """
        if self.stop.wait(seconds):
            raise _Stopped


class _Waits:
    """The waits of one request that is repeated."""

    def __init__(self, generator: JobService) -> None:
        self._next = generator.first_wait_s
        self._longest = generator.longest_wait_s

    def next(self, asked: float | None) -> float:
        """Return the seconds to wait: what the service asks for, or twice the last wait up to the cap."""
        own, self._next = self._next, min(2 * self._next, self._longest)
        return own if asked is None else asked


def _uncertain(item: Item, attempt: JobAttempt, why: str, details: str = "") -> JobResult:
    reason = (
        f"it is uncertain whether the service took this item's job: {why}; as it may have to be paid for, it "
        "is not submitted again"
    )
    return JobResult.failed(item, attempt, reason, final=False, details=details)
