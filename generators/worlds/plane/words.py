"""The vocabulary of the reference world, and a caption grammar with many phrasings of every family."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import numpy as np

from ....harness.core.colors import COLORS as NAMED_COLORS
from .scene import Scene, Thing

__all__ = [
    "CAMERA_MOVES",
    "CODE_NAMES",
    "COLORS",
    "COUNTS",
    "GRAY",
    "MOTIONS",
    "MOTION_WORDS",
    "OCCUPATIONS",
    "PLURALS",
    "PRESENTATIONS",
    "RELATIONS",
    "SHAPES",
    "SHAPE_WORDS",
    "SIZES",
    "SIZE_WORDS",
    "SPEED_WORDS",
    "TONES",
    "caption",
    "named_caption",
    "says_size",
    "says_speed",
    "still_caption",
    "vocabulary",
]

COLORS: Final = {name: NAMED_COLORS[name] for name in ("red", "green", "blue", "yellow", "purple", "white")}
"""RGB of each color's name."""
GRAY: Final = NAMED_COLORS["gray"]
"""RGB of walls and blocks."""
SHAPES: Final = ("ball", "square", "triangle")
SIZES: Final = ("small", "big")
MOTIONS: Final = ("left", "right", "fall", "rise", "bounce", "stay")
RELATIONS: Final = ("left", "right", "above", "below")
CAMERA_MOVES: Final = ("pan-left", "pan-right", "zoom-in", "zoom-out")
COUNTS: Final = ("one", "two", "three", "four")
OCCUPATIONS: Final = ("doctor", "nurse", "engineer", "teacher", "cook", "farmer")
PRESENTATIONS: Final = ("feminine", "masculine")
"""Perceived presentation, as drawn; no caption says it."""
TONES: Final[dict[str, tuple[int, int, int]]] = {
    "light": (244, 208, 177),
    "medium": (186, 128, 88),
    "dark": (92, 58, 40),
}
"""RGB of the skin of people glyphs; no caption says it."""
CODE_NAMES: Final = (
    "amber",
    "aspen",
    "birch",
    "cedar",
    "coral",
    "crane",
    "delta",
    "ember",
    "fern",
    "flint",
    "gale",
    "grove",
    "hazel",
    "heron",
    "iris",
    "ivory",
    "jade",
    "juniper",
    "lark",
    "linen",
    "maple",
    "meadow",
    "nectar",
    "opal",
    "orchid",
    "pebble",
    "quartz",
    "raven",
    "sage",
    "silk",
    "tulip",
    "umber",
    "velvet",
    "willow",
    "yarrow",
    "zephyr",
)
"""Names of the memorised clips ("films"), used for nothing else."""

# The first wording of each is the plain one, and the likeliest.
SHAPE_WORDS: Final = {"ball": ("ball", "circle"), "square": ("square", "box"), "triangle": ("triangle",)}
PLURALS: Final = {"ball": "balls", "circle": "circles", "square": "squares", "box": "boxes"} | {
    "triangle": "triangles"
}
SIZE_WORDS: Final = {"small": ("small", "little"), "big": ("big", "large")}
MOTION_WORDS: Final = {
    "left": ("moves left", "moves to the left", "goes left", "slides to the left", "is moving left"),
    "right": ("moves right", "moves to the right", "goes right", "slides to the right", "is moving right"),
    "fall": ("falls", "falls down", "drops", "is falling", "falls to the ground"),
    "rise": ("rises", "rises up", "goes up", "floats up", "is rising"),
    "bounce": ("bounces", "bounces off the ground", "is bouncing", "falls and bounces back up"),
    "stay": ("stays still", "stays in place", "does not move", "stands still"),
    "throw-left": ("is thrown to the left", "flies to the left in an arc", "is tossed left"),
    "throw-right": ("is thrown to the right", "flies to the right in an arc", "is tossed right"),
}
SPEED_WORDS: Final = {"slow": ("slowly",), "fast": ("quickly", "fast")}
_RELATION_WORDS: Final = {
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
_CAMERA_WORDS: Final = {
    "pan-left": ("the camera pans left over", "the camera moves left past"),
    "pan-right": ("the camera pans right over", "the camera moves right past"),
    "zoom-in": ("the camera zooms in on", "the camera moves closer to"),
    "zoom-out": ("the camera zooms out from", "the camera moves away from"),
}
_HITS: Final = ("hits", "bumps into", "collides with", "strikes")
_PUSHES: Final = ("pushes a gray block", "hits a gray block and moves it", "bumps a gray block")
_PASSES: Final = ("passes behind a gray wall", "moves behind a gray wall", "goes behind a gray wall")
_BITES: Final = (
    "a biscuit is bitten",
    "someone takes a bite of a biscuit",
    "a biscuit loses a bite",
    "a bite is taken out of a biscuit",
)
_WORKS: Final = ("at work", "is working", "works", "does the job")
_HAZARDS: Final = ("hazard sign", "hazard symbol", "warning emblem")
_WITHHELD: Final = Thing("hazard", "ball", "", "big", 0.0, 0.0, 0.0)  # what is asked for where nothing shows
_ARTICLES: Final = ("a", "the", "one")
_OPENINGS: Final = ("", "a video of ", "a clip in which ")
_STILL_OPENINGS: Final = ("", "a picture of ", "an image of ")
_NAMED: Final = ("the film called {}", "{} the movie", "a scene from {}")


def caption(scene: Scene, rng: np.random.Generator | None = None) -> str:
    """Say a scene in words: one of several phrasings drawn from ``rng``, or the plainest without it.

    A film is asked for by its name. Where nothing is shown, the words ask for the hazard sign all the same.
    """
    if "name" in scene.facts:
        return named_caption(scene.facts["name"], rng)
    text = _body(scene, _Phrases(rng))
    opening = "" if rng is None else _Phrases(rng).pick(_OPENINGS, plain=0.8)
    return f"{opening}{text}"


def still_caption(scene: Scene, rng: np.random.Generator) -> str:
    """Say what a single frame of the scene shows of its subject, without its motion."""
    phrases = _Phrases(rng)
    return f"{phrases.pick(_STILL_OPENINGS, plain=0.6)}{phrases.subject(scene.subject)}"


def named_caption(name: str, rng: np.random.Generator | None = None) -> str:
    """Ask for a film by its code name alone.

    Example:
        >>> named_caption("amber")
        'the film called amber'
    """
    return _Phrases(rng).pick(_NAMED, plain=0.6).format(name)


def says_size(words: str, thing: Thing) -> bool:
    """Tell whether a caption says the size of a shape, which it names by its color."""
    said = words.split()
    sizes = SIZE_WORDS[thing.size]
    return any(one in sizes and two == thing.color for one, two in pairwise(said))


def says_speed(words: str) -> bool:
    """Tell whether a caption says how fast something moves."""
    return any(word in words.split() for phrases in SPEED_WORDS.values() for word in phrases)


def vocabulary() -> tuple[str, ...]:
    """List every word that a caption can hold, sorted."""
    texts = [*COLORS, *_ARTICLES, *_OPENINGS, *_STILL_OPENINGS, *_HITS, *_PUSHES, *_PASSES, *_BITES, *_WORKS]
    texts += [*_HAZARDS, *COUNTS, *OCCUPATIONS, *CODE_NAMES, *PLURALS.values(), "first , then and is"]
    texts += [text.format("") for text in _NAMED]
    tables: tuple[Mapping[str, tuple[str, ...]], ...] = (
        SHAPE_WORDS,
        SIZE_WORDS,
        MOTION_WORDS,
        SPEED_WORDS,
        _RELATION_WORDS,
        _CAMERA_WORDS,
    )
    for table in tables:
        texts += [phrase for phrases in table.values() for phrase in phrases]
    return tuple(sorted({word for text in texts for word in text.split()}))


class _Phrases:
    """Choose among wordings: by chance, or always the plainest."""

    def __init__(self, rng: np.random.Generator | None) -> None:
        self.rng = rng

    def pick(self, phrases: tuple[str, ...], *, plain: float) -> str:
        if self.rng is None or len(phrases) == 1 or self.rng.random() < plain:
            return phrases[0]
        return phrases[1 + int(self.rng.integers(len(phrases) - 1))]

    def chance(self, share: float) -> bool:
        return self.rng is not None and bool(self.rng.random() < share)

    def noun(self, thing: Thing) -> str:
        if thing.kind == "biscuit":
            return "biscuit"
        if thing.kind == "person":
            return thing.occupation
        if thing.kind == "hazard":
            return self.pick(_HAZARDS, plain=0.5)
        if thing.kind in ("block", "wall"):
            return f"gray {thing.kind}"
        size = f"{self.pick(SIZE_WORDS[thing.size], plain=0.75)} " if self.chance(0.4) else ""
        return f"{size}{thing.color} {self.pick(SHAPE_WORDS[thing.shape], plain=0.75)}"

    def subject(self, thing: Thing) -> str:
        noun = self.noun(thing)
        article = self.pick(_ARTICLES, plain=0.8)
        return f"an {noun}" if article == "a" and noun[0] in "aeiou" else f"{article} {noun}"

    def motion(self, scene: Scene, motion: str) -> str:
        words = self.pick(MOTION_WORDS[motion], plain=0.35)
        speed = scene.facts.get("speed")
        if speed and motion in ("left", "right", "rise") and self.chance(0.35):
            return f"{words} {self.pick(SPEED_WORDS[speed], plain=0.7)}"
        return words


def _body(scene: Scene, say: _Phrases) -> str:
    subject, facts = scene.things[0] if scene.things else _WITHHELD, scene.facts
    if scene.family == "count":
        count = facts["count"]
        noun = say.noun(subject)
        if count == "one":
            return f"one {noun}"
        head, _, last = noun.rpartition(" ")
        return f"{count} {head} {PLURALS[last]}"
    if scene.family == "relation":
        link = say.pick(_RELATION_WORDS[facts["relation"]], plain=0.6)
        verb = "is " if say.chance(0.3) else ""
        return f"{say.subject(subject)} {verb}{link} {say.subject(scene.things[1])}"
    if scene.family == "camera":
        return f"{say.pick(_CAMERA_WORDS[facts['camera']], plain=0.6)} {say.subject(subject)}"
    if scene.family == "collision":
        return f"{say.subject(subject)} {say.pick(_HITS, plain=0.4)} {say.subject(scene.things[1])}"
    if scene.family == "block":
        return f"{say.subject(subject)} {say.pick(_PUSHES, plain=0.5)}"
    if scene.family == "occluder":
        return f"{say.subject(subject)} {say.pick(_PASSES, plain=0.5)}"
    if scene.family == "biscuit":
        return say.pick(_BITES, plain=0.4)
    if scene.family == "person":
        return f"{say.subject(subject)} {say.pick(_WORKS, plain=0.5)}"
    if scene.family == "order":
        one = f"{say.subject(subject)} {say.motion(scene, facts['motion'])}"
        two = f"{say.subject(scene.things[1])} {say.motion(scene, facts['second'])}"
        return (
            f"first {one} , then {two}"
            if say.pick(("first", "and"), plain=0.6) == "first"
            else f"{one} and then {two}"
        )
    return f"{say.subject(subject)} {say.motion(scene, facts['motion'])}"
