"""Where measures and encoders are: the modules and packages whose import adds them."""

from __future__ import annotations

from typing import Final

from ..harness.core.registry import Rooms

__all__ = ["ROOMS"]

ROOMS: Final = Rooms()
"""Where the built-in measures and encoders are."""
