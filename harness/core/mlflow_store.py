"""Connect to an MLflow store, with a short timeout and one sentence when it fails.

A request is tried once, for ``timeout`` seconds; MLflow itself would retry for minutes. A single try also
avoids carrying out a request twice when its answer was only late.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sqlite3
import warnings
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .errors import ScreentestError, TrackingError
from .mlflow_database import prepare_database

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = [
    "default_uri",
    "mlflow_client",
    "sent_later",
    "shown",
    "sqlite_file",
    "uri_option",
    "wrong_address",
]

_LIBRARIES = ("mlflow", "sqlalchemy", "alembic", "requests", "urllib3", "google")
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


@contextmanager
def mlflow_client(
    uri: str, folder: Path, timeout: int, *, later: str | None = None
) -> Generator[MlflowClient]:
    """Open a client of the store at ``uri``, to send the run in ``folder``.

    Environment variables and log levels are restored at the end.

    Args:
        uri: of the store.
        folder: of the run.
        timeout: seconds per request, unless ``MLFLOW_HTTP_REQUEST_TIMEOUT`` says otherwise.
        later: how to send it once the store can be reached; by default that of a run.

    Raises:
        TrackingError: the store cannot be reached or refuses a request; it replaces the original error.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported, and later
    chosen = os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "")
    timeout = int(chosen) if chosen.isdecimal() else timeout
    quick = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(timeout),
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    }
    later = later or sent_later(folder, uri)
    with _environment(quick), warnings.catch_warnings():
        # SQLAlchemy 2.1 deprecates an option of MLflow's own mappings; nothing a user can mend.
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
        try:
            _probe(uri, timeout)
            from mlflow import MlflowClient

            with _quiet("mlflow", "alembic"):
                database = sqlite_file(uri)
                if database is not None:
                    _prepare(database, later)
                yield MlflowClient(uri, registry_uri=os.environ.get("MLFLOW_REGISTRY_URI") or uri)
        except ScreentestError:
            raise
        except Exception as error:
            if not _is_of_the_store(error):
                raise
            why = _why(error, uri, timeout)
            raise TrackingError(f"MLflow at {shown(uri)} {why}; {later}") from error


def sent_later(folder: Path, uri: str | None = None) -> str:
    """Say how a run is sent to the store at ``uri`` that could not be sent now.

    The address is left out where it is the database beside the run, and user name and password always.
    """
    return f"the run is whole on disk, and 'screentest sync {folder}{uri_option(folder, uri)}' sends it later"


def uri_option(folder: Path, uri: str | None) -> str:
    """Write the option ``--tracking-uri`` of a command that sends ``folder``; none for the default store."""
    database = _beside(folder.resolve().parent)
    return "" if uri is None or uri == f"sqlite:///{database}" else f" --tracking-uri {shown(uri)}"


@contextmanager
def _environment(values: Mapping[str, str]) -> Generator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _quiet(*names: str) -> Generator[None]:
    """Let loggers pass errors only, because users need not see table set-up and retries."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def sqlite_file(uri: str) -> Path | None:
    """Return the database file of a SQLite URI; None for any other store."""
    found = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", uri)
    return Path(found[1]).resolve() if found else None


def _prepare(database: Path, later: str) -> None:
    try:
        prepare_database(database)
    except TrackingError as error:
        raise TrackingError(f"{error}; {later}") from None


def wrong_address(uri: str) -> str | None:
    """Say why no run can be kept at an address; None where one may be."""
    scheme = urlsplit(uri).scheme
    if scheme.startswith("sqlite"):
        database = sqlite_file(uri)
        if database is None or database.name == ":memory:":
            return f"{shown(uri)!r} names no database file; write sqlite:///PATH, such as sqlite:///runs/mlflow.db"
        return None
    if scheme in ("", "file") and uri != "databricks":
        folder = uri.removeprefix("file://").removeprefix("file:").rstrip("/") or "."
        return (
            f"MLflow no longer keeps runs in a folder such as {uri!r}; give the address of a SQLite "
            f"database, sqlite:///{folder}/mlflow.db"
        )
    return None


def _probe(uri: str, timeout: int) -> None:
    """Fail at once on a store that cannot be used.

    MLflow itself sends several requests to a silent server before it gives up, and tries to open a broken
    database for a minute and a half.

    Raises:
        OSError: the server, or the database's host or folder, cannot be reached or written.
        sqlite3.Error: the file is no database, is locked, or cannot be written.
    """
    database = sqlite_file(uri)
    if database is None:
        parts = urlsplit(uri)
        if parts.scheme in ("http", "https"):
            import requests

            # Any answer is enough here; MLflow checks certificates, by its own settings.
            with suppress(requests.exceptions.SSLError):
                requests.get(f"{uri.rstrip('/')}/health", timeout=timeout, stream=True).close()
            return
        port = _PORTS.get(parts.scheme.split("+")[0])
        if parts.hostname and port:
            socket.create_connection((parts.hostname, parts.port or port), timeout).close()
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    if not database.exists():
        if not os.access(database.parent, os.W_OK):
            raise PermissionError(13, "Permission denied", str(database.parent))
        return
    connection = sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=timeout)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT count(*) FROM sqlite_master")
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def _is_of_the_store(error: Exception) -> bool:
    """Check whether the store caused the error; an error in our code keeps its traceback."""
    if isinstance(error, (OSError, sqlite3.Error)):
        return True
    return type(error).__module__.split(".")[0] in _LIBRARIES


def _why(error: BaseException, uri: str, timeout: int) -> str:
    chain = list(_causes(error))
    if any("Timeout" in type(e).__name__ for e in chain):
        return f"did not answer within {timeout} s"
    refused = [
        e
        for e in chain
        if type(e).__name__ in ("NewConnectionError", "NameResolutionError", "ConnectionError")
    ]
    if refused or isinstance(chain[-1], ConnectionError):
        return "cannot be reached"
    said = " ".join(str(error).split()) or type(error).__name__
    said = _without_secrets(said, uri)
    if len(said) > 200:
        end = said.rfind(". ", 0, 200)
        said = said[:end] if end > 0 else f"{said[:200]} ..."
    if any(isinstance(e, sqlite3.DatabaseError) and _is_broken(e) for e in chain):
        return f"is a broken database ({said}); restore it, or move it away and a new one is made"
    return f"cannot be used ({said})"


def _is_broken(error: sqlite3.DatabaseError) -> bool:
    """Say whether the file is damaged, and not only locked, full or out of reach."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _causes(error: BaseException) -> Iterable[BaseException]:
    todo: list[object] = [error]
    seen: set[int] = set()
    while todo:
        current = todo.pop()
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            todo += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]


def _without_secrets(text: str, uri: str) -> str:
    secret = urlsplit(uri).netloc.rpartition("@")[0]
    return text.replace(f"{secret}@", "") if secret else text


def shown(uri: str) -> str:
    """Return ``uri`` without user name and password, for messages."""
    return _without_secrets(uri, uri)


def _beside(runs_dir: Path) -> Path:
    return runs_dir / "mlflow.db"


def default_uri(runs_dir: Path) -> str:
    """Return the URI of the SQLite store beside the runs; artifacts go to ``mlartifacts`` in that folder.

    Raises:
        TrackingError: the folder's path holds what the address of a database cannot hold.
    """
    database = _beside(runs_dir.resolve())
    wrong = re.search(r"\?|%[0-9A-Fa-f]{2}", str(database))
    if wrong is not None:
        raise TrackingError(
            f"the address of {database} cannot be written, because of the {wrong[0]!r} in it; name a "
            "database elsewhere with --tracking-uri sqlite:///PATH"
        )
    return f"sqlite:///{database}"
