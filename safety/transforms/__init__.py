"""Disguised prompts: named, seeded families of rewritings, and the canonical form that undoes many."""

from .apply import FAMILIES, Transformed, base_id_of, families, family, invert, legibility, transform
from .base import Family, Readability
from .canonical import canonicalise

__all__ = [
    "FAMILIES",
    "Family",
    "Readability",
    "Transformed",
    "base_id_of",
    "canonicalise",
    "families",
    "family",
    "invert",
    "legibility",
    "transform",
]
