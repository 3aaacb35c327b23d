"""The database of an MLflow store: made whole or not at all, migrated on a copy, set aside when half-made."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from screentest.harness.core.errors import TrackingError
from screentest.harness.core.mlflow_database import prepare_database

# SQLAlchemy 2.1 deprecates an option of MLflow's own mappings; the client of the store passes over it too.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "mlflow.db"
    prepare_database(path)
    return path


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def half_made(path: Path) -> None:
    """What a kill among MLflow's own steps leaves: its first tables, and some of later ones."""
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE trace_info (request_id TEXT)")
        db.execute("CREATE TABLE alembic_version (version_num TEXT)")


def test_a_database_is_made_once_and_left_alone(sound: Path) -> None:
    assert {"experiments", "runs", "metrics", "logged_models", "alembic_version"} <= tables(sound)
    before = (sound.read_bytes(), sound.stat().st_mtime_ns)
    prepare_database(sound)
    assert (sound.read_bytes(), sound.stat().st_mtime_ns) == before
    assert sorted(p.name for p in sound.parent.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


def test_an_empty_file_becomes_a_database(tmp_path: Path, sound: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.touch()
    prepare_database(path)
    assert tables(path) == tables(sound)


@pytest.mark.parametrize("version", [None, "728d730b5ebd"])
def test_a_half_made_one_is_set_aside_and_said(
    tmp_path: Path, sound: Path, version: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mlflow.db"
    half_made(path)
    if version is not None:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("INSERT INTO alembic_version VALUES (?)", (version,))
    prepare_database(path)
    said = capsys.readouterr().err
    assert "was half-made, by a process that was stopped, and held no run" in said
    assert tables(path) == tables(sound)
    (aside,) = tmp_path.glob("mlflow.db.broken-*")
    assert aside.name in said
    assert "trace_info" in tables(aside)


def test_one_with_runs_is_never_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    half_made(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO runs (run_uuid) VALUES ('a')")
    content = path.read_bytes()
    with pytest.raises(TrackingError, match="holds 1 run; mend it with 'mlflow db upgrade'"):
        prepare_database(path)
    assert path.read_bytes() == content


def test_another_program_s_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(TrackingError, match="no MLflow database"):
        prepare_database(path)
    assert tables(path) == {"recipes"}


def test_one_of_a_newer_mlflow_is_left_alone(tmp_path: Path, sound: Path) -> None:
    path = shutil.copyfile(sound, tmp_path / "mlflow.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(TrackingError, match="a newer MLflow made it"):
        prepare_database(path)


def test_one_of_an_older_schema_is_migrated_on_a_copy(
    tmp_path: Path, sound: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from alembic import command
    from mlflow.store.db import utils
    from mlflow.store.tracking.dbmodels.initial_models import Base

    path = tmp_path / "mlflow.db"
    engine = utils.create_sqlalchemy_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    config = utils._get_alembic_config(str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "728d730b5ebd")
    engine.dispose()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'old', 'active')"
        )
    old = tables(path)
    prepare_database(path)
    assert tables(path) >= tables(sound) - {"alembic_version"}
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM experiments WHERE experiment_id = 7").fetchall() == [("old",)]
    assert tables(tmp_path / "mlflow.db.schema-728d730b5ebd") == old
    assert "was migrated" in capsys.readouterr().err


@pytest.mark.slow
def test_processes_that_are_killed_while_they_make_it_leave_no_ruin(tmp_path: Path) -> None:
    script = Path(__file__).parent / "mlflow_kills.py"
    words = [sys.executable, str(script), str(tmp_path / "mlflow.db")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) >= 4


@pytest.mark.slow
def test_two_that_begin_at_once_both_succeed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from screentest.harness.core.mlflow_database import prepare_database\n"
        "from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore\n"
        "print('ready', flush=True); input(); prepare_database(Path(sys.argv[1]))\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "mlflow.db")]
    both = [
        subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    ends = [one.communicate(timeout=300) for one in both]
    assert [one.returncode for one in both] == [0, 0], ends
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.lock"]
