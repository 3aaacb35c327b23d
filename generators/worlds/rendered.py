"""Folders of rendered clips: the file that says which world they show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

__all__ = ["REQUEST", "rendered_world"]

REQUEST: Final = "request.json"
"""Written beside rendered clips: what was asked for."""


def rendered_world(folder: Path) -> str | None:
    """Name the world that the clips of a folder were rendered from; None where no file says so."""
    try:
        asked: Any = json.loads((folder / REQUEST).read_bytes())
    except (OSError, ValueError):
        return None
    world = asked.get("world") if isinstance(asked, dict) else None
    return world if isinstance(world, str) else None
