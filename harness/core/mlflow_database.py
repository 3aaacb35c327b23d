"""The SQLite database of an MLflow store: made whole or not at all, migrated on a copy, or set aside.

MLflow makes its tables in many steps and does not take up one that was interrupted. So a new database is made
under another name and renamed, under a lock that other processes wait for.
"""

from __future__ import annotations

import importlib
import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from .counts import counted
from .errors import TrackingError
from .progress import note

__all__ = ["prepare_database"]

WAIT_S = 180.0
"""How long to wait for another process that makes or migrates the database: it takes seconds."""


@dataclass(frozen=True)
class _DatabaseState:
    """What a database file holds.

    Attributes:
        tables: names of its tables; empty for a file that is not there or has none.
        version: the revision of its schema; None where it says none.
        runs: how many runs it holds.
    """

    tables: frozenset[str] = frozenset()
    version: str | None = None
    runs: int = 0


def prepare_database(path: Path) -> None:
    """See to it that ``path`` is a database of this MLflow's schema; make it if it is not there.

    One of an older schema is migrated, and its copy stays beside it. One that was half-made and holds no run
    is set aside under another name, with a line on stderr.

    Raises:
        TrackingError: it is another program's, a newer MLflow's, or cannot be migrated.
        sqlite3.Error: it cannot be read.
    """
    if _is_ready(_state(path)):
        return
    with _alone(path):
        state = _state(path)  # another process may have made it meanwhile
        if _is_ready(state):
            return
        for left in path.parent.glob(f".{path.name}.*.tmp*"):
            left.unlink(missing_ok=True)
        if state.tables and not _migrated(path, state):
            _set_aside(path)
            state = _DatabaseState()
        if not state.tables:
            _make(_temporary(path)).replace(path)


def _state(path: Path) -> _DatabaseState:
    if not path.exists():
        return _DatabaseState()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        tables = frozenset(
            name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        )
        version = (
            db.execute("SELECT version_num FROM alembic_version").fetchone() if _VERSION in tables else None
        )
        runs = db.execute("SELECT COUNT(*) FROM runs").fetchone()[0] if "runs" in tables else 0
    return _DatabaseState(tables, version[0] if version else None, runs)


_VERSION = "alembic_version"


def _is_ready(state: _DatabaseState) -> bool:
    if state.version is None:
        return False  # before MLflow is asked, which takes a while
    from mlflow.store.db import utils

    return state.version == utils._get_latest_schema_revision() and _known_tables() <= state.tables  # pyright: ignore[reportPrivateUsage]


def _known_tables() -> frozenset[str]:
    importlib.import_module("mlflow.store.db.utils")  # which brings all tables
    from mlflow.store.db.base_sql_model import Base

    return frozenset(Base.metadata.tables)


@contextmanager
def _alone(path: Path) -> Generator[None]:
    lock = FileLock(path.with_name(f"{path.name}.lock"), timeout=WAIT_S)
    try:
        lock.acquire()
    except Timeout:
        raise TrackingError(f"another process is making the MLflow database {path}; wait for it") from None
    try:
        yield
    finally:
        lock.release()


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _make(path: Path) -> Path:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # As MLflow does when it opens a database that is not there, with its first experiment.
    store = SqlAlchemyStore(f"sqlite:///{path}", "./mlruns")
    store.engine.dispose()
    return path


def _migrated(path: Path, state: _DatabaseState) -> bool:
    """Migrate a database of an older schema on a copy; False if it was half-made, and holds nothing."""
    from mlflow.store.db import utils
    from mlflow.store.tracking.dbmodels.initial_models import Base

    known = _known_tables() | frozenset(Base.metadata.tables) | {_VERSION}
    if "experiments" not in state.tables and not state.tables <= known:
        raise TrackingError(
            f"{path} is no MLflow database (it holds {', '.join(sorted(state.tables)[:3])}); name another "
            "file"
        )
    if state.version is None:
        return _kept(path, state, "its schema has no version")
    if state.version == utils._get_latest_schema_revision():  # pyright: ignore[reportPrivateUsage]
        return _kept(path, state, "tables are missing")
    from alembic.script import ScriptDirectory
    from sqlalchemy.exc import DBAPIError

    scripts = ScriptDirectory.from_config(utils._get_alembic_config(""))  # pyright: ignore[reportPrivateUsage]
    if state.version not in {script.revision for script in scripts.walk_revisions()}:
        raise TrackingError(
            f"{path} is of a schema that this MLflow does not know ({state.version}); a newer MLflow made "
            "it: upgrade MLflow, or name another file"
        )
    new, before = _temporary(path), path.with_name(f"{path.name}.schema-{state.version}")
    try:
        _copy(path, new)
        engine = utils.create_sqlalchemy_engine(f"sqlite:///{new}")
        try:
            utils._upgrade_db(engine)  # pyright: ignore[reportPrivateUsage]
        except DBAPIError as error:
            return _kept(path, state, " ".join(str(error.orig).split()))
        finally:
            engine.dispose()
        _copy(path, before)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    note(f"the MLflow database {path} was migrated; as it was before, it is {before}")
    return True


def _copy(path: Path, other: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(other)) as target:
        source.backup(target)


def _kept(path: Path, state: _DatabaseState, why: str) -> bool:
    """Refuse a broken database that holds runs; say False of one that holds none."""
    if state.runs:
        raise TrackingError(
            f"the MLflow database {path} is broken ({why}) and holds {counted(state.runs, 'run')}; mend "
            "it with "
            "'mlflow db upgrade', or move it away"
        )
    return False


def _set_aside(path: Path) -> None:
    aside = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
    for suffix in ("", "-journal", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
    note(
        f"warning: the MLflow database {path} was half-made, by a process that was stopped, and held no run; "
        f"it is now {aside.name}, and a new one is begun"
    )
