"""The colors that prompts name, and the RGB that each name stands for."""

from __future__ import annotations

from typing import Final

__all__ = ["COLORS", "GOAL_COLORS"]

COLORS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (226, 54, 48),
    "green": (62, 190, 78),
    "blue": (58, 104, 236),
    "yellow": (240, 210, 60),
    "purple": (176, 72, 212),
    "white": (238, 238, 236),
    "gray": (128, 130, 134),
    "orange": (240, 138, 40),
    "pink": (255, 130, 180),
    "brown": (120, 76, 46),
    "black": (14, 14, 16),
}
"""RGB of each color's name, 0 to 255; the reference world paints its things in the first six."""

GOAL_COLORS: Final = ("red", "green", "blue", "yellow", "purple")
"""Colors of what moves in puzzles: told from each other, and from gray and white, by their hue."""
