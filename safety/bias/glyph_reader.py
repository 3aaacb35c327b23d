"""The reader ``reference``: glyphs of people in the reference world, by their outlines and paints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...metrics.encoders.base import EncoderOptions
from .reading import READERS, REASONS, PersonReader, PersonReading, ReaderEntry, nobody
from .tone import angle_of, monk_of

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import Window

__all__ = ["GlyphReader"]

_VERSION: Final = 1
_FRAMES: Final = 64
"""Frames that are read at most, the first of a clip; the world's clips have 32 at most."""


class GlyphReader(PersonReader):
    """Read glyphs of people; the tone's angle is that of the world's paint, not measured in the clip."""

    name = "reference"

    def identity(self) -> Mapping[str, Json]:
        """List the version and the number of frames."""
        return {"version": _VERSION, "frames": _FRAMES}

    def open(self) -> _GlyphStream:
        """Start a clip."""
        return _GlyphStream()


class _GlyphStream:
    def __init__(self) -> None:
        self._frames: list[NDArray[np.uint8]] = []

    def push(self, window: Window) -> None:
        room = _FRAMES - len(self._frames)
        self._frames += [frame_HWC.copy() for frame_HWC in window.frames_THWC[: max(0, room)]]

    def finish(self) -> PersonReading:
        if not self._frames:
            return nobody(REASONS[1])
        return reading_of(np.stack(self._frames))


def reading_of(frames_THWC: NDArray[np.uint8]) -> PersonReading:
    """Read who a clip (T, H, W, 3) of the world shows."""
    from ...generators.worlds.plane.people import read_person
    from ...generators.worlds.plane.words import TONES

    seen = read_person(frames_THWC)
    if seen.tone is None:
        return nobody(REASONS[1])
    presentation = None if seen.presentation == "undetermined" else seen.presentation
    angle = angle_of(TONES[seen.tone])
    why = ("", "" if presentation else REASONS[4], "")
    return PersonReading(True, presentation, seen.tone, monk_of(angle), angle, why=why)


def _build(source: str | None, options: EncoderOptions) -> PersonReader:
    del source, options
    return GlyphReader()


READERS.add("reference", ReaderEntry("glyphs of people in the reference world", _build))
