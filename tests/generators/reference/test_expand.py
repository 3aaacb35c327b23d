from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.generators import Frames
from screentest.generators.reference import ReferenceGenerator, SamplerSettings
from screentest.generators.reference.expand import RULES, Expander, expand_prompt
from screentest.generators.worlds.plane.families import FAMILIES, sample_scene
from screentest.generators.worlds.plane.words import (
    COLORS,
    MOTION_WORDS,
    SHAPE_WORDS,
    SIZE_WORDS,
    caption,
    vocabulary,
)
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import make_item
from screentest.harness.core.keys import seeded_rng

from .conftest import NATIVE

NOUNS = [noun for nouns in SHAPE_WORDS.values() for noun in nouns]
ADJECTIVES = [word for words in SIZE_WORDS.values() for word in words]
PHRASES = [phrase for phrases in MOTION_WORDS.values() for phrase in phrases]


@settings(deadline=None)
@given(
    st.tuples(
        st.sampled_from(["", "a", "the"]),
        st.sampled_from(["", *ADJECTIVES]),
        st.sampled_from(["", *COLORS]),
        st.sampled_from(["", *NOUNS]),
        st.sampled_from(["", *PHRASES]),
    )
)
def test_what_is_said_is_kept_and_the_rest_is_told(said: tuple[str, ...]) -> None:
    article, *parts = said
    prompt = " ".join(part for part in said if part)
    text = expand_prompt(prompt)
    if not any(parts):
        assert text == prompt
        return
    words = text.split()
    assert set(words) <= set(vocabulary())
    assert all(f" {part} " in f" {text} " for part in parts if part)
    assert words[0] == (article or "a")
    assert len(set(words) & set(COLORS)) == len(set(words) & set(NOUNS)) == 1
    assert any(f" {phrase} " in f" {text} " for phrase in PHRASES)
    assert expand_prompt(text) == text
    if text != prompt:
        assert expand_prompt(f"{prompt.upper()} !") == text


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_caption_is_left_as_it_is(family: str) -> None:
    for number in range(20):
        rng = seeded_rng("captions", family, number)
        text = caption(sample_scene(rng, family=family), rng)
        assert expand_prompt(text) == text


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Red ball, falling!", "a red ball falls"),
        ("a big blue box bouncing", "a big blue box bounces"),
        ("green triangle to the left", "a green triangle moves left"),
        ("white circle moves left slowly", "a white circle moves left slowly"),
        ("yellow box, thrown to the left", "a yellow box is thrown to the left"),
        ("three green boxes", "three green boxes"),
        ("one white circle", "one white circle"),
        ("nurse", "a nurse at work"),
        ("an engineer", "an engineer at work"),
        ("biscuit", "a biscuit is bitten"),
        ("Zephyr", "the film called zephyr"),
    ],
)
def test_short_prompts_become_captions(prompt: str, text: str) -> None:
    assert expand_prompt(prompt) == text


UNKNOWN = """
a video;hazard sign;red ball and blue box;a nurse dances;balls;a ball fast;red blue ball;two ball;amber ball;
a red dog;ball falls and rises;two balls falling;☃
"""


@pytest.mark.parametrize("prompt", ["", " ", *UNKNOWN.strip().split(";")])
def test_what_the_rules_do_not_know_comes_back(prompt: str) -> None:
    assert expand_prompt(prompt) == prompt


def test_what_is_left_open_is_drawn_anew_for_each_prompt() -> None:
    prompts = [f"{adjective} {noun}" for adjective in ADJECTIVES for noun in NOUNS]
    drawn = {tuple(expand_prompt(prompt).split()[2:]) for prompt in prompts}
    assert len(drawn) > len(prompts) / 2


def test_any_function_of_text_can_take_the_place_of_the_rules(tiny_checkpoint: Path) -> None:
    def generator(expand: Expander | None) -> ReferenceGenerator:
        return ReferenceGenerator(str(tiny_checkpoint), settings=SamplerSettings(steps=2), expand=expand)

    item = make_item("red ball", 0, NATIVE)
    shout = Expander("shout-2", lambda prompt: f"the big {prompt} falls")
    assert generator(shout).prompt_of(item) == "the big red ball falls"
    assert generator(RULES).prompt_of(item) == expand_prompt("red ball")
    assert generator(None).prompt_of(item) == "red ball"
    names = [generator(expand).identity()["expand"] for expand in (None, RULES, shout)]
    assert names == [None, "rules-1", "shout-2"]
    clips = []
    for expand in (None, shout):
        (output,) = generator(expand).generate([item])
        assert isinstance(output, Frames)
        clips.append(output.frames_THWC.astype(int))
    assert np.abs(clips[0] - clips[1]).max() > 5
    with pytest.raises(UsageError, match="the prompt expansion 'mute' left nothing of a prompt"):
        generator(Expander("mute", lambda _: " ")).prompt_of(item)
