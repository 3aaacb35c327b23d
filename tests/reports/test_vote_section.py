"""The section on votes: there where people voted on the page's runs, with names as text."""

from __future__ import annotations

from pathlib import Path

import pytest
from screentest.harness.votes.plan import VotePlan
from screentest.harness.votes.votes import voted_runs
from screentest.reports.build import build_report
from screentest.reports.rating import Rating
from screentest.reports.vote_section import vote_section

from .conftest import build_run, make_suite


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    suite = make_suite()
    return [build_run(tmp_path / name, suite=suite) for name in ("early", "late")]


def cast(folders: list[Path], rater: str) -> None:
    rating = Rating(voted_runs(folders), VotePlan(gold=0.2))
    while (told := rating.next(rater))["pair"] is not None:
        rating.vote(rater, told["pair"], "left", 1.5)


def test_a_page_without_votes_has_no_section(folders: list[Path]) -> None:
    assert vote_section(folders) is None
    assert 'id="votes"' not in build_report(folders).read_text("utf-8")


def test_votes_are_on_the_page_of_their_runs_and_names_are_text(folders: list[Path]) -> None:
    cast(folders, "Ada <script>alert(1)</script>")
    page = build_report(folders).read_text("utf-8")
    for told in (
        '<a href="#votes">Votes</a>',
        "Which clip is better? against early",
        "Measures against votes",
        "prediction-powered inference",
        "Ada &lt;script&gt;alert(1)&lt;/script&gt;",
    ):
        assert told in page
    assert "<script>alert(1)" not in page
    assert vote_section(folders[:1]) is None  # votes are on pairs


def test_votes_of_other_runs_and_damaged_ones_are_said(folders: list[Path], tmp_path: Path) -> None:
    cast(folders, "Ada")
    other = build_run(tmp_path / "other", suite=make_suite())
    found = vote_section([folders[0], other])
    assert found is not None
    assert "of other runs" in found.tables[-1].notes[-1]
    assert vote_section([folders[0], folders[0]]).problem.endswith("name each run once")  # type: ignore[union-attr]
