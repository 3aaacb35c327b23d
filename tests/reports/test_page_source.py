"""The page of a run is drawn again only where it would not be the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from screentest.reports import page_source
from screentest.reports.build import ReportOptions, build_report
from screentest.reports.page_source import page_is_current

from .conftest import MakeRun


def test_a_page_is_current_until_something_of_its_run_changes(make_run: MakeRun) -> None:
    run = make_run()
    assert not page_is_current(run)
    page = build_report([run])
    assert page_is_current(run)
    kept = page.read_bytes()
    build_report([run])
    assert page.read_bytes() == kept


CHANGES: dict[str, Callable[[Path], object]] = {
    "the summary": lambda run: (run / "summary.json").write_text((run / "summary.json").read_text() + "\n"),
    "a verdict": lambda run: (run / "verdict.json").write_text(json.dumps({})),
    "an older verdict": lambda run: (
        (run / "verdicts").mkdir(),
        (run / "verdicts" / "a.json").write_text("{}"),
    ),
    "a lost clip": lambda run: next((run / "clips").iterdir()).unlink(),
    "votes on a judge": lambda run: (
        (run.parent / "judges").mkdir(),
        (run.parent / "judges" / "a.json").write_text("{}"),
    ),
    "another name": lambda run: None,
    "no page": lambda run: (run / "report.html").unlink(),
    "another file as the page": lambda run: (run / "report.html").write_text("<html>"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_page_is_drawn_again_after(make_run: MakeRun, what: str) -> None:
    run = make_run()
    build_report([run])
    CHANGES[what](run)
    if what == "another name":
        run = run.rename(run.with_name("renamed"))
    assert not page_is_current(run)


def test_a_page_is_drawn_again_after_a_change_of_what_this_package_shows_on_it(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, package = make_run(), tmp_path / "package"
    (package / "cards" / "__pycache__").mkdir(parents=True)
    monkeypatch.setattr(page_source, "_folders", lambda: {"metrics": package})
    for name in ("stats.py", "cards/card.json", "weights.safetensors", "cards/__pycache__/stats.pyc"):
        (package / name).write_text("1")
    build_report([run])
    assert page_is_current(run)
    for name, current in (("weights.safetensors", True), ("cards/__pycache__/stats.pyc", True)):
        (package / name).write_text("2")
        assert page_is_current(run) is current
    for name in ("stats.py", "cards/card.json", "cards/new.json"):
        (package / name).write_text("2")
        assert not page_is_current(run), name
        build_report([run])
        assert page_is_current(run)


def test_all_folders_of_this_package_are_read() -> None:
    folders = page_source._folders()
    root = Path(__file__).parents[2]
    assert {part: (folder / "__init__.py").read_bytes() for part, folder in folders.items()} == {
        part: (root / part / "__init__.py").read_bytes()
        for part in ("generators", "harness", "metrics", "reports", "safety")
    }
    names = {name for name, _ in page_source._of_package(folders)}
    assert {"harness/core/stats/means.py", "metrics/validation/data/world/card.json"} <= names
    assert "reports/page_source.py" in names


def test_a_page_of_two_runs_or_of_other_options_is_not_the_page_of_a_run(make_run: MakeRun) -> None:
    one, two = make_run("one"), make_run("two")
    build_report([one, two])
    assert not page_is_current(one)
    build_report([one], options=ReportOptions(items=1))
    assert not page_is_current(one)
