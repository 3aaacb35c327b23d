"""The rooms of measures and encoders: modules and packages that register them when imported."""

from __future__ import annotations

from typing import Final

from ..harness.core.registry import Rooms

__all__ = ["ROOMS"]

ROOMS: Final = Rooms()
"""Rooms of the built-in measures and encoders."""
