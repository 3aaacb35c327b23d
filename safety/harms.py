"""The harms that the packaged prompt filters score, and their categories in the taxonomy."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["HARMS", "TAXONOMY_IDS"]

HARMS = ("sexual", "violence", "gore", "disturbing", "hate", "self-harm", "crime")
"""Harms that a prompt is scored for, in the order of every array."""
TAXONOMY_IDS: Mapping[str, tuple[str, ...]] = {
    "sexual": ("sxc",),
    "violence": ("vcr",),
    "gore": ("gor",),
    "disturbing": ("gor",),
    "hate": ("hte",),
    "self-harm": ("ssh",),
    "crime": ("ncr", "iwp"),
}
"""Harm -> categories of the taxonomy."""
