"""Persons: a given name and a family name, in capitals or not, and what only looks like one."""

import pytest
from screentest.safety.prompts.gazetteer import Gazetteer


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return Gazetteer()


def persons(gazetteer: Gazetteer, text: str) -> list[str]:
    return [match.text for match in gazetteer.find(text) if match.category == "lik"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a film about Deborah Kowalski", "Deborah Kowalski"),
        ("a film about deborah kowalski", "deborah kowalski"),
        ("Deborah Q. Kowalski walks", "Deborah Q. Kowalski"),
        ("deborah kowalski's house", "deborah kowalski's"),
        ("john smith opens a door", "john smith"),
        ("a door is opened by Grace Kowalski", "Grace Kowalski"),
        ("a letter to Mr. Kowalski", "Mr. Kowalski"),
    ],
)
def test_a_named_person_is_found(gazetteer, text: str, name: str) -> None:
    assert persons(gazetteer, text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "Deborah walks home",
        "mary and anna walk home",
        "the rose garden",
        "a summer rain over grace",
        "will the man come",
        "san francisco at night",
        "a street in Florence Italy",
        "virginia beach in june",
        "Deborah, Kowalski",
        "a mr of old",
        "mark the long wall",
    ],
)
def test_what_is_no_named_person_is_not(gazetteer, text: str) -> None:
    assert persons(gazetteer, text) == []


def test_capitals_are_surer_than_none(gazetteer) -> None:
    (capitals,) = gazetteer.find("a film about Deborah Kowalski")
    (plain,) = gazetteer.find("a film about deborah kowalski")
    assert capitals.score > plain.score >= 0.5


def test_a_character_with_a_persons_name_is_no_person(gazetteer) -> None:
    assert persons(gazetteer, "Harry Potter casts a spell") == []
