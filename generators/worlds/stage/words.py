"""Captions of the scenes of the stage: several phrasings of each family."""

from __future__ import annotations

from typing import Final

import numpy as np

from .puzzles import puzzle_caption
from .scene import Body, Scene

__all__ = ["caption"]

_NOUNS: Final = {"ball": "ball", "box": "box", "wall": "wall", "bar": "bar", "ramp": "ramp"}
_PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "fall": ("{0} falls and bounces on the floor", "{0} drops from above and bounces"),
    "throw": ("{0} is thrown through the air", "someone throws {0} across the room"),
    "drag": ("{0} falls slowly through thick air", "{0} sinks to the floor"),
    "glide": ("{0} glides over the floor", "{0} moves evenly across the floor"),
    "friction": ("{0} slides over the floor and comes to rest", "{0} slides until it stops"),
    "roll": ("{0} rolls down a ramp", "down a ramp rolls {0}"),
    "spin": ("{0} rolls over the floor", "{0} comes rolling along"),
    "collision": ("{0} hits {1}", "{0} runs into {1}"),
    "both": ("{0} and {1} run into each other", "{0} and {1} collide"),
    "glancing": ("{0} grazes {1} in passing", "{0} hits {1} off its centre"),
    "chase": ("{0} catches up with {1} and bumps into it", "{0} chases {1}"),
    "topple": ("{0} topples over", "{0} tips and falls on its side"),
    "stack": ("{1} stands on {0}", "{0} carries {1}"),
    "static": ("{0} stands on the floor", "{0} at rest"),
    "pendulum": ("{0} swings on a rod", "{0} as a pendulum"),
    "behind": ("{0} passes behind a wall", "{0} disappears behind a wall and comes out again"),
    "stop-behind": ("{0} slides behind a wall and stops there", "{0} comes to rest behind a wall"),
    "approach": ("{0} comes towards the camera", "{0} comes nearer"),
    "recede": ("{0} moves away from the camera", "{0} goes away"),
    "enter": ("{0} enters the picture", "{0} comes in from the side"),
    "leave": ("{0} leaves the picture", "{0} goes out at the side"),
    "bite": ("a piece is bitten off {0}", "{0} loses a corner"),
    "crowd": ("things move about on the floor", "several things glide over the floor"),
    "room-orbit": ("the camera circles around things on a floor", "an orbit around still things"),
    "room-dolly": ("the camera moves towards things on a floor", "a dolly shot of still things"),
    "pan": ("the camera pans while {0} moves over the floor", "a pan over a floor with {0}"),
    "orbit": ("the camera circles while {0} moves over the floor", "an orbit around {0}"),
    "dolly": ("the camera moves forward while {0} crosses the floor", "a dolly shot of {0}"),
    "shake": ("a shaky shot of {0} that moves over the floor", "hand-held: {0} crosses the floor"),
    "dimming": ("{0} moves over the floor while the light fades", "the light dims over {0}"),
    "brightening": ("{0} moves over the floor while the light comes up", "it grows light over {0}"),
    "lamp": ("{0} moves over the floor under a swinging lamp", "shadows swing while {0} moves"),
}


def caption(scene: Scene, rng: np.random.Generator | None = None) -> str:
    """Say a scene in words: one of its family's phrasings, or the first without ``rng``."""
    if scene.drives:
        return puzzle_caption(scene.family, scene.facts, [body.color for body in scene.bodies], rng)
    phrases = _PHRASES[scene.family]
    phrase = phrases[0 if rng is None else int(rng.integers(len(phrases)))]
    return phrase.format(*(_name(body) for body in scene.bodies))


def _name(body: Body) -> str:
    noun = _NOUNS[body.shape]
    article = "an" if body.color[0] in "aeiou" else "a"
    return f"{article} {body.color} {noun}"
