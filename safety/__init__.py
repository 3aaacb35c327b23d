"""Safety: measure unsafe output of generators, and the quality of their filters."""

from ..metrics.rooms import ROOMS
from .audits import AUDIT_ROOMS
from .sources import ColumnMap, PromptRecord, PromptSource
from .taxonomy import Category, Crosswalk, Taxonomy, carry_over, crosswalk, load_taxonomy, to_ours
from .transforms import Transformed, canonicalise, families, invert, transform

__all__ = [
    "Category",
    "ColumnMap",
    "Crosswalk",
    "PromptRecord",
    "PromptSource",
    "Taxonomy",
    "Transformed",
    "canonicalise",
    "carry_over",
    "crosswalk",
    "families",
    "invert",
    "load_taxonomy",
    "to_ours",
    "transform",
]

ROOMS.add(
    *(
        f"{__name__}.{room}"
        for room in (
            "attacks.measures",
            "bias.measures",
            "bias.reading",
            "bias.glyph_reader",
            "bias.face_reader",
            "bias.judge_reader",
            "bias.zero_shot_reader",
            "detectors.encoder",
            "detectors.measures",
            "flash.encoder",
            "flash.measures",
            "frames.image_classifiers",
            "frames.judges",
            "frames.nudity",
            "frames.world_hazard",
            "hallucination.faces",
            "hallucination.measures",
            "memorisation.hashes",
            "memorisation.measures",
            "memorisation.planted_text",
            "memorisation.thumbnails",
            "provenance.encoders",
            "provenance.measures",
            "provenance.spread_spectrum",
            "provenance.watermark_encoders",
            "provenance.watermark_measures",
        )
    )
)
"""Rooms of the measures, encoders and judges of safety."""

_AUDITS: tuple[str, ...] = ("bias", "detectors", "hallucination", "memorisation", "provenance")
AUDIT_ROOMS.add(*(f"{__name__}.{room}.audit" for room in _AUDITS))
"""Rooms of the built-in audits."""
