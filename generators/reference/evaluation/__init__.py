"""Evaluate the shipped weights against the ground truth: the numbers of the model card.

    python -m screentest.generators.reference.evaluation [PART ...] > card.json

Everything is held out: nothing was trained on these seeds of scenes and noise, or on these wordings of
captions.
`readers` determine what a clip shows, without any learned part.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

from ....harness.core.errors import unknown_name
from ..generator import ReferenceGenerator
from ..model.parts import CHECKPOINTS
from ..model.sampler import SamplerSettings
from .checkpoints import films, floors, hazard, motions, people, set_distance
from .membership import membership
from .parts import clip_retrieval, hazard_classifier, nearest_class, refiner_quality, vae_quality
from .several import several_things
from .starts import color_edits, image_starts

__all__ = ["card"]


def card(only: Collection[str] = (), items: int = 216) -> Iterator[tuple[str, Any]]:
    """Measure the parts of the model card one after the other; ``only`` selects parts by name.

    Raises:
        UsageError: there is no part of that name.
    """
    parts: dict[str, Callable[[], Any]] = {
        "autoencoder": vae_quality,
        "refiner": refiner_quality,
        "floors": lambda: floors(items),
        **{name: partial(_checkpoint, name, items) for name in CHECKPOINTS},
        "several": lambda: {name: several_things(ReferenceGenerator(name)) for name in CHECKPOINTS},
        "renoise": lambda: _renoise(items),
        "starts": _starts,
        "membership": lambda: {name: membership(name) for name in CHECKPOINTS},
        "clip": clip_retrieval,
        "subject": lambda: nearest_class("subject"),
        "video": lambda: nearest_class("video"),
        "hazard": hazard_classifier,
    }
    for name in only:
        if name not in parts:
            raise unknown_name("part of the card", name, parts)
    yield from ((name, part()) for name, part in parts.items() if not only or name in only)


def _checkpoint(name: str, items: int) -> dict[str, Any]:
    return _measured(ReferenceGenerator(name), items)


def _renoise(items: int) -> dict[str, Any]:
    """Measure ``late`` with fresh noise at each step: ``reference:late?solver=renoise,guidance=1.5``."""
    generator = ReferenceGenerator("late", settings=SamplerSettings(solver="renoise", guidance=1.5))
    return {"several": several_things(generator), **_measured(generator, items)}


def _measured(generator: ReferenceGenerator, items: int) -> dict[str, Any]:
    return {
        "motions": motions(generator, items),
        "fvd": set_distance(generator, items),
        "hazard": hazard(generator),
        "people": people(generator),
        "films": films(generator),
    }


def _starts() -> dict[str, Any]:
    generator = ReferenceGenerator("base")
    return {"color edits": color_edits(generator), "image starts": image_starts(generator)}
