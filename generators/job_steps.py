"""The steps of a job at a service: it is submitted, waited for and fetched.

A job costs money once the service has taken it. So a run writes into its folder that it is about to submit
one, and its id before it waits (`harness.run_folder.jobs`). A killed run resumes its jobs, and none is
paid for twice; where nothing can tell whether the service took a job, the item says so and is not submitted
again unasked. `job_runner` takes the steps.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from .base import Failure, Generator, Output

if TYPE_CHECKING:
    from ..harness.core.items import Item
    from ..harness.core.keys import Json

__all__ = ["JobAttempt", "JobLedger", "JobResult", "JobService", "JobState", "Later", "Uncertain"]

JobState = Literal["pending", "ended", "unknown"]
"""``ended``: with or without success, as `JobService.fetch` says; ``unknown``: not known to the service."""


class Later(Exception):
    """Say that the service did not take a request, or did not answer it, and that it can be made again.

    Args:
        reason: such as ``HTTP 429``.
        seconds: how long the service asks to be left alone; None where it does not say.
    """

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Uncertain(Exception):
    """Say that a job was sent and that its answer was lost: the service may have taken it."""


class JobService(Generator):
    """What a generator says and does for jobs at a service; derive from `jobs.JobGenerator`.

    Each item is one job. `parallel` jobs run at once, each in a thread of its own that calls `submit`,
    `poll`, `fetch` and `account`; these must be safe to call from several threads if there are several.

    Attributes:
        parallel: number of jobs at once. It changes no clip, and is not part of the plan.
        poll_every_s: seconds between two polls of a job.
        timeout_s: seconds that a run waits for a job. A job that has not ended by then is a failure, and is
            polled again when failures are retried.
        patience_s: seconds without any answer of the service after which the run stops; the same command
            continues it.
        first_wait_s, longest_wait_s: wait before a request is repeated, where the service does not say how
            long: the first one, doubled each time up to the longest.
        idempotent: whether `submit` with the same key twice makes one job. If not, an attempt whose answer
            was lost is not submitted again.
        resubmit_uncertain: submit such attempts again, at the risk of paying twice.
    """

    parallel: int = 1
    poll_every_s: float = 5.0
    timeout_s: float = 3600.0
    patience_s: float = 600.0
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    idempotent: bool = False
    resubmit_uncertain: bool = False

    @abstractmethod
    def submit(self, item: Item, key: str) -> str | Output:
        """Submit a job once, and return the service's job id; or the outcome, if there is one already.

        Another exception than these means that nothing is known about the job, as `Uncertain` does; for an
        idempotent service, it is a failure of the item.

        Args:
            item: the item to generate.
            key: of this attempt, the same after a kill. It is the idempotency key where the service has one.

        Raises:
            Later: the service did not take the job, for example because of a rate limit.
            Uncertain: the service may have taken it.
            ScreentestError: no item can be submitted, for example without the service's key; the run ends.
        """

    @abstractmethod
    def poll(self, job: str) -> JobState:
        """Return the state of a job. An exception counts as temporary, and the job is polled again.

        Raises:
            Later: the same, with the time to wait.
            ScreentestError: no job can be polled; the run ends, and the next run continues from here.
        """

    @abstractmethod
    def fetch(self, job: str, item: Item, folder: Path) -> Output:
        """Fetch the result of an ended job: a clip, a refusal or a failure. An exception counts as temporary.

        Args:
            job: the service's id.
            item: the item of the job.
            folder: for the file of a `VideoFile`, which is copied before the folder is deleted.
        """

    def account(self, job: str) -> Mapping[str, Json]:
        """List what is known of an ended job's cost, for the run's journal; called once, after `fetch`.

        Known names: ``usd``, ``usage`` (as the service reports it), ``service_seconds`` (the service's own
        time), ``quota`` (what it says is left).
        """
        del job
        return {}


@dataclass(frozen=True)
class JobAttempt:
    """One attempt at an item.

    Attributes:
        key: the same for this attempt after a kill, and a new one for the next attempt.
        sent: whether it was sent to the service, which has not said that it did not take it.
        job: the service's job id; None until the service gave one.
        at: when it was submitted, in seconds since 1970.
        over: whether its outcome is stored.
    """

    item: str
    key: str
    sent: bool = False
    job: str | None = None
    at: float = 0.0
    over: bool = False


class JobLedger(Protocol):
    """Where the steps of attempts are written before the next step is taken."""

    def attempt(self, item: str) -> JobAttempt:
        """Continue the item's attempt, or make a new one, which is not written yet."""
        ...

    def sent(self, attempt: JobAttempt) -> JobAttempt:
        """Write that the attempt is about to be sent."""
        ...

    def declined(self, attempt: JobAttempt, reason: str) -> JobAttempt:
        """Write that the service did not take it, so that it can be sent again."""
        ...

    def submitted(self, attempt: JobAttempt, job: str) -> JobAttempt:
        """Write the service's job id.

        Raises:
            ValueError: it is the id of another item's job.
        """
        ...


@dataclass(frozen=True)
class JobResult:
    """The result of one item.

    Attributes:
        final: whether the attempt has ended; if not, a retry continues it.
        account: see `JobService.account`.
    """

    item: Item
    attempt: JobAttempt
    output: Output
    final: bool = True
    account: Mapping[str, Json] = field(default_factory=dict[str, "Json"])

    @classmethod
    def failed(
        cls, item: Item, attempt: JobAttempt, reason: str, *, final: bool, details: str = ""
    ) -> JobResult:
        """Make the result of an item that failed."""
        return cls(item, attempt, Failure(reason, details), final)
