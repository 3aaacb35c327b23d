"""A finished run says so without reading its rows again, and only as long as nothing about it changed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from screentest.generators import make_generator
from screentest.harness import run as runs
from screentest.harness.execution.finished import is_finished, keep_finished
from screentest.harness.plugins import load_file
from screentest.harness.run import Settings, run, score_run
from screentest.harness.run_folder.store import open_run
from screentest.harness.suites.loading import load_suite
from screentest.reports.build import build_report


def changed(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "run.sqlite")) as database:
        database.execute(statement)
        database.commit()


def edited(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text(path.read_text() + "\n")


@pytest.fixture
def rows_are_read(monkeypatch) -> list[Path]:
    """List the run folders whose rows are compared with their digests."""
    read: list[Path] = []
    differences = runs.differences

    def noted(store, planned=()):
        read.append(store.folder)
        return differences(store, planned)

    monkeypatch.setattr(runs, "differences", noted)
    return read


def test_a_finished_run_is_told_without_reading_its_rows(tmp_path, suite, generator, cache, rows_are_read):
    first = run(suite, generator, tmp_path, Settings(cache))
    kept = (tmp_path / "summary.json").read_bytes()
    rows_are_read.clear()
    assert run(suite, generator, tmp_path, Settings(cache)) == first
    assert score_run(tmp_path, suite, Settings(cache)) == first
    assert rows_are_read == []
    assert (tmp_path / "summary.json").read_bytes() == kept


CHANGES: dict[str, Callable[[Path], object]] = {
    "a score": lambda run: changed(run, "UPDATE scores SET value = 0.25 WHERE rowid = 1"),
    "a score removed": lambda run: changed(run, "DELETE FROM scores WHERE rowid = 1"),
    "a prompt": lambda run: changed(run, """UPDATE items SET fields = replace(fields, '": "', '": "x')"""),
    "the record": lambda run: edited(run, "run.json"),
    "the digests": lambda run: edited(run, "digests.json"),
    "a transaction that was killed": lambda run: (run / "run.sqlite-journal").write_bytes(b"\0" * 512),
    "a mark cut short": lambda run: (run / "finished.json").write_text("{"),
    "no mark": lambda run: (run / "finished.json").unlink(),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changed_is_looked_at(tmp_path, suite, generator, cache, rows_are_read, what):
    run(suite, generator, tmp_path, Settings(cache))
    CHANGES[what](tmp_path)
    rows_are_read.clear()
    if what == "a prompt":
        with pytest.raises(runs.UsageError, match="is not as it was"):
            run(suite, generator, tmp_path, Settings(cache))
    else:
        run(suite, generator, tmp_path, Settings(cache))
    assert rows_are_read == [tmp_path]


def test_a_changed_score_is_taken_anew(tmp_path, suite, generator, cache, capsys):
    first = run(suite, generator, tmp_path, Settings(cache))
    changed(tmp_path, "UPDATE scores SET value = 0.25 WHERE rowid = 1")
    assert run(suite, generator, tmp_path, Settings(cache)) == first
    assert "was changed" in capsys.readouterr().err


def test_other_measures_are_computed(tmp_path, make_suite, generator, cache, rows_are_read):
    run(make_suite(measures=["failure.rate"]), generator, tmp_path, Settings(cache))
    again = score_run(tmp_path, make_suite(measures=["failure.rate", "motion.flicker"]), Settings(cache))
    assert again.get("motion.flicker") is not None
    # ... and the run of the first suite finds both, and nothing to do
    assert run(make_suite(measures=["failure.rate"]), generator, tmp_path, Settings(cache)) == again


def test_lost_clips_of_a_finished_run_are_named(tmp_path, suite, generator, cache, capsys):
    run(suite, generator, tmp_path, Settings(cache))
    lost = next((tmp_path / "clips").iterdir())
    lost.unlink()
    capsys.readouterr()
    run(suite, generator, tmp_path, Settings(cache))
    assert f"the clip {lost.name}" in capsys.readouterr().err
    run(suite, generator, tmp_path, Settings(cache, retry_failed=True))
    assert lost.exists()


def test_scores_that_are_tried_again_leave_a_run_unfinished(tmp_path, suite, generator, cache):
    run(suite, generator, tmp_path, Settings(cache))
    with closing(open_run(tmp_path)) as store:
        assert is_finished(store, _scoring(tmp_path))
        (score,) = store.scores()[:1]
        store.put_unit([], [runs.replace(score, status="failed", value=None, reason="no memory")])
        assert not (tmp_path / "finished.json").exists()
        keep_finished(store, "any")
        assert not (tmp_path / "finished.json").exists()


def _scoring(folder: Path) -> str:
    return json.loads((folder / "finished.json").read_text())["scoring"]


def test_a_finished_run_loads_no_pytorch(tmp_path, cache):
    path, plugin = tmp_path / "suite.yaml", Path(__file__).parents[1] / "worker_plugin.py"
    path.write_text(
        "name: small\nversion: 1\nclip: {frames: 4, height: 16, width: 16}\n"
        "prompts: [refuse one, two]\nmeasures: [motion.flicker, failure.rate]\n"
    )
    load_file(plugin)
    run(load_suite(str(path)), make_generator("marked:"), tmp_path / "run", Settings(cache))
    build_report([tmp_path / "run"])
    words = ["run", "--suite", str(path), "--plugin", str(plugin), "--generator", "marked:"]
    words += ["--out", str(tmp_path / "run"), "--cache", str(cache), "--tracking-uri", "none"]
    code = (
        "import sys\nfrom screentest.harness.commands.__main__ import main\n"
        f"sys.argv = ['screentest', *{words!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('loaded', sorted({'torch', 'altair', 'mlflow', 'transformers'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines()[-1:], done.returncode) == (["loaded []"], 0), done.stderr
    assert "motion.flicker" in done.stdout
