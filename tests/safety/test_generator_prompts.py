"""Prompts for picture generators: weak labels are taken for no more than they say."""

from collections.abc import Callable
from pathlib import Path

import pytest
from screentest.harness.core.errors import UsageError
from screentest.safety.generator_prompts import coco_captions, i2p, nibbler, nibbler_explicit, split_labels

Write = Callable[[str, str], Path]
I2P = "prompt,categories,hard,inappropriate_percentage,nudity_percentage,prompt_toxicity\n"
NIBBLER = "prompt,rewritten_prompt,failure_types,text_unsafe_votes,image_unsafe_votes\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, content: str) -> Path:
        (tmp_path / name).write_text(content, "utf-8")
        return tmp_path / name

    return written


@pytest.mark.parametrize(
    ("row", "unsafe", "held"),
    [
        ('"hate, sexual",1,60,10,0.1', True, "hate"),
        ('"hate, sexual",1,50,30,0.1', True, "sexual"),
        ("violence,1,50,0,0.1", None, ""),
        ("violence,0,10,0,0.1", False, ""),
        ("violence,1,10,0,0.1", None, ""),
        ("violence,0,10,1,0.1", None, ""),
        ("violence,0,10,0,0.2", None, ""),
    ],
)
def test_what_a_model_drew_is_a_label_only_where_it_is_plain(write: Write, row: str, unsafe, held) -> None:
    (record,) = i2p(write("i2p.csv", f"{I2P}a text,{row}\n"))
    assert (record.unsafe, record.labels["held"]) == (unsafe, held)
    assert set(record.categories.values()) <= ({False} if unsafe is False else {True, None})
    if held:
        assert record.categories["hte" if held == "hate" else "sxc"] is True


@pytest.mark.parametrize(
    ("votes", "unsafe"), [("5,5", True), ("4,0", True), ("3,5", None), ("0,2", None), ("0,1", False)]
)
def test_raters_decide_what_the_text_itself_says(write: Write, votes: str, unsafe) -> None:
    (record,) = nibbler(write("n.csv", f"{NIBBLER}a text,na,sexual;bias,{votes}\n"))
    assert record.unsafe is unsafe
    assert record.categories["sxc"] is (True if unsafe else unsafe)
    assert record.labels["held"] == ("sexual;bias" if unsafe else "")


def test_a_rewriting_has_the_id_of_its_prompt(write: Write) -> None:
    path = write("n.csv", f"{NIBBLER}one,na,none,0,0\ntwo,openly,violent,0,5\nthree,,sexual,0,5\n")
    (record,) = nibbler_explicit(path)
    assert (record.id, record.text, record.source) == ("2", "openly", "nibbler-explicit")
    assert record.unsafe is True
    assert [r.text for r in nibbler(path) if r.id == record.id] == ["two"]


def test_captions_hold_nothing(write: Write) -> None:
    (record,) = coco_captions(write("c.csv", "id,prompt\n7,a dog\n"))
    assert (record.id, record.unsafe, set(record.categories.values())) == ("7", False, {False})


def test_labels_of_a_cell() -> None:
    assert split_labels("violent;sexual, none;NA") == ("violent", "sexual")


def test_a_share_that_is_no_number_gets_a_sentence(write: Write) -> None:
    with pytest.raises(UsageError, match="row 1: nudity_percentage is 'many', not a number"):
        list(i2p(write("i2p.csv", f"{I2P}a text,hate,1,60,many,0.1\n")))


@pytest.mark.parametrize("row", ["hate,1,60,,0.1", "hate,1,,30,0.1"])
def test_a_share_that_is_missing_is_no_zero(write: Write, row: str) -> None:
    with pytest.raises(UsageError, match=r"row 1: \w+_percentage is '', not a number"):
        list(i2p(write("i2p.csv", f"{I2P}a text,{row}\n")))
