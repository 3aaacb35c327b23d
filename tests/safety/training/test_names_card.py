"""The card of the reader of names: it is what is measured today, and holds no prompt."""

import json
from pathlib import Path

import pytest
from screentest.harness.core.errors import UsageError
from screentest.safety.prompts import load_classifier
from screentest.safety.prompts.gazetteer import GAZETTEER
from screentest.safety.training.names_card import evaluate_names, names_card_page

ROOT = Path(__file__).parents[3]
SAMPLE, CARD = ROOT / "tests/data/names_sample.json", GAZETTEER.parent / "card.json"
PUBLIC = ROOT.parent / "shared/data"


def test_the_packaged_card_is_of_the_packaged_lists() -> None:
    card = json.loads(CARD.read_text("utf-8"))
    assert card["classifier"] == load_classifier("names").digest
    assert (CARD.parent / "CARD.md").read_text("utf-8") == names_card_page(card)


def test_the_page_says_what_no_reader_can_judge() -> None:
    page = names_card_page(json.loads(CARD.read_text("utf-8")))
    for what in ("misinformation", "defamation"):
        assert f"**{what}**: Cannot be judged from text alone" in page


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="needs the public data beside the repository")
def test_the_packaged_card_is_what_is_measured() -> None:
    measured = evaluate_names(PUBLIC, SAMPLE)
    assert measured == json.loads(CARD.read_text("utf-8"))
    assert measured["harmless"]["coco_captions.csv"]["flagged"]["rate"] <= 0.02


def test_labels_of_another_file_are_refused(tmp_path: Path) -> None:
    for file in json.loads(SAMPLE.read_text())["sets"]:
        (tmp_path / file).write_text("prompt\na kite\n")
    with pytest.raises(UsageError, match="is not the file"):
        evaluate_names(tmp_path, SAMPLE)
