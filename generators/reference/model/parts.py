"""Locate the parts of a checkpoint: transformer, autoencoder, text model and second stage."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["CHECKPOINTS", "SCALE", "WEIGHTS", "find_part"]

SCALE: Final = 2
"""How much taller and wider the cascade's second stage makes a clip."""

WEIGHTS: Final = Path(__file__).parent.parent / "weights"
"""The checkpoints that ship with the package."""


def find_part(checkpoint: Path, part: str) -> Path:
    """Find the ``vae``, ``text`` or ``refiner`` of a checkpoint: inside its folder, beside it, or shipped."""
    near = (checkpoint / part, checkpoint.parent / part)
    return next((folder for folder in near if folder.is_dir()), WEIGHTS / part)


CHECKPOINTS: Final = ("early", "base", "late", "safe")
