"""The driver's side of a run on workers: it hands out units and items, and takes over what comes back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from ...generators import GENERATORS
from ...generators.base import Generator as ClipGenerator
from ...generators.identity import identity_of
from ...generators.jobs import JobGenerator
from ...generators.wrapper import Layered
from ..core.errors import UsageError
from ..core.items import Item
from ..core.run_data import ClipRecord, Score
from ..core.specs import split_kind
from ..plugins import loaded_files
from ..run_folder.clip_files import Made
from ..run_folder.record import thread_count
from ..run_folder.store import RunStore
from .cluster import Done, connected, refuse_unreachable, spread
from .workers import Host, Role, Scored, WorkerJob, Workers, asks_for_items, digests_of, keep_fresh, versions

if TYPE_CHECKING:
    from ...metrics.encoders.base import EncoderOptions
    from ..scoring.instruments import Instruments
    from ..suites.suite import Suite

__all__ = ["Team", "made_here", "refuse_unbuildable"]

LOST = "the worker process was lost each time that it was tried (out of memory, or a crash of a library)"
AT_ONCE = 16
"""The most items that a worker scores before it hands over the scores."""

C = TypeVar("C")
Work: TypeAlias = "tuple[Item, ...]"


def made_here(generator: ClipGenerator) -> bool:
    """Say whether a generator's units stay in the driver: jobs of a service, and files to copy."""
    inner = Layered(generator).inner
    return isinstance(inner, JobGenerator) or bool(inner.sources)


def refuse_unbuildable(workers: Workers, options: EncoderOptions, generator: ClipGenerator | None) -> None:
    """Refuse what no worker could do, before anything is done.

    Raises:
        UsageError: no Ray, or no cluster at the address; a CUDA device without GPUs to ask for; a generator
            that no worker can build.
    """
    if not workers.elsewhere:
        return
    refuse_unreachable(workers)
    if options.device == "cuda" and not workers.gpus:
        raise UsageError(
            "--device cuda on workers needs a GPU for each; give --gpus-per-worker 1, or a part of 1"
        )
    if generator is not None and not made_here(generator):
        kind, _ = split_kind(generator.spec)
        if kind not in GENERATORS:
            raise UsageError(
                f"workers build their generator from its spec, and {generator.spec!r} is no spec that they "
                f"know; register the kind {kind!r} in a plug-in (--plugin FILE), or run with one worker"
            )


class Team:
    """The workers of one run; Ray is started, or the cluster connected, when there is work.

    Args:
        workers: how many, and where.
        store: the run.
        suite: of the run, with the measures to take.
        tools: the driver's instruments, which those of the workers must equal.
        how: device and dtype; ``auto`` is the CPU for workers that ask for no GPU.
        generator: of the run; None to score alone.

    Attributes:
        job: what each worker is told.
    """

    def __init__(
        self,
        workers: Workers,
        store: RunStore,
        suite: Suite,
        tools: Instruments,
        how: EncoderOptions,
        generator: ClipGenerator | None = None,
    ) -> None:
        self._workers, self._store, self._tools = workers, store, tools
        self._connection = ExitStack()
        self._connected = False
        elsewhere = store.clip_files if store.record.get("clips") else None
        features = tools.features.storage
        self.job = WorkerJob(
            suite=suite.model_dump(mode="json"),
            generator=None if generator is None else generator.spec,
            identity={} if generator is None else dict(identity_of(generator)),
            digests=digests_of(tools),
            device="cpu" if how.device == "auto" and not workers.gpus else how.device,
            dtype=how.dtype,
            threads=thread_count(),
            folder=str(Path.cwd()),
            run=str(store.folder.absolute()),
            run_id=str(store.record.get("id", "")),
            clips="" if elsewhere is None else elsewhere.absolute(),
            clips_id="" if elsewhere is None else elsewhere.identify(),
            cache=features.absolute(),
            cache_id=features.identify(),
            plugins={str(path): path.read_bytes() for path in loaded_files()},
            thresholds=None if suite.thresholds is None else Path(suite.thresholds).read_bytes(),
            versions=versions(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *what: object) -> None:
        self._connection.close()

    def generate(self, units: Sequence[tuple[Item, ...]]) -> Iterator[list[Made]]:
        """Make the clips of units on the workers; a unit that no worker survives fails."""

        def unit_itself(unit: tuple[Item, ...], host: Host) -> tuple[Item, ...]:
            del host
            return unit

        with self._results(self.job, "generate", units, unit_itself) as results:
            for unit, made in results:
                yield made or [Made(ClipRecord(item.id, "failed", LOST)) for item in unit]

    def score(self, work: Sequence[Item]) -> Iterator[tuple[ClipRecord, list[Score]]]:
        """Score items on the workers, and put into the cache what they could not put there themselves."""
        size = max(1, min(AT_ONCE, len(work) // (4 * self._workers.number)))
        groups: list[Work] = [tuple(work[at : at + size]) for at in range(0, len(work), size)]
        lost: list[Work] = []
        for group, scored in self._scored(groups):
            if scored is None:
                lost += [(one,) for one in group]
            else:
                yield from scored
        # One clip that ends the process that reads it must not take others with it.
        for (item,), scored in self._scored(lost):
            record = self._store.clip(item.id)
            yield from scored or [(record, self._tools.scorer.failed(item, record, LOST))]

    def _scored(
        self, groups: Sequence[Work]
    ) -> Iterator[tuple[Work, list[tuple[ClipRecord, list[Score]]] | None]]:
        if not groups:
            return
        items = tuple(self._store.items()) if asks_for_items(self._tools) else ()

        def with_clips(group: Work, host: Host) -> list[tuple[Item, ClipRecord, bytes | None]]:
            return [
                (item, record, None if host.sees_clips or record.file is None else self._bytes(record))
                for item, record in ((item, self._store.clip(item.id)) for item in group)
            ]

        with self._results(replace(self.job, items=items), "score", groups, with_clips) as results:
            for group, scored in results:
                made: list[Scored] | None = scored
                for one in made or ():
                    keep_fresh(self._tools.features, one.fresh)
                yield group, None if made is None else [(one.record, one.scores) for one in made]

    def _bytes(self, record: ClipRecord) -> bytes | None:
        try:
            return self._store.clip_file(record).read_bytes()
        except OSError:
            return None  # the worker says that it is gone

    @contextmanager
    def _results(
        self, job: WorkerJob, role: Role, calls: Sequence[C], arguments: Callable[[C, Host], Any]
    ) -> Generator[Iterator[Done[C]]]:
        if not self._connected:
            self._connection.enter_context(connected(self._workers, job.threads))
            self._connected = True
        with closing(spread(job, self._workers, role, calls, arguments)) as results:
            yield results
