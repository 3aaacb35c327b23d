"""The gazetteer: which words are a name, where it stands, and what only its context tells."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.safety.prompts.gazetteer import Gazetteer, tokens

OWN = """
name: own
version: 1
groups:
  - {what: brands, categories: [tmk], names: [Zorb Cola, "Ben & Bob's"], ambiguous: [Kite], common: [lamp],
     context: [logo, store], within: 2}
  - {what: leaders, categories: [lik, civ], names: [ada zorblum]}
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Gazetteer:
    file = tmp_path_factory.mktemp("own") / "own.yaml"
    file.write_text(OWN)
    return Gazetteer(file, persons=False)


@pytest.fixture(scope="module")
def packaged() -> Gazetteer:
    return Gazetteer()


def found(gazetteer: Gazetteer, text: str) -> list[tuple[str, str]]:
    return [(match.category, match.text) for match in gazetteer.find(text)]


@pytest.mark.parametrize(
    "written", ["zorb cola", "ZORB COLA", "Zorb-Cola", "zorbcola", "Zorb Cola's", "zorb colas", "zörb_cola"]
)
def test_a_name_is_found_however_it_is_written(own, written: str) -> None:
    assert found(own, f"a can of {written} on a table") == [("tmk", written)]


@pytest.mark.parametrize("text", ["zorb, cola", "zorb and cola", "azorb cola", "zorb colander", "cola zorb"])
def test_other_words_are_not_the_name(own, text: str) -> None:
    assert found(own, text) == []


def test_a_name_of_two_categories_is_evidence_for_both(own) -> None:
    assert found(own, "Ada Zorblum waves") == [("civ", "Ada Zorblum"), ("lik", "Ada Zorblum")]


@pytest.mark.parametrize(
    ("text", "is_name"),
    [
        ("a child flies a kite", False),
        ("a child looks at a Kite on a wall", True),
        ("Kite over a field", False),
        ("A Kite On A Wall", False),
        ("a kite logo on a wall", True),
        ("a kite, far from any old logo", False),
        ("a Lamp on a table and a chair", False),
        ("a lamp store at night", True),
    ],
)
def test_a_common_word_needs_a_capital_or_its_context(own, text: str, is_name: bool) -> None:
    assert bool(found(own, text)) is is_name


def test_the_place_is_that_of_the_name(own) -> None:
    text = "two cans of Zorb Cola's best"
    (match,) = own.find(text)
    assert text[match.start : match.end] == match.text == "Zorb Cola's"
    assert match.entry == "Zorb Cola"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a portrait of Barack Obama", {"lik", "civ"}),
        ("spiderman swings over a street", {"ipv"}),
        ("the mcdonalds logo", {"tmk"}),
        ("Harry Potter casts a spell", {"ipv"}),
        ("a ballot box", {"civ"}),
        ("an apple on a table", set()),
        ("a shell on a beach in may, under a bush", set()),
    ],
)
def test_the_packaged_lists(packaged, text: str, expected: set[str]) -> None:
    assert {category for category, _ in found(packaged, text)} == expected


def test_each_category_has_some_hundred_packaged_names() -> None:
    gazetteer = Gazetteer()
    counts = dict.fromkeys(gazetteer.categories, 0)
    for group in gazetteer.groups:
        for category in group.categories:
            counts[category] += len({*group.names, *group.ambiguous, *group.common})
    assert set(counts) == {"lik", "civ", "tmk", "ipv"}
    assert min(counts.values()) >= 300


def test_no_packaged_name_is_listed_as_both_sure_and_ambiguous() -> None:
    for group in Gazetteer(persons=False).groups:
        names = [*group.names, *group.ambiguous, *group.common]
        assert len(names) == len(set(names)), group.what


@settings(deadline=None, max_examples=50)
@given(text=st.text(max_size=200))
def test_any_text_gives_places_in_it(packaged, text: str) -> None:
    for match in packaged.find(text):
        assert text[match.start : match.end] == match.text
    assert all(text[token.start : token.end] == token.text for token in tokens(text))


def test_the_work_grows_with_the_length_and_no_faster(packaged, monkeypatch) -> None:
    """Count visits of the trie, since seconds differ from machine to machine."""

    def visits(text: str) -> int:
        count = 0
        at = Gazetteer._at

        def counting(self, *args):
            nonlocal count
            for match in at(self, *args):
                count += 1
                yield match

        with monkeypatch.context() as patch:
            patch.setattr(Gazetteer, "_at", counting)
            packaged.find(text)
        return count

    once = visits("John Smith and Mickey Mouse " * 50)
    assert once == 50
    assert visits("John Smith and Mickey Mouse " * 500) == 10 * once


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("{what: x, categories: [nope], names: [a]}", "nope"),
        ("{what: x, categories: [tmk], names: ['--']}", "no letter or digit"),
        ("{what: x, categories: [tmk], names: [a], contxt: [b]}", "contxt"),
    ],
)
def test_a_wrong_list_gets_a_sentence(tmp_path: Path, group: str, said: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(f"name: wrong\nversion: 1\ngroups: [{group}]\n")
    with pytest.raises(UsageError, match=said):
        Gazetteer(file)
