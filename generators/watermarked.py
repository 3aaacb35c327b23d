"""A generator whose clips are watermarked: ``watermarked:[SPEC]?mark=[spread?key=FILE,payload=HEX]``.

The marked frames are stored as a run stores frames, near-lossless; the files of an inner generator, and the
manifests in them, are lost. To sign as well, sign last: ``signed:[watermarked:[SPEC]]?cert=FILE,key=FILE``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import Field

from ..harness.core.config import Config
from ..harness.core.errors import MediaError, describe
from ..harness.core.media import open_clip
from ..harness.core.sound import SoundTrack
from .base import Failure, Frames, Generator, Output, VideoFile
from .identity import identity_of
from .wrapper import Wrap, Wrapper, WrapperKind

if TYPE_CHECKING:
    from pathlib import Path

    from ..harness.core.items import Item
    from ..harness.core.keys import Json
    from ..metrics.encoders.base import EncoderOptions
    from ..safety.provenance.watermarks import Mark

__all__ = ["WATERMARKED", "WatermarkOptions", "WatermarkedGenerator"]

_VERSION = 1


class WatermarkOptions(Config):
    """With what clips are marked."""

    mark: str = Field(default="spread", min_length=1, description="a watermark, with its key and payload")


class WatermarkedGenerator(Wrapper):
    """Mark the clips of another generator; refusals and failures stay as they are."""

    def __init__(self, inner: Generator, mark: Mark, spec: str = "") -> None:
        super().__init__(inner, spec or f"watermarked:{inner.spec}")
        self._mark = mark

    def identity(self) -> Mapping[str, Json]:
        """List the generator's own identity and the watermark's, with the digest of its key."""
        return {
            "kind": "watermarked",
            "version": _VERSION,
            "inner": dict(identity_of(self.inner)),
            "mark": dict(self._mark.identity()),
        }

    def after(self, item: Item, output: Output, folder: Path) -> Output:
        """Mark a clip; its sound stays as it is."""
        del item, folder
        if not isinstance(output, Frames | VideoFile):
            return output
        try:
            if isinstance(output, Frames):
                frames_THWC, fps, sound = output.frames_THWC, output.fps, output.sound
            else:
                decoding = open_clip(output.path).windows(sound=True)
                windows = list(decoding)
                frames_THWC = np.concatenate([window.frames_THWC for window in windows])
                chunks = [chunk for window in windows for chunk in window.sound]
                fps, sound = decoding.info.fps, SoundTrack.of(chunks)
            return Frames(self._mark.encode(frames_THWC), fps, sound, layers=output.layers)
        except MediaError as error:
            return Failure(f"the clip could not be watermarked: {error}", layers=output.layers)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            return Failure(
                f"the watermark {self._mark.name!r} failed: {describe(error)}", layers=output.layers
            )


def _prepare(options: WatermarkOptions, whose: str, where: EncoderOptions) -> Wrap:
    """Make the watermark.

    Raises:
        UsageError: it is unknown, or its key or payload is not one.
    """
    from ..safety.provenance.watermarks import make_mark

    del where
    mark = make_mark(options.mark, whose)
    return lambda inner, spec: WatermarkedGenerator(inner, mark, spec)


WATERMARKED: Final = WrapperKind(
    "watermarked",
    WatermarkOptions,
    "give one in brackets, watermarked:[SPEC]?mark=spread",
    _prepare,
)
