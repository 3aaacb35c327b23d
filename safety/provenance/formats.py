"""Containers of video by their first bytes, and which of them can hold a manifest."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_mp4", "media_type"]

_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"uuid"})


def media_type(path: Path) -> str | None:
    """Return the media type by which the C2PA library reads a video; None where no manifest can be in it.

    The name of the file has no say: a delivered copy may be named anything.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(16)
    if head[4:8] in _FIRST_BOXES:
        return "video/mp4"
    if head[:4] == b"GIF8":
        return "image/gif"
    if head[:4] == b"RIFF":
        return {b"AVI ": "video/avi", b"WEBP": "image/webp"}.get(head[8:12])
    return None


def is_mp4(path: Path) -> bool:
    """Check whether a file is made of the boxes of MP4 or QuickTime."""
    return media_type(path) == "video/mp4"
