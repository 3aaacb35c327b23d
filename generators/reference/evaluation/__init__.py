"""What the shipped weights get right, measured against the truth: the numbers of the model card.

    python -m screentest.generators.reference.evaluation > card.json

Everything is held out: scenes and noise come from seeds, and captions of single shapes from wordings, that
nothing was trained on. What a clip shows is read by `reader`, which has no learned part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..generator import CHECKPOINTS, ReferenceGenerator
from .checkpoints import films, floors, hazard, motions, people, set_distance
from .parts import clip_retrieval, hazard_classifier, nearest_class, refiner_quality, vae_quality

__all__ = ["card"]


def card(items: int = 216) -> Iterator[tuple[str, Any]]:
    """Measure everything that the model card reports, one part after the other."""
    yield "autoencoder", vae_quality()
    yield "refiner", refiner_quality()
    yield "floors", floors(items)
    for name in CHECKPOINTS:
        generator = ReferenceGenerator(name)
        yield (
            name,
            {
                "motions": motions(generator, items),
                "fvd": set_distance(generator, items),
                "hazard": hazard(generator),
                "people": people(generator),
                "films": films(generator),
            },
        )
    yield "clip", clip_retrieval()
    yield "subject", nearest_class("subject")
    yield "video", nearest_class("video")
    yield "hazard", hazard_classifier()
