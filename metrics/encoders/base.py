"""Encoders and features: a feature is computed in one pass over a clip's frames, and cached.

Only encoders read pixels; measures read features. An encoder gets one clip at a time, as windows of frames in
order. So a feature depends only on the clip and the encoder, and memory does not grow with the clip's length.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import MediaError
from ...harness.core.keys import Identified, digest
from ..frame_blocks import FrameBlocks
from ..frame_sampling import FrameSampler, Sampling

if TYPE_CHECKING:
    from ...harness.core.items import Item
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = [
    "Encoder",
    "EncoderOptions",
    "Feature",
    "FileEncoder",
    "FrameEncoder",
    "Incomplete",
    "NotApplicable",
    "PromptedEncoder",
    "Record",
    "RowBuffer",
    "Stream",
    "TextEncoder",
]

_FIRST_ROWS: Final = 256  # of a feature, for which there is room from the beginning
Feature: TypeAlias = NDArray[np.floating[Any]]
"""A float array (n, k): a row per frame, pair of frames or clip; the encoder defines the columns."""


@dataclass(frozen=True)
class Record:
    """A feature of several parts: named arrays, and metadata as plain JSON.

    The encoder's identity contains a layout version, so that a record of another layout is computed again and
    never misread.
    """

    arrays: Mapping[str, NDArray[Any]]
    meta: Mapping[str, Json] = field(default_factory=dict[str, "Json"])


class NotApplicable(Exception):
    """Say why an encoder or a measure does not apply to a clip ("one frame", "nothing moves" ...)."""


@dataclass(frozen=True)
class EncoderOptions:
    """How to run an encoder.

    Attributes:
        device: ``auto``, ``cpu`` or ``cuda``. Not part of a feature's identity.
        dtype: torch dtype of weights and activations (``float32``, ``bfloat16``, ``float16``). Part of the
            identity: half precision moves features by far more than a change of device does.
        cache: folder where an encoder may store paid answers of a service. Not part of the identity.
    """

    device: str = "auto"
    dtype: str = "float32"
    cache: Path | None = None


class Incomplete(Exception):
    """Carry a feature with missing parts that may succeed another time (an endpoint did not answer).

    It is measured but not cached, and the next scoring computes its scores again.
    """

    def __init__(self, feature: Feature | Record) -> None:
        super().__init__("a part of the feature is missing")
        self.feature = feature


class Stream(Protocol):
    """Encodes one clip, window by window."""

    def push(self, window: Window) -> None:
        """Take the next frames of the clip."""
        ...

    def finish(self) -> Feature | Record:
        """Return the feature: a matrix (n, k), or a record.

        Raises:
            Incomplete: parts of the feature are missing; the exception carries the rest.
            NotApplicable: the encoder does not apply to such a clip.
        """
        ...


class Encoder(Identified):
    """Turn clips into features.

    Attributes:
        name: the feature's name, which measures list in ``needs`` (``clip``, ``flow`` ...).
        trial: how it is tried before a run: ``embeds`` compares its features of two clips, which must differ;
            ``loads`` loads what it needs, on a plain clip; ``none`` leaves it alone.
        weights_source: where its weights come from, for messages.
        hears: whether its windows carry the sound, which costs decoding it.
    """

    name: str
    hears: bool = False
    trial: Literal["embeds", "loads", "none"] = "loads"
    weights_source: str = ""

    @property
    def fewest_frames(self) -> int:
        """The number of frames that a clip needs to have a feature."""
        return 2

    @property
    def frames_read(self) -> int | None:
        """The number of a clip's first frames that make the feature; None where more frames change it."""
        return None

    @cached_property
    def digest(self) -> str:
        """64 hex digits of the identity: with the clip's sha256, the cache key of a feature."""
        return digest("encoder", {"name": self.name, **self.identity()})

    @abstractmethod
    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""

    def prepare(self, items: Sequence[Item]) -> None:
        """Check all items of a run before the first clip is generated or scored.

        Raises:
            UsageError: an item needs something that this encoder cannot read.
        """
        del items

    def for_item(self, item: Item) -> Encoder:
        """Return the encoder for a clip of this item: itself, unless the feature depends on the item.

        Another encoder has another digest, so its features are cached separately.
        """
        del item
        return self


class TextEncoder(ABC):
    """An encoder that also places prompts in the space of its features."""

    @abstractmethod
    def encode_text(self, text: str) -> Feature:
        """Embed one prompt: shape (1, k)."""

    def cut(self, text: str) -> str:
        """Say how much of a prompt is not read, for the evidence of scores; empty where all of it is."""
        del text
        return ""


class PromptedEncoder(Encoder):
    """Base of encoders whose features depend on the item's prompt too; it is in their identity."""

    @abstractmethod
    def for_prompt(self, prompt: str | None) -> Encoder:
        """Return the encoder that looks at clips with this prompt; None for an item without one."""

    def for_item(self, item: Item) -> Encoder:
        """Return the encoder of this item's prompt."""
        return self.for_prompt(item.prompt)

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip without a prompt, of which only the video is looked at."""
        return self.for_prompt("").open(info)


class FrameEncoder(Encoder):
    """Base of encoders that read frames one by one: implement `encode_frames`.

    Attributes:
        frames_at_once: how many frames `encode_frames` is given (the last call of a clip may have fewer).
            Groups are counted from the clip's first frame, whatever the windows are: the rounding of a
            matrix product depends on the number of its rows, and a feature must not depend on the decoder.
        sampling: which frames are encoded; None for all. An encoder that has one lists it in its identity.
        most_frames: how many frames of a clip are encoded at most; None for no limit.
    """

    frames_at_once: int = 16
    sampling: Sampling | None = None
    most_frames: int | None = None

    @abstractmethod
    def encode_frames(self, frames_THWC: NDArray[np.uint8]) -> Feature:
        """Encode frames, uint8 RGB (T, H, W, 3), to (T, k)."""

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip; the feature has a row a frame that is encoded, in order."""
        del info
        return _FrameStream(self)


class FileEncoder(Encoder):
    """Base of encoders that read the stored file itself (its container, its provenance), not its frames."""

    trial = "none"

    @abstractmethod
    def encode_file(self, path: Path, info: ClipInfo) -> Feature | Record:
        """Encode a file.

        Raises:
            NotApplicable: the encoder does not apply to such a file.
        """

    def open(self, info: ClipInfo) -> Stream:
        """Refuse, because frames do not give the file.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"the encoder {self.name!r} reads files, not frames")


class _FrameStream:
    def __init__(self, encoder: FrameEncoder) -> None:
        self._rows = RowBuffer()
        self._sampler = FrameSampler(encoder.sampling)
        self._room = encoder.most_frames
        self._blocks = FrameBlocks(
            encoder.frames_at_once, lambda frames_THWC: self._rows.add(encoder.encode_frames(frames_THWC))
        )

    def push(self, window: Window) -> None:
        for place in self._sampler.take(window)[: self._room]:
            self._blocks.add(window.frames_THWC[place])
            if self._room is not None:
                self._room -= 1

    def finish(self) -> Feature:
        self._blocks.finish()
        made = self._rows.all()
        if made is None:
            raise MediaError("the clip has no frames")
        return made


class RowBuffer:
    """Rows of a feature in one array that doubles as it fills.

    Many small arrays that live as long as the clip, between the large ones that a model makes and frees,
    would keep the allocator from using freed room again: of an hour of frames, hundreds of megabytes.
    """

    def __init__(self) -> None:
        self._room: Feature | None = None
        self._count = 0

    def add(self, rows_Tk: Feature) -> None:
        """Copy rows, all of one width, behind those that are there."""
        needed = self._count + len(rows_Tk)
        kind = rows_Tk.dtype if self._room is None else np.result_type(self._room, rows_Tk)
        if self._room is None or needed > len(self._room) or kind != self._room.dtype:
            larger = np.empty((max(_FIRST_ROWS, 2 * needed), *rows_Tk.shape[1:]), kind)
            if self._room is not None:
                larger[: self._count] = self._room[: self._count]
            self._room = larger
        self._room[self._count : needed] = rows_Tk
        self._count = needed

    def all(self) -> Feature | None:
        """Return all rows, (T, k); None if none were added."""
        return None if self._room is None else self._room[: self._count].copy()
