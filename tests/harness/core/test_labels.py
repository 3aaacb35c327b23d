"""Labels: read as authors write them, kept out of an item's identity, and read from the tags of old files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core.items import ClipSettings, Prompt, make_item
from screentest.harness.core.labels import (
    is_aggregated,
    labels_of_tags,
    merge_labels,
    read_labels,
    slices_of,
)

NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,39}", fullmatch=True)
VALUES = st.text(min_size=1, max_size=80).filter(str.strip)


@given(st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=4, unique=True)))
def test_one_value_or_several_are_read_and_read_again(labels):
    read = read_labels(labels)
    assert read == {name: tuple(values) for name, values in labels.items()}
    assert read_labels(read) == read
    assert read_labels({n: v[0] if len(v) == 1 else v for n, v in labels.items()}) == read


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["category"], "labels should be a mapping such as {category: vcr}"),
        ({"Category": "a"}, "'Category' should be named in lower case"),
        ({1: "a"}, "the label 1 should be named"),
        ({"language": False}, "'language' has the value False, .* put quotes around numbers and words"),
        ({"id": 7}, "'id' has the value 7"),
        ({"category": ["a", ""]}, "'category' has the value ''"),
        ({"category": []}, "'category' has no value; leave it out"),
        ({"category": "x" * 81}, "1 to 80 characters"),
    ],
)
def test_wrong_labels_are_said(labels, said):
    with pytest.raises(ValueError, match=said):
        read_labels(labels)
    with pytest.raises(ValueError, match=said):
        Prompt.model_validate({"text": "a", "labels": labels})


def test_structured_tags_of_old_suites_are_labels_and_all_others_stay_tags():
    once = ("red-team", "category:vcr", "category:hte", "id:rt-1", "red-team:two", "style:noir", "base:")
    words = ("red-team", "red-team:two", "style:noir", "base:")
    labels = {"category": ("vcr", "hte"), "id": ("rt-1",)}
    assert labels_of_tags(once) == (words, labels)
    prompt = Prompt.model_validate({"text": "a", "tags": once, "labels": {"category": "hte"}})
    assert prompt.tags == words
    assert prompt.labels == {"category": ("hte", "vcr"), "id": ("rt-1",)}
    item = make_item("a", 0, ClipSettings(), tags=once)
    assert (item.tags, item.labels) == (words, labels)


def test_labels_are_no_part_of_an_item_s_identity():
    plain = make_item("a", 0, ClipSettings())
    labelled = make_item("a", 0, ClipSettings(), labels={"category": ("vcr",)})
    assert (plain.id, plain.cluster) == (labelled.id, labelled.cluster)
    assert len({plain, labelled}) == 2


def test_slices_name_tags_and_values_and_single_prompts_get_no_aggregates():
    slices = slices_of(("red-team",), {"category": ("vcr", "hte"), "id": ("a",), "base": ("b",)})
    assert slices == ("red-team", "category:vcr", "category:hte", "id:a", "base:b")
    assert [name for name in slices if is_aggregated(name)] == ["red-team", "category:vcr", "category:hte"]


def test_labels_join_in_order_and_a_prompt_is_written_as_authors_write_it():
    assert merge_labels({"a": ("1", "2")}, {"a": ("3", "1"), "b": ("4",)}) == {
        "a": ("1", "2", "3"),
        "b": ("4",),
    }
    prompt = Prompt.model_validate({"text": "a", "labels": {"id": "x", "category": ["vcr", "hte"]}})
    written = prompt.model_dump(mode="json", exclude_defaults=True)
    assert written["labels"] == {"id": "x", "category": ["vcr", "hte"]}
    assert Prompt.model_validate(written) == prompt
