"""Features: what an encoder says of a clip, computed in one pass over its frames and cached.

Everything that reads pixels is an `Encoder`; every measure reads features. An encoder sees a clip as windows
of frames in order, one clip at a time, so that a feature is a function of the clip and the encoder alone and
an hour of video needs no more memory than a minute.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..harness.keys import digest

if TYPE_CHECKING:
    from ..harness.keys import Json
    from ..harness.media import ClipInfo, Window

__all__ = ["Encoder", "EncoderOptions", "Feature", "FrameEncoder", "Stream", "TextEncoder"]

Feature: TypeAlias = NDArray[np.floating[Any]]
"""A float array of shape (n, k), a row a frame, a pair of frames or a window; the encoder names its columns."""


@dataclass(frozen=True)
class EncoderOptions:
    """How to run an encoder; none of it changes what the feature is.

    Attributes:
        device: ``auto``, ``cpu`` or ``cuda``.
        dtype: name of the torch dtype of weights and activations; ``float32`` unless asked otherwise.
    """

    device: str = "auto"
    dtype: str = "float32"


class Stream(Protocol):
    """One clip on its way through an encoder."""

    def push(self, window: Window) -> None:
        """Take the next frames of the clip."""
        ...

    def finish(self) -> Feature:
        """Return the feature, shape (n, k)."""
        ...


class Encoder(ABC):
    """Turn clips into features.

    Attributes:
        name: the feature's name, by which measures ask for it (``clip``, ``flow`` ...).
    """

    name: str

    @abstractmethod
    def identity(self) -> Mapping[str, Json]:
        """List what changes the feature (version, weights digest, preprocessing), without loading weights.

        Raises:
            MissingWeightsError: the weights are not on this machine.
        """

    @cached_property
    def digest(self) -> str:
        """64 hex digits of the identity: the second half of a feature's cache key."""
        return digest("encoder", {"name": self.name, **self.identity()})

    @abstractmethod
    def open(self, info: ClipInfo) -> Stream:
        """Begin a clip."""


class TextEncoder(ABC):
    """An encoder that also places prompts in the space of its features."""

    @abstractmethod
    def encode_text(self, text: str) -> Feature:
        """Embed one prompt: shape (1, k)."""


class FrameEncoder(Encoder):
    """Base of encoders that read frames one by one: implement `encode_frames`."""

    @abstractmethod
    def encode_frames(self, frames_THWC: NDArray[np.uint8]) -> Feature:
        """Encode frames, uint8 RGB (T, H, W, 3), to (T, k)."""

    def open(self, info: ClipInfo) -> Stream:
        """Begin a clip: the rows of all windows, one below the other."""
        del info
        return _FrameStream(self.encode_frames)


class _FrameStream:
    def __init__(self, encode: Callable[[NDArray[np.uint8]], Feature]) -> None:
        self._encode = encode
        self._rows: list[Feature] = []

    def push(self, window: Window) -> None:
        self._rows.append(self._encode(window.frames_THWC))

    def finish(self) -> Feature:
        return np.concatenate(self._rows)
