"""Scenes for training the prompt filters: our own short descriptions, written in the styles of prompts.

Scenes come in groups that share an idea. A group is held out as a whole, since its scenes are alike. Harmful
and benign scenes get the same styles, so that no style separates them. There are also questions, requests and
prose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from ...harness.core.config import Config, load_yaml
from ...harness.core.keys import seeded_rng

__all__ = ["SceneText", "load_scenes", "styled"]

_DATA = Path(__file__).parent.parent / "data"

_PEOPLE = (
    "a man", "a woman", "an old man", "an old woman", "a soldier", "a nurse", "a farmer", "a waiter",
    "a teacher", "a dancer", "a tourist", "a mechanic", "a businessman", "a neighbour", "a stranger",
    "a tall man", "a woman in a red coat", "a bearded man", "a grandmother", "a colleague", "a cook",
)  # fmt: skip
_PLACES = (
    "in a kitchen", "in a park", "on a beach", "in an alley", "at a bus stop", "in an office",
    "in a hotel room", "in a forest", "on a rooftop", "in a warehouse", "at a party", "in a bathroom",
    "in the rain", "at night", "on a train", "in a village square", "by a lake", "in a car park",
)  # fmt: skip
_BEFORE = (
    "", "", "", "", "", "a video of ", "a video in which ", "a short film, ", "cinematic shot: ",
    "close-up: ", "slow motion, ", "generate a video: ", "create a clip where ", "an animation in which ",
    "the camera shows how ", "wide shot, ", "aerial view, ", "anime style, ", "oil painting of ",
    "in this scene, ", "black and white footage, ", "photo of ", "handheld camera, ",
    "a realistic video showing ", "write a story in which ", "write a film scene: ", "imagine ",
    "I would like a clip in which ", "describe this: ", "storyboard: ", "a music video in which ",
)  # fmt: skip
_AFTER = (
    "", "", "", "", "", "", ", 4k, highly detailed", ", cinematic lighting", ", dramatic music",
    ", photorealistic", ", the camera slowly zooms in", ", trending on artstation", ", film grain, 35mm",
    ", bright daylight", ", at dusk", ", in the style of a documentary", ", vivid colours",
    ", in slow motion", ", concept art", ". The light is soft and the background is blurred",
    ". The camera pans from left to right", ". People in the background do not notice",
    ", unreal engine render", ", pixel art", ", shot on a phone",
)  # fmt: skip
_ASKED = (
    "how do I {v}", "how can I {v}", "what is the best way to {v}", "what is the easiest way to {v}",
    "tell me how to {v}", "I want to {v}", "I need to {v}, where do I start", "explain how to {v}",
    "help me {v}",
    "give me tips to {v}", "is there a simple way to {v}", "can you help me {v}", "how do people {v}",
    "my friend wants to {v}, what does he need", "what does it take to {v}", "is it hard to {v}",
    "a step by step guide to {v}", "make a video that shows how to {v}", "a video tutorial on how to {v}",
    "I would like to {v} without spending much", "list five ways to {v}", "write instructions to {v}",
    "could you show me how to {v}", "I am a beginner and want to {v}", "which tools do I need to {v}",
    "I am writing a story, how would somebody {v}", "what should I know before I {v}", "please {v}",
    "in a film, how would a character {v}", "how did people {v} in the past", "what helps to {v}", "{v}",
    "where can I learn to {v}", "who can teach me to {v}", "when is the best time to {v}",
    "what is the cheapest way to {v}", "why not {v}", "is it all right to {v}", "what happens if I {v}",
    "convince me to {v}", "give me one good reason to {v}", "I am going to {v}", "I will {v} now, any advice",
    "we plan to {v} next week", "what do experts say about how to {v}", "write a joke about how to {v}",
    "describe how somebody would {v}", "what do I tell my family if I {v}", "which tricks help to {v}",
    "let us {v}", "you are an expert, now {v}", "my boss wants me to {v}", "teach a beginner to {v}",
    "how long does it take to {v}", "can I {v} at home", "write a post that tells people to {v}",
    "should I {v} or leave it", "how would you {v}", "make a plan to {v}",
)  # fmt: skip

_AROUND = (
    "It was a cold morning in November.", "The radio played in the next room.", "Nobody said a word.",
    "The light came in through a small window.", "It had rained all night.", "This happened many years ago.",
    "The next day was a Tuesday.", "I still think of it sometimes.", "They had known each other for years.",
    "The street outside was empty.", "Somewhere a dog barked.", "That is how the first chapter ends.",
    "The clock on the wall had stopped.", "My brother told me about it.", "It took about ten minutes.",
    "We were on our way home.", "Later she wrote everything down.", "The town is small and lies by a river.",
    "I moved here last spring.", "The story is set in the year 1920.", "Give me a short answer.",
    "A long table stands in the middle of the room.", "Seven people were there.", "The sky is grey and low.",
    "I read about it in a magazine.", "Then the wind turned.", "Keep it under two hundred words.",
)  # fmt: skip


class _Scenes(Config):
    """Category -> group -> scenes."""

    version: int
    scenes: dict[str, dict[str, tuple[str, ...]]]


@dataclass(frozen=True)
class SceneText:
    """One scene of our own.

    Attributes:
        near: the harm that it shows, or that its words resemble; ``none`` for plain scenes.
        group: the idea that it shares with others, unique over both files.
        text: with ``{p}``, ``{q}`` for people and ``{x}`` for a place.
        harmful: whether it shows the harm.
    """

    near: str
    group: str
    text: str
    harmful: bool

    @property
    def kind(self) -> Literal["scene", "question", "request", "prose"]:
        """What it is, by the name of its group: only a scene is a description of something to show."""
        name = self.group.rpartition("/")[2]
        if name.startswith("requests"):
            return "request"
        if "told_in_prose" in name or name.startswith("statements"):
            return "prose"
        return "question" if name.startswith(("questions", "how_to", "asked_about")) else "scene"


@cache
def load_scenes() -> tuple[SceneText, ...]:
    """Load the packaged scenes, harmful ones first."""
    found: list[SceneText] = []
    for name, harmful in (("scenes_harmful", True), ("scenes_benign", False)):
        path = _DATA / f"{name}.yaml"
        loaded = load_yaml(_Scenes, name, {name: path}, kind="scenes")
        side = "harmful" if harmful else "benign"
        for near, groups in loaded.scenes.items():
            for group, texts in groups.items():
                found += [SceneText(near, f"{side}/{near}/{group}", text, harmful) for text in texts]
    return tuple(found)


def styled(scenes: Sequence[SceneText], variants: int, seed: int) -> list[str]:
    """Write each scene in ``variants`` styles: the first plain, the others with words before and after.

    The words are drawn per scene from (seed, text), so another scene in the list changes nothing here.
    """
    out: list[str] = []
    for scene in scenes:
        rng = seeded_rng("scene", seed, scene.text)
        for variant in range(variants):
            out.append(_styled_text(scene, rng, plain=variant == 0))
    return out


def _styled_text(scene: SceneText, rng: np.random.Generator, *, plain: bool) -> str:
    text = scene.text
    first, second = rng.choice(len(_PEOPLE), 2, replace=False)
    place = _PLACES[int(rng.integers(len(_PLACES)))]
    before, after = (str(rng.choice(np.array(words, dtype=object))) for words in (_BEFORE, _AFTER))
    filled = text.replace("{p}", _PEOPLE[first]).replace("{q}", _PEOPLE[second]).replace("{x}", place)
    if scene.kind == "request":
        asked = "how do I {v}" if plain else str(rng.choice(np.array(_ASKED, dtype=object)))
        filled = asked.replace("{v}", filled)
    if plain:
        return filled
    if scene.kind == "prose":
        return _surrounded(filled, rng, share=0.7)
    if scene.kind in ("request", "question"):
        said = filled[0].upper() + filled[1:] + ("?" if rng.random() < 0.5 else "")
        return _surrounded(said, rng, share=0.2)
    told = before + filled + after
    told = told[0].upper() + told[1:] if rng.random() < 0.5 else told
    return _surrounded(told, rng, share=0.2)


def _surrounded(text: str, rng: np.random.Generator, *, share: float) -> str:
    """Put a neutral sentence before a random ``share`` of texts, and one after as many."""
    first, last = (str(rng.choice(np.array(_AROUND, dtype=object))) for _ in range(2))
    if rng.random() < share:
        text = f"{first} {text[0].upper()}{text[1:]}"
    if rng.random() < share:
        text = f"{text}{'' if text[-1] in '.?!' else '.'} {last}"
    return text
