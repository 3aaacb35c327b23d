"""Kill processes while they make an MLflow database, at growing sizes of what they have written.

Prints, as JSON, the sizes at which there was a kill. Ends with an error unless the last one makes it whole.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from contextlib import suppress
from pathlib import Path

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: F401  a child's life is for the work
from screentest.harness.core.mlflow_database import prepare_database

path = Path(sys.argv[1])


def written() -> int:
    size = 0
    for part in path.parent.glob(f".{path.name}.*"):
        with suppress(FileNotFoundError):  # a journal, which comes and goes
            size += part.stat().st_size
    return size


kills: list[int] = []
for limit in (1, 100_000, 200_000, 300_000, 400_000):
    child = os.fork()
    if child == 0:
        prepare_database(path)
        os._exit(0)
    while written() < limit and not path.exists():
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if path.exists():
        break
    kills.append(written())
prepare_database(path)
with sqlite3.connect(path) as db:
    assert db.execute("SELECT name FROM experiments").fetchall() == [("Default",)]
assert not list(path.parent.glob(f".{path.name}.*"))
print(json.dumps(kills))
