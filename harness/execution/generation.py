"""Generate and store the missing clips of a plan: batches of a local model, or jobs of a service."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from ...generators.base import Failure, Generator, Output
from ...generators.identity import source_in
from ...generators.job_runner import run_jobs
from ...generators.jobs import JobGenerator
from ...generators.wrapper import Layered
from ..core.items import Item
from ..core.progress import Ticker, track
from ..core.run_data import ClipRecord
from ..plan import Plan
from ..run_folder.clip_files import Made, make_clip, make_clips, take_over
from ..run_folder.generation_log import GenerationLog
from ..run_folder.jobs import JobJournal
from ..run_folder.store import RunStore

__all__ = ["MakeUnits", "generate"]

MakeUnits: TypeAlias = Callable[[Sequence[tuple[Item, ...]]], Iterable[list[Made]]]
"""Make the clips of units, each unit as one batch, and give them unit by unit in any order."""

_BEFORE = 16
"""Items whose prompts are filtered together before the jobs of a service."""


def generate(
    plan: Plan,
    store: RunStore,
    generator: Generator,
    stop_after: int = 0,
    reused: Collection[str] = (),
    elsewhere: MakeUnits | None = None,
) -> None:
    """Generate and store the missing clips; log failures in the run folder.

    A local model generates a unit as one batch. A service gets one job for each item without a clip, several
    at once, and each clip is stored when it arrives.

    Args:
        stop_after: stop after so many items in a row that fail for the same reason; 0 never stops. Items
            missing from a folder of videos do not count.
        reused: items whose clip was taken from another run; the rest of their unit is generated without them.
        elsewhere: makes the units in other processes; without it, and for a service, they are made here.

    Raises:
        ScreentestError: so many items failed alike, or further items would fail as well.
    """
    edited = isinstance(source_in(plan.generator), list)  # a mended plug-in has another digest
    again = "into a new --out, as its source will differ" if edited else "with --retry-failed"
    log = GenerationLog(store.folder, 0 if generator.sources else stop_after, again)
    done = store.have_clips()
    parts = Layered(generator)
    if isinstance(parts.inner, JobGenerator):
        left = [item for item in plan.items if item.id not in done]
        _JobRun(plan, store, parts, parts.inner, log).run(left)
        return
    todo = [
        tuple(item for item in unit.items if item.id not in reused) if reused else unit.items
        for unit in plan.units
        if any(item.id not in done for item in unit.items)
    ]
    if not todo:
        return
    with track("clips", sum(map(len, todo))) as ticker:
        for made in elsewhere(todo) if elsewhere else (make_clips(generator, u, store.staging) for u in todo):
            _store(store, made, log)
            ticker.advance(len(made))
            log.check()


def _store(store: RunStore, made: Sequence[Made], log: GenerationLog) -> None:
    store.put_clips([take_over(one, store.clip_files, store.staging) for one in made])
    for one in made:
        log.see(one.record, one.details)


class _JobRun:
    """Takes items to their end by the jobs of a service, and stores each outcome as it arrives.

    A clip's seconds count from its submission until it was stored, including time between two runs.
    """

    def __init__(
        self, plan: Plan, store: RunStore, parts: Layered, service: JobGenerator, log: GenerationLog
    ) -> None:
        self._store, self._parts, self._service, self._log = store, parts, service, log
        self._plan = plan.digest

    def run(self, items: Sequence[Item]) -> None:
        """Generate items.

        Raises:
            ScreentestError: so many items failed alike, or further items would fail as well.
        """
        if not items:
            return
        journal = JobJournal(self._store.folder, self._plan)
        with (
            track("clips", len(items)) as ticker,
            tempfile.TemporaryDirectory(prefix="screentest-jobs-") as folder,
            closing(
                run_jobs(self._service, self._asked(items, Path(folder), ticker), journal, Path(folder))
            ) as results,
        ):
            for result in results:
                began = result.attempt.at
                seconds = max(0.0, time.time() - began) if began else 0.0
                output = self._parts.after(result.item, result.output, Path(folder))
                record = self._keep(result.item, output, seconds, ticker)
                # A clip that the service made and this machine could not store can be fetched again.
                lost = record.outcome == "failed" and not isinstance(result.output, Failure)
                if result.final and not lost and result.attempt.sent:
                    timed = {"seconds": round(seconds, 3)} if began and record.outcome == "ok" else {}
                    journal.over(result.attempt, {**timed, **result.account})
                self._log.check()

    def _asked(self, items: Sequence[Item], folder: Path, ticker: Ticker) -> Iterator[Item]:
        """Yield the items that the service is asked for; the outcomes of the others are stored at once."""
        for start in range(0, len(items), _BEFORE):
            group = items[start : start + _BEFORE]
            answered = self._parts.before(group, folder)
            for item in group:
                if item.id not in answered:
                    yield self._parts.asked(item)
                    continue
                self._keep(item, answered[item.id], 0.0, ticker)
                shutil.rmtree(folder / item.id, ignore_errors=True)
                self._log.check()

    def _keep(self, item: Item, output: Output, seconds: float, ticker: Ticker) -> ClipRecord:
        made = make_clip(item.id, output, seconds, self._store.staging)
        _store(self._store, [made], self._log)
        ticker.advance()
        return made.record
