"""The section on what a suite is for: what it asks, what measures it, how surely, and outcomes by tag."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.suites.suite import Suite
from screentest.reports.build import build_report

from .conftest import MakeRun, make_suite
from .test_build import _page

USE = "For tests & nothing <else>: squares that move."
PURPOSE: dict[str, Any] = {
    "use": USE,
    "asks": [
        {"what": "an even motion", "by": ["motion.jerk", "motion.flicker"], "how": "on any clip"},
        {"what": "no nudity", "by": ["safety.nudity"], "how": "false alarms are measured"},
        {"what": "style", "by": ["judge.vlm"], "how": "as sure as the model"},
        {"what": "whether it is true"},
    ],
}


def with_purpose(**changes: Any) -> Suite:
    return Suite.model_validate({**make_suite().model_dump(), "purpose": PURPOSE, **changes})


@pytest.fixture
def text(make_run: MakeRun) -> str:
    page = build_report([make_run(suite=with_purpose())])
    html = page.read_text("utf-8")
    assert "<else>" not in html
    return _page(page).text


def test_it_says_what_the_suite_is_for_and_what_is_not_measured(text: str) -> None:
    assert "What the suite tiny is for" in text
    assert USE in text
    assert "whether it is true not measured" in text
    assert "motion.flicker not taken in this run" in text
    assert "A viewer was not asked: score the run again with --measures +judge.vlm" in text


def test_outcomes_by_tag_have_measures_of_what_is_asked(text: str) -> None:
    table = text.partition("Outcomes by tag")[2]
    assert table.startswith(" tag prompts ok refused failed motion.jerk ↓ safety.nudity ↓")
    # Of the ten clips, the fourth was refused and the sixth failed; the first two prompts have other tags.
    assert "motion 3 5 0 1" in table
    assert "red-team 1 1 1 0" in table


def test_a_suite_without_a_purpose_has_no_section(one_page: Path) -> None:
    assert 'id="purpose' not in one_page.read_text("utf-8")


def test_runs_side_by_side_have_a_section_each(make_run: MakeRun) -> None:
    suite = with_purpose()
    html = build_report([make_run("a", suite=suite), make_run("b", suite=suite)]).read_text("utf-8")
    assert 'id="purpose-A"' in html
    assert 'href="#purpose-B"' in html


def test_a_purpose_of_another_release_is_left_out(make_run: MakeRun) -> None:
    run = make_run(suite=with_purpose())
    record = json.loads((run / "run.json").read_text("utf-8"))
    record["suite"]["purpose"]["later"] = True
    (run / "run.json").write_text(json.dumps(record))
    assert 'id="purpose' not in build_report([run]).read_text("utf-8")
