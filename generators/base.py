"""The interface of generators: they turn items into outputs, and list their identity."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast, get_args

import numpy as np
from numpy.typing import NDArray

from ..harness.core.counts import counted
from ..harness.core.errors import ScreentestError, describe
from ..harness.core.items import Start, Use, start_kind

if TYPE_CHECKING:
    from ..harness.core.items import ClipSettings, Item
    from ..harness.core.keys import Json
    from ..harness.core.layers import LayerDecision
    from ..harness.core.sound import SoundTrack
    from ..harness.core.storage import Place

__all__ = [
    "ANY_START",
    "Failure",
    "Frames",
    "Generator",
    "NotApplicable",
    "Output",
    "Refusal",
    "VideoFile",
    "answers",
    "unsuited",
]

ANY_START: Final[frozenset[Start]] = frozenset(("image", *get_args(Use)))
"""All that a clip can start from, beside text."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """Base of all outputs.

    Attributes:
        layers: decisions of safeguards, in order.
    """

    layers: tuple[LayerDecision, ...] = ()


@dataclass(frozen=True)
class Frames(_Answer):
    """A clip in memory: ``frames_THWC`` uint8 RGB of shape (T, H, W, 3), at ``fps``, perhaps with sound."""

    frames_THWC: NDArray[np.uint8]
    fps: float
    sound: SoundTrack | None = None


@dataclass(frozen=True)
class VideoFile(_Answer):
    """A clip as a file; it is stored unchanged, bit for bit."""

    path: Path


@dataclass(frozen=True)
class Refusal(_Answer):
    """The generator, or a filter before it, refused the item."""

    reason: str


@dataclass(frozen=True)
class Failure(_Answer):
    """Generation of the item failed.

    Attributes:
        reason: one sentence, stored in the run and shown in the report.
        details: more for developers, such as a traceback; written to the run's log.
    """

    reason: str
    details: str = ""


@dataclass(frozen=True)
class NotApplicable(_Answer):
    """The generator has no way to be given such an item, for example an image to start from.

    It is neither a refusal nor a failure: no rate counts the item.
    """

    reason: str


Output = Frames | VideoFile | Refusal | Failure | NotApplicable


class Generator(ABC):
    """Turn items into outputs.

    Creating one is cheap: weights are loaded at the first call of `generate`, so planning and scoring do not
    load them.

    Attributes:
        spec: the user's spec, for example ``reference:base`` or ``folder:clips``.
        sources: folders, or addresses of stores, that it reads clips from; no run may store its own there.
        starts: what clips can start from beside text; `ANY_START` is everything. An item that starts from
            something else is `NotApplicable`, and `generate` does not get it.
        world: name of the world that its clips show; None for a generator of real or unknown clips.
        batch_size: number of items in a unit of the plan. It must not change what an item's clip shows.
    """

    spec: str
    batch_size: int = 1
    sources: tuple[Place, ...] = ()
    starts: frozenset[Start] = frozenset()
    world: str | None = None

    @abstractmethod
    def identity(self) -> Mapping[str, Json]:
        """List what changes the output (name, weights digest, sampler settings), without loading weights.

        Raises:
            MissingWeightsError: the weights are not on this machine.
        """

    @abstractmethod
    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Make one output for each item, in order. An item that fails is a `Failure`, not an exception."""

    def own_items(self, clip: ClipSettings) -> tuple[Item, ...] | None:
        """List the generator's own items (of a folder of clips); None for a real generator."""
        del clip
        return None

    def file_of(self, item: Item) -> str | None:
        """Name the user's file that is an item's clip, relative to its folder; None where there is none."""
        return item.source

    def prompt_of(self, item: Item) -> str | None:
        """Return the text that an item is generated from: its prompt, unless the generator expands it."""
        return item.prompt

    def why_not(self, item: Item) -> str:
        """Say why an item cannot be given to the generator at all; empty if it can.

        By default this compares what the item starts from with `starts`.
        """
        start = start_kind(item)
        if start is None or start in self.starts:
            return ""
        what = "an image" if start == "image" else f"a video ({start})"
        return f"{self.spec} cannot start a clip from {what}"

    def check(self, items: Sequence[Item]) -> list[str]:
        """Check the items before anything is generated; return warnings to print.

        Raises:
            UsageError: the generator cannot make the items, for example in a size that it was not trained on.
        """
        del items
        return []


def answers(generator: Generator, items: Sequence[Item]) -> list[Output]:
    """Make one output for each item; an exception of the generator becomes a `Failure` of these items.

    The generator does not get items that it cannot be given (`Generator.why_not`).

    An output of another type, or frames that are not a video, become a `Failure` that says what to return.

    Raises:
        ScreentestError: an error that further items would have, too, such as missing weights.
    """
    unfit = unsuited(generator, items)
    fit = [item for item in items if item.id not in unfit]
    given = iter(_generated(generator, fit) if fit else [])
    return [NotApplicable(unfit[item.id]) if item.id in unfit else next(given) for item in items]


def unsuited(generator: Generator, items: Sequence[Item]) -> dict[str, str]:
    """List the items that cannot be given to a generator: id -> reason."""
    return {item.id: reason for item in items if (reason := generator.why_not(item))}


def _generated(generator: Generator, items: Sequence[Item]) -> list[Output]:
    try:
        outputs = cast("object", generator.generate(items))
    except (ScreentestError, KeyboardInterrupt):
        raise
    except BaseException as error:  # code of others calls sys.exit, and a panic of Rust is no Exception
        failure = Failure(describe(error), traceback.format_exc())
        return [failure for _ in items]
    if not isinstance(outputs, list | tuple):
        failure = Failure(f"the generator returned {_named(outputs)} and not a list with an output an item")
        return [failure for _ in items]
    given = cast("Sequence[object]", outputs)
    if len(given) != len(items):
        failure = Failure(
            f"the generator gave {counted(len(given), 'output')} for {counted(len(items), 'item')}"
        )
        return [failure for _ in items]
    return [_checked(output) for output in given]


def _checked(output: object) -> Output:
    if not isinstance(output, Output):
        return Failure(
            f"the generator gave {_named(output)} for an item, and not Frames, VideoFile, Refusal, Failure "
            "or NotApplicable"
        )
    if isinstance(output, Frames):
        frames = cast("object", output.frames_THWC)
        if not _is_video(frames):
            return Failure(f"Frames need an array of shape (T, H, W, 3); the generator gave {_named(frames)}")
        if output.frames_THWC.dtype != np.uint8:
            return Failure(f"Frames need uint8 values from 0 to 255; the generator gave {_named(frames)}")
    return output


def _is_video(frames: object) -> bool:
    return isinstance(frames, np.ndarray) and frames.ndim == 4 and frames.shape[-1] == 3


def _named(value: object) -> str:
    """Describe an unexpected value by its type and, for an array, its shape."""
    if value is None:
        return "None"
    name = type(value).__name__
    shape: object = getattr(value, "shape", None)
    if shape is None:
        return f"a value of type {name}"
    return f"a {name} of shape {tuple(cast('Sequence[int]', shape))} and type {getattr(value, 'dtype', '?')}"
