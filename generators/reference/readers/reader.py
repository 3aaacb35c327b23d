"""Read back what a clip of the reference world shows, from its pixels and the world's own geometry.

No learned part: it holds checkpoints against the truth, and it must not share their mistakes. How often it is
right on clips that are blurred, smeared and noisy as generated ones are is stated, and held, in its tests.
"""

from __future__ import annotations

from ....safety.frames.world_hazard import hazard_share
from .copies import FILM_COPY, film_similarity, nearest_film
from .motion_laws import LawReading, read_law
from .people import PersonReading, read_person
from .shapes import Reading, discarded, read_clip

__all__ = [
    "FILM_COPY",
    "LawReading",
    "PersonReading",
    "Reading",
    "discarded",
    "film_similarity",
    "hazard_share",
    "nearest_film",
    "read_clip",
    "read_law",
    "read_person",
]
