"""What every generator is: it turns items into outputs, and says exactly who it is."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from ..harness.core.errors import ScreentestError, describe

if TYPE_CHECKING:
    from ..harness.core.items import ClipSettings, Item
    from ..harness.core.keys import Json
    from ..harness.core.layers import LayerDecision

__all__ = ["Failure", "Frames", "Generator", "Output", "Refusal", "VideoFile", "answers"]


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What every output carries.

    Attributes:
        layers: what safeguards decided on the way, in their order.
    """

    layers: tuple[LayerDecision, ...] = ()


@dataclass(frozen=True)
class Frames(_Answer):
    """A clip in memory: ``frames_THWC`` uint8 RGB of shape (T, H, W, 3), shown at ``fps``."""

    frames_THWC: NDArray[np.uint8]
    fps: float


@dataclass(frozen=True)
class VideoFile(_Answer):
    """A clip that is a file already; it is stored as it is, bit for bit."""

    path: Path


@dataclass(frozen=True)
class Refusal(_Answer):
    """The generator, or a filter before it, said no."""

    reason: str


@dataclass(frozen=True)
class Failure(_Answer):
    """Nothing came back for this item.

    Attributes:
        reason: one sentence; it stands in the run and on the page.
        details: more for whoever mends it, such as a traceback; it goes to the run's log.
    """

    reason: str
    details: str = ""


Output = Frames | VideoFile | Refusal | Failure


class Generator(ABC):
    """Turn items into outputs.

    Making one is cheap: weights are loaded on the first call of `generate`, so that planning and scoring
    again never pay for them.

    Attributes:
        spec: how the user named it, for example ``reference:base`` or ``folder:clips``.
        sources: folders that it reads clips from; a run may not lie in one of them.
        batch_size: how many items the plan puts in a unit. It must not change what an item's clip shows.
    """

    spec: str
    batch_size: int = 1
    sources: tuple[Path, ...] = ()

    @abstractmethod
    def identity(self) -> Mapping[str, Json]:
        """List what changes the output (name, weights digest, sampler settings), without loading it.

        Raises:
            MissingWeightsError: the weights are not on this machine.
        """

    @abstractmethod
    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Make one output for each item, in order. An item that fails is a `Failure`, not an exception."""

    def own_items(self, clip: ClipSettings) -> tuple[Item, ...] | None:
        """List the items that this generator brings itself (a folder of clips); None for a real generator."""
        del clip
        return None

    def check(self, items: Sequence[Item]) -> list[str]:
        """Look, before anything is generated, for what will not work; return warnings to print.

        Raises:
            UsageError: the items cannot be served at all (a size that the checkpoint does not know ...).
        """
        del items
        return []


def answers(generator: Generator, items: Sequence[Item]) -> list[Output]:
    """Make one output for each item, whatever a generator does: what it raises fails these items alone.

    An output that is none of the four kinds, or frames that are no video, is a `Failure` that says what to
    return instead.

    Raises:
        ScreentestError: weights are missing or the like, so that further items would fail in the same way.
    """
    try:
        outputs = cast("object", generator.generate(items))
    except ScreentestError:
        raise
    except Exception as error:
        failure = Failure(describe(error), traceback.format_exc())
        return [failure for _ in items]
    if not isinstance(outputs, list | tuple):
        failure = Failure(f"the generator returned {_named(outputs)} and not a list with an output an item")
        return [failure for _ in items]
    given = cast("Sequence[object]", outputs)
    if len(given) != len(items):
        failure = Failure(f"the generator gave {len(given)} outputs for {len(items)} items")
        return [failure for _ in items]
    return [_checked(output) for output in given]


def _checked(output: object) -> Output:
    if not isinstance(output, Frames | VideoFile | Refusal | Failure):
        return Failure(
            f"the generator gave {_named(output)} for an item, and not Frames, VideoFile, Refusal or Failure"
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
    """Name a value that should have been another, by its type and, of an array, its shape."""
    if value is None:
        return "None"
    name = type(value).__name__
    shape: object = getattr(value, "shape", None)
    if shape is None:
        return f"a value of type {name}"
    return f"a {name} of shape {tuple(cast('Sequence[int]', shape))} and type {getattr(value, 'dtype', '?')}"
