"""The words of the reference world: its shapes, colors, sizes and motions, and a small caption grammar."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

__all__ = ["COLORS", "MOTIONS", "SHAPES", "SIZES", "Described", "caption", "still_caption", "vocabulary"]

COLORS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (226, 54, 48),
    "green": (62, 190, 78),
    "blue": (58, 104, 236),
    "yellow": (240, 210, 60),
    "purple": (176, 72, 212),
    "white": (238, 238, 236),
}
"""RGB of each color's name."""
SHAPES: Final = ("ball", "square", "triangle")
SIZES: Final = ("small", "big")
MOTIONS: Final = ("left", "right", "fall", "rise", "bounce", "stay")

# The first wording of each is the plain one, and the likeliest.
_SHAPE_WORDS: Final = {"ball": ("ball", "circle"), "square": ("square", "box"), "triangle": ("triangle",)}
_SIZE_WORDS: Final = {"small": ("small", "little"), "big": ("big", "large")}
_MOTION_WORDS: Final = {
    "left": ("moves left", "moves to the left", "goes left", "slides to the left", "is moving left"),
    "right": ("moves right", "moves to the right", "goes right", "slides to the right", "is moving right"),
    "fall": ("falls", "falls down", "drops", "is falling", "falls to the ground"),
    "rise": ("rises", "rises up", "goes up", "floats up", "is rising"),
    "bounce": ("bounces", "bounces off the ground", "is bouncing", "falls and bounces back up"),
    "stay": ("stays still", "stays in place", "does not move", "stands still"),
}
_ARTICLES: Final = ("a", "the", "one")
_OPENINGS: Final = ("", "a video of ", "a clip in which ")
_STILL_OPENINGS: Final = ("", "a picture of ", "an image of ")


class Described(Protocol):
    """What a caption needs to know."""

    @property
    def shape(self) -> str: ...  # noqa: D102
    @property
    def color(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> str: ...  # noqa: D102
    @property
    def motion(self) -> str: ...  # noqa: D102


def caption(scene: Described, rng: np.random.Generator | None = None) -> str:
    """Say a scene in words: one of several phrasings drawn from ``rng``, or the plainest without it.

    Example:
        >>> from types import SimpleNamespace
        >>> caption(SimpleNamespace(shape="ball", color="red", size="big", motion="fall"))
        'a red ball falls'
    """
    if rng is None:
        return f"a {scene.color} {_SHAPE_WORDS[scene.shape][0]} {_MOTION_WORDS[scene.motion][0]}"
    opening = _choose(rng, _OPENINGS, plain=0.8)
    return f"{opening}{_subject(scene, rng)} {_choose(rng, _MOTION_WORDS[scene.motion], plain=0.35)}"


def still_caption(scene: Described, rng: np.random.Generator) -> str:
    """Say what a single frame of the scene shows, without its motion."""
    return f"{_choose(rng, _STILL_OPENINGS, plain=0.6)}{_subject(scene, rng)}"


def vocabulary() -> tuple[str, ...]:
    """List every word that a caption can hold, sorted."""
    texts = [*COLORS, *_ARTICLES, *_OPENINGS, *_STILL_OPENINGS]
    for table in (_SHAPE_WORDS, _SIZE_WORDS, _MOTION_WORDS):
        texts += [phrase for phrases in table.values() for phrase in phrases]
    return tuple(sorted({word for text in texts for word in text.split()}))


def _subject(scene: Described, rng: np.random.Generator) -> str:
    article = _choose(rng, _ARTICLES, plain=0.8)
    shape = _choose(rng, _SHAPE_WORDS[scene.shape], plain=0.75)
    size = f"{_choose(rng, _SIZE_WORDS[scene.size], plain=0.75)} " if rng.random() < 0.4 else ""
    return f"{article} {size}{scene.color} {shape}"


def _choose(rng: np.random.Generator, phrases: tuple[str, ...], *, plain: float) -> str:
    if len(phrases) == 1 or rng.random() < plain:
        return phrases[0]
    return phrases[1 + int(rng.integers(len(phrases) - 1))]
