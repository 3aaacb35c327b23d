"""The database of a run folder: its tables, how they are written, and what older schemas lack of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ..core.errors import UsageError
from ..core.files import write_atomic

__all__ = ["DIGESTS", "FINISHED", "SCHEMA", "RunDatabase"]

_T = TypeVar("_T")

SCHEMA = 5
DIGESTS = "digests.json"
"""Written by `digests`; deleted before anything else is written."""
FINISHED = "finished.json"
"""Written by `finished`; deleted like the digests."""
_WITH_LAYERS = 2


_LAYERS = "CREATE TABLE layers (item TEXT PRIMARY KEY REFERENCES items(id), decisions TEXT NOT NULL)"
_TABLES = f"""{_LAYERS};
CREATE TABLE items (position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, cluster TEXT NOT NULL,
    unit INTEGER NOT NULL, fields TEXT NOT NULL);
CREATE TABLE clips (item TEXT PRIMARY KEY REFERENCES items(id), outcome TEXT NOT NULL, reason TEXT NOT NULL,
    sha256 TEXT, file TEXT, info TEXT, seconds REAL NOT NULL);
CREATE TABLE scores (item TEXT NOT NULL REFERENCES items(id), measure TEXT NOT NULL, status TEXT NOT NULL,
    value REAL, reason TEXT NOT NULL, evidence TEXT NOT NULL, key TEXT NOT NULL,
    digest TEXT NOT NULL DEFAULT '', PRIMARY KEY (item, measure));
CREATE TABLE set_values (measure TEXT NOT NULL, name TEXT NOT NULL, slice TEXT NOT NULL, fields TEXT NOT NULL,
    key TEXT NOT NULL, digest TEXT NOT NULL DEFAULT '', PRIMARY KEY (measure, name, slice));
CREATE TABLE measures (name TEXT PRIMARY KEY, fields TEXT NOT NULL);
"""


class RunDatabase:
    """The tables of one run folder, read in parts or at once, and written in transactions."""

    def __init__(self, folder: Path, record: Mapping[str, Any]) -> None:
        self.folder = folder
        self.record: Mapping[str, Any] = record
        self._db = sqlite3.connect(folder / "run.sqlite", isolation_level=None)
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA busy_timeout = 10000")
        self._tables: dict[str, tuple[tuple[int, int], Any]] = {}

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        # What is written has other digests; they are made anew when the run is scored to its end.
        (self.folder / FINISHED).unlink(missing_ok=True)
        (self.folder / DIGESTS).unlink(missing_ok=True)
        self._tables = {name: table for name, table in self._tables.items() if name == "items"}
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise UsageError(
                f"{self.folder / 'run.sqlite'} cannot be written ({error}); once it can, the same command "
                "goes on from here"
            ) from None

    @contextmanager
    def _reading(self) -> Generator[None]:
        """Turn what a damaged database, or one that something else has written, leads to into a sentence."""
        try:
            yield
        except (sqlite3.Error, ValueError, KeyError, TypeError, AttributeError) as error:
            why = " ".join(str(error).split())[:200]
            raise UsageError(
                f"{self.folder / 'run.sqlite'} is damaged ({why}); restore it, or run again into a new folder"
            ) from None

    def _once(self, table: str, read: Callable[[], _T]) -> _T:
        """Read a table once, and again after any connection has written to the database.

        This one writes no items but those of a new run.
        """
        with self._reading():
            version, changes = self._now()
            now = (version, 0 if table == "items" else changes)
            if table not in self._tables or self._tables[table][0] != now:
                self._tables[table] = (now, read())
            return self._tables[table][1]

    def _now(self) -> tuple[int, int]:
        """Name the state of the database: the changes by other connections, and by this one."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version), self._db.total_changes

    def each_row(self, query: str, values: Sequence[str] = ()) -> Iterator[tuple[Any, ...]]:
        """Read rows as they are stored, one after another; nothing may be written until the last is read."""
        with self._reading():
            yield from self._db.execute(query, values)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read rows as they are stored."""
        return list(self.each_row(query))

    def _make_tables(self, named: str = "") -> None:
        for statement in _TABLES.split(";"):
            if named in statement:
                self._db.execute(statement)

    @property
    def _has_layers(self) -> bool:
        return self.record["schema"] >= _WITH_LAYERS

    def _has_set_values(self) -> bool:
        found = self._db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'set_values'")
        return found.fetchone() is not None

    def _has_digests(self, table: str) -> bool:
        found = self._db.execute("SELECT 1 FROM pragma_table_info(?) WHERE name = 'digest'", (table,))
        return found.fetchone() is not None

    def _upgrade(self) -> None:
        """Bring a run of an older schema to this one: named values and slices of sets, and digests."""
        if self.record["schema"] == SCHEMA:
            return
        with self._transaction():
            if not self._has_set_values():
                self._make_tables("set_values")
                self._db.execute(
                    "INSERT INTO set_values SELECT measure, '', '', fields, key, '' FROM set_scores"
                )
                self._db.execute("DROP TABLE set_scores")
            for table in ("scores", "set_values"):
                if not self._has_digests(table):
                    self._db.execute(f"ALTER TABLE {table} ADD COLUMN digest TEXT NOT NULL DEFAULT ''")
            self._db.execute(_LAYERS.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
        # After the tables: a kill between the two is mended next time.
        self.record = {**self.record, "schema": SCHEMA}
        write_atomic(self.folder / "run.json", json.dumps(self.record, indent=1, ensure_ascii=False) + "\n")
