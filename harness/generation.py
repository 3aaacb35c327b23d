"""Generate and store the missing clips of a plan: batches of a local model, or jobs of a service."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from ..generators.base import (
    Failure,
    Frames,
    Generator,
    NotApplicable,
    Output,
    Refusal,
    VideoFile,
    answers,
)
from ..generators.identity import source_in
from ..generators.job_runner import run_jobs
from ..generators.jobs import JobGenerator
from ..generators.wrapper import Layered
from .core.errors import ScreentestError
from .core.items import Item
from .core.keys import file_sha256
from .core.media import write_clip
from .core.progress import Ticker, track
from .core.run_data import ClipRecord
from .generation_log import GenerationLog
from .jobs import JobJournal
from .plan import Plan
from .store import RunStore

__all__ = ["generate"]

_BEFORE = 16
"""Items whose prompts are filtered together before the jobs of a service."""


def generate(
    plan: Plan, store: RunStore, generator: Generator, stop_after: int = 0, reused: Collection[str] = ()
) -> None:
    """Generate and store the missing clips; log failures in the run folder.

    A local model generates a unit as one batch. A service gets one job for each item without a clip, several
    at once, and each clip is stored when it arrives.

    Args:
        stop_after: stop after so many items in a row that fail for the same reason; 0 never stops. Items
            missing from a folder of videos do not count.
        reused: items whose clip was taken from another run; the rest of their unit is generated without them.

    Raises:
        ScreentestError: so many items failed alike, or further items would fail as well.
    """
    edited = isinstance(source_in(plan.generator), list)  # a mended plug-in has another digest
    again = "into a new --out, as its source will differ" if edited else "with --retry-failed"
    log = GenerationLog(store.folder, 0 if generator.sources else stop_after, again)
    done = store.clips()
    parts = Layered(generator)
    if isinstance(parts.inner, JobGenerator):
        left = [item for item in plan.items if item.id not in done]
        _JobRun(plan, store, parts, parts.inner, log).run(left)
        return
    todo = [
        tuple(item for item in unit.items if item.id not in reused)
        for unit in plan.units
        if any(item.id not in done for item in unit.items)
    ]
    if not todo:
        return
    with track("clips", sum(map(len, todo))) as ticker:
        for items in todo:
            _run_batch(store, generator, items, log)
            ticker.advance(len(items))
            log.check()


def _run_batch(store: RunStore, generator: Generator, items: Sequence[Item], log: GenerationLog) -> None:
    began = time.monotonic()
    outputs = answers(generator, items)
    seconds = (time.monotonic() - began) / len(items)
    records = [
        _store_file(store, item.id, output, seconds) for item, output in zip(items, outputs, strict=True)
    ]
    store.put_clips(records)
    for record, output in zip(records, outputs, strict=True):
        log.see(record, output)


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
                    timed = {"seconds": round(seconds, 3)} if began else {}
                    journal.over(result.attempt, {**timed, **result.account})
                self._log.check()

    def _asked(self, items: Sequence[Item], folder: Path, ticker: Ticker) -> Iterator[Item]:
        """Yield the items that the service is asked for; the outcomes of the others are stored at once."""
        for start in range(0, len(items), _BEFORE):
            group = items[start : start + _BEFORE]
            answered = self._parts.before(group, folder)
            for item in group:
                if item.id not in answered:
                    yield item
                    continue
                self._keep(item, answered[item.id], 0.0, ticker)
                shutil.rmtree(folder / item.id, ignore_errors=True)
                self._log.check()

    def _keep(self, item: Item, output: Output, seconds: float, ticker: Ticker) -> ClipRecord:
        record = _store_file(self._store, item.id, output, seconds)
        self._store.put_clips([record])
        self._log.see(record, output)
        ticker.advance()
        return record


def _store_file(store: RunStore, item: str, output: Output, seconds: float) -> ClipRecord:
    """Store a generated clip in ``clips/`` under the sha256 of its bytes; a file is copied unchanged."""
    if isinstance(output, Refusal):
        return ClipRecord(item, "refused", output.reason, seconds=seconds, layers=output.layers)
    if isinstance(output, Failure):
        return ClipRecord(item, "failed", output.reason, seconds=seconds, layers=output.layers)
    if isinstance(output, NotApplicable):
        return ClipRecord(item, "not_applicable", output.reason, seconds=seconds, layers=output.layers)
    beside = store.folder / "clips" / f".{item}.tmp"
    try:
        if isinstance(output, Frames):
            write_clip(beside, output.frames_THWC, output.fps)
            suffix = ".mp4"
        else:
            shutil.copyfile(output.path, beside)
            suffix = _safe_suffix(output)
    except (OSError, ValueError, ScreentestError) as error:
        beside.unlink(missing_ok=True)
        reason = f"the clip could not be stored: {error}"
        return ClipRecord(item, "failed", reason, seconds=seconds, layers=output.layers)
    sha256 = file_sha256(beside)
    name = f"{sha256}{suffix}"
    beside.replace(store.folder / "clips" / name)
    return ClipRecord(item, "ok", sha256=sha256, file=name, seconds=seconds, layers=output.layers)


def _safe_suffix(output: VideoFile) -> str:
    suffix = output.path.suffix.lower()
    return suffix if suffix[1:].isalnum() and suffix.isascii() and len(suffix) <= 6 else ".bin"
