"""What suites are for: said once in their files, right about measures, and the same in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest
from screentest.harness.catalog import MEASURES
from screentest.harness.suites.loading import join_suites, load_suite
from screentest.harness.suites.purpose import NOT_MEASURED, VIEWER, Asked, Purpose, purpose_text
from screentest.harness.suites.suite import packaged_suites

WITH = [name for name in packaged_suites() if load_suite(name).purpose is not None]
PAGE = (Path(__file__).parents[3] / "docs" / "applications.md").read_text("utf-8")
TRADES = ("accessibility", "education", "film", "games", "health", "marketing", "robotics")


def purpose_of(name: str) -> Purpose:
    purpose = load_suite(name).purpose
    assert purpose is not None
    return purpose


def test_every_suite_of_a_trade_says_what_it_is_for():
    assert set(TRADES) <= set(WITH)


@pytest.mark.parametrize("name", WITH)
def test_what_measures_is_taken_or_named_as_what_must_be_added(name: str):
    suite = load_suite(name)
    for asked in purpose_of(name).asks:
        for measure in asked.by:
            assert measure in suite.measures or measure == VIEWER or "add it with --measures" in asked.how
            assert MEASURES.get(measure).name == measure
    assert any(VIEWER in asked.by for asked in purpose_of(name).asks) == any(
        (prompt.expect or {}).get("questions") for prompt in suite.prompts
    )


@pytest.mark.parametrize("name", TRADES)
def test_the_documentation_has_the_texts_of_the_suite_files(name: str):
    assert f"## {name}\n\n{purpose_text(purpose_of(name))}\n" in PAGE
    assert any(not asked.by for asked in purpose_of(name).asks), "a suite says what it does not measure"


def test_a_measure_without_a_word_on_how_surely_is_refused():
    with pytest.raises(ValueError, match=r"say under 'how' how surely .* measure 'calm'"):
        Asked.model_validate({"what": "calm", "by": ["motion.flicker"]})


def test_what_nothing_measures_says_so():
    purpose = Purpose.model_validate({"use": "Tests.", "asks": [{"what": "truth | lies"}]})
    assert purpose_text(purpose).splitlines()[-1] == f"| truth \\| lies | {NOT_MEASURED} | - |"


def test_suites_that_are_joined_are_for_neither_purpose_alone():
    assert join_suites([load_suite("order"), load_suite("contradictions")]).purpose is None
