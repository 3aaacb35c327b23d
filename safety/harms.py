"""The harms that the shipped prompt filters score, and the categories of the taxonomy that they stand for."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["HARMS", "TAXONOMY_IDS"]

HARMS = ("sexual", "violence", "gore", "disturbing", "hate", "self-harm", "crime")
"""What a prompt is scored for, in the order of every array."""
TAXONOMY_IDS: Mapping[str, tuple[str, ...]] = {
    "sexual": ("sxc",),
    "violence": ("vcr",),
    "gore": ("gor",),
    "disturbing": ("gor",),
    "hate": ("hte",),
    "self-harm": ("ssh",),
    "crime": ("ncr", "iwp"),
}
"""The categories of the taxonomy that each harm measures."""
