"""The run folder, which is the only source of truth about a run.

    run.json        the run's record: suite, generator, plan digest, versions, hardware
    run.sqlite      items, clips, scores: one writer; a transaction per unit of clips, and per group of scores
    jobs.jsonl      for a service: the submitted jobs, written before waiting for them
    clips/          the measured clips, named by the sha256 of their bytes; those of a run whose record names
                    an object store are there, under the same names
    digests.json    the sha256 of the record and of each table, once the run is scored to its end
    finished.json   what tells a run that is scored to its end at once

A run of a newer schema is refused. Older runs are read as they are. Schema 2 added the decisions of
safeguards. Schema 3 added labels; in older runs they are read from tags. Schema 4 stores set values by
measure, name and slice. Schema 5 stores a digest with each value. An older run is brought to the newest
schema when it is scored again.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from itertools import tee
from pathlib import Path
from typing import Any

from filelock import Timeout

from ..core.errors import UsageError
from ..core.files import only_one, write_atomic
from ..core.items import Item
from ..core.keys import Json, row_sha256
from ..core.layers import to_json
from ..core.run_data import ClipRecord, RunData, Score, SetScore, clip_files, named_values
from ..core.storage import File, Storage
from ..plan import Plan, another_plan
from .database import DIGESTS, SCHEMA, RunDatabase
from .rows import (
    info_text,
    item_fields,
    read_clip,
    read_items,
    read_score,
    read_set_score,
    score_row,
    set_row,
    storable,
)
from .score_group import ScoreGroup

__all__ = ["DIGESTS", "REFERRED", "SCHEMA", "RunStore", "open_run", "read_run", "single_writer"]

REFERRED = ("version", "encoders", "reference_set", "reference_sets", "settings")
"""Recorded fields of a measure on which its scores depend; if one differs, scores cannot be compared."""
_OURS = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,6}|\.{1,2}[0-9a-f]{64}\.tmp(\.[0-9a-f]+)?")
"""Names of stored clips, and of clips that are being written."""
_PUT_CLIP = """INSERT INTO clips VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (item) DO UPDATE SET
    outcome = excluded.outcome, reason = excluded.reason, sha256 = excluded.sha256, file = excluded.file,
    info = CASE WHEN sha256 IS excluded.sha256 THEN COALESCE(excluded.info, info) ELSE excluded.info END,
    seconds = excluded.seconds"""
"""The rest of a unit may be made again with one item: an equal clip keeps what decoding told of it."""


@contextmanager
def single_writer(folder: Path) -> Generator[None]:
    """Lock a run folder for writing; the folder is created if needed.

    Raises:
        UsageError: another process is writing there, or the folder cannot be created.
    """
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(only_one(folder / "run.lock"))
        except Timeout:
            raise UsageError(
                f"another process is writing {folder}; wait for it, or stop it and start again"
            ) from None
        except OSError as error:
            raise UsageError(f"cannot write a run at {folder}: {error.strerror or error}") from None
        yield


class RunStore(RunDatabase):
    """Read and write one run folder. Make one with `open_run`, or with `RunStore.create`."""

    def __init__(self, folder: Path, record: Mapping[str, Any]) -> None:
        super().__init__(folder, record)
        self._planned: Sequence[Item] = ()
        self._sound: int | None = None  # the version of the database whose scores have their digests

    @cached_property
    def clip_files(self) -> Storage:
        """The stored clips, by the name in their record."""
        return clip_files(self.folder, self.record)

    @property
    def staging(self) -> Path:
        """The folder in which a clip is written before it is stored."""
        return self.folder / "clips"

    @classmethod
    def create(cls, folder: Path, plan: Plan, record: Mapping[str, Json]) -> RunStore:
        """Create a run folder for ``plan``, or open the folder that holds it already.

        ``record`` has the fields of run.json other than schema and plan; only a new run uses it.

        Raises:
            UsageError: the folder holds another plan, or is not a run; nothing is overwritten.
        """
        if (folder / "run.json").exists():
            store = open_run(folder)
            if store.record["plan"] != plan.digest:
                raise UsageError(another_plan(folder, store.record, plan))
            store._planned = plan.items
            return store
        left_by_a_kill = {"run.sqlite", "run.sqlite-journal", "clips", "run.lock"}
        strange = (
            [p.name for p in folder.iterdir() if p.name not in left_by_a_kill] if folder.exists() else []
        )
        strange = [name for name in strange if not name.endswith(".tmp")]
        if (folder / "clips").exists():  # a run has no clips before it has its run.json
            strange += [f"clips/{p.name}" for p in (folder / "clips").iterdir()]
        if strange:
            raise UsageError(
                f"{folder} holds other files ({', '.join(sorted(strange)[:3])}) but no run; "
                "choose an empty or new folder with --out"
            )
        (folder / "clips").mkdir(parents=True, exist_ok=True)
        # run.json is written last: a folder with it has all its items.
        (folder / "run.sqlite").unlink(missing_ok=True)
        (folder / "run.sqlite-journal").unlink(missing_ok=True)
        starts = {"starts": dict(plan.starts)} if plan.starts else {}
        full = {"schema": SCHEMA, "plan": plan.digest, **starts, **record}
        store = cls(folder, full)
        store._planned = plan.items
        with store._transaction():
            store._make_tables()
            rows = [
                (position, item.id, item.cluster, unit.number, item_fields(item))
                for position, (unit, item) in enumerate((u, i) for u in plan.units for i in u.items)
            ]
            store._db.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?)", rows)
        write_atomic(folder / "run.json", json.dumps(full, indent=1, ensure_ascii=False) + "\n")
        return store

    # -- items and clips

    def items(self) -> list[Item]:
        """Read all items in the order of the plan."""
        return list(self._once("items", self._read_items))

    def _read_items(self) -> list[Item]:
        planned = {item.id: item for item in self._planned}
        items: list[Item] = []
        for item in read_items(self._db.execute("SELECT id, cluster, fields FROM items ORDER BY position")):
            known = planned.get(item.id)
            items.append(known if known is not None and known == item else item)  # each is held once
        return items

    def clips(self) -> dict[str, ClipRecord]:
        """Read the records of clips so far: item id -> record, in the order of the plan."""
        return dict(self._once("clips", self._read_clips))

    def _read_clips(self) -> dict[str, ClipRecord]:
        return {record.item: record for record in self.each_clip()}

    def each_clip(self) -> Iterator[ClipRecord]:
        """Read the records of clips one after another, in the order of the plan; see `each_row`."""
        for row in self.each_row(f"{self._clips_query} ORDER BY i.position"):
            yield read_clip(row)

    def clip(self, item: str) -> ClipRecord:
        """Read the record of one item's clip.

        Raises:
            KeyError: the item has no record.
        """
        for row in self.each_row(f"{self._clips_query} WHERE c.item = ?", (item,)):
            return read_clip(row)
        raise KeyError(item)

    def clips_of(self, items: Sequence[str]) -> dict[str, ClipRecord]:
        """Read the records of some items' clips, a few hundred at most; items without one are left out."""
        places = ", ".join("?" * len(items))
        rows = self.each_row(f"{self._clips_query} WHERE c.item IN ({places})", items)
        return {record.item: record for record in map(read_clip, rows)}

    @property
    def _clips_query(self) -> str:
        decisions, join = "NULL", ""
        if self._has_layers:
            decisions, join = "l.decisions", "LEFT JOIN layers l ON l.item = c.item"
        return (
            f"SELECT c.item, c.outcome, c.reason, c.sha256, c.file, c.info, c.seconds, {decisions} "
            f"FROM clips c JOIN items i ON i.id = c.item {join}"
        )

    def outcomes(self) -> dict[str, int]:
        """Count the items that have a result, by outcome."""
        return dict(self.each_row("SELECT outcome, COUNT(*) FROM clips GROUP BY outcome"))

    def have_clips(self) -> set[str]:
        """List the ids of the items that have a result."""
        return {item for (item,) in self.each_row("SELECT item FROM clips")}

    def put_clips(self, records: Iterable[ClipRecord]) -> None:
        """Store the results of generating one unit, in one transaction.

        Raises:
            UsageError: there are decisions of safeguards, and the run's schema cannot store them.
        """
        records = list(records)
        decided = [(r.item, json.dumps(to_json(r.layers), allow_nan=False)) for r in records if r.layers]
        if decided and not self._has_layers:
            raise UsageError(
                f"{self.folder} was started by an older screentest, which stored no decisions of safeguards; "
                "run into a new folder"
            )
        rows = [
            (
                r.item,
                r.outcome,
                storable(r.reason),
                r.sha256,
                r.file,
                info_text(r),
                r.seconds,
            )
            for r in records
        ]
        with self._transaction():
            self._db.executemany(_PUT_CLIP, rows)
            if decided:
                self._db.executemany("INSERT OR REPLACE INTO layers VALUES (?, ?)", decided)

    def forget_failures(self) -> int:
        """Delete the records of items without a clip, so that they are generated again; return their number.

        These are the items that failed, and those whose stored file is gone or changed.
        """
        lost = self.changed_clips()
        gone = [
            (record.item,)
            for record in self.each_clip()
            if record.outcome in ("ok", "failed") and (record.file is None or record.file in lost)
        ]
        if not gone:
            return 0
        with self._transaction():
            self._db.executemany("DELETE FROM scores WHERE item = ?", gone)
            self._db.executemany("DELETE FROM clips WHERE item = ?", gone)
            if self._has_layers:
                self._db.executemany("DELETE FROM layers WHERE item = ?", gone)
        return len(gone)

    def sweep(self) -> None:
        """Delete what a killed writer left in ``clips/``: half-written files, and clips without an item.

        Only files named like stored clips are deleted. In an object store nothing is: other runs may use it.
        """
        known = {file for (file,) in self.each_row("SELECT DISTINCT file FROM clips")}
        clips = self.staging
        clips.mkdir(exist_ok=True)
        for path in clips.iterdir():
            if path.name not in known and _OURS.fullmatch(path.name) and path.is_file():
                path.unlink()

    def clip_file(self, record: ClipRecord) -> File:
        """Name the file of a stored clip; see `storage.opened`.

        Raises:
            ValueError: the record has no file.
        """
        if record.file is None:
            raise ValueError(f"item {record.item} has no stored clip")
        return self.clip_files.file(record.file, record.sha256)

    def absent_clips(self) -> list[str]:
        """List the stored files that are gone, by name, without reading any."""
        rows = self.each_row("SELECT DISTINCT file FROM clips WHERE file IS NOT NULL ORDER BY file")
        return self.clip_files.absent(file for (file,) in rows)

    def changed_clips(self) -> dict[str, str]:
        """Compare the stored files with their sha256: name of the file -> ``gone`` or ``changed``."""
        rows = self.each_row("SELECT file, sha256 FROM clips WHERE file IS NOT NULL")
        recorded, names = tee(rows)
        states: dict[str, str] = {}
        for (file, sha256), (_, found) in zip(
            recorded, self.clip_files.hashed(file for file, _ in names), strict=True
        ):
            if found != sha256:
                states[file] = "gone" if found is None else "changed"
        return states

    # -- scores

    def scores(self) -> list[Score]:
        """Read the score table, in the order of the plan, then of the measures' names."""
        return list(self._once("scores", self._read_scores))

    def _read_scores(self) -> list[Score]:
        return list(self.each_score())

    def each_score(self) -> Iterator[Score]:
        """Read scores one after another, in the order of `scores`; see `each_row`.

        Their digests are not computed again where they were since the last change by another process.
        """
        sound = self._sound == self._now()[0]
        kept = "s.digest" if self._has_digests("scores") else "''"
        query = (
            f"SELECT s.item, s.measure, s.status, s.value, s.reason, s.evidence, s.key, {kept} "
            "FROM scores s JOIN items i ON i.id = s.item ORDER BY i.position, s.measure"
        )
        for row in self.each_row(query):
            yield read_score(row, sound=sound)

    def trust_scores(self) -> None:
        """Take the digests of scores for right, which a mark of the whole database stands for."""
        self._sound = self._now()[0]

    def changed_scores(self) -> dict[str, int]:
        """Count the scores whose row has not the digest that it was stored with, by measure."""

        kept = "digest" if self._has_digests("scores") else "''"
        columns = "item, measure, status, value, reason, evidence, key"

        def count() -> dict[str, int]:
            # In no order and without making scores of the rows, as a run may have millions of them.
            rows = self.each_row(f"SELECT {columns}, {kept} FROM scores")
            return dict(Counter(row[1] for row in rows if row_sha256(row[:-1]) != row[-1]))

        changed = self._once("changed scores", count)
        # What this connection writes has its digest; another's write changes the version.
        self._sound = None if changed else self._now()[0]
        return changed

    def scores_of(self, item: str) -> list[Score]:
        """Read the scores of one item."""
        kept = "digest" if self._has_digests("scores") else "''"
        columns = "item, measure, status, value, reason, evidence, key"
        return [
            read_score(row)
            for row in self.each_row(f"SELECT {columns}, {kept} FROM scores WHERE item = ?", (item,))
        ]

    def values_of(self, measure: str) -> dict[str, Score]:
        """Read the scores of one measure by item, without their evidence and keys: a run may be long."""
        rows = self.each_row(
            "SELECT item, measure, status, value, reason FROM scores WHERE measure = ?", (measure,)
        )
        return {row[0]: read_score((*row, "{}", "", ""), sound=True) for row in rows}

    @contextmanager
    def grouped(self, stored: Callable[[int], None]) -> Generator[ScoreGroup]:
        """Group the scores of many items into transactions; ``stored`` is told the items of each one.

        What is left is stored at the end of the block, also if that is an error or an interrupt.
        """
        group = ScoreGroup(self.put_unit, stored)
        try:
            yield group
        finally:
            group.flush()

    def put_unit(self, clips: Sequence[ClipRecord], scores: Sequence[Score]) -> None:
        """Store the scores of items, and the properties of their clips, in one transaction."""
        self._upgrade()
        with self._transaction():
            self._db.executemany(
                "UPDATE clips SET outcome = ?, reason = ?, info = ? WHERE item = ?",
                [(c.outcome, storable(c.reason), info_text(c), c.item) for c in clips],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(score_row, scores)
            )

    def set_scores(self) -> dict[tuple[str, str | None], SetScore]:
        """Read the values of set measures: (full name, slice) -> score, by measure, name and slice."""
        with self._reading():
            if self._has_digests("set_values"):
                of = "measure, name, slice, fields, key, digest FROM set_values"
            elif self._has_set_values():
                of = "measure, name, slice, fields, key, '' FROM set_values"
            else:
                of = "measure, '', '', fields, key, '' FROM set_scores"
            rows = self._db.execute(f"SELECT {of} ORDER BY 1, 2, 3")
            found = [read_set_score(row) for row in rows]
            return {(s.full_name, s.slice): s for s in found}

    def put_set_scores(self, measure: str, scores: Sequence[SetScore]) -> None:
        """Store all values of a set measure, replacing the stored ones."""
        self._upgrade()
        with self._transaction():
            self._db.execute("DELETE FROM set_values WHERE measure = ?", (measure,))
            rows = map(set_row, scores)
            self._db.executemany("INSERT INTO set_values VALUES (?, ?, ?, ?, ?, ?)", rows)

    def measures(self) -> dict[str, dict[str, Any]]:
        """Read the record of each measure: name -> version, kind, direction, range, unit, encoders."""
        with self._reading():
            rows = self._db.execute("SELECT name, fields FROM measures ORDER BY name")
            return {name: dict(json.loads(fields)) for name, fields in rows}

    def put_measure(self, name: str, fields: Mapping[str, Json]) -> None:
        """Record a measure's version, kind, direction, range, unit and encoders.

        If the version, the encoders or the like changed, the old scores are deleted, so that no aggregate
        mixes the two, even if the new scoring is interrupted.
        """
        stored = self.measures().get(name)
        if stored == json.loads(json.dumps(fields)):
            return
        with self._transaction():
            if stored is not None and any(stored.get(what) != fields.get(what) for what in REFERRED):
                self._db.execute("DELETE FROM scores WHERE measure = ?", (name,))
                table = "set_values" if self._has_set_values() else "set_scores"
                self._db.execute(f"DELETE FROM {table} WHERE measure = ?", (name,))
            self._db.execute(
                "INSERT OR REPLACE INTO measures VALUES (?, ?)", (name, json.dumps(fields, allow_nan=False))
            )


def open_run(folder: Path) -> RunStore:
    """Open an existing run folder.

    Raises:
        UsageError: there is no run, it is damaged, or a newer version of screentest wrote it.
    """
    try:
        record = json.loads((folder / "run.json").read_text("utf-8", "surrogatepass"))
        schema = record["schema"]
        if not isinstance(schema, int):
            raise ValueError(f"its schema is {schema!r}, not a number")
        lacking = {"plan", "suite", "generator", "generator_spec"} - set(record)
        if schema <= SCHEMA and lacking:
            raise ValueError(f"it lacks {', '.join(sorted(lacking))}")
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"there is no run at {folder}; 'screentest run' makes one") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder / 'run.json'} cannot be read as a run's record: {error}") from None
    if schema > SCHEMA:
        raise UsageError(
            f"{folder} was written in schema {schema} and this screentest reads up to {SCHEMA}; upgrade it"
        )
    if not (folder / "run.sqlite").is_file():
        raise UsageError(f"{folder} has lost its run.sqlite; restore it, or run again into a new folder")
    store = RunStore(folder, record)
    store.measures()
    return store


def read_run(store: RunStore) -> RunData:
    """Read the whole content of a run folder."""
    return RunData(
        name=store.folder.name,
        record=store.record,
        items={item.id: item for item in store.items()},
        clips=store.clips(),
        measures=named_values(store.measures()),
        scores={(s.measure, s.item): s for s in store.scores()},
        sets=store.set_scores(),
        folder=store.folder,
    )
