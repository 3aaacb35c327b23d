"""The page of a run is drawn again only where it would not be the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
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


def test_a_page_of_two_runs_or_of_other_options_is_not_the_page_of_a_run(make_run: MakeRun) -> None:
    one, two = make_run("one"), make_run("two")
    build_report([one, two])
    assert not page_is_current(one)
    build_report([one], options=ReportOptions(items=1))
    assert not page_is_current(one)
