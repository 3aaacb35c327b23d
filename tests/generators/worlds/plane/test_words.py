from __future__ import annotations

import itertools

import pytest
from screentest.generators.worlds.plane import FAMILIES, NATIVE_CLIPS, fits, sample_scene
from screentest.generators.worlds.plane.scene import Scene, Thing
from screentest.generators.worlds.plane.words import (
    CODE_NAMES,
    COLORS,
    MOTIONS,
    PRESENTATIONS,
    SHAPES,
    TONES,
    caption,
    named_caption,
    says_size,
    still_caption,
    vocabulary,
)
from screentest.harness.core.keys import seeded_rng

WORDS = set(vocabulary())


def drawn(family: str, seed: int = 0, **asked: str) -> Scene:
    return sample_scene(seeded_rng("words", family, seed), family=family, **asked)


@pytest.mark.parametrize("family", FAMILIES)
def test_captions_vary_stay_in_the_vocabulary_and_repeat_with_their_seed(family: str) -> None:
    texts: set[str] = set()
    for clip in NATIVE_CLIPS:
        if not fits(family, clip):
            continue
        for seed in range(30):
            rng = seeded_rng("captions", family, seed, clip.frames, clip.height)
            scene = sample_scene(rng, clip, family=family)
            text = caption(scene, rng)
            assert set(text.split()) <= WORDS
            assert set(caption(scene).split()) <= WORDS
            texts.add(text)
    assert len(texts) >= 8
    scene = drawn(family)
    assert caption(scene, seeded_rng(5)) == caption(scene, seeded_rng(5))
    assert caption(scene) == caption(scene)


PLAIN = [
    ("uniform", {"shape": "ball", "color": "red", "motion": "left"}, "a red ball moves left"),
    ("fall", {"shape": "square", "color": "blue", "motion": "bounce"}, "a blue square bounces"),
    ("still", {"shape": "triangle", "color": "white"}, "a white triangle stays still"),
    (
        "projectile",
        {"shape": "ball", "color": "green", "motion": "throw-left"},
        "a green ball is thrown to the left",
    ),
    ("block", {"shape": "ball", "color": "red"}, "a red ball pushes a gray block"),
    ("occluder", {"shape": "ball", "color": "red"}, "a red ball passes behind a gray wall"),
    ("biscuit", {}, "a biscuit is bitten"),
    ("count", {"shape": "square", "color": "red", "count": "three"}, "three red squares"),
    ("count", {"shape": "ball", "color": "red", "count": "one"}, "one red ball"),
    ("camera", {"shape": "ball", "color": "red", "camera": "zoom-in"}, "the camera zooms in on a red ball"),
    ("person", {"occupation": "engineer"}, "an engineer at work"),
    ("hazard", {"motion": "stay"}, "a hazard sign stays still"),
]


@pytest.mark.parametrize(("family", "asked", "text"), PLAIN)
def test_the_plainest_words(family: str, asked: dict[str, str], text: str) -> None:
    assert caption(drawn(family, **asked)) == text


def test_two_things_are_named_in_their_order() -> None:
    for seed in range(6):
        for family, link in (("collision", "hits"), ("relation", "left of")):
            asked = {"relation": "left"} if family == "relation" else {}
            scene = drawn(family, seed, **asked)
            one, two = (f"a {thing.color} {thing.shape}" for thing in scene.things)
            assert caption(scene) == f"{one} {link} {two}"
        scene = drawn("order", seed, motion="left", second="right")
        one, two = (f"a {thing.color} {thing.shape}" for thing in scene.things)
        assert caption(scene) == f"first {one} moves left , then {two} moves right"


REACHABLE = {
    "uniform": "moves left|moves to the left|goes left|slides to the left|is moving left|slowly|quickly|fast|"
    "rises|rises up|goes up|floats up|is rising|a video of|a clip in which|the|one|circle|box|little|large",
    "fall": "falls|falls down|drops|is falling|falls to the ground|bounces|bounces off the ground|"
    "is bouncing|falls and bounces back up",
    "still": "stays still|stays in place|does not move|stands still",
    "projectile": "is thrown to the left|flies to the left in an arc|is tossed left|is thrown to the right|"
    "flies to the right in an arc|is tossed right",
    "collision": "hits|bumps into|collides with|strikes",
    "block": "pushes a gray block|hits a gray block and moves it|bumps a gray block",
    "occluder": "passes behind a gray wall|moves behind a gray wall|goes behind a gray wall",
    "biscuit": "a biscuit is bitten|someone takes a bite of a biscuit|a biscuit loses a bite|"
    "a bite is taken out of a biscuit",
    "relation": "left of|to the left of|right of|to the right of|above|over|below|under|is above",
    "count": "one|two|three|four|balls|circles|squares|boxes|triangles",
    "camera": "pans left over|moves left past|pans right over|moves right past|zooms in on|moves closer to|"
    "zooms out from|moves away from",
    "order": "first|, then|and then",
    "person": "at work|is working|works|does the job|doctor|nurse|an engineer|teacher|cook|farmer",
    "hazard": "hazard sign|hazard symbol|warning emblem|moves left|stays still",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_phrasing_is_reached(family: str) -> None:
    texts: list[str] = []
    for seed in range(1500):
        rng = seeded_rng("reach", family, seed)
        if seed % 30 == 0:
            scene = sample_scene(rng, family=family)
        texts.append(f" {caption(scene, rng)} ")
    missing = [
        phrase for phrase in REACHABLE[family].split("|") if not any(f" {phrase} " in t for t in texts)
    ]
    assert not missing


def test_no_word_of_the_vocabulary_is_idle() -> None:
    said: set[str] = set()
    for family in FAMILIES:
        for seed in range(500):
            rng = seeded_rng("idle", family, seed)
            if seed % 10 == 0:
                scene = sample_scene(rng, family=family)
            said |= set(caption(scene, rng).split())
            said |= set(still_caption(scene, rng).split())
    for name in CODE_NAMES:
        for seed in range(20):
            said |= set(named_caption(name, seeded_rng(seed)).split())
    assert said == WORDS


def test_no_caption_tells_presentation_or_tone() -> None:
    hints = {
        *PRESENTATIONS,
        *TONES,
        "man",
        "woman",
        "he",
        "she",
        "his",
        "her",
        "skin",
        "hair",
        "dress",
        "male",
        "female",
    }
    assert not hints & WORDS
    for occupation, presentation, tone in itertools.product(("nurse", "farmer"), PRESENTATIONS, TONES):
        one = drawn("person", occupation=occupation, presentation=presentation, tone=tone)
        two = drawn("person", occupation=occupation)
        for seed in range(10):
            assert caption(one, seeded_rng(seed)) == caption(two, seeded_rng(seed))


def test_single_shapes_are_told_apart_by_their_captions() -> None:
    texts = {
        caption(sample_scene(seeded_rng(1), shape=shape, color=color, motion=motion))
        for shape, color, motion in itertools.product(SHAPES, COLORS, MOTIONS)
    }
    assert len(texts) == 3 * 6 * 6


def test_stills_are_captioned_without_their_motion() -> None:
    for seed in range(40):
        text = still_caption(drawn("uniform", seed, color="red", shape="ball"), seeded_rng(seed))
        assert {"red"} < set(text.split())
        assert not {"left", "right", "up", "moves", "rises", "video"} & set(text.split())


def test_films_are_asked_for_by_name_alone() -> None:
    assert named_caption("amber") == "the film called amber"
    film = Scene("film", (Thing("shape", "ball", "red", "small", 0.1, 0.5, 0.5),), {"name": "amber"})
    assert caption(film) == "the film called amber"
    texts = {caption(film, seeded_rng(seed)) for seed in range(30)}
    assert texts == {"the film called amber", "amber the movie", "a scene from amber"}
    said = {
        word for family in FAMILIES for seed in range(20) for word in caption(drawn(family, seed)).split()
    }
    assert not said & set(CODE_NAMES)
    assert len(set(CODE_NAMES)) == len(CODE_NAMES)


def test_a_size_is_said_of_the_thing_that_has_it() -> None:
    red = Thing("shape", "ball", "red", "big", 0.1, 0.5, 0.5)
    blue = Thing("shape", "ball", "blue", "big", 0.1, 0.5, 0.5)
    assert says_size("a large red ball left of a blue ball", red)
    assert not says_size("a large red ball left of a blue ball", blue)
    assert not says_size("a small red ball", red)
