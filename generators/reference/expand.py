"""Prompt expansion: turn a short prompt into a full caption like those that the generator was trained on.

Generators trained on long captions follow short prompts worse, so a language model often expands the prompts
(Betker et al. 2023, "Improving Image Generation with Better Captions", section 4). Here rules do it, within
the reference world's grammar. Any other function from text to text can replace them.

It is for prompts shorter than the grammar's: the packaged suites ask in whole captions, which stay as they
are, so there it changes nothing. Of 36 prompts such as "white square, leftwards", `base` showed color, shape
and motion in 23 without expansion and in 35 with it; what it mostly lacked was the motion.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ...harness.core.errors import UsageError
from ...harness.core.keys import seeded_rng

__all__ = ["RULES", "Expander", "expand_prompt"]


@dataclass(frozen=True)
class Expander:
    """A method of prompt expansion.

    Attributes:
        name: part of the generator's identity; another wording of prompts needs another name.
        expand: returns the expanded text; the same prompt must always give the same text.
    """

    name: str
    expand: Callable[[str], str]

    def __call__(self, prompt: str) -> str:
        """Expand one prompt.

        Raises:
            UsageError: the expansion is empty.
        """
        text = self.expand(prompt)
        if not text.strip():
            raise UsageError(f"the prompt expansion {self.name!r} left nothing of a prompt; turn it off")
        return text


_HINTS: Final = {
    "left": ("to the left", "left", "leftward", "leftwards"),
    "right": ("to the right", "right", "rightward", "rightwards"),
    "fall": ("fall", "falling", "drop", "dropping", "dropped"),
    "rise": ("rise", "rising", "up", "upward", "upwards", "floating"),
    "bounce": ("bounce", "bouncing"),
    "stay": ("still", "static", "motionless", "resting"),
}
"""Words that indicate a motion if no phrase of the grammar does."""
_ARTICLES: Final = ("a", "an", "the", "one")
_EMPTY: Final = frozenset(
    (
        *("some", "something", "thing", "shape", "object", "is", "are", "to", "of", "in", "that", "which"),
        *("video", "clip", "moving", "moves", "going", "goes"),
    )
)
"""Words that an expansion need not keep."""


def expand_prompt(prompt: str) -> str:
    """Expand a short prompt to a caption of the reference world; what it leaves open is drawn at random.

    The draw is seeded by the prompt. Everything in the prompt is kept. A prompt that is a caption already, or
    has words that the rules do not know, is returned unchanged.

    Example:
        >>> expand_prompt("red ball, falling")
        'a red ball falls'
        >>> expand_prompt("two nurses dance")
        'two nurses dance'
    """
    from ..worlds.plane.families import SINGLE_MOTIONS, choices, sample_scene
    from ..worlds.plane.scene import NATIVE_CLIP
    from ..worlds.plane.words import MOTION_WORDS, PLURALS, SHAPE_WORDS, caption, named_caption

    words = re.findall(r"[^\W_]+", prompt.lower())
    said = _read(words)
    whole = ({"article", "color", "shape", "motion_phrase"}, {"count", "color", "shape"})
    if said is None or any(kinds <= set(said) for kinds in whole):
        return prompt
    if "name" in said:
        return named_caption(said["name"])
    family = next((name for name in ("biscuit", "person", "count") if name in said), None)
    if said.get("motion", "stay") not in SINGLE_MOTIONS:
        family = "projectile"
    rng = seeded_rng("prompt-expansion", " ".join(words))
    asked = {kind: said[kind] for kind in _ASKED if said.get(kind)}
    if family and asked.get("size") not in choices(family).get("size", ()):
        asked.pop("size", None)  # the family has one size; the word that was said stays
    scene = sample_scene(rng, NATIVE_CLIP, family=family, **asked)
    text, subject = caption(scene), scene.subject
    # The plainest words give way to those that were said.
    if noun := said.get("noun"):
        plain = SHAPE_WORDS[subject.shape][0]
        nouns = {plain: noun, PLURALS[plain]: PLURALS[noun]}
        text = " ".join(nouns.get(word, word) for word in text.split())
    if phrase := said.get("motion_phrase"):
        text = text.replace(MOTION_WORDS[said["motion"]][0], phrase)
    if adjective := said.get("adjective"):
        text = text.replace(f" {subject.color} ", f" {adjective} {subject.color} ")
    if family != "count" and said.get("article") in ("the", "one"):
        text = f"{said['article']} {text.split(' ', 1)[1]}"
    return f"{text} {said['speed']}" if "speed" in said else text


_ASKED: Final = ("shape", "color", "size", "motion", "count", "occupation")
"""Properties of a scene that a prompt can name."""


def _read(words: list[str]) -> dict[str, str] | None:
    """Parse a prompt into properties; None if it has words that the rules do not know, or no property.

    Besides the properties of a scene, it returns the prompt's own words: ``noun``, ``adjective``, ``speed``,
    ``motion_phrase`` and ``article``.
    """
    from ..worlds.plane.words import MOTION_WORDS

    said: dict[str, str] = {}
    text = f" {' '.join(words)} "
    phrases = [(phrase, motion, True) for motion, group in MOTION_WORDS.items() for phrase in group]
    phrases += [
        (phrase.removeprefix("is "), motion, False) for phrase, motion, _ in phrases if "is " in phrase
    ]
    phrases += [(hint, motion, False) for motion, hints in _HINTS.items() for hint in hints]
    for phrase, motion, whole in sorted(phrases, key=lambda found: -len(found[0])):
        if f" {phrase} " in text:
            said |= {"motion": motion, "motion_phrase": phrase} if whole else {"motion": motion}
            text = text.replace(f" {phrase} ", " ", 1)
            break
    known = _lexicon()
    for word in text.split():
        if word in _ARTICLES:
            said["article"] = word
        elif word not in _EMPTY:
            if word not in known or set(known[word]) & set(said):
                return None
            said |= known[word]
    if not _has_a_sentence(said):
        return None
    alone = said.get("article") == "one" and not {"motion", "person", "biscuit", "name"} & set(said)
    return {**said, "count": "one"} if alone else said


def _has_a_sentence(said: dict[str, str]) -> bool:
    """Check whether the grammar has a sentence for these properties."""
    kinds = set(said) - {"article"}
    if kinds & {"name", "person", "biscuit"}:
        return not kinds & {"shape", "color", "size", "motion", "count", "speed"}
    if "count" in kinds:
        return "plural" in kinds and not kinds & {"motion", "speed"}
    if "plural" in kinds or ("speed" in kinds and said.get("motion") not in ("left", "right", "rise")):
        return False
    return bool(kinds)


def _lexicon() -> dict[str, dict[str, str]]:
    """Map each word of the grammar to the properties that it gives alone."""
    from ..worlds.plane import words

    known: dict[str, dict[str, str]] = {"biscuit": {"biscuit": "yes"}}
    for shape, nouns in words.SHAPE_WORDS.items():
        for noun in nouns:
            known[noun] = {"shape": shape, "noun": noun}
            known[words.PLURALS[noun]] = {"shape": shape, "noun": noun, "plural": "yes"}
    for size, adjectives in words.SIZE_WORDS.items():
        known |= {word: {"size": size, "adjective": word} for word in adjectives}
    for adverbs in words.SPEED_WORDS.values():
        known |= {word: {"speed": word} for word in adverbs}
    known |= {word: {"color": word} for word in words.COLORS}
    known |= {word: {"count": word} for word in words.COUNTS[1:]}
    known |= {word: {"person": "yes", "occupation": word} for word in words.OCCUPATIONS}
    return known | {word: {"name": word} for word in words.CODE_NAMES}


RULES: Final = Expander("rules-1", expand_prompt)
"""The rules above. A change that changes their output needs a new name."""
