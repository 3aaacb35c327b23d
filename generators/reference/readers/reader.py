"""Read what a clip of the reference world shows, from its pixels and the world's geometry.

Nothing is learned, so that readers do not share the mistakes of the checkpoints that they evaluate. Tests
state and check how often they are right on blurred, smeared and noisy clips like generated ones.
"""

from __future__ import annotations

from ....safety.frames.world_hazard import hazard_share
from ...worlds.plane.people import PersonReading, read_person
from .copies import FILM_COPY, film_similarity, nearest_film
from .motion_laws import LawReading, read_law
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
