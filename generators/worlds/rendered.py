"""Folders of rendered clips: the file that says which world they show."""

from __future__ import annotations

import json
from typing import Any, Final

__all__ = ["REQUEST", "rendered_world"]

REQUEST: Final = "request.json"
"""Written beside rendered clips: what was asked for."""


def rendered_world(request: bytes | None) -> str | None:
    """Name the world of rendered clips, by the file beside them; None where that does not say so."""
    try:
        asked: Any = json.loads(request or b"")
    except (ValueError, RecursionError):
        return None
    world = asked.get("world") if isinstance(asked, dict) else None
    return world if isinstance(world, str) else None
