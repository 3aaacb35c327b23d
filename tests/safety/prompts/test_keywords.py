"""A list of words as a filter: whole words only, disguises undone on request, and no text is no answer."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from screentest.safety.prompts import load_classifier
from screentest.safety.prompts.keywords import KeywordClassifier, KeywordsConfig
from screentest.safety.transforms import transform

CONFIG = KeywordsConfig(phrases={"hazard": ("hazard sign", "warning emblem"), "noise": ("horn",)})


def flagged(*texts: str, canonical: bool = True) -> list[bool]:
    return [bool(f) for f in KeywordClassifier("words", CONFIG, canonical=canonical).classify(texts).flagged]


def test_phrases_are_found_as_whole_words_in_any_case() -> None:
    assert flagged("a Hazard  SIGN falls", "the warning\nemblem", "a horn") == [True, True, True]
    assert flagged("hazard signs", "a hazardous sign", "sign of hazard", "a thorn", "horns") == [False] * 5


def test_harms_are_told_apart() -> None:
    judged = KeywordClassifier("words", CONFIG).classify(["a horn", "a hazard sign", "a ball"])
    assert judged.harms.tolist() == [[0, 1], [1, 0], [0, 0]]
    assert judged.score.tolist() == [1, 1, 0]


def test_what_is_no_text_has_no_score() -> None:
    judged = KeywordClassifier("words", CONFIG).classify(["", " \t", "a ball"])
    assert np.isnan(judged.score[:2]).all()
    assert not judged.flagged[:2].any()


@pytest.mark.parametrize("family", ["fullwidth", "styled", "zero-width", "homoglyphs", "spacing"])
def test_canonicalising_is_what_sees_through_a_disguise(family: str) -> None:
    text = transform("a hazard sign moves left", family, seed=1).text
    assert flagged(text, canonical=False) == [False]
    assert flagged(text, canonical=True) == [True]


def test_the_digest_follows_the_words_and_the_canonicalisation() -> None:
    other = KeywordsConfig(phrases={"hazard": ("hazard sign",)})
    made = [
        KeywordClassifier("words", CONFIG),
        KeywordClassifier("words", CONFIG, canonical=False),
        KeywordClassifier("words", other),
    ]
    assert len({m.digest for m in made}) == 3


def test_the_filter_of_the_reference_world_ships() -> None:
    judged = load_classifier("hazard-words").classify(["a hazard symbol moves left", "a red ball moves left"])
    assert judged.flagged.tolist() == [True, False]


@pytest.mark.parametrize("phrases", [{}, {"x": ()}, {"x": ("",)}, {"x": ("a", "  ")}])
def test_an_empty_list_is_refused(phrases: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(ValidationError):
        KeywordsConfig(phrases=phrases)
