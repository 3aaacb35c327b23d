"""Encoders by name: what they are, where their weights come from, and how to add one in a few lines.

A measure and the feature that it reads fit in one file of a user::

    from screentest.metrics import Sample, frame_feature, measure

    @frame_feature("my.brightness", version=1)
    def brightness(frames_THWC):
        return frames_THWC.mean(axis=(1, 2, 3))[:, None] / 255

    @measure("my.exposure", version=1, needs=("my.brightness",), better="neither", bounds=(0.0, 1.0))
    def exposure(sample: Sample) -> float:
        '''Mean brightness of a clip, 0 (black) to 1 (white).'''
        return float(sample.features["my.brightness"].mean())

An encoder with state or weights of its own is a subclass of `Encoder` or `FrameEncoder`, added with
``ENCODERS.add(name, EncoderEntry(...))``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import MissingWeightsError, UsageError
from ...harness.core.plugin_sources import source_digest
from ...harness.core.registry import Registry
from ..rooms import ROOMS
from .base import Encoder, EncoderOptions, Feature, FrameEncoder

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = [
    "ENCODERS",
    "EncoderEntry",
    "encoder_of",
    "encoder_roles",
    "frame_feature",
    "make_encoder",
    "role_of",
]

TEXT_SUFFIX = ".text"
_ROLES = (
    "caption", "clap", "clip", "detector", "image", "judge", "people", "provenance", "subject", "surprise",
    "tracks", "video", "vlm", "vqa", "watermark", "xclip",
)  # fmt: skip


@dataclass(frozen=True)
class EncoderEntry:
    """An encoder that can be asked for by name.

    Attributes:
        summary: one line for listings.
        build: make the encoder from the source of its weights (None where it takes none) and the options.
            Building is cheap: weights are loaded when the first frame comes.
        takes_source: whether a suite chooses its weights (``encoders: {clip: reference}``).
        shipped: whether there is a ``reference`` among these weights, which comes with the package.
        role: the role whose source it takes; its own name unless several encoders share one.
        settings: what its source can be.
    """

    summary: str
    build: Callable[[str | None, EncoderOptions], Encoder]
    takes_source: bool = False
    shipped: bool = True
    role: str | None = None
    settings: str = "reference, a Hugging Face id, or a folder"


ENCODERS: Registry[EncoderEntry] = Registry("encoder", EncoderEntry, ROOMS)


def encoder_roles() -> tuple[str, ...]:
    """Name the built-in encoders whose weights a suite chooses."""
    return _ROLES


def role_of(encoder: str) -> str | None:
    """Name the role whose source an encoder takes; None if it takes none.

    Raises:
        UsageError: no such encoder.
    """
    entry = ENCODERS.get(encoder)
    return (entry.role or encoder) if entry.takes_source else None


def encoder_of(feature: str) -> str:
    """Name the encoder that makes a feature: ``clip.text`` is made by ``clip``.

    Example:
        >>> encoder_of("clip.text"), encoder_of("flow")
        ('clip', 'flow')
    """
    return feature.removesuffix(TEXT_SUFFIX)


def make_encoder(name: str, source: str | None = None, options: EncoderOptions | None = None) -> Encoder:
    """Make an encoder by name, without loading its weights.

    Args:
        name: one of `ENCODERS`.
        source: where a role's weights are: ``reference`` (packaged; also what None means), a folder, or a
            hub id, optionally with a revision (``google/siglip-base-patch16-224@main``).
        options: device and dtype.

    Raises:
        UsageError: no such encoder, or a source for an encoder that has none to choose, or weights that are
            not of the kind that the encoder reads.
        MissingWeightsError: the weights are not on this machine and cannot be downloaded.
    """
    entry = ENCODERS.get(name)
    if source is not None and not entry.takes_source:
        raise UsageError(
            f"the encoder {name!r} takes no weights, so {source!r} cannot be its source; "
            f"encoders that take one: {', '.join(_ROLES)}"
        )
    if entry.takes_source and source is None:
        source = "reference"
    if source == "reference" and not entry.shipped:
        raise MissingWeightsError(
            f"the encoder {name!r} has no 'reference' that comes with the package ({entry.summary}); "
            f"name what it should read with --encoder {name}=SOURCE, or in the suite's 'encoders'"
        )
    return entry.build(source, options or EncoderOptions())


FrameFunction = Callable[[NDArray[np.uint8]], Feature]


def frame_feature(
    name: str, *, version: int, frames_at_once: int = 16
) -> Callable[[FrameFunction], FrameFunction]:
    """Register a function of frames as the encoder ``name``; it stays callable as it was.

    The function takes uint8 RGB frames (T, H, W, 3) of at most ``frames_at_once`` frames, in order, and
    returns floats of shape (T, k) or (T,). Each row must depend on its own frame only. The feature's identity
    is the name, ``version`` and the text of the function; raise ``version`` when something that it calls
    changes.

    Raises:
        UsageError: the name is taken, or ends in ``.text``, which is kept for embeddings of prompts.
    """
    if name.endswith(TEXT_SUFFIX):
        raise UsageError(f"a feature cannot be called {name!r}: '.text' is kept for embeddings of prompts")

    def register(function: FrameFunction) -> FrameFunction:
        summary = (inspect.getdoc(function) or f"frame feature, version {version}").split("\n", 1)[0]

        def build(source: str | None, options: EncoderOptions) -> Encoder:
            del source, options
            return _FunctionEncoder(name, version, function, frames_at_once)

        ENCODERS.add(name, EncoderEntry(summary, build))
        return function

    return register


class _FunctionEncoder(FrameEncoder):
    def __init__(self, name: str, version: int, function: FrameFunction, frames_at_once: int) -> None:
        self.name = name
        self.frames_at_once = frames_at_once
        self._version = version
        self._function = function

    def identity(self) -> Mapping[str, Json]:
        return {"version": self._version, "source": source_digest(self._function)}

    def encode_frames(self, frames_THWC: NDArray[np.uint8]) -> Feature:
        rows = np.asarray(self._function(frames_THWC), dtype=np.float64)
        rows = rows[:, None] if rows.ndim == 1 else rows
        if rows.ndim != 2 or len(rows) != len(frames_THWC):
            raise UsageError(
                f"the frame feature {self.name!r} returned shape {rows.shape} for {len(frames_THWC)} frames; "
                "it should return one row a frame: (T, k)"
            )
        return rows
