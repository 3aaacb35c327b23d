"""A part of a suite: fewer prompts and seeds, the same ids, another name."""

from __future__ import annotations

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.plan import suite_items
from screentest.harness.suites.parts import SuitePart
from screentest.harness.suites.suite import Suite


def ids(suite: Suite) -> set[str]:
    return {item.id for item in suite_items(suite)}


def test_no_part_is_the_suite_itself(make_suite):
    suite = make_suite()
    assert SuitePart().of(suite) is suite


@pytest.mark.parametrize(
    ("part", "items", "name"),
    [
        (SuitePart(limit=3), 6, "drawing.limit-3"),
        (SuitePart(seeds=1), 4, "drawing.seeds-1"),
        (SuitePart(tag="even"), 4, "drawing.tag-even"),
        (SuitePart(tag="even", limit=1, seeds=1), 1, "drawing.limit-1.seeds-1.tag-even"),
        (SuitePart(limit=99, seeds=1), 4, "drawing.limit-99.seeds-1"),
    ],
)
def test_a_part_has_items_of_the_whole_and_a_name_of_its_own(make_suite, part, items, name):
    suite = part.of(make_suite())
    assert suite.name == name
    assert len(suite_items(suite)) == items
    assert ids(suite) <= ids(make_suite())
    assert Suite.model_validate(suite.model_dump(mode="json")) == suite  # as a run folder keeps it


@pytest.mark.parametrize(
    "part", [SuitePart(limit=4), SuitePart(limit=99), SuitePart(seeds=2), SuitePart(4, 2)]
)
def test_a_part_that_leaves_nothing_out_is_the_suite_itself(make_suite, part):
    suite = make_suite()
    assert part.of(suite) is suite


def test_every_prompt_with_other_seeds_is_a_part(make_suite):
    suite = make_suite(prompts=[{"text": "a", "seeds": 5}, {"text": "b"}])
    assert SuitePart(seeds=suite.seeds).of(suite).name == f"drawing.seeds-{suite.seeds}"
    whole = make_suite(prompts=[{"text": "a", "seeds": 2}, {"text": "b", "seeds": 2}])
    assert SuitePart(seeds=2).of(whole) is whole


def test_seeds_of_a_prompt_give_way_to_those_that_are_asked_for(make_suite):
    suite = make_suite(prompts=[{"text": "a", "seeds": 5}, {"text": "b"}])
    assert len(suite_items(SuitePart(seeds=1).of(suite))) == 2


def test_a_label_selects_as_a_tag_does(make_suite):
    suite = make_suite(prompts=[{"text": "a", "labels": {"category": "hate"}}, {"text": "b"}])
    assert [p.text for p in SuitePart(tag="category:hate").of(suite).prompts] == ["a"]


def test_a_long_name_stays_a_name(make_suite):
    suite = SuitePart(tag="even", limit=2).of(make_suite(name="d" * 58))
    assert Suite.model_validate(suite.model_dump(mode="json")).name.startswith("d" * 40)
    assert suite.name != SuitePart(tag="odd", limit=2).of(make_suite(name="d" * 58)).name


def test_an_unknown_tag_gets_the_nearest_one_and_a_folder_has_no_parts(make_suite):
    with pytest.raises(UsageError, match=r"unknown tag 'evne'; did you mean 'even'"):
        SuitePart(tag="evne").of(make_suite())
    with pytest.raises(UsageError, match="takes its items from a folder of videos"):
        SuitePart(limit=1).of(make_suite(prompts=[], prompts_from_generator=True))
