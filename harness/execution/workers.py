"""What runs in a worker: a generator or the instruments of scoring, built there from their description.

A `WorkerJob` is all that a worker needs, as plain data. Weights are never sent: the worker loads them from
its own machine, and what it built must have the digests that the driver has. What travels are the suite, the
plug-in files with their source, the thresholds of laws, and clips and features where the worker does not see
the folders of the driver. This module does not know what starts the workers; `cluster` does.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import tempfile
import weakref
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ...generators.base import Generator as ClipGenerator
from ...generators.identity import identity_of
from ...metrics.encoders.base import Encoder, EncoderOptions, Feature, Record
from ...metrics.encoders.cache import FeatureCache
from ..core.clip_info import ClipInfo
from ..core.errors import UsageError
from ..core.items import Item
from ..core.keys import Json, canonical_json
from ..core.run_data import ClipRecord, Score
from ..core.storage import File, Folder, Place, Storage, storage_at
from ..run_folder.clip_files import Made, carried, kept, make_clips

if TYPE_CHECKING:
    from ..scoring.instruments import Instruments
    from ..suites.suite import Suite

__all__ = [
    "Fresh",
    "Host",
    "Role",
    "Scored",
    "Worker",
    "WorkerJob",
    "Workers",
    "asks_for_items",
    "digests_of",
    "keep_fresh",
    "versions",
    "worker_fields",
]

Role: TypeAlias = Literal["generate", "score"]


@dataclass(frozen=True)
class Workers:
    """How many processes generate and score, and where.

    Attributes:
        number: of processes; 1 without an address is the process of the command itself.
        address: of a Ray cluster, ``HOST:PORT``, or ``auto`` for the one of this machine; None starts Ray on
            this machine alone.
        gpus: that each worker asks for; a part of 1 lets several share one. Without any, workers compute on
            the CPU.
    """

    number: int = 1
    address: str | None = None
    gpus: float = 0.0

    @property
    def elsewhere(self) -> bool:
        """Say whether other processes do the work."""
        return self.number > 1 or self.address is not None


@dataclass(frozen=True)
class WorkerJob:
    """The description of a worker's work.

    Attributes:
        generator: the spec; None where no clips are generated.
        identity: of the generator, as the driver has it.
        digests: of the encoders by feature, and of the settings of scores by name, as the driver has them.
        folder: the driver's working folder, from which relative paths start.
        run, run_id: the run's folder, and the id in its record.
        clips, clips_id: where the stored clips are, if not in the run's folder, and the id there.
        cache, cache_id: the folder or address of the feature cache, and the id in it.
        plugins: path -> source of the plug-in files.
        thresholds: the content of the suite's thresholds file, if it names one.
        items: all items of the run, where an encoder asks for them; see `Encoder.prepare`.
        versions: those of the driver.
    """

    suite: Mapping[str, Any]
    generator: str | None
    identity: Mapping[str, Json]
    digests: Mapping[str, str]
    device: str
    dtype: str
    threads: int
    folder: str
    run: str
    run_id: str
    clips: str
    clips_id: str
    cache: str
    cache_id: str
    plugins: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    thresholds: bytes | None = None
    items: tuple[Item, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Host:
    """Where a worker is: its host, process and library versions, and whether it sees the run's clips."""

    name: str
    process: int
    versions: Mapping[str, str]
    sees_clips: bool


@dataclass(frozen=True)
class Fresh:
    """What is new in a cache: features by encoder, and properties, of a clip; or of a text."""

    of: str
    is_text: bool
    info: ClipInfo | None
    features: Mapping[str, Feature | Record]


@dataclass(frozen=True)
class Scored:
    """The scores of an item, its record, and the new features that the driver's cache does not have yet."""

    record: ClipRecord
    scores: list[Score]
    fresh: list[Fresh] = field(default_factory=list["Fresh"])


def worker_fields(workers: Workers) -> dict[str, Json]:
    """Make the fields of a run's record about its workers; the threads of each are those of the record."""
    return {
        "workers": {"number": workers.number, "cluster": workers.address is not None, "gpus": workers.gpus}
    }


def versions() -> dict[str, str]:
    """List the versions that workers and the driver are compared by."""
    found = {"python": platform.python_version()}
    for name in ("screentest", "torch", "transformers", "numpy", "av"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


class Worker:
    """One process that generates units, or scores items.

    What it was told to build is built at the first call of `ready`, which a replaced worker gets, too.
    """

    def __init__(self, job: WorkerJob) -> None:
        self._job = job
        self._folder = Path(tempfile.mkdtemp(prefix="screentest-worker-"))
        self._forget = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._generator: ClipGenerator | None = None
        self._tools: Instruments | None = None
        self._cache: FeatureCache | None = None
        self._clips: Storage | None = None

    def ready(self, role: Role) -> Host:
        """Build what the role needs, and hold it to what the driver has.

        Raises:
            ScreentestError: it cannot be built here, or it is not the same.
        """
        from ..run_folder.record import use_threads

        job = self._job
        here = versions()
        if here["screentest"] != job.versions.get("screentest", here["screentest"]):
            raise UsageError(
                f"it has screentest {here['screentest']} and the driver has {job.versions['screentest']}; "
                "install the same version on both"
            )
        if Path(job.folder).is_dir():
            os.chdir(job.folder)
        use_threads(job.threads)
        self._load_plugins()
        self._clips = _seen_clips(job)
        if role == "generate":
            self._build_generator()
        else:
            self._build_instruments()
        return Host(socket.gethostname(), os.getpid(), here, self._clips is not None)

    def generate(self, items: Sequence[Item]) -> list[Made]:
        """Generate a unit; the bytes of its clips are returned, or stored outside of the run."""
        if self._generator is None:
            raise RuntimeError("the worker is not ready to generate")
        unit = make_clips(self._generator, items, self._folder)
        if self._job.clips and self._clips is not None:
            return [kept(made, self._clips) for made in unit]
        return [carried(made) for made in unit]

    def score(self, work: Sequence[tuple[Item, ClipRecord, bytes | None]]) -> list[Scored]:
        """Score items, each with its clip's bytes, or None where the worker sees the run's clips."""
        if self._tools is None:
            raise RuntimeError("the worker is not ready to score")
        done: list[Scored] = []
        for item, record, data in work:
            with self._opened(record, data) as file:
                record, scores = self._tools.scorer.score(item, record, file)
            done.append(Scored(record, scores, _taken(self._cache)))
        return done

    @contextmanager
    def _opened(self, record: ClipRecord, data: bytes | None) -> Generator[File | None]:
        if record.file is None:
            yield None
        elif data is not None:
            path = self._folder / record.file
            path.write_bytes(data)
            yield path
            path.unlink()
        else:  # where no bytes came although the clips are not seen here, the clip is gone
            files = self._clips or Folder(Path(self._job.clips or f"{self._job.run}/clips"))
            yield files.file(record.file, record.sha256)

    def close(self) -> None:
        """Delete the worker's own folder; the worker is of no use afterwards."""
        self._forget()

    def _load_plugins(self) -> None:
        from ..plugins import load_entry_points, load_file

        load_entry_points()
        for name, source in self._job.plugins.items():
            path = Path(name)
            if not (path.is_file() and path.read_bytes() == source):
                path = self._folder / "plugins" / path.name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(source)
            load_file(path)

    def _build_generator(self) -> None:
        from ...generators import make_generator

        job = self._job
        if job.generator is None:
            raise RuntimeError("the job names no generator")
        made = make_generator(job.generator, device=job.device, dtype=job.dtype)
        if canonical_json(dict(identity_of(made))) != canonical_json(dict(job.identity)):
            raise UsageError(
                f"its generator {job.generator} has other weights, settings or source than the driver's; "
                "give every node the same files"
            )
        self._generator = made

    def _build_instruments(self) -> None:
        from ..scoring.instruments import check_encoders, instruments

        job = self._job
        shared = _seen(job.cache, job.cache_id) is not None
        place = job.cache if shared else self._folder / "cache"
        self._cache = FeatureCache(place) if shared else _Carrying(place)
        options = EncoderOptions(job.device, job.dtype)
        self._tools = instruments(self._suite(), place, options, self._cache)
        others = [name for name, one in digests_of(self._tools).items() if job.digests.get(name) != one]
        if others:
            raise UsageError(
                f"its {', '.join(sorted(others)[:3])} have other weights, settings or source than the "
                "driver's; give every node the same files"
            )
        self._tools.scorer.prepare(job.items)
        check_encoders(self._tools)

    def _suite(self) -> Suite:
        from ..suites.suite import Suite

        suite = Suite.model_validate(self._job.suite)
        if self._job.thresholds is None:
            return suite
        path = self._folder / "thresholds.json"
        path.write_bytes(self._job.thresholds)
        return suite.model_copy(update={"thresholds": str(path)})


def digests_of(tools: Instruments) -> dict[str, str]:
    """List the digests of encoders and of settings that scores depend on."""
    named = {name: encoder.digest for name, encoder in tools.encoders.items()}
    return named | {f"setting {name}": one.digest for name, one in tools.settings.items()}


def asks_for_items(tools: Instruments) -> bool:
    """Say whether an encoder must see all items of a run before the first is scored."""
    return any(type(encoder).prepare is not Encoder.prepare for encoder in tools.encoders.values())


class _Carrying(FeatureCache):
    """A cache of this machine alone, which also hands out what is new in it."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.fresh: list[Fresh] = []

    def put_clip(
        self, clip_sha: str, info: ClipInfo | None, features: Mapping[str, Feature | Record]
    ) -> None:
        """Store features of a clip, and its properties."""
        super().put_clip(clip_sha, info, features)
        self.fresh.append(Fresh(clip_sha, False, info, features))

    def put_text(self, text: str, encoder_digest: str, feature: Feature) -> None:
        """Store a prompt's embedding."""
        super().put_text(text, encoder_digest, feature)
        self.fresh.append(Fresh(text, True, None, {encoder_digest: feature}))


def _taken(cache: FeatureCache | None) -> list[Fresh]:
    if not isinstance(cache, _Carrying):
        return []
    fresh, cache.fresh = cache.fresh, []
    return fresh


def keep_fresh(cache: FeatureCache, fresh: Sequence[Fresh]) -> None:
    """Put into the driver's cache what a worker made without it."""
    for one in fresh:
        if not one.is_text:
            cache.put_clip(one.of, one.info, one.features)
            continue
        for encoder, feature in one.features.items():
            if not isinstance(feature, Record):
                cache.put_text(one.of, encoder, feature)


def _seen_clips(job: WorkerJob) -> Storage | None:
    """Find the stored clips of the run, if this machine sees them."""
    if job.clips:
        return _seen(job.clips, job.clips_id)
    folder = Path(job.run)
    return Folder(folder / "clips") if _holds(folder / "run.json", f'"{job.run_id}"') else None


def _seen(place: str, known_as: str) -> Storage | None:
    try:
        found = storage_at(place)
    except UsageError:  # the package that reads it is not installed here
        return None
    return found if found.is_known_as(known_as) else None


def _holds(path: Path, text: str) -> bool:
    try:
        return text in path.read_text("utf-8", errors="replace")
    except OSError:
        return False
